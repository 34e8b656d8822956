"""Images whose large wheels are layers made of them: the same image as by hand, made once, and never of other bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from builder.build import build, buildx, layer_notes, layered
from builder.build.base import ensure
from builder.build.image import labels
from builder.engine.client import Engine, ImageFacts
from builder.errors import InputError
from builder.lock.model import StackLock
from builder.render import ready, render
from builder.render.base import base_tag
from builder.render.ready import layers_tag
from builder.spec.model import Stack
from builder.ui import Ui
from tests.build.kit import Ground, ground
from tests.build.test_hostile_wheels import Wheel
from tests.build.test_wheel_layer import everything
from tests.conftest import IMAGES
from tests.fleet.buildkit import remote_builder
from tests.private_engine import Store, private_engine

LARGE = 5000  # bytes of a wheel that becomes a layer here


def other(name: str, data: bytes = bytes(LARGE)) -> bytes:
    """A large wheel with one module and some bytes."""
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    files = [(f"{name}/__init__.py", b"x = 41 + 1\n", 0o100644), (f"{name}/data.bin", data, 0o100644)]
    return Wheel(files=files, metadata=metadata, info=f"{name}-1.0.dist-info").packed()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    monkeypatch.setattr(ready, "_SMALLEST", LARGE)
    with ground(tmp_path) as found:
        wheels = {"odd": everything(), "big": other("big"), "nvidia-lib": b"", "sml": other("sml", b"")}
        wheels["odd"] = Wheel().add("odd/data.bin", bytes(range(256)) * 40).packed()
        wheels["nvidia-lib"] = other("nvidia_lib", b"n" * LARGE)
        rows = ""
        for name, data in wheels.items():
            file = f"{name.replace('-', '_')}-1.0-py3-none-any.whl"
            found.site.files[file] = data
            rows += f'<a href="{file}#sha256={hashlib.sha256(data).hexdigest()}">{file}</a>'
        found.site.files["index.html"] = f"<!DOCTYPE html><html><body>{rows}</body></html>".encode()
        yield found


def locked(here: Ground, name: str, *packages: str) -> tuple[Stack, StackLock]:
    index = {"find-links": f"{here.site.url}/files/index.html", "packages": list(packages)}
    here.write(name, packages=[f"{one}==1.0" for one in packages], indexes={"own": index})
    return here.locked(name)


def remove(engine: Engine, *names: str) -> None:
    for name in names:
        engine.remove(name)


def by_hand(stack: Stack, lock: StackLock, here: Ground, engine: Engine, tag: str) -> ImageFacts:
    """What `docker buildx build` makes of the rendered Dockerfile, without a cache and without the rooms of a build."""
    rendered = render(stack, lock, here.settings)
    words = [
        "buildx",
        "build",
        "--network=none",
        "--provenance=false",
        "--no-cache",
        "--file",
        str(rendered.dockerfile),
    ]
    words += [f"--build-arg=SOURCE_DATE_EPOCH={lock.epoch}", "--output", buildx.output(engine, (tag,))]
    words += [f"--build-context={name}={folder}" for name, folder in rendered.contexts.items()]
    words += [f"--label={key}={value}" for key, value in labels(stack, lock, here.settings, engine).items()]
    engine.run([*words, str(rendered.folder / "contexts" / "empty")])
    made = engine.image(tag)
    assert made is not None
    return made


def check(here: Ground, engine: Engine) -> None:
    stack, lock = locked(here, "layered", "odd", "big", "sml")
    assert [item.project for item in ready.ready(lock)] == ["odd", "big"]
    names = [f"{IMAGES}/layered:{number}" for number in range(4)]
    try:
        first = build(stack, lock, here.settings, engine, Ui(), tag=names[0])
        layers = [one.diff_id for one in layer_notes.known(lock, here.settings)]
        facts = engine.image(first.id)
        below = engine.image(base_tag(lock.base))
        assert facts and below
        assert facts.layers[: len(below.layers) + 2] == (*below.layers, *layers)
        assert by_hand(stack, lock, here, engine, names[1]).id == first.id
        assert build(stack, lock, here.settings, engine, Ui(), tag=names[2], use_cache=False).id == first.id
        engine.remove(layers_tag(lock))
        for kept in (here.settings.home / "wheels" / ".layers").glob("*.json"):
            kept.unlink()
        assert build(stack, lock, here.settings, engine, Ui(), tag=names[3], use_cache=False).id == first.id
        code = "import odd, big, sml, pathlib, json, importlib.metadata as m; p = pathlib.Path(big.__file__).parent; "
        code += "print(json.dumps([big.x, len((p / 'data.bin').read_bytes()), sorted(x.name for x in p.iterdir()), "
        code += (
            "sorted({d.name for d in m.distributions(path=[str(p.parent)])}), (p / '__pycache__').stat().st_mtime]))"
        )
        said = engine.run(["run", "--rm", "--network=none", names[0], "/opt/venv/bin/python", "-B", "-c", code]).stdout
        files = ["__init__.py", "__pycache__", "data.bin"]
        assert json.loads(said) == [42, LARGE, files, ["big", "odd", "sml"], 315532800]
    finally:
        remove(engine, *names, layers_tag(lock))


def test_by_hand_and_anew_it_is_the_same_image(here: Ground, engine: Engine) -> None:
    check(here, engine)


@pytest.mark.heavy  # an engine of its own, whose base is loaded and whose layers are packed: half a minute
@pytest.mark.parametrize("store", ["overlay2", "containerd"])
def test_so_it_is_in_each_store(store: Store, here: Ground) -> None:
    with private_engine(store) as private:
        engine = Engine.connect(private.host)
        _, lock = locked(here, "layered", "odd", "big", "sml")
        ensure(lock.base, here.settings, engine, Ui())
        check(here, engine)
        engine.close()


@pytest.mark.heavy  # an engine of its own for its BuildKit: half a minute
def test_a_buildkit_of_ones_own_makes_the_same_image(
    here: Ground, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack, lock = locked(here, "layered", "odd", "big", "sml")
    names = [f"{IMAGES}/layered:{number}" for number in range(2)]
    try:
        own = build(stack, lock, here.settings, engine, Ui(), tag=names[0])
        with private_engine("containerd") as kit, remote_builder("own", kit.host, tmp_path) as named:
            for name, value in named.items():
                monkeypatch.setenv(name, value)
            settings = replace(here.settings, builder="own")
            assert build(stack, lock, settings, engine, Ui(), tag=names[1]).id == own.id
        assert "exporting to docker image format" in (settings.build / "layered" / "build.log").read_text()
    finally:
        remove(engine, *names, layers_tag(lock))


def test_a_second_stack_makes_its_own_layers_alone_and_wrong_notes_harm_none(
    here: Ground, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = locked(here, "one", "nvidia-lib", "big")[1], locked(here, "two", "nvidia-lib", "odd")[1]
    ensure(one.base, here.settings, engine, Ui())
    try:
        first = layered.ensure(one, here.settings, engine, Ui())
        capsys.readouterr()
        second = layered.ensure(two, here.settings, engine, Ui())
        assert first.layers[:-1] == second.layers[:-1] and first.layers[-1] != second.layers[-1]
        assert "making layers of 1 wheels" in capsys.readouterr().err
        assert layered.ensure(two, here.settings, engine, Ui()) == second
        assert capsys.readouterr().err == ""
        # another image under its name, then a digest that is kept wrong
        engine.tag(first.id, layers_tag(two))
        assert layered.ensure(two, here.settings, engine, Ui()) == second
        for item in ready.ready(two):
            place = layer_notes.place(item, two, here.settings)
            recipe, size, _ = json.loads(place.read_text())
            place.write_text(json.dumps([recipe, size, f"sha256:{'0' * 64}"]))
        engine.remove(layers_tag(two))
        assert layered.ensure(two, here.settings, engine, Ui()) == second
        place.write_text("[1")
        assert layered.ensure(two, here.settings, engine, Ui()) == second
    finally:
        remove(engine, layers_tag(one), layers_tag(two))


def test_a_wheel_that_rotted_makes_no_layer(here: Ground, engine: Engine) -> None:
    stack, lock = locked(here, "rotten", "big")
    (wheel,) = (here.settings.home / "wheels").glob("big-*.whl")
    data = bytearray(wheel.read_bytes())
    data[data.index(b"x = 41")] ^= 1
    wheel.unlink()
    wheel.write_bytes(data)
    with pytest.raises(InputError, match="has other bytes than the lock says"):
        build(stack, lock, here.settings, engine, Ui())
    assert engine.image(layers_tag(lock)) is None


def test_no_more_than_so_many_wheels_are_layers(here: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    _, lock = locked(here, "many", "nvidia-lib", "odd", "big")
    monkeypatch.setattr(ready, "MOST", 2)
    assert [item.project for item in ready.ready(lock)] == ["nvidia-lib", "odd"]
    assert [item.project for item in ready.installed(lock)] == ["big"]
