"""A draft as the text of a stack.yaml, and its decisions as a table. No IO here.

What another wrote stands in double quotes as JSON has them, which are YAML's too; every comment is one line.
"""

from __future__ import annotations

import json
import re
from collections import Counter

from builder.new.decide import Draft
from builder.new.found import Decision, short

_BARE = re.compile(r"(?!true$|false$|null$|yes$|no$|on$|off$|y$|n$)[A-Za-z/][A-Za-z0-9_./=<>~!;+-]*", re.I)


def scalar(value: object) -> str:
    """A value as YAML: bare where nothing in it means something, else in double quotes."""
    text = str(value)
    if isinstance(value, (bool, int)):
        return json.dumps(value)
    return text if _BARE.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _flow(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(key)}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_flow(one) for one in value) + "]"
    return scalar(value)


def stack_yaml(draft: Draft, summary: str) -> str:
    """The file, its keys in the order of docs/stacks.md; what is left to the user is a comment at its key."""
    parts = [
        "# yaml-language-server: $schema=../schema.json",
        f"summary: {scalar(summary)}",
        f"family: {scalar(draft.family)}",
    ]
    packages = [scalar(text) for text, _ in draft.packages.values()]
    parts += _list(draft, "packages", packages)
    parts += _list(draft, "overrides", [scalar(one) for one in draft.overrides])
    parts += _list(draft, "without", [scalar(one) for one in draft.without])
    parts += _list(draft, "from-source", [scalar(one) for one in draft.from_source])
    indexes = {
        name: _flow({key: address, "packages": draft.served[name]}) for name, (key, address) in draft.indexes.items()
    }
    parts += _mapping(draft, "indexes", indexes)
    parts += _list(draft, "system", [scalar(one) for one in draft.system])
    parts += _list(draft, "gpus", [])
    parts += _list(draft, "sources", [_flow(one) for one in draft.sources])
    parts += _list(draft, "paths", [scalar(one) for one in draft.paths])
    parts += _list(draft, "extensions", [_flow(one) for one in draft.extensions])
    parts += _mapping(draft, "toolchain", {key: _flow(one) for key, one in draft.toolchain.items() if one})
    parts += _list(draft, "weights", [])
    parts += _mapping(draft, "env", {name: json.dumps(text, ensure_ascii=False) for name, text in draft.env.items()})
    if draft.paths:
        parts.append(f"workdir: {draft.paths[0]}")
    parts.append("smoke: [python]")
    return "\n".join(parts) + "\n"


def _list(draft: Draft, key: str, items: list[str]) -> list[str]:
    notes = [f"  # - {one}" for one in draft.notes.get(key, ())]
    if items:
        return [f"{key}:", *(f"  - {one}" for one in items), *notes]
    return [f"# {key}:  # to be decided by you", *(f"#{one[3:]}" for one in notes)] if notes else []


def _mapping(draft: Draft, key: str, items: dict[str, str]) -> list[str]:
    notes = [f"  # {one}" for one in draft.notes.get(key, ())]
    if items:
        return [f"{key}:", *(f"  {scalar(name)}: {one}" for name, one in items.items()), *notes]
    return [f"# {key}:  # to be decided by you", *(f"# {one[3:]}" for one in notes)] if notes else []


def table(decisions: list[Decision]) -> list[list[str]]:
    """The rows: what is yours first, then by kind; kept packages in one row."""
    order = ["yours", "changed", "left out", "moved", "added", "kept"]
    kept = [one for one in decisions if one.kind == "kept" and one.into == "packages"]
    rest = [one for one in decisions if one not in kept]
    rows = [one.row() for one in sorted(rest, key=lambda one: order.index(one.kind))]
    return rows + ([[f"{len(kept)} packages", "kept", "as they are", ""]] if kept else [])


def counts(decisions: list[Decision]) -> str:
    """How many of each kind, in words."""
    found = Counter(one.kind for one in decisions)
    return ", ".join(f"{number} {kind}" for kind, number in found.most_common())


def summary_of(name: str) -> str:
    """The line of the summary, until the user writes another."""
    return short(f"{name}, made by `new`; say here what it is for").replace("`", "")
