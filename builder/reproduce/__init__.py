"""reproduce: a stack is built twice from nothing and the two images are compared, layer by layer, then file by file."""

from builder.reproduce.twice import Report, reproduce

__all__ = ["Report", "reproduce"]
