"""Fixtures of the room publish: what is verified was published."""

from tests.publish.conftest import keys, served

__all__ = ["keys", "served"]
