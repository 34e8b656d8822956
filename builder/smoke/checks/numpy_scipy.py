"""numpy and scipy at their locked versions, built for each other."""

from __future__ import annotations

from builder.smoke.brief import Expected, Probes


def test_numpy_and_scipy_have_their_locked_versions(stack: Expected, probe: Probes) -> None:
    figures = probe("numpy_scipy")
    found, locked = ({name: of.get(name) for name in ("numpy", "scipy")} for of in (figures, stack.pins))
    assert found == locked, f"imported {found}, locked {locked}"


def test_numpy_and_scipy_import_without_warnings(probe: Probes) -> None:
    warned = probe("numpy_scipy")["warnings"]
    assert not warned, f"warned on import: {'; '.join(warned)}"


def test_scipy_solves_as_numpy_does(probe: Probes) -> None:
    figures = probe("numpy_scipy")
    assert figures["solve_difference"] < 1e-12
    assert figures["solve_residual"] < 1e-12
    assert abs(figures["gamma_of_5"] - 24) < 1e-12
