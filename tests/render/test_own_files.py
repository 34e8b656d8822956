"""A stack's own files as a context: what is there now, and nothing that an earlier state left."""

from __future__ import annotations

import shutil
from pathlib import Path

from builder.render import contexts
from builder.settings import Settings
from builder.spec import load_stack
from tests.conftest import REPO


def test_nothing_of_an_earlier_state_is_left(tmp_path: Path) -> None:
    stacks = tmp_path / "stacks"
    shutil.copytree(REPO / "stacks" / "families", stacks / "families")
    own = stacks / "mine" / "files" / "serve"
    own.mkdir(parents=True)
    (stacks / "mine" / "stack.yaml").write_text(
        "summary: own files\nfamily: debian12-py311\nfiles: [{from: serve, into: /opt/serve}]\n"
    )
    settings = Settings(home=tmp_path, stacks=(stacks,))

    def context(*names: str) -> dict[str, int]:
        shutil.rmtree(own)
        for name in names:
            (own / name).parent.mkdir(parents=True, exist_ok=True)
            (own / name).write_text("#!/bin/sh\n" if name == "run" else "text\n")
        found = contexts._own_files(load_stack("mine", settings), tmp_path / "build")
        return {str(path.relative_to(found)): path.stat().st_mode & 0o777 for path in found.rglob("*")}

    assert context("run", "a/b/deep.txt").keys() == {"serve", "serve/run", "serve/a", "serve/a/b", "serve/a/b/deep.txt"}
    assert context("run", "a")["serve/run"] == 0o755
    assert context("a").keys() == {"serve", "serve/a"}
    # BuildKit obeys a .dockerignore in a named context: none gets into one (findings/dockerignore-named-context.sh).
    assert context("run", ".dockerignore").keys() == {"serve", "serve/run"}
    assert context("a/now.txt").keys() == {"serve", "serve/a", "serve/a/now.txt"}
