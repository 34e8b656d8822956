"""The client's image as it is shipped: built, green, and used as a user starts it."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from builder.engine.client import Engine
from tests.client.kit import frames, tone, wav
from tests.client.service import Service, served
from tests.conftest import cli, document


@pytest.fixture(scope="module")
def image(engine: Engine) -> str:
    made = document(cli("--json", "stack", "audio2face-client", "--gpu", "none"))["stacks"][0]
    assert made["smoke"]["green"] is True
    assert made["smoke"]["skipped"] == 0
    return str(made["image"]["tag"])


def test_a_container_streams_a_file_and_a_pipe(engine: Engine, image: str, tmp_path: Path) -> None:
    wav(tmp_path / "in.wav", tone(0.5))
    run = engine.command("run", "--rm", "--network", "host", "--interactive")
    with served(Service()) as service:
        words = [*run, "--volume", f"{tmp_path}:/data", image, "stream", "in.wav", "--url", service.address]
        done = subprocess.run([*words, "--out", "out.csv"], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.csv").read_text().count("\n") == 16
    with served(Service()) as service:
        words = [*run, image, "stream", "-", "--rate", "16000", "--url", service.address]
        done = subprocess.run(words, input=tone(1), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(frames(done.stdout.decode())) == 30


def test_health_check_of_a_container_needs_neither_a_gpu_nor_a_key(engine: Engine, image: str) -> None:
    done = engine.run(["run", "--rm", "--network", "none", image, "health_check"], check=False)
    assert done.returncode == 3
    assert json.loads(done.stdout)["ready"] is False


def test_docker_stop_ends_the_program_as_process_1(engine: Engine, image: str, tmp_path: Path) -> None:
    wav(tmp_path / "in.wav", tone(60))
    with served(Service()) as service:
        words = ["run", "--detach", "--network", "host", "--volume", f"{tmp_path}:/data:ro", image]
        container = engine.run([*words, "stream", "in.wav", "--url", service.address]).stdout.strip()
        try:
            while len(service.times) < 5:
                time.sleep(0.05)
            started = time.monotonic()
            engine.run(["stop", "--time", "20", container])
            assert time.monotonic() - started < 18
            state = engine.run(["inspect", "--format", "{{.State.ExitCode}}", container]).stdout.strip()
            assert state == "143"
            lines = frames(engine.run(["logs", container]).stdout)
        finally:
            engine.run(["rm", "--force", container])
    assert service.ended
    assert len(lines) == service.sent
