"""docker-bake.json, built by `docker buildx bake` itself: the same image as `make build` gives."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from builder.engine.client import Engine
from tests.conftest import IMAGES, cli, document


def test_bake_builds_the_same_image_without_a_network(engine: Engine, tiny: Path, tmp_path: Path) -> None:
    tag = f"{IMAGES}/tiny:latest"
    document(cli("--json", "--stacks", str(tiny), "build", "tiny"))  # what ran before may have taken its name away
    before = engine.image(tag)
    assert before
    out = tmp_path / "docker-bake.json"
    document(cli("--json", "--stacks", str(tiny), "bake", "tiny", "--out", str(out)))
    told = json.loads(out.read_text())
    assert told["group"] == {"default": {"targets": ["tiny"]}}
    target = told["target"]["tiny"]
    assert target["network"] == "none"
    assert tag in target["output"][0]
    engine.remove(tag)
    command = engine.command("buildx", "bake", "--file", str(out), "--no-cache", "--progress=plain")
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    after = engine.image(tag)
    assert after
    assert (after.id, after.labels) == (before.id, before.labels)
