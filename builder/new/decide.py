"""From what was found to what a stack.yaml says: every thing that was found gets a decision."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from builder.check import packaged_facts
from builder.new import families
from builder.new.families import Fit
from builder.new.found import Asked, Decision, Found, Kind, short
from builder.new.found import fits as fits_kind
from builder.new.known import names, needs
from builder.new.offers import Offer
from builder.spec.model import Family
from builder.spec.text import HttpsUrl, PackageRequirement

_COMMIT = re.compile(r"[0-9a-f]{40}")
# What sdists of some years ago take for granted; their versions follow the stack's.
_BUILDERS = ("setuptools", "wheel", "cython", "numpy")
_SETUPTOOLS = "setuptools<82"  # 82 has no pkg_resources, which their setup.py import


@dataclass
class Draft:
    """What the file will say. packages: by project, the requirement and a comment. notes: comments by key."""

    family: str = ""
    packages: dict[str, tuple[str, str]] = field(default_factory=dict)
    indexes: dict[str, tuple[str, str]] = field(default_factory=dict)  # `url` or `find-links`, and the address
    served: dict[str, list[str]] = field(default_factory=dict)
    overrides: list[str] = field(default_factory=list)
    without: list[str] = field(default_factory=list)
    from_source: list[str] = field(default_factory=list)
    system: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    sources: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    extensions: list[dict[str, object]] = field(default_factory=list)
    toolchain: dict[str, list[str]] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)

    def note(self, key: str, text: str) -> None:
        """A comment at a key: what is left to the user."""
        self.notes.setdefault(key, []).append(short(text))


class Asking:
    """The requirements, one for each project, on the way to a draft."""

    def __init__(self, found: Found) -> None:
        self.draft = Draft(decisions=list(found.decisions))
        self.found = found
        self.asked: dict[str, Requirement] = {}
        self.where: dict[str, str] = {}
        for one in found.asked:
            if one.url:
                self._address(one)
            else:
                self._requirement(one)
        self._bounds()
        self._conflicts()

    def _requirement(self, one: Asked) -> None:
        parsed = Requirement(one.text)
        project = str(canonicalize_name(parsed.name))
        if row := names("project").get(project):
            why = f"{row.get('why') or row['to']} ({row['source']})"
            kind: Kind = "changed" if row["to"] else "left out"
            self.draft.decisions.append(Decision(kind=kind, what=one.text, into="packages", why=why, where=one.where))
            if not row["to"]:
                return
            parsed, project = Requirement(row["to"]), row["to"]
        if parsed.marker and not parsed.marker.evaluate(
            {
                "sys_platform": "linux",
                "platform_system": "Linux",
                "platform_machine": "x86_64",
                "os_name": "posix",
                "extra": "",
            }
        ):
            why = f"its marker, {parsed.marker}, is not of Linux x86_64"
            self.draft.decisions.append(Decision(kind="left out", what=one.text, why=why, where=one.where))
            return
        if earlier := self.asked.get(project):
            self._again(project, earlier, parsed, one)
            return
        self.asked[project], self.where[project] = parsed, one.where

    def _again(self, project: str, earlier: Requirement, parsed: Requirement, one: Asked) -> None:
        """A project for the second time: both bounds, unless they pin two versions."""
        pins = {str(one) for both in (earlier, parsed) for one in both.specifier if one.operator == "=="}
        if len(pins) < 2:
            earlier.specifier = earlier.specifier & parsed.specifier
            earlier.extras |= parsed.extras
            return
        why = f"{self.where[project]} asks for {earlier}, which is kept"
        self.draft.decisions.append(Decision(kind="left out", what=one.text, why=why, where=one.where))

    def _address(self, one: Asked) -> None:
        """A requirement that names its own address."""
        git = re.match(r"git\+(https://[^@#\s]+?)(?:@([^#\s]+))?(?:#.*)?$", one.url)
        if git and _COMMIT.fullmatch(git[2] or "") and fits_kind(HttpsUrl, git[1]):
            folder = f"/opt/src/{re.sub(r'[^A-Za-z0-9._-]', '-', one.text)}"
            self.draft.sources.append({"git": git[1], "commit": git[2], "into": folder})
            self.draft.paths.append(folder)
            why = "a git source at its commit, put on sys.path; what it requires has to be named in `packages`"
            self.draft.decisions.append(Decision(kind="moved", what=one.url, into="sources", why=why, where=one.where))
            return
        why = (
            "a git source needs its full commit: git ls-remote tells it"
            if git
            else ("a file at an address: name its page as `find-links` of an index, and the package there")
        )
        key = "sources" if git else "indexes"
        example = f"{{git: {git[1]}, commit: …, into: /opt/src/{one.text}}}" if git else f"{{find-links: {one.url}}}"
        self.draft.note(key, f"{example}  {one.text}, {one.where}: {why}")
        self.draft.decisions.append(Decision(kind="yours", what=one.url, into=key, why=why, where=one.where))

    def _bounds(self) -> None:
        for one in self.found.constraints:
            parsed = Requirement(one.text)
            project = str(canonicalize_name(parsed.name))
            if project in self.asked:
                self.asked[project].specifier = self.asked[project].specifier & parsed.specifier
                self.draft.decisions.append(
                    Decision(kind="moved", what=one.text, into="packages", why="a constraint", where=one.where)
                )
            else:
                why = "a constraint on what is not asked for by name; an entry of `overrides` would hold it"
                self.draft.note("overrides", f"{one.text}  {one.where}: {why}")
                self.draft.decisions.append(
                    Decision(kind="yours", what=one.text, into="overrides", why=why, where=one.where)
                )

    def _conflicts(self) -> None:
        """Of projects that install the same files the first of the fact's row is kept; the rest goes to `without`."""
        for row in packaged_facts()["conflicting_packages"]:
            both = [one for one in row["packages"] if one in self.asked]
            for other in both[1:]:
                self.draft.without.append(other)
                why = f"{both[0]} installs the same files; {row['fix']} ({row['source']})"
                self.draft.decisions.append(
                    Decision(kind="left out", what=str(self.asked.pop(other)), into="without", why=why,
                             where=self.where.pop(other))
                )  # fmt: skip


def drafted(asking: Asking, fits: Sequence[Fit], offers: dict[str, Offer], elsewhere: dict[str, str]) -> Draft:
    """The draft, on the first of the families that fit."""
    draft, best = asking.draft, fits[0]
    draft.family = best.name
    second = f"; next best {fits[1].name} ({fits[1].why})" if len(fits) > 1 else ""
    draft.decisions.insert(0, Decision(kind="added", what=best.name, into="family", why=f"{best.why}{second}"))
    own = {str(canonicalize_name(Requirement(one).name)): Requirement(one) for one in best.family.packages}
    for project, one in asking.asked.items():
        where = asking.where[project]
        if project in own:
            _of_family(draft, one, own[project], best.name, where)
            continue
        one.marker = None
        text = str(one)
        offer = offers.get(project)
        if project not in elsewhere and offer and not offer.there:
            why = "the default index has no project of this name"
            draft.note("packages", f"{text}  {where}: {why}")
            draft.decisions.append(Decision(kind="yours", what=text, into="packages", why=why, where=where))
            continue
        if not fits_kind(PackageRequirement, text):
            why = "it cannot stand in a stack file"
            draft.note("packages", f"{text}  {where}: {why}")
            draft.decisions.append(Decision(kind="yours", what=text, into="packages", why=why, where=where))
            continue
        draft.packages[project] = (text, "")
        draft.decisions.append(Decision(kind="kept", what=text, into="packages", where=where))
        _needs(draft, project, where)
        if project not in elsewhere and offer and not _wheel(offer, one, best.family) and offer.builds(one):
            _compiled(draft, project, best.family, where)
    claimed = {str(canonicalize_name(name)) for index in best.family.indexes.values() for name in index.packages}
    for name in [name for name in draft.indexes if claimed.issuperset(draft.served[name])]:
        del draft.indexes[name]
    return draft


def _wheel(offer: Offer, one: Requirement, family: Family) -> bool:
    return offer.fits(one, family.python, family.base.glibc)


def _of_family(draft: Draft, one: Requirement, own: Requirement, family: str, where: str) -> None:
    """A package that the family has too."""
    pin = next((spec.version for spec in own.specifier if spec.operator == "=="), "")
    if not pin or one.specifier.contains(pin.partition("+")[0], prereleases=True) or str(one.specifier) == f"=={pin}":
        why = f"the family {family} has {own}"
        draft.decisions.append(Decision(kind="moved", what=str(one), into="family", why=why, where=where))
        return
    draft.overrides.append(str(one))
    why = f"the family {family} has {own}"
    draft.decisions.append(Decision(kind="moved", what=str(one), into="overrides", why=why, where=where))


def _needs(draft: Draft, project: str, where: str) -> None:
    row = needs().get(project)
    for name in row.get("system", ()) if row else ():
        if row and name not in draft.system:
            draft.system.append(name)
            why = f"{project} needs it ({row['source']})"
            draft.decisions.append(Decision(kind="added", what=name, into="system", why=why, where=where))


def _compiled(draft: Draft, project: str, family: Family, where: str) -> None:
    """A project that has an sdist alone for the family's Python."""
    draft.from_source.append(project)
    why = f"the default index has no wheel of it for Python {family.python}, and an sdist"
    draft.decisions.append(Decision(kind="moved", what=project, into="from-source", why=why, where=where))
    row = needs().get(project)
    need_tools(draft, family, row.get("compile", ()) if row else ())


def need_tools(draft: Draft, family: Family, more: Iterable[str] = ()) -> None:
    """Give the draft a toolchain, if neither it nor its family has one, and what else compiles a package."""
    if not draft.toolchain:
        own = set(family.toolchain.system) if family.toolchain else set()
        named = family.toolchain.packages if family.toolchain else ()
        have = {canonicalize_name(Requirement(one).name) for one in named}
        packages = [one for one in _BUILDERS if canonicalize_name(Requirement(one).name) not in have]
        draft.toolchain = {"packages": packages, "system": [one for one in ("g++", "python3-dev") if one not in own]}
        why = "sdists are compiled, and something has to compile them (docs/extensions.md)"
        draft.decisions.append(Decision(kind="added", what=", ".join(packages), into="toolchain", why=why))
        own_packages = {canonicalize_name(Requirement(one).name) for one in family.packages}
        if "setuptools" not in own_packages and "setuptools" not in draft.packages:
            pinned = next((one for one in named if canonicalize_name(Requirement(one).name) == "setuptools"), "")
            draft.packages["setuptools"] = (pinned or _SETUPTOOLS, "")
            why = "the toolchain follows the stack's versions, and 82 has no pkg_resources (facts/package_pairs.yaml)"
            draft.decisions.append(Decision(kind="added", what=pinned or _SETUPTOOLS, into="packages", why=why))
    draft.toolchain["system"] += [one for one in more if one not in draft.toolchain["system"]]


def choose(
    asking: Asking, all_families: dict[str, Family], offers: dict[str, Offer], elsewhere: dict[str, str]
) -> Sequence[Fit]:
    """The families that fit, the best first."""
    return families.ranked(all_families, asking.asked, asking.found.python, offers, elsewhere, asking.found.cuda)
