"""onnxruntime-gpu is made for the CUDA and the cuDNN that are in the same process."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packaging.version import Version

from builder.check.model import Case, Finding, finding
from builder.check.onnxruntime import PACKAGE, listed, release_of
from builder.check.rows import OnnxruntimeGpu
from builder.check.torch import torch_of

NAME = "onnxruntime_cuda"


def find(case: Case) -> Iterator[Finding]:
    """An error for each library whose major version is another than the one it is made for."""
    version = case.image.version(PACKAGE)
    row = release_of(case, version) if version else None
    if row is None or version is None or PACKAGE in case.elsewhere:
        return
    torch = torch_of(case)
    rows = [row, torch.release] if torch and torch.release else [row]
    for library, wanted in (("CUDA", row["cuda"]), ("cuDNN", row["cudnn"])):
        whose, there = _cuda(case) if library == "CUDA" else _cudnn(case)
        if there and there != wanted:
            yield finding(
                NAME,
                rows,
                problem=f"{PACKAGE} {version} is made for {library} {wanted}, and {whose} has {library} {there}",
                cause="its CUDA provider then fails to load, and it silently runs on the CPU",
                fix=_fix(case, row),
                about=library,
                columns=[library.lower()],
            )


def _major(version: object) -> str:
    return str(version).partition(".")[0]


def _cuda(case: Case) -> tuple[str, str]:
    """Whose CUDA is there, and its major version; "" for not known."""
    torch = torch_of(case)
    if torch and torch.cuda:
        return f"torch {torch.name}", _major(torch.cuda)
    return "the family", _major(case.stack.cuda or "")


def _cudnn(case: Case) -> tuple[str, str]:
    torch = torch_of(case)
    if torch and torch.cudnn:
        return f"torch {torch.name}", _major(torch.cudnn)
    for name in case.image:
        if name.startswith("nvidia-cudnn-cu") and (version := case.image.version(name)):
            return name, _major(version)
    tagged = re.search(r":[^@]*-cudnn(\d)\b", case.stack.base.image or "")
    return "the base image", tagged[1] if tagged else ""


def _fix(case: Case, row: OnnxruntimeGpu) -> str:
    """The releases for this Python that fit all that is there, or the torch that this release fits."""
    cuda, cudnn = _cuda(case)[1], _cudnn(case)[1]
    fitting = [
        one
        for one in listed(case)
        if (other := release_of(case, Version(one))) and other["cuda"] == cuda and cudnn in ("", other["cudnn"])
    ]
    wanted = f"CUDA {row['cuda']} with cuDNN {row['cudnn']}"
    if fitting:
        return f"take {PACKAGE} {' to '.join(dict.fromkeys((fitting[0], fitting[-1])))}, or {wanted}"
    return (
        f"take {wanted}: no known {PACKAGE} for Python {case.stack.python} fits CUDA {cuda} with cuDNN {cudnn or '?'}"
    )
