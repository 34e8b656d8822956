"""The smoke verb: image, running container or machine -> JUnit XML and evidence, by testinfra."""

from builder.smoke.report import Gpu, GpuMode, Result, SmokeReport
from builder.smoke.run import prove, smoke

__all__ = ["Gpu", "GpuMode", "Result", "SmokeReport", "prove", "smoke"]
