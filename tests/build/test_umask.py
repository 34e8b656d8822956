"""The image is the same under any umask: that of the run, and that of whoever cloned the stack."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import IMAGES, REPO, cli, document, write_stack


@pytest.mark.usefixtures("engine")
def test_an_image_is_the_same_under_any_umask(tmp_path: Path) -> None:
    images = {}
    for umask in (0o022, 0o077, 0o000):
        stacks = tmp_path / oct(umask) / "stacks"
        before = os.umask(umask)
        try:
            write_stack(stacks, "masked", packages=["six==1.17.0"], extra="files: [{from: app, into: /opt/app}]")
            (stacks / "masked" / "files" / "app").mkdir(parents=True)
            (stacks / "masked" / "files" / "app" / "main.py").write_text("print(1)\n")
            run = stacks / "masked" / "files" / "app" / "run.sh"
            run.write_text("#!/bin/sh\necho 1\n")
            run.chmod(0o777 & ~umask)
        finally:
            os.umask(before)
        document(cli("--json", "--stacks", str(stacks), "lock", "masked", env={"SOURCE_DATE_EPOCH": "1700000000"}))
        done = subprocess.run(
            [sys.executable, "-m", "builder", "--json", "--stacks", str(stacks), "stack", "masked", "--gpu", "none"],
            cwd=REPO,
            # a name of its own: what another run made would be found there, and nothing built
            env={**os.environ, "MODELSTACKS_IMAGE_PREFIX": f"{IMAGES}/{umask:o}"},
            umask=umask,
            capture_output=True,
            text=True,
            check=False,
        )
        image = document(done)["stacks"][0]["image"]
        assert image["built"] is True
        images[oct(umask)] = image["id"]
    assert len(set(images.values())) == 1, json.dumps(images)
