"""Every extension of the stack imports from anywhere, takes its compiled modules, and holds code for the stack's GPUs.

Needs nothing: each is imported by a fresh interpreter in /, as another user, without a compiler on the PATH.
"""

from __future__ import annotations

from typing import Any

import pytest

from builder.smoke.brief import Compiled, Expected, Probes
from builder.smoke.checks._shared import assert_code, assert_imported


@pytest.fixture
def extensions(stack: Expected) -> tuple[Compiled, ...]:
    """The extensions that the stack declares."""
    assert stack.extensions, "the stack has no extension; take `extensions` out of its smoke tests"
    return stack.extensions


def _each(extensions: tuple[Compiled, ...], probe: Probes) -> list[tuple[Compiled, str, dict[str, Any]]]:
    return [(one, module, probe("extension", module, *one.imports)) for one in extensions for module in one.modules]


def test_every_extension_imports_and_compiles_nothing(extensions: tuple[Compiled, ...], probe: Probes) -> None:
    for _, _, figures in _each(extensions, probe):
        assert_imported(figures)


def test_the_modules_loaded_are_the_compiled_ones(
    stack: Expected, extensions: tuple[Compiled, ...], probe: Probes
) -> None:
    for one, module, figures in _each(extensions, probe):
        folder = one.folder or stack.site_packages
        path = figures["file"]
        assert path.endswith(".so"), f"{module} of {one.name} is {path}, not a shared object"
        assert path.startswith(f"{folder}/"), f"{module} of {one.name} is {path}, which is not below {folder}"


def test_they_hold_code_for_the_gpus_of_the_stack(
    stack: Expected, extensions: tuple[Compiled, ...], probe: Probes
) -> None:
    for one, _, figures in _each(extensions, probe):
        if one.cuda:
            assert_code(stack, figures)
