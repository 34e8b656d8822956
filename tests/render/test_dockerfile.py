"""The text of a Dockerfile, held to golden files.

After a wanted change: RENEW_GOLDEN=1 .venv/bin/pytest tests/render/test_dockerfile.py, then read the difference.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from dataclasses import replace
from pathlib import Path

import jinja2
import pytest

from builder import settings as site
from builder.engine.client import Engine
from builder.lock import Artifact, StackLock, read
from builder.origin import Origin
from builder.render import base_tag, render_dockerfile
from builder.render.groups import grouped
from builder.render.guard import require_ours
from builder.spec.container import Health, User
from builder.spec.model import Stack
from builder.spec.parts import Weight
from builder.spec.stacks import load_stack, stack_folder
from tests.conftest import IMAGES

GOLDEN = Path(__file__).parent / "golden"
TEMPLATES = site.load(environ={}).templates


def shipped(name: str) -> str:
    settings = site.load(environ={})
    return render_dockerfile(load_stack(name, settings), read(stack_folder(name, settings)), TEMPLATES)


def same_as_golden(name: str, text: str) -> None:
    path = GOLDEN / f"{name}.Dockerfile"
    if os.environ.get("RENEW_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


def test_a_stack_of_every_part_renders_as_its_golden_file(stack: Stack, lock: StackLock) -> None:
    same_as_golden("everything", render_dockerfile(stack, lock, TEMPLATES))


def test_lines_that_run_and_a_user_render_as_their_golden_file(stack: Stack, lock: StackLock) -> None:
    ending = stack.model_copy(update={"run": ("echo $HOME",), "user": User(name="app", uid=1234)})
    text = render_dockerfile(ending, lock, TEMPLATES)
    same_as_golden("ending", text)
    require_ours(text, set(re.findall(r"from=([a-z0-9-]+)", text)) - {"again"}, "Dockerfile")


def test_the_text_is_well_formed(stack: Stack, lock: StackLock) -> None:
    few = stack.model_copy(update={"sources": (), "weights": (), "libraries": (), "paths": (), "env": {}})
    bare = render_dockerfile(few, replace(lock, sources=(), weights=(), debs=(), wheels=()), TEMPLATES)
    for text in (shipped("onnx-cpu"), shipped("ort-cudnn9"), render_dockerfile(stack, lock, TEMPLATES), bare):
        assert "\n\n\n" not in text and text.endswith("\n") and not text.endswith("\n\n")
        assert not re.search(r"[ \t]$", text, re.M), "white space at the end of a line"
        assert not re.search(r"\\\n(\n|[A-Z#])", text), "a backslash that continues into nothing"
        assert not re.search(r"(&&|\|) \\\n", text), "an operator belongs to the line that it starts"
        assert not re.search(r"(?<!\\)\n &&", text), "a line that nothing continues"


def test_a_misspelt_name_in_a_template_is_an_error(stack: Stack, lock: StackLock, tmp_path: Path) -> None:
    shutil.copytree(TEMPLATES, tmp_path / "templates")
    labels = tmp_path / "templates" / "labels.j2"
    labels.write_text(labels.read_text().replace("stack.summary", "stack.sumary"))
    with pytest.raises(jinja2.UndefinedError, match="no attribute 'sumary'"):
        render_dockerfile(stack, lock, tmp_path / "templates")


def wheel(project: str, size: int) -> Artifact:
    name = f"{project}-1-py3-none-any.whl"
    return Artifact(
        kind="wheel", filename=name, size=size, sha256="0" * 64, origin=Origin.parse("index:default"), project=project
    )


def test_a_wheels_group_depends_on_that_wheel_alone() -> None:
    sizes = {"tiny": 1, "edge": 31_999_999, "middle": 32_000_000, "more": 199_999_999, "big": 200_000_000}
    alone = {name: grouped([wheel(name, size)])[0].name for name, size in sizes.items()}
    assert alone == {
        "tiny": "wheels",
        "edge": "wheels",
        "middle": "wheels-large",
        "more": "wheels-large",
        "big": "wheels-big",
    }
    together = grouped([wheel(name, size) for name, size in sizes.items()])
    assert {item.project: group.name for group in together for item in group.wheels} == alone
    assert [group.name for group in together] == ["wheels-big", "wheels-large", "wheels"]
    assert [group.name for group in grouped([])] == ["wheels"]


def stages(text: str) -> dict[str, str]:
    """The text of each stage by its name."""
    parts = re.split(r"^FROM \S+ AS (\S+)$", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_another_small_wheel_leaves_the_stages_of_the_big_ones_alone(stack: Stack, lock: StackLock) -> None:
    before = stages(render_dockerfile(stack, lock, TEMPLATES))
    alpha, *others = lock.wheels
    changed = replace(lock, wheels=(replace(alpha, version="2", sha256="9" * 64), *others), epoch=lock.epoch + 99_999)
    after = stages(render_dockerfile(stack, replace(changed, digest="e" * 64), TEMPLATES))
    assert {name for name in before if before[name] != after.get(name)} == {"final"}


def test_a_base_is_named_by_all_that_it_is_made_of() -> None:
    base = read(TEMPLATES.parent / "stacks" / "onnx-cpu").base
    first, *others = base.debs
    assert re.fullmatch(r"modelstacks/base:debian-[0-9a-f]{12}", base_tag(base))
    tags = {base_tag(base), base_tag(replace(base, epoch=1)), base_tag(replace(base, debs=tuple(others)))}
    tags.add(base_tag(replace(base, debs=(replace(first, sha256="0" * 64), *others))))
    assert len(tags) == 4


def test_what_must_be_mounted_is_told_by_a_label(stack: Stack, lock: StackLock, engine: Engine, tmp_path: Path) -> None:
    weight = Weight(name="face.mat", bake=False, licence="the author's own: no copies, été", into="/data")
    mounted = stack.model_copy(update={"weights": (*stack.weights, weight)})
    text = render_dockerfile(mounted, lock, TEMPLATES)
    assert text.count("face.mat") == 1, "it is in no layer"
    (tmp_path / "Dockerfile").write_text(f"FROM scratch\nLABEL {text.rpartition('LABEL ')[2]}")
    tag = f"{IMAGES}/made:{secrets.token_hex(6)}"
    engine.run(["buildx", "build", "--quiet", "--load", "-t", tag, str(tmp_path)])
    try:
        facts = engine.image(tag)
        assert facts is not None
        rows = json.loads(facts.labels["io.modelstacks.mounts"])
        assert rows == [{"path": "/data/face.mat", "licence": weight.licence}]
        assert facts.labels["io.modelstacks.lock"] == f"sha256:{lock.digest}"
    finally:
        engine.remove(tag)


def test_how_a_container_is_started_is_said_in_the_last_stage(stack: Stack, lock: StackLock) -> None:
    values = {
        "cmd": ("--port", "8000"),
        "ports": (8000, 8001),
        "labels": {"org.opencontainers.image.licenses": "MIT", "a": "it's"},
        "healthcheck": Health(command=("python", "-c", "import this"), interval=5),
    }
    before, after = (render_dockerfile(one, lock, TEMPLATES) for one in (stack, stack.model_copy(update=values)))
    assert after.startswith(before[: before.index("LABEL org.opencontainers")].rstrip("\n"))
    added = [line for line in after.splitlines() if line not in before.splitlines()]
    assert added == [
        'CMD ["--port", "8000"]',
        "EXPOSE 8000 8001",
        'HEALTHCHECK --interval=5s --timeout=30s --start-period=60s --retries=3 CMD ["python", "-c", "import this"]',
        'LABEL a="it\'s"',
        'LABEL org.opencontainers.image.licenses="MIT"',
    ]
    require_ours(after, set(re.findall(r"from=([a-z0-9-]+)", after)), "Dockerfile")
