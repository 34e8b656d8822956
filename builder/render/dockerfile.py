"""The text of a Dockerfile, from small Jinja templates; no IO beyond reading the templates."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from builder.files import sha256_text
from builder.lock.model import Artifact, StackLock
from builder.render.base import base_has_python, base_tag
from builder.render.groups import Group, grouped
from builder.render.guard import one_line
from builder.render.ready import installed, layers_tag, ready
from builder.render.recipe import recipes
from builder.spec.model import Stack
from builder.spec.parts import Source

if TYPE_CHECKING:
    import jinja2

# One fixed date for every file made in a build: the earliest a wheel's zip can carry. It is not the lock's
# epoch, because a new lock must not invalidate the stages whose wheels did not change.
CLAMP = "@315532800"
_RUN = Path(__file__).parent / "sent" / "run.py"


def mounts(stack: Stack) -> str:
    """The files that who runs the image has to mount, as JSON for the label io.modelstacks.mounts; "" for none."""
    rows = [
        {"path": f"{weight.into.rstrip('/')}/{weight.filename}"}
        | {key: value for key, value in (("licence", weight.licence), ("sha256", weight.sha256)) if value}
        for weight in stack.mounted
    ]
    # A single quote would end the text in the Dockerfile.
    return json.dumps(rows, sort_keys=True).replace("'", "\\u0027") if rows else ""


def run_files(stack: Stack) -> dict[str, str]:
    """The context of a stack's `run`: its lines, and the program that runs them in the image."""
    return {"lines.json": json.dumps(stack.run), "run.py": _RUN.read_text(encoding="utf-8")} if stack.run else {}


def source_file(source: Source, item: Artifact) -> str:
    """The name of a source's archive in its context; one with edits is an archive of its own."""
    if not source.edits:
        return item.filename
    edits = sha256_text(json.dumps([edit.document() for edit in source.edits]))
    return f"{item.filename.removesuffix('.tar')}-edited-{edits[:12]}.tar"


def environment(templates: Path) -> jinja2.Environment:
    """Jinja as every Dockerfile is rendered by it: a name that is not there is an error."""
    import jinja2  # noqa: PLC0415 - a run that has nothing to render does without

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - the output is a Dockerfile, its values are held to patterns by spec and lock
        finalize=one_line,
    )


def render_dockerfile(stack: Stack, lock: StackLock, templates: Path) -> str:
    """The Dockerfile of a stack.

    Raises jinja2.UndefinedError where a template names a value that is not there, InputError where an
    extension of the stack has no source in the lock.
    """
    groups, compiled = grouped(installed(lock)), recipes(stack, lock)
    layers = [*(["bytecode"] if ready(lock) else []), *(group.name for group in groups)]
    more = (("sources", lock.sources), ("weights", lock.weights), ("files", stack.files))
    layers += [name for name, there in more if there]
    if compiled:
        groups.append(Group("extensions", ()))
        layers.append("extensions")
    return (
        environment(templates)
        .get_template("Dockerfile.j2")
        .render(
            stack=stack,
            lock=lock,
            groups=groups,
            layers=layers,
            clamp=CLAMP,
            base_tag=base_tag(lock.base),
            base_name=lock.base.reference.split("@")[0] or base_tag(lock.base).split(":")[0],
            base_has_python=base_has_python(lock),
            ready=ready(lock),
            layers_tag=layers_tag(lock),
            recipes=compiled,
            entrypoint=json.dumps(stack.entrypoint),
            cmd=json.dumps(stack.cmd),
            health=json.dumps(stack.healthcheck.command if stack.healthcheck else ()),
            version=datetime.fromtimestamp(lock.epoch, timezone.utc).strftime("%Y.%m.%d"),
            library_folders=[f"{stack.site_packages}/{folder}" for folder in stack.libraries],
            sources=[
                (source, source_file(source, item), "" if source.edits else item.sha256)
                for source, item in zip(stack.sources, lock.sources, strict=True)
            ],
            weights=[
                (weight, item.filename, weight.filename, item.sha256)
                for weight, item in zip(stack.baked, lock.weights, strict=True)
            ],
            mounts=mounts(stack),
            run_digest=sha256_text("".join(run_files(stack).values())),
        )
    )
