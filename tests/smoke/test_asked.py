"""What the command line may ask of smoke, and that every contradiction is an error that names the way out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder import settings as site
from builder.errors import InputError
from builder.lock import Artifact
from builder.origin import Origin
from builder.smoke.asked import Asked, runs
from builder.smoke.subject import of_stack
from builder.spec import load
from builder.spec.parts import Weight
from tests.conftest import cli, document


def asking(*, stacks=(), **words) -> Asked:
    """What the command line makes of these words."""
    return Asked(stacks=[load(name, site.load()) for name in stacks], **words)


def never():
    return pytest.fail("the engine was asked")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"image": "a", "host": "local"}, r"--image, --host name several targets.*keep one"),
        ({"image": "a", "container": "b"}, r"--image, --container name several targets"),
        ({"host": "local", "container": "b", "stacks": ["onnx-cpu"]}, r"--host, --container name several targets"),
        ({"host": "far", "checks": ["gpu"]}, r"no way to reach a host called far.*--host local"),
        ({"image": "a", "stacks": ["onnx-cpu", "ort-cudnn9"]}, r"one target, and onnx-cpu, ort-cudnn9 .*the one stack"),
        ({"host": "local"}, r"nothing to hold --host against.*--checks .*,gpu,"),
        ({"container": "b", "checks": [" , "]}, r"nothing to hold --container against"),
        ({"host": "local", "checks": ["gpu", "gup"]}, r"no smoke test is called gup.*gpu"),
        ({"stacks": ["onnx-cpu"], "python": "python3"}, r"--python python3 is not the Python of a stack's own image"),
        ({"stacks": ["onnx-cpu", "ort-cudnn9"], "out": Path("here")}, r"--out is one folder.*several stacks"),
        ({"host": "local", "checks": ["gpu"], "python": "no-such-python"}, r"no no-such-python to run here.*--python"),
    ],
)
def test_a_contradiction_is_refused_before_the_engine_is_asked(asked, message) -> None:
    with pytest.raises(InputError, match=message):
        list(runs(asking(**asked), site.load(), never))


def test_an_image_or_container_that_is_not_there_is_refused(engine) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"image": "modelstacks-test-smoke:none"}, r"the engine has no image modelstacks-test-smoke:none.*docker load"),
        ({"image": "--help"}, r"the engine has no image --help"),
        ({"container": "modelstacks-test-none"}, r"the engine has no container modelstacks-test-none.*docker ps"),
        ({"container": "--help"}, r"the engine has no container --help"),
    ]
    for asked, message in cases:
        with pytest.raises(InputError, match=message):
            list(runs(asking(**asked, checks=["gpu"]), site.load(), lambda: engine))


def test_each_report_has_a_folder_of_its_own(engine, image, tmp_path) -> None:
    settings = site.load()

    def folder(**asked) -> str:
        ((_, subject, path),) = runs(asking(**asked), settings, lambda: engine)
        assert subject.checks
        return str(path.relative_to(settings.build))

    assert folder(image=image, checks=["opencv"]) == "smoke-image"
    assert folder(image=image, stacks=["onnx-cpu"]) == "onnx-cpu/smoke-image"
    assert folder(host="local", checks=["opencv,gpu"]) == "smoke-local"
    ((target, subject, path),) = runs(asking(host="local", checks=["gpu,gpu", "opencv"], out=tmp_path), settings, never)
    assert (path, subject.checks, subject.expected) == (tmp_path, ("gpu", "opencv"), None)
    assert Path(target.python).is_absolute()


def test_the_command_line_passes_all_of_it_on(tmp_path) -> None:
    assert "--image, --host" in cli("smoke", "--image", "a", "--host", "local").stderr
    words = ["smoke", "--host", "local", "--checks", "gpu", "--gpu", "none", "--out", str(tmp_path), "--json"]
    done = cli(*words, env={"DOCKER_HOST": "unix:///nowhere/docker.sock"})
    assert "every smoke test was skipped" in done.stderr
    (report,) = document(done, code=1)["reports"]
    assert (report["target"], report["stack"], report["skipped"], report["image_id"]) == ("local", "", 2, "")
    assert {path.name for path in tmp_path.iterdir()} == {"junit.xml", "evidence.json"}


def test_a_stacks_image_should_hold_what_it_compiles_and_not_what_is_mounted(stack, lock) -> None:
    """An extension of a path or git source is in no index, so that the lock has it among the compiled alone."""
    compiled = Artifact(
        kind="built",
        filename="",
        size=0,
        sha256="",
        origin=Origin.parse("index:default"),
        project="simple-knn",
        version="1.0",
    )
    weights = (Weight(name="face.npy", bake=False, into="/models"),)
    expected = of_stack(stack.model_copy(update={"weights": weights}), replace(lock, built=(compiled,))).expected
    assert expected is not None
    assert expected.pins["simple-knn"] == "1.0"
    assert expected.mounted == ("/models/face.npy",)
