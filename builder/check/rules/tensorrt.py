"""TensorRT fits the stack's CUDA, its `gpus`, and the onnxruntime-gpu beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, Literal

from packaging.version import Version

from builder.check.model import Case, Finding, finding
from builder.check.onnxruntime import PACKAGE, release_of
from builder.check.rows import TensorRT
from builder.check.spans import within
from builder.check.torch import torch_of

NAME: Final = "tensorrt"


def find(case: Case) -> Iterator[Finding]:
    """Errors for a CUDA or GPU that the release has no build for; a warning for another major than onnxruntime's."""
    version = _version(case)
    if version is None:
        return
    row = next((row for row in case.facts[NAME] if within(version, row["versions"])), None)
    if row is not None:
        yield from _judged(case, version, row)
    onnxruntime = case.image.version(PACKAGE)
    other = release_of(case, onnxruntime) if onnxruntime else None
    if other and Version(other["tensorrt"]).major != version.major:
        yield finding(
            NAME,
            [other],
            level="warning",
            problem=f"onnxruntime-gpu {onnxruntime} is made for TensorRT {other['tensorrt']}, and {version} is here",
            cause="its TensorRT provider is linked to the library of that major version and cannot load",
            fix=f"take TensorRT {Version(other['tensorrt']).major}, or leave TensorrtExecutionProvider out",
            about="onnxruntime",
            columns=["tensorrt"],
        )


def _version(case: Case) -> Version | None:
    names = [one for one in case.image if re.fullmatch(r"tensorrt(-cu\d+)?(-libs|-bindings)?", one)]
    return next((version for one in names if (version := case.image.version(one))), None)


def _built_for(case: Case, row: TensorRT) -> str:
    """The CUDA of the wheels, by their names; of the project without one, what its release asks for."""
    named = [found[1] for one in case.image if (found := re.fullmatch(r"tensorrt-cu(\d+)(?:-libs|-bindings)?", one))]
    return named[0] if named else row.get("meta", "")


def _judged(case: Case, version: Version, row: TensorRT) -> Iterator[Finding]:
    torch = torch_of(case)
    cuda = case.stack.cuda or (torch.cuda if torch else "")
    if cuda and not _inside(cuda, row["cuda"]):
        yield finding(
            NAME,
            [row],
            problem=f"TensorRT {version} has no build for CUDA {cuda}",
            cause=f"its builds are for CUDA {_words(row['cuda'])}",
            fix=_fix(case, "cuda", cuda),
            about="cuda",
            columns=["cuda"],
        )
    elif cuda and (built := _built_for(case, row)) and Version(cuda).major != int(built):
        yield finding(
            NAME,
            [row],
            problem=f"TensorRT {version} is the build for CUDA {built}, and the stack is CUDA {cuda}",
            cause="its libraries need those of that CUDA; from 10.13.2 on the project tensorrt asks for tensorrt-cu13",
            fix=f"take tensorrt-cu{Version(cuda).major}=={version}",
            about="cuda",
            columns=["meta"],
        )
    for gpu in case.stack.gpus:
        capability = gpu.removesuffix("+PTX")
        if not _inside(capability, row["capabilities"]):
            yield finding(
                NAME,
                [row],
                problem=f"TensorRT {version} builds no engine for compute capability {capability}",
                cause=f"it builds them for {_words(row['capabilities'])}",
                fix=_fix(case, "capabilities", capability),
                about=capability,
                columns=["capabilities"],
            )


def _inside(value: str, ends: Sequence[str]) -> bool:
    first, last = ends
    return (not first or Version(first) <= Version(value)) and (not last or Version(value) <= Version(last))


def _words(ends: Sequence[str]) -> str:
    first, last = ends
    return f"{first} to {last}" if first and last else f"{first} or newer" if first else f"up to {last}"


def _fix(case: Case, column: Literal["cuda", "capabilities"], value: str) -> str:
    fitting = [row["versions"] for row in case.facts[NAME] if _inside(value, row[column])]
    return f"take TensorRT {' or '.join(fitting)}" if fitting else "no known release does: take another CUDA or GPU"
