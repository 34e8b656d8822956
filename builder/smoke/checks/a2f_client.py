"""The client of Audio2Face-3D works against a stand-in of the service inside the target; the real one needs a GPU."""

from __future__ import annotations

import json

from builder.smoke.brief import Expected, Probes
from builder.smoke.checks._shared import assert_locked


def test_grpc_is_the_locked_one(probe: Probes, stack: Expected) -> None:
    assert_locked(stack, probe("a2f_client")["grpc"], "grpcio")


def test_health_check_tells_a_service_that_serves(probe: Probes) -> None:
    found = probe("a2f_client")["health"]
    assert found["code"] == 0, found["stderr"]
    assert json.loads(found["stdout"])["grpc"]["said"] == "SERVING"


def test_a_second_of_sound_gives_thirty_frames_of_52_weights(probe: Probes) -> None:
    figures = probe("a2f_client")
    assert figures["stream"]["code"] == 0, figures["stream"]["stderr"]
    assert (figures["frames"], figures["names"]) == (30, [52])
    last = figures["last"]
    assert (last["frame"], last["time_code"]) == (29, round(29 / 30, 6)), last
    assert set(last["blendshapes"].values()) == {round(29 / 64, 6)}, last
