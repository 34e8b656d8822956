"""TensorFlow runs a graph on the CPU, and the DeepSpeech graph is the right one. Needs nothing; one test weights."""

from __future__ import annotations

from typing import Any

import pytest

from builder.smoke.brief import Expected, Probes
from builder.smoke.checks._shared import assert_locked

# osmr/deepspeech_features keeps it there, below the user's home; the name ends with the first digits of its sha1
WEIGHTS, NODE = ".tensorflow/models/deepspeech-0_1_0-b90017e8.pb", "deepspeech/logits"
ATOL = 1e-5  # sums of eight products of about 1, of 2**-24 each: 1e-6
DISTRIBUTIONS = ("tensorflow", "tensorflow-cpu", "tensorflow-gpu")


@pytest.fixture
def figures(probe: Probes) -> dict[str, Any]:
    """What the tensorflow probe found."""
    return probe("tensorflow", WEIGHTS, NODE)


def test_tensorflow_has_its_locked_version(stack: Expected, figures: dict[str, Any]) -> None:
    assert_locked(stack, figures["version"], *DISTRIBUTIONS)


def test_protobuf_has_its_locked_version(stack: Expected, figures: dict[str, Any]) -> None:
    assert_locked(stack, figures["protobuf"], "protobuf")


def test_a_graph_on_the_cpu_equals_numpy(figures: dict[str, Any]) -> None:
    assert figures["difference"] <= ATOL, f"differs by {figures['difference']}"


def test_the_deepspeech_graph_has_its_logits(figures: dict[str, Any], mounted: frozenset[str]) -> None:
    if not figures["there"]:
        how = "; the stack leaves it to be mounted" if figures["weights"] in mounted else " (bake or mount them)"
        pytest.skip(f"needs weights: {figures['weights']} is not there{how}")
    assert figures["node"], f"{figures['weights']} has no node {NODE}"
    assert figures["sha1"].startswith("b90017e8"), f"sha1 of {figures['weights']} is {figures['sha1']}"
