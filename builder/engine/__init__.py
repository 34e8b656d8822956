"""How the rest of the program sees Docker Engine, and the verb `engine` that provides one."""

from builder.engine.client import Engine, ImageFacts
from builder.engine.probe import EngineError, EngineInfo

__all__ = ["Engine", "EngineError", "EngineInfo", "ImageFacts"]
