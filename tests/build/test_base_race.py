"""A base whose name is given to another image while a build goes on, by another user or home of the same engine."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from builder import settings as site_settings
from builder.build import base, build, buildx
from builder.engine.client import Engine
from builder.errors import JobError
from builder.lock import read
from builder.render import base_tag
from builder.spec import load_stack
from builder.ui import Ui
from tests.conftest import IMAGES, cli, document, write_stack
from tests.private_engine import private_engine


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine of our own, whose names may be moved."""
    with private_engine("overlay2", tmp_path_factory.mktemp("engine")) as private:
        yield Engine.connect(private.host)


def empty(engine: Engine, tag: str) -> None:
    """Give a name to an image that is none of ours."""
    subprocess.run(engine.command("import", "--change", "CMD sh", "-", "foreign:1"), input=bytes(10240), check=True)
    engine.tag("foreign:1", tag)


def spoiled(engine: Engine, tag: str) -> None:
    """Give a name to the base itself with one file more: what is built on that works."""
    made = engine.run(["run", "--detach", "--network", "none", tag, "touch", "/more"]).stdout.strip()
    engine.run(["wait", made])
    engine.run(["commit", made, tag])
    engine.run(["rm", made])


@pytest.mark.parametrize("exchange", [empty, spoiled])
@pytest.mark.parametrize(
    "when", ["before it is asked for", "during the build", "during the build, with an earlier image"]
)
def test_a_base_that_was_exchanged_is_never_what_an_image_is_built_on(
    other: Engine, tmp_path: Path, when: str, exchange: Callable[[Engine, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_stack(tmp_path / "stacks", "race", packages=["six==1.17.0"])
    here = ["--json", "--stacks", str(tmp_path / "stacks")]
    for verb in ("lock", "fetch"):
        document(cli(*here, verb, "race"))
    settings = replace(site_settings.load(stacks=(tmp_path / "stacks",)), image_prefix=IMAGES)
    stack, lock = load_stack("race", settings), read(tmp_path / "stacks" / "race")
    tag, name = base_tag(lock.base), settings.image("race")
    base.ensure(lock.base, settings, other, Ui())
    honest = base.seen(lock.base, settings, other)
    for image in (name, settings.image("race", lock.digest[:12])):
        other.remove(image)
    if when == "before it is asked for":
        exchange(other, tag)
        build(stack, lock, settings, other, Ui(), use_cache=False)
        assert other.image(tag) == honest
        return
    earlier = build(stack, lock, settings, other, Ui()).id if "earlier" in when else None
    real = buildx.run

    def exchanged(*given: object, **named: object) -> None:
        exchange(other, tag)
        real(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(buildx, "run", exchanged)
    with pytest.raises(JobError) as caught:
        build(stack, lock, settings, other, Ui(), use_cache=False)
    there = other.image(name)
    assert (there.id if there else None) == earlier
    if exchange is spoiled:
        assert "was not built on the base that was verified" in caught.value.problem
    monkeypatch.undo()
    made = other.image(build(stack, lock, settings, other, Ui(), use_cache=False).tag)
    assert other.image(tag) == honest
    assert made is not None and made.layers[: len(honest.layers)] == honest.layers
