"""What a change touches, in a repository of its own, and the pipelines that are written."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from builder.errors import InputError
from builder.matrix import affected, changes
from builder.settings import load
from builder.spec import Stacks
from tests.conftest import FAMILY, HOME, REPO, cli, document, write_stack


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    done = subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Three stacks of two families, committed."""
    top = tmp_path / "repository"
    for name in ("one", "two", "three"):
        write_stack(top / "stacks", name, packages=["six==1.17.0"])
    (top / "stacks" / "families" / "other.yaml").write_text(FAMILY)
    text = (top / "stacks" / "three" / "stack.yaml").read_text()
    (top / "stacks" / "three" / "stack.yaml").write_text(text.replace("plain", "other"))
    (top / "docs").mkdir()
    (top / "docs" / "page.md").write_text("words\n")
    git(top, "init", "-q")
    git(top, "add", ".")
    git(top, "commit", "-qm", "one")
    return top


def named(repository: Path, since: str = "", *words: str) -> dict[str, dict[str, Any]]:
    since = since or git(repository, "rev-parse", "HEAD")
    base = ["--json", "--stacks", str(repository / "stacks"), "matrix", "one", "two", "three", "--since", since]
    return {row["stack"]: row for row in document(cli(*base, *words))["include"]}


def test_a_change_names_what_it_touches(repository: Path) -> None:
    stacks = repository / "stacks"
    assert named(repository) == {}
    (repository / "docs" / "page.md").write_text("others\n")
    assert named(repository) == {}
    (stacks / "two" / "stack.yaml").write_text((stacks / "two" / "stack.yaml").read_text() + "# a comment\n")
    (row,) = named(repository).values()
    assert (row["stack"], row["runner"], row["gpu"]) == ("two", ["ubuntu-24.04"], False)
    assert [Path(path).name for path in row["why"]] == ["stack.yaml"]
    git(repository, "commit", "-qam", "two")
    assert named(repository) == {}
    assert named(repository, git(repository, "rev-parse", "HEAD~1")).keys() == {"two"}
    (stacks / "three" / "files").mkdir()
    (stacks / "three" / "files" / "new").write_text("not committed\n")
    assert named(repository).keys() == {"three"}
    (stacks / "families" / "plain.yaml").write_text(FAMILY + "# a comment\n")
    assert named(repository).keys() == {"one", "two", "three"}
    shutil.rmtree(stacks / "three" / "files")
    assert named(repository).keys() == {"one", "two"}


def test_everything_is_named_where_there_is_nothing_to_compare_with(repository: Path) -> None:
    assert named(repository, "0" * 40).keys() == {"one", "two", "three"}


@pytest.mark.parametrize("since", ["--output=x", "nothing/here", "a b", "HEAD;x"])
def test_a_revision_that_is_none_is_refused(repository: Path, since: str) -> None:
    with pytest.raises(InputError, match="revision"):
        changes.changed([repository], since)
    assert not (repository / "x").exists()


def test_files_of_the_program_touch_those_that_they_have_a_say_in() -> None:
    stacks = Stacks(load())
    loaded = {one.name: one for one in stacks.named(["all"])}

    def touched(path: str) -> set[str]:
        assert (REPO / path).exists(), path
        return {name for name, one in loaded.items() if affected.why(one, [REPO / path])}

    every = set(loaded)
    services = {"audio2face-nim"}
    assert touched("docs/ci.md") == touched("tests/conftest.py") == touched("builder/doctor/report.py") == set()
    assert touched("templates/ci/github.j2") == touched("builder/publish/run.py") == set()
    assert touched("templates/report/page.html") == touched("builder/audit/osv.py") == set()
    assert touched("templates/Dockerfile.j2") == touched("requirements.lock") == every
    assert touched("builder/check/facts/torch_releases.yaml") == touched("builder/build/image.py") == every
    assert touched("builder/smoke/checks/gsplat.py") == touched("builder/smoke/probes/gsplat.py") == {"gsplat"}
    assert touched("builder/smoke/probes/interpreter.py") == every - services
    assert touched("stacks/gsplat/stack.lock") == {"gsplat"}
    family = "stacks/families/debian12-py311.yaml"
    assert touched(family) == {name for name, one in loaded.items() if getattr(one, "family", "") == "debian12-py311"}
    assert "onnx-cpu" in touched(family)
    assert len(touched(family)) < len(every)


def test_every_folder_of_the_program_is_known_to_have_a_say_or_none() -> None:
    for name in affected._BESIDE:
        assert (REPO / "builder" / name).exists()
    assert affected._program(Stacks(load()).load("onnx-cpu"), PurePosixPath("builder/engine/client.py"))


def test_a_row_has_what_a_runner_needs(repository: Path) -> None:
    def key() -> str:
        return str(named(repository, "0" * 40)["one"]["cache_key"])

    assert key() == "modelstacks-one-unlocked"
    (repository / "stacks" / "one" / "stack.lock").write_text("one")
    first = key()
    (repository / "stacks" / "one" / "stack.lock").write_text("two")
    assert key() != first
    record = HOME / "build" / "one" / "made.json"
    record.parent.mkdir(parents=True, exist_ok=True)
    try:
        record.write_text('{"seconds": {"fetch": 1.5, "build": 2}}')
        assert named(repository, "0" * 40)["one"]["seconds"] == 3.5
    finally:
        record.unlink()
    (gsplat,) = document(cli("--json", "matrix", "gsplat"))["include"]
    assert gsplat["gpu"]
    assert gsplat["runner"] == ["self-hosted", "gpu"]
    assert gsplat["disk_gb"] > 9


def test_the_forges_take_the_rows_as_they_want_them(repository: Path) -> None:
    base = ["--stacks", str(repository / "stacks"), "matrix", "one", "two", "--format"]
    lines = dict(line.split("=", 1) for line in cli(*base, "github").stdout.splitlines())
    assert lines["count"] == "2"
    assert [row["stack"] for row in json.loads(lines["matrix"])["include"]] == ["one", "two"]
    jobs = yaml.safe_load(cli(*base, "gitlab", "--registry", "registry.example/x").stdout)
    assert jobs.keys() == {"stages", "one", "two"}
    assert jobs["one"]["variables"] == {"STACK": "one", "REGISTRY": "registry.example/x"}
    assert any("ci-publish.sh" in line for line in jobs["one"]["script"])


def written(tmp_path: Path, provider: str, *words: str) -> tuple[str, Any]:
    out = tmp_path / "pipeline.yml"
    done = cli("ci", "--provider", provider, "--registry", "registry.example/x", "--out", str(out), *words)
    assert done.returncode == 0, done.stderr
    return out.read_text(), yaml.safe_load(out.read_text())


def test_the_pipeline_of_github_pins_its_actions_and_may_read_alone(tmp_path: Path) -> None:
    text, pipeline = written(tmp_path, "github", "--runner", "ubuntu-latest")
    assert pipeline["permissions"] == {"contents": "read"}
    steps = [step for job in pipeline["jobs"].values() for step in job["steps"]]
    uses = [step["uses"] for step in steps if "uses" in step]
    assert len(uses) == 4
    assert all(len(one.partition("@")[2]) == 40 for one in uses)
    assert not any("${{" in step.get("run", "") for step in steps), "what others write would be run"
    assert "secrets." not in text.partition("publish and verify")[0]


def test_the_pipeline_of_gitlab_starts_what_plan_wrote(tmp_path: Path) -> None:
    _, pipeline = written(tmp_path, "gitlab")
    assert pipeline["stacks"]["trigger"]["include"] == [{"artifact": "stacks.yml", "job": "plan"}]
    assert any("FORMAT=gitlab" in line for line in pipeline["plan"]["script"])


def test_a_file_of_others_and_words_that_are_none_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "x.yml"
    out.write_text("mine: true\n")
    base = ["--json", "ci", "--provider", "github", "--out", str(out), "--registry"]
    assert "did not write" in document(cli(*base, "registry.example/x"), code=2)["errors"][0]["problem"]
    out.unlink()
    for words in (["x\n- y"], ["registry.example/x", "--branch", "a]b"], ["registry.example/x", "--runner", "a'b"]):
        assert document(cli(*base, *words), code=2)["errors"]
    assert not out.exists()
