"""A client that trusts the system's store alone is locked: an image whose store is empty fails."""

from __future__ import annotations

import pytest

from builder.lock import StackLock
from tests.smoke.conftest import locked_with


@pytest.fixture
def lock() -> StackLock:
    """The lock of onnx-cpu with huggingface_hub 2, which the image has not."""
    return locked_with("onnx-cpu", {"huggingface-hub": "2.4.0"})


@pytest.mark.parametrize("empty", [False, True])
def test_an_empty_store_is_told_by_who_reads_it(empty: bool, judge, image, variant) -> None:
    report = judge(variant("RUN rm -rf /etc/ssl/certs/*") if empty else image, smoke=("python",))
    found = {one.test.removeprefix("test_"): one.reason for one in report.results if one.outcome == "failed"}
    found.pop("every_locked_package_is_installed_at_its_locked_version")
    assert bool(found) == empty, found
    if empty:
        said = found.pop("a_client_that_trusts_the_systems_store_alone_finds_roots_there")
        assert said == "no certificate in the system's store, for huggingface-hub 2.4.0"
        assert not found
