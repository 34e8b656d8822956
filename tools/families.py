"""Write docs/families.md: every shipped family, by what its file says. `python -m tools.families`; a test holds it."""

from __future__ import annotations

from pathlib import Path

from builder import settings as site
from builder.spec.model import Family
from builder.spec.stacks import Stacks

PAGE = Path(__file__).resolve().parent.parent / "docs" / "families.md"
_HEAD = """# Families

Made from `stacks/families/*.yaml` by `python -m tools.families`; a test holds the two together. A family without torch
takes any torch that the stack names; `make new` chooses one by what is asked for.

| family | base | Python | CUDA | torch | made without an image registry | what it is |
|---|---|---|---|---|---|---|
"""


def row(name: str, family: Family) -> str:
    """One line of the table."""
    made = family.base.bootstrap
    base = f"{made.distribution} {made.suites[0]}" if made else f"`{family.base.image}`"
    registry = "yes" if made else f"no: {registry_of(str(family.base.image))}"
    cells = [f"`{name}`", base, family.python, family.cuda or "-", family.torch or "-", registry, family.summary]
    return f"| {' | '.join(cells)} |\n"


def registry_of(image: str) -> str:
    """The registry that serves an image; a name without a host is Docker's."""
    first = image.split("/", maxsplit=1)[0]
    return first if "/" in image and ("." in first or ":" in first) else "docker.io"


def page() -> str:
    """The whole page."""
    families = Stacks(site.load(environ={})).families()
    return _HEAD + "".join(row(name, family) for name, family in families.items())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
