"""The smoke verb: image, running container or machine -> JUnit XML and evidence, by testinfra."""

from builder.smoke.report import GpuAccess, GpuMode, Result, SmokeReport
from builder.smoke.run import prove, smoke

__all__ = ["GpuAccess", "GpuMode", "Result", "SmokeReport", "prove", "smoke"]
