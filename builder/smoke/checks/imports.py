"""What the stack's `imports` name imports, each in a fresh process; if it names none, what its packages install does.

Needs nothing; what asks for a GPU's driver at import is skipped where there is none.
"""

from __future__ import annotations

import pytest

from builder.smoke.brief import Expected, Probes
from builder.smoke.plugin import NotApplicable

_DRIVER = ("libcuda.so", "libnvidia-", "Found no NVIDIA driver")


def test_it_imports(stack: Expected, imported: str, probe: Probes) -> None:
    if not imported:
        raise NotApplicable(f"{stack.name} names neither modules nor packages")
    kind, _, name = imported.partition(" ")
    failed = probe("imports", kind, name)["failed"]
    if any(word in said for said in failed.values() for word in _DRIVER):
        pytest.skip(f"{name} asks for the driver of a GPU when it is imported")
    assert not failed, "; ".join(f"{module}: {said}" for module, said in failed.items())
