"""Which wheels a stack can install, the most specific first. No IO here."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.metadata import version

from packaging.tags import Tag, compatible_tags, cpython_tags

from builder.spec.model import Stack

UV_NEWEST = 40  # the newest glibc 2.N that uv's --python-platform takes, as `uv pip compile --help` lists them


def platform(stack: Stack) -> str:
    """The platform that uv is asked to resolve for: the stack's, or the newest that uv knows below it."""
    return f"x86_64-manylinux_2_{min(_minor(stack), UV_NEWEST)}"


def clamped(stack: Stack) -> str:
    """What is to be said where uv does not know the stack's glibc yet, "" where it does."""
    if _minor(stack) <= UV_NEWEST:
        return ""
    return (
        f"glibc {stack.base.glibc} is newer than what uv {version('uv')} knows: it resolves for 2.{UV_NEWEST}, and "
        "wheels that need a newer one are passed over"
    )


def _minor(stack: Stack) -> int:
    return int(stack.base.glibc.split(".")[1])


def rank(tags: Iterable[Tag], stack: Stack) -> int | None:
    """How specific a wheel of these tags is for a stack's Python and platform, 0 the most; None if it does not run."""
    rank = ranks(stack.python, stack.base.glibc)
    return min((rank[tag] for tag in tags if tag in rank), default=None)


@cache
def ranks(python: str, libc: str) -> dict[Tag, int]:
    """How specific each tag is that a Python such as 3.11 installs on a glibc such as 2.36; 0 the most."""
    major, minor = (int(part) for part in python.split("."))
    glibc = int(libc.split(".")[1])
    platforms = [f"manylinux_2_{number}_x86_64" for number in range(glibc, 4, -1)] + ["linux_x86_64"]
    for number, alias in ((17, "manylinux2014_x86_64"), (12, "manylinux2010_x86_64"), (5, "manylinux1_x86_64")):
        platforms.insert(platforms.index(f"manylinux_2_{number}_x86_64") + 1, alias)
    order = [
        *cpython_tags((major, minor), platforms=platforms),
        *compatible_tags((major, minor), interpreter=f"cp{major}{minor}", platforms=platforms),
    ]
    return {tag: number for number, tag in reversed(list(enumerate(order)))}
