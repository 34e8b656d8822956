"""Which torch a stack has, what is known of it, and which other builds would do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from builder.check.model import Case
from builder.check.rows import TorchBuild, TorchRelease
from builder.check.spans import within

_ARCHITECTURE = re.compile(r"(?P<kind>sm|compute)_(?P<major>[0-9]{1,3})(?P<minor>[0-9])(?P<only>[a-z]?)")


@dataclass(frozen=True, kw_only=True)
class Torch:
    """A build of torch. version: without what follows its +. cuda: such as 11.3, "" for a build without CUDA.

    release: its row of torch_releases, None where nothing is known of it.
    """

    version: Version
    cuda: str
    release: TorchRelease | None

    @property
    def name(self) -> str:
        """As people write it: 1.12.1+cu113."""
        return build_name(str(self.version), self.cuda)

    @property
    def cudnn(self) -> str:
        """The version of cuDNN it is made with, "" where that is not known."""
        return str(self.release["builds"].get(self.cuda, "")) if self.release else ""


def torch_of(case: Case) -> Torch | None:
    """The torch of a stack: as locked, else as its packages pin it, else as its family states it; None for none."""
    stated = stated_torch(case)
    version = case.image.version("torch") or stated
    if version is None:
        return None
    local = version.local or (stated.local if stated and stated.public == version.public else None)
    public = Version(version.public)
    release = next((row for row in case.facts["torch_releases"] if within(public, f"=={row['torch']}")), None)
    tag = local or _tag_of_index(case)
    if tag:
        return Torch(version=public, cuda=cuda_of_tag(tag), release=release)
    return Torch(version=public, cuda=release["default"] if release else "", release=release)


def stated_torch(case: Case) -> Version | None:
    """The version that the family's `torch` states; None where it states none, or no version."""
    try:
        return Version(case.stack.torch) if case.stack.torch else None
    except InvalidVersion:
        return None


def _tag_of_index(case: Case) -> str:
    """The cu113 at the end of the address of the index that torch comes from, "" for none."""
    for index in case.stack.indexes.values():
        found = re.search(r"/whl/(cpu|cu\d{3})/?$", index.url or "")
        if found and "torch" in index.packages:
            return found[1]
    return ""


def cuda_of_tag(tag: str) -> str:
    """The CUDA version of a build's tag: 11.3 for cu113, "" for cpu and any other."""
    found = re.fullmatch(r"cu(\d{2,3})", tag)
    return f"{found[1][:-1]}.{found[1][-1]}" if found else ""


def build_name(version: str, cuda: str) -> str:
    """As the PyTorch index names a build: 1.12.1+cu113, or 1.12.1+cpu."""
    return f"{version}+{'cu' + cuda.replace('.', '') if cuda else 'cpu'}"


def code_of(case: Case, version: Version, cuda: str) -> TorchBuild | None:
    """The row of torch_builds for a build, None where it is not known what code it holds."""
    return next(
        (row for row in case.facts["torch_builds"] if cuda in row["cuda"] and within(version, row["torch"])), None
    )


def covers(code: Sequence[str], ptx: str, capability: str) -> bool:
    """Whether a GPU runs code that was made for these compute capabilities.

    Code for X.y runs on X.z with z >= y; PTX runs on what is not older. Source: CUDA C++ Programming Guide, binary
    and PTX compatibility; replicate/cog pkg/doctor/gpu_compatibility.go. What is for X.y alone is written X.ya.
    """
    if f"{capability}a" in code:
        return True
    wanted = Version(capability)
    same = [Version(one) for one in code if not one.endswith("a") and Version(one).major == wanted.major]
    return any(one <= wanted for one in same) or (bool(ptx) and Version(ptx) <= wanted)


def named_code_runs(names: Iterable[str], capability: str) -> bool:
    """Whether a GPU runs code of these architectures, by the names of nvcc: sm_90 is machine code, compute_90 PTX.

    What ends with `a` runs on that capability alone; what ends with `f`, PTX too, on newer ones of its major version
    (CUDA C++ Programming Guide, architecture- and family-specific features).
    """
    code: list[str] = []
    exact: list[str] = []
    ptx = [""]
    for match in filter(None, map(_ARCHITECTURE.fullmatch, names)):
        one = f"{match['major']}.{match['minor']}"
        plain_ptx = match["kind"] == "compute" and not match["only"]
        (exact if match["only"] == "a" else ptx if plain_ptx else code).append(one)
    return capability in exact or any(covers(code, one, capability) for one in ptx)


def builds_for(case: Case, capabilities: Sequence[str]) -> list[tuple[str, TorchRelease]]:
    """For each CUDA the first build of torch that covers all of these, and its release: first those for the stack's
    Python, then by version."""
    first: dict[str, tuple[str, TorchRelease]] = {}
    for release, cuda in _known(case):
        version = _number(release)
        row = code_of(case, version, cuda)
        if row and cuda not in first and all(covers(row["capabilities"], row["ptx"], one) for one in capabilities):
            first[cuda] = (build_name(str(version), cuda), release)
    found = sorted(first.values(), key=lambda item: Version(item[0]))
    return [one for one in found if fits_python(one[1], case.stack.python)] or found


def _known(case: Case) -> Iterator[tuple[TorchRelease, str]]:
    for release in sorted(case.facts["torch_releases"], key=_number):
        for cuda in release["builds"]:
            yield release, cuda


def _number(release: TorchRelease) -> Version:
    return Version(release["torch"].replace("*", "0"))


def fits_python(release: TorchRelease, python: str) -> bool:
    """Whether a release of torch has wheels for this Python."""
    first, last = (Version(one) for one in release["python"])
    return first <= Version(python) <= last
