"""What a bundle says of itself: bundle.json, its first member, names every other one by size and sha256. No IO here."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from builder.errors import InputError
from builder.files import sha256_text
from builder.spec.files import CHECKS, FILES
from builder.spec.stacks import FAMILIES
from builder.spec.text import NAME_PATTERN

FORMAT = 1
MANIFEST, SUMS = "bundle.json", "SHA256SUMS"
PROGRAM = "modelstacks"
LIMIT = 32 << 20  # bytes a manifest may have; one of a thousand files has 200 kB

_PART = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._+!%~=@,-]{0,199}")
_STACK_FILES = ("stack.yaml", "pylock.toml", "stack.lock")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SIZE = 1 << 50  # bytes: no file is larger, and sums of sizes stay numbers that every reader takes
_KEYS = {"format", "stacks", "members", "earlier", "base"}
_FIX = "have the bundle made again by `make export`, and look at how it was carried"


@dataclass(frozen=True, kw_only=True)
class Member:
    """One file of a bundle. name: its path in the bundle. size: bytes. sha256: 64 hex digits."""

    name: str
    size: int
    sha256: str

    @property
    def placed(self) -> bool:
        """Whether import puts it somewhere; the rest is for plain tar, pip and web servers."""
        return self.name.split("/")[0] in ("wheels", "assets", "stacks")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What is in a bundle, in the order of the archive.

    earlier: what the stacks also need and an earlier bundle brought. base: the id of that bundle, or "".
    """

    stacks: tuple[str, ...]
    members: tuple[Member, ...]
    earlier: tuple[Member, ...] = ()
    base: str = ""

    def text(self) -> str:
        """The JSON text, one member per line; the same manifest gives the same text."""
        lists = {
            key: ",\n".join(
                f"  {json.dumps({'name': item.name, 'sha256': item.sha256, 'size': item.size})}" for item in items
            )
            for key, items in (("members", self.members), ("earlier", self.earlier))
        }
        return (
            f'{{\n"format": {FORMAT},\n"stacks": {json.dumps(self.stacks)},\n"base": {json.dumps(self.base)},\n'
            f'"members": [\n{lists["members"]}\n],\n"earlier": [\n{lists["earlier"]}\n]\n}}\n'
        )

    @property
    def id(self) -> str:
        """The sha256 of the manifest's text, which fixes every byte of the bundle."""
        return sha256_text(self.text())


def parse(data: bytes, where: str) -> Manifest:
    """The manifest in these bytes. Raises InputError, naming the member, for anything that is not as we write it."""
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _refused(f"{MANIFEST} is not the JSON it should be", where, str(error)[:200]) from None
    if not isinstance(value, dict) or type(value.get("format")) is not int:
        raise _refused(f"{MANIFEST} states no format", where)
    if value["format"] != FORMAT:
        problem = f"the bundle is of format {str(value['format'])[:20]}, this program reads {FORMAT}"
        raise InputError(problem, where=where, fix="use the modelstacks of the site that made the bundle")
    if set(value) != _KEYS:
        raise _refused(f"{MANIFEST} has other keys than {', '.join(sorted(_KEYS))}", where)
    stacks, base = value["stacks"], value["base"]
    if (
        not isinstance(stacks, list)
        or not all(isinstance(name, str) for name in stacks)
        or len({*stacks}) < len(stacks)
    ):
        raise _refused(f"{MANIFEST} names stacks that cannot be", where)
    if bad := next((name for name in stacks if not re.fullmatch(NAME_PATTERN, name) or name == FAMILIES), None):
        why = "a stack's name has a-z, 0-9, '.' and '-', and at most 64 characters"
        raise _refused(f"the bundle names a stack {bad[:100]!r}", where, why)
    if not isinstance(base, str) or not re.fullmatch(r"|[0-9a-f]{64}", base):
        raise _refused(f"{MANIFEST} names an earlier bundle that cannot be", where)
    members, earlier = (_members(value[key], where) for key in ("members", "earlier"))
    _refuse_twins((*members, *earlier), where)
    manifest = Manifest(stacks=tuple(stacks), members=members, earlier=earlier, base=base)
    if manifest.text().encode() != data:
        raise _refused(f"{MANIFEST} is not written as `make export` writes it", where)
    return manifest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def _members(rows: object, where: str) -> tuple[Member, ...]:
    if not isinstance(rows, list):
        raise _refused(f"{MANIFEST} has no list of members", where)
    found = []
    for row in rows:
        if not isinstance(row, dict) or set(row) != {"name", "size", "sha256"}:
            raise _refused(f"{MANIFEST} has a member without name, size and sha256", where)
        name, size, sha256 = row["name"], row["size"], row["sha256"]
        if why := bad_name(name):
            raise _refused(f"the bundle names a member {str(name)[:100]!r}", where, why)
        if type(size) is not int or not 0 <= size <= _SIZE:
            raise _refused(f"the bundle gives {name} a size that cannot be", where, str(size)[:40])
        if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
            raise _refused(f"the bundle gives {name} a sha256 that is none", where)
        found.append(Member(name=name, size=size, sha256=sha256))
    return tuple(found)


def bad_name(name: object) -> str:
    """Why a member may not have this name, "" if it may."""
    if not isinstance(name, str):
        return "it is not text"
    parts = name.split("/")
    faults = (
        (name.startswith("/"), "it is an absolute path"),
        (".." in parts, "it leads out of the bundle"),
        (len(name) > 255, "it is longer than 255 characters"),
        (
            not all(_PART.fullmatch(part) and not part.endswith(".") for part in parts),
            "a name is made of plain ASCII parts that do not end with a dot",
        ),
        (not _belongs(parts), "nothing of a bundle belongs there"),
    )
    return next((why for fault, why in faults if fault), "")


def _belongs(parts: list[str]) -> bool:
    """Whether a bundle may have a file there; what is put in place has no hidden name."""
    if parts == [SUMS] or (parts[0] in (PROGRAM, "simple") and len(parts) > 1):
        return True
    if any(part.startswith(".") for part in parts):
        return False
    if parts[0] == "stacks":
        return _of_stack(parts[1:])
    if parts[:2] == ["wheels", "built"]:
        return len(parts) == 4
    return (parts[0] == "wheels" and len(parts) == 2) or (parts[0] == "assets" and len(parts) > 2)


def _of_stack(parts: list[str]) -> bool:
    """Whether a folder of stacks may have a file there: a family, or a file or folder that a stack names."""
    if parts[:1] == ["families"]:
        return len(parts) == 2 and parts[1].endswith(".yaml")
    if len(parts) == 2:
        return parts[1] in _STACK_FILES or parts[1].endswith(".txt")  # requirements
    return len(parts) > 2 and (
        parts[1] == FILES or (parts[1] == CHECKS and len(parts) == 3 and parts[2].endswith(".py"))
    )


def _refuse_twins(members: tuple[Member, ...], where: str) -> None:
    """One name once, on file systems that do not tell case apart too, and no file where another has a folder."""
    seen: dict[str, str] = {}
    for member in members:
        if other := seen.get(member.name.lower()):
            same = "twice" if other == member.name else f"and {other}, which differ only by case"
            raise _refused(f"the bundle names {member.name} {same}", where)
        seen[member.name.lower()] = member.name
    for name in seen:
        parts = name.split("/")
        for count in range(1, len(parts)):
            if other := seen.get("/".join(parts[:count])):
                raise _refused(f"the bundle names {other} as a file and as a folder", where)


def _refused(problem: str, where: str, why: str = "") -> InputError:
    return InputError(problem, where=where, why=why, fix=_FIX)
