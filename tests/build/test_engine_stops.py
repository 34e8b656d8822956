"""An engine of the test's own that is stopped while a run is inside a named point; the next run ends with it back."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.build.test_faults import LONG, building
from tests.conftest import cli, document, uncached, write_stack
from tests.private_engine import private_engine
from tests.stopped import stopped

POINTS = {
    "while the base is loaded": ("builder.engine.client:Engine.load", "", 1),
    "before BuildKit begins": ("builder.build.buildx:run", "", 1),
}


@pytest.mark.heavy
@pytest.mark.parametrize("kill", [False, True], ids=["SIGTERM", "SIGKILL"])
@pytest.mark.parametrize("point", POINTS)
def test_an_engine_that_stops_is_named_with_one_thing_to_do(tmp_path: Path, point: str, kill: bool) -> None:
    stacks = tmp_path / "stacks"
    write_stack(stacks, "ends", packages=["six==1.17.0"], extra=uncached())
    for verb in ("lock", "fetch"):
        document(cli("--json", "--stacks", str(stacks), verb, "ends"))
    words = ["--stacks", str(stacks), "build", "ends"]
    with private_engine("overlay2", tmp_path) as other:
        host = {"DOCKER_HOST": other.host}
        with stopped(POINTS[point], words, tmp_path / "stop", env=host) as run:
            other.stop(kill=kill)
            code, said = run.ended()
    assert code == 3, said
    assert "the engine went away" in said and "make engine" in said and "Traceback" not in said
    with private_engine("overlay2", tmp_path) as other:
        done = cli("--json", *words, env={"DOCKER_HOST": other.host})
        assert document(done)["images"][0]["built"] is True


def test_an_engine_that_is_told_to_stop_in_mid_build_is_named(tiny: Path, tmp_path: Path) -> None:
    write_stack(tiny, "told", packages=LONG, extra=uncached())
    with private_engine("overlay2", tmp_path) as other:
        with building(tiny, "told", env={"DOCKER_HOST": other.host}) as child:
            os.kill(other.pid, signal.SIGTERM)
            out, err = child.communicate(timeout=120)
        assert child.returncode == 3, err
        error = json.loads(out)["errors"][0]
        assert error["problem"] == "the engine went away during the build" and "make engine" in error["fix"]
