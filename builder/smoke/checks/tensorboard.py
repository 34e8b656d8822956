"""tensorboard writes what torch logs, and reads it back; protobuf is of a version it takes. Needs nothing."""

from __future__ import annotations

from packaging.requirements import Requirement

from builder.smoke.brief import Expected, Probes
from builder.smoke.checks._shared import assert_locked


def test_tensorboard_has_its_locked_version(stack: Expected, probe: Probes) -> None:
    assert_locked(stack, probe("tensorboard")["version"], "tensorboard")


def test_protobuf_is_of_a_version_that_tensorboard_takes(probe: Probes) -> None:
    figures = probe("tensorboard")
    refused = [one for one in figures["requires"] if figures["protobuf"] not in Requirement(one).specifier]
    assert not refused, f"protobuf is {figures['protobuf']}, tensorboard asks for {', '.join(refused)}"


def test_a_scalar_comes_back(probe: Probes) -> None:
    assert probe("tensorboard")["scalar"] == [7, 0.5]


def test_a_histogram_comes_back(probe: Probes) -> None:
    assert probe("tensorboard")["histogram"] == [101, -1, 1]


def test_an_image_comes_back(probe: Probes) -> None:
    figures = probe("tensorboard")
    assert figures["image"] == [8, 12, 3]
    # torch cuts to 8 bits: at most one of 255 steps
    assert figures["image_difference"] <= 1 / 255, f"pixels differ by {figures['image_difference']}"
