"""What compiles the stack's sdists is named in its `toolchain`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from packaging.utils import canonicalize_name

from builder.check.model import Case, Finding

NAME: Final = "toolchain"


def find(case: Case) -> Iterator[Finding]:
    """An error where something is compiled and neither the stack nor its family has a toolchain."""
    if case.stack.toolchain and case.stack.toolchain.packages:
        return
    locked = [one.project for one in case.lock.wheels if one.kind == "sdist"] if case.lock else []
    named = [str(canonicalize_name(one)) for one in case.stack.from_source]
    if wanted := list(dict.fromkeys([*named, *locked])):
        yield Finding(
            rule=NAME,
            level="error",
            problem=f"{', '.join(wanted[:6])} is compiled, and the stack has no toolchain",
            cause="a build has no network to bring a compiler or setuptools from",
            fix="add `toolchain: {packages: [setuptools, wheel], system: [g++, python3-dev]}`, and what else it needs",
            source="docs/extensions.md",
        )
