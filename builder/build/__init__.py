"""build: a rendered stack becomes an image in the engine, by BuildKit and without a network."""

from builder.build.build import BUILD_LABEL, Built, build
from builder.build.compile import compile_all

__all__ = ["BUILD_LABEL", "Built", "build", "compile_all"]
