"""build: a rendered stack becomes an image in the engine, by BuildKit and without a network."""

from builder.build.compile import compile_all
from builder.build.image import BUILD_LABEL, Built, build

__all__ = ["BUILD_LABEL", "Built", "build", "compile_all"]
