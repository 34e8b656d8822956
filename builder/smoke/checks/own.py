"""The stack's own checks, checks/NAME.py beside its stack.yaml: each runs inside, by the image's Python, afresh.

Needs a container: they are programs of the stack's, and never run on this machine itself.
"""

from __future__ import annotations

import pytest

from builder.smoke.brief import Expected, Probes
from builder.smoke.plugin import NotApplicable


@pytest.mark.targets("image", "container")
def test_own_check_passes(stack: Expected, own: str, probe: Probes) -> None:
    if not own:
        raise NotApplicable(f"{stack.name} has no checks of its own")
    lines = stack.own[own].splitlines()
    failed = probe("own", own, before=stack.own[own])["failed"]
    said = (f"{name}: line {line}, {lines[line - 1].strip()}: {error}" for name, (line, error) in failed.items())
    assert not failed, "; ".join(said)
