"""The smoke verb: image -> JUnit XML and evidence, by testinfra in a started container."""

from builder.smoke.report import Gpu, GpuMode, Result, SmokeReport
from builder.smoke.run import smoke

__all__ = ["Gpu", "GpuMode", "Result", "SmokeReport", "smoke"]
