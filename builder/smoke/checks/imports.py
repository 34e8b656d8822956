"""What the stack's `imports` name imports, each in a fresh process; if it names none, what its packages install does:
as the image's own user, and as one without an entry in passwd, whose home is /tmp in memory, on a read-only root.

Needs nothing; what asks for a GPU's driver at import is skipped where there is none.
"""

from __future__ import annotations

import pytest

from builder.smoke.brief import UNKNOWN_UID, Expected, Probes
from builder.smoke.plugin import NotApplicable

_DRIVER = ("libcuda.so", "libnvidia-", "Found no NVIDIA driver")


def test_it_imports(stack: Expected, imported: str, probe: Probes) -> None:
    if not imported:
        raise NotApplicable(f"{stack.name} names neither modules nor packages")
    _judge(imported, probe("imports", *imported.split(" ", 1))["failed"])


@pytest.mark.targets("image")
def test_it_imports_as_a_user_without_an_entry_on_a_read_only_root(
    stack: Expected, imported: str, probe: Probes
) -> None:
    if not imported:
        raise NotApplicable(f"{stack.name} names neither modules nor packages")
    words = imported.split(" ", 1)
    own, found = probe("imports", *words), probe("imports", *words, stranger=True)
    _judge(imported, found["failed"])
    # A folder that it may not read is an empty package to it, and imports.
    lost = [module for module, path in own["files"].items() if path and found["files"].get(module) != path]
    assert not lost, f"user {UNKNOWN_UID} may not read the files of {', '.join(lost)}"


@pytest.mark.targets("image")
def test_a_user_without_an_entry_has_name_locale_and_caches(probe: Probes) -> None:
    found = probe("stranger", stranger=True)
    assert found["name"], f"user {UNKNOWN_UID} has no name ({found['why']}): give the image a variable USER"
    assert found["encoding"] == "utf-8", f"text is read as {found['encoding']}: set LANG to C.UTF-8"
    closed = [f"{name}={folder}" for name, folder in found["closed"].items()]
    assert not closed, f"user {UNKNOWN_UID} cannot write to {', '.join(closed)}: leave it out, or mount a volume there"


def _judge(imported: str, failed: dict[str, str]) -> None:
    name = imported.partition(" ")[2]
    if any(word in said for said in failed.values() for word in _DRIVER):
        pytest.skip(f"{name} asks for the driver of a GPU when it is imported")
    assert not failed, "; ".join(f"{module}: {said}" for module, said in failed.items())
