"""The service of faster-whisper: what it is told and how it answers; and the container, as a user runs it."""

from __future__ import annotations

import importlib
import json
import os
import re
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from builder.engine.client import Engine
from tests.conftest import IMAGES, REPO, cli, document

STACK = REPO / "stacks" / "faster-whisper"
MODEL = ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt")
# The stack's own check makes a model of random weights; its functions are run by the image's Python.
MAKE = "import sys; exec(compile(sys.stdin.read(), 'check', 'exec')); model('/made')"


@pytest.fixture(autouse=True)
def path() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(STACK / "files"))
        yield


@pytest.fixture
def options() -> ModuleType:
    return importlib.import_module("whisper_service.options")


def model(folder: Path, *names: str) -> dict[str, str]:
    """An environment that names a folder with these files."""
    for name in names:
        (folder / name).touch()
    return {"WHISPER_MODEL": str(folder)}


def test_a_model_may_have_either_vocabulary(options: ModuleType, tmp_path: Path) -> None:
    for name in ("vocabulary.txt", "vocabulary.json"):
        folder = tmp_path / name
        folder.mkdir()
        told = options.read(model(folder, *MODEL[:3], name))
        assert (told.model, told.device, told.port, told.largest) == (folder, "auto", 8000, 25 << 20)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"WHISPER_DEVICE": "gpu"}, "WHISPER_DEVICE is 'gpu'. Fix: one of auto, cpu, cuda"),
        ({"WHISPER_PORT": "0"}, "WHISPER_PORT is '0'. Fix: a number from 1 to 65535"),
        ({"WHISPER_MAX_MB": "²"}, "WHISPER_MAX_MB is '²'"),
        ({"WHISPER_MODEL": "/nowhere"}, "/nowhere is no folder. Fix: mount the folder"),
    ],
)
def test_what_cannot_be_is_said(options: ModuleType, tmp_path: Path, more: dict[str, str], said: str) -> None:
    with pytest.raises(options.OptionError, match=re.escape(said)):
        options.read(model(tmp_path, *MODEL) | more)


def test_a_folder_without_the_models_files_names_them(options: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(options.OptionError, match=r"has no model\.bin, vocabulary\.json or vocabulary\.txt\. Fix"):
        options.read(model(tmp_path, *MODEL[1:3]))


def test_subtitles_have_their_form() -> None:
    replies = importlib.import_module("whisper_service.replies")
    rows = [{"start": 0.0, "end": 1.9996, "text": " one < two & three"}, {"start": 3599.5, "end": 3661.25, "text": "b"}]
    said = replies.Transcript("transcribe", "en", 3662.0, rows)
    assert replies.srt(said) == (
        "1\n00:00:00,000 --> 00:00:02,000\none < two & three\n\n2\n00:59:59,500 --> 01:01:01,250\nb\n"
    )
    assert replies.vtt(said).startswith("WEBVTT\n\n00:00:00.000 --> 00:00:02.000\none &lt; two &amp; three\n\n")
    assert json.loads(replies.verbose(said))["segments"] == rows


def test_the_healthcheck_of_a_silent_port_says_so() -> None:
    words = [sys.executable, "-m", "whisper_service", "health"]
    environment = {**os.environ, "PYTHONPATH": str(STACK / "files"), "WHISPER_PORT": "9"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("not well: ")


@pytest.mark.heavy  # 2 GB of wheels, an image of 3.5 GB
def test_the_container_serves_as_another_user_and_stops(engine: Engine, tmp_path: Path) -> None:
    document(cli("--json", "stack", "faster-whisper", "--gpu", "none", timeout=1800))
    image, name, made = f"{IMAGES}/faster-whisper", f"whisper-{secrets.token_hex(4)}", tmp_path / "model"
    made.mkdir(mode=0o777)
    made.chmod(0o777)
    mount, user = f"{made}:/made", ["--user", "4242", "--read-only", "--tmpfs", "/tmp", "--network", "none"]
    make = ["run", "--rm", "-i", *user, "-v", mount, "--entrypoint", "/opt/venv/bin/python", image, "-c", MAKE]
    subprocess.run(["docker", *make], input=(STACK / "checks" / "service.py").read_bytes(), check=True)
    run = ["run", "--detach", "--name", name, *user[:-2], "-p", "127.0.0.1::8000", "-v", f"{made}:/model:ro", image]
    engine.run(run)
    try:
        state = "{{.State.Health.Status}}"
        until = time.monotonic() + 90
        while engine.run(["inspect", "--format", state, name]).stdout.strip() != "healthy":
            assert time.monotonic() < until, engine.run(["logs", name])
            time.sleep(1)
        port = engine.run(["port", name, "8000/tcp"]).stdout.strip()
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://{port}/health") as answer:
            assert json.load(answer) == {"status": "ok", "model": "model", "device": "cpu"}
        begun = time.monotonic()
        engine.run(["stop", "--time", "30", name])
        assert time.monotonic() - begun < 15
        assert engine.run(["inspect", "--format", "{{.State.ExitCode}}", name]).stdout.strip() in ("0", "143")
    finally:
        engine.run(["rm", "--force", name])
