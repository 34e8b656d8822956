"""What is known of releases of onnxruntime-gpu."""

from __future__ import annotations

from collections.abc import Sequence

from packaging.version import Version

from builder.check.model import Case
from builder.check.rows import OnnxruntimeGpu
from builder.check.spans import within

PACKAGE = "onnxruntime-gpu"


def release_of(case: Case, version: Version) -> OnnxruntimeGpu | None:
    """The row of a release, None where nothing is known of it."""
    return next((row for row in case.facts["onnxruntime_gpu"] if within(version, row["versions"])), None)


def listed(case: Case) -> tuple[str, ...]:
    """The releases that the default index has for the stack's Python, oldest first; empty where not known."""
    rows = case.facts["onnxruntime_gpu_wheels"]
    return next((row["versions"] for row in rows if row["python"] == case.stack.python), ())


def nearest(versions: Sequence[str], wanted: Version) -> str:
    """Of some versions the newest of the minor release that is nearest to a wanted one."""

    def distance(one: str) -> tuple[int, int, int]:
        version = Version(one)
        return (abs(version.major - wanted.major), abs(version.minor - wanted.minor), -version.micro)

    return min(versions, key=distance)
