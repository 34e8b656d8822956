"""Which family fits what was found, and why; the runner-up is kept beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from builder.new.found import Asked
from builder.new.offers import Offer
from builder.spec.model import Family


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A family and what speaks for it. python: whether it is the one asked for. torch: 2 it has the one asked for, 1 it
    has none, 0 it has another. lacking: projects without a wheel for its Python."""

    name: str
    family: Family
    python: bool
    torch: int
    cuda: bool
    lacking: tuple[str, ...]

    @property
    def order(self) -> tuple[object, ...]:
        """Greater is better; of equals the one that needs no registry, then the newer Python."""
        minor = int(self.family.python.split(".")[1])
        bare = not self.family.packages
        own = self.family.base.bootstrap is not None
        return (self.torch > 0, self.python, -len(self.lacking), self.torch, self.cuda, bare, own, minor, self.name)

    @property
    def why(self) -> str:
        """In words."""
        said = [f"Python {self.family.python}{'' if self.python else ', which is not the one asked for'}"]
        if self.torch == 2:
            said.append(f"torch {self.family.torch}")
        if self.lacking:
            said.append(f"no wheel of {', '.join(self.lacking[:6])}")
        else:
            said.append("a wheel of everything that is asked for by name")
        return ", ".join(said)


def ranked(
    families: Mapping[str, Family],
    asked: Mapping[str, Requirement],
    python: Iterable[Asked],
    offers: Mapping[str, Offer],
    routed: Iterable[str],
    cuda: Iterable[Asked] = (),
) -> Sequence[Fit]:
    """The families that fit, the best first; those with another torch are left out.

    asked: by project. offers: of the default index. routed: projects that come from elsewhere.
    """
    specifiers = [one for hint in python if (one := _python(hint.text))]
    elsewhere = set(routed)
    majors = {one.text.split(".")[0] for one in cuda if one.text}
    gpu = bool(majors) or bool({"torch", "onnxruntime-gpu", "tensorflow"} & asked.keys())
    found = []
    for name, family in families.items():
        lacking = [
            project
            for project, one in asked.items()
            if project not in elsewhere
            and project in offers
            and not offers[project].fits(one, family.python, family.base.glibc)
        ]
        found.append(
            Fit(
                name=name,
                family=family,
                python=all(f"{family.python}.99" in one or f"{family.python}.0" in one for one in specifiers),
                torch=_torch(family, asked),
                cuda=_cuda(family, majors, gpu=gpu and "torch" not in asked),
                lacking=tuple(lacking),
            )
        )
    return sorted((one for one in found if one.torch), key=lambda one: one.order, reverse=True)


def _cuda(family: Family, majors: set[str], *, gpu: bool) -> bool:
    """Whether a family has CUDA where it is wanted, of a major version that is asked for, and none where it is not."""
    if not family.cuda or not gpu:
        return bool(family.cuda) == gpu
    return not majors or family.cuda.split(".")[0] in majors


def _python(text: str) -> SpecifierSet | None:
    """What a hint asks of Python; a bare 3.8 is every 3.8.x."""
    bare = re.fullmatch(r"=*(3\.\d+)(\.\d+|\.\*)?", text.strip())
    try:
        return SpecifierSet(f"=={bare[1]}.*" if bare else text.strip())
    except InvalidSpecifier:
        return None


def _torch(family: Family, asked: Mapping[str, Requirement]) -> int:
    own = {canonicalize_name(Requirement(one).name): Requirement(one) for one in family.packages}
    if "torch" not in own:
        return 1
    if "torch" not in asked or not family.torch:
        return 0
    version = Version(family.torch)
    pins = [Version(one.version) for one in asked["torch"].specifier if one.operator == "==" and "*" not in one.version]
    if any(pin.local and pin.local != version.local for pin in pins):
        return 0
    return 2 if asked["torch"].specifier.contains(version.public, prereleases=True) or version in pins else 0
