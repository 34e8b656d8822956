"""The verb verify."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from builder.commands._common import REQUIRE_SMOKE, Run, Verb
from builder.errors import JobError

if TYPE_CHECKING:
    from builder.publish.proof import Required
    from builder.registry.repository import Found
    from builder.verify.model import Verified


@click.command(cls=Verb)
@click.option("--image", required=True, metavar="REF", help="HOST/NAME:TAG or HOST/NAME@sha256:….")
@click.option(
    "--key", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The publisher's public key (PEM)."
)
@REQUIRE_SMOKE
@click.option("--rebuild", is_flag=True, help="Build it from its lock too, and compare.")
@click.pass_obj
def command(run: Run, image: str, key: Path, require_smoke: Required, rebuild: bool) -> None:
    """Hold a published image against what was signed of it.

    Every byte of it is read; each fault is named: layer, file or statement.
    """
    from builder.keys import public_key
    from builder.verify import verify

    def again(there: Found, found: Verified) -> None:
        from builder.engine.client import Engine
        from builder.spec import built
        from builder.verify.rebuild import compare

        (stack,) = [built(one) for one in run.stacks.named([found.stack])]
        compare(stack, there, run.settings, Engine.connect(), run.ui, found)

    found = verify(
        image,
        public_key(key, "cosign"),
        key,
        run.settings,
        run.ui,
        required=require_smoke,
        rebuild=again if rebuild else None,
    )
    for words in found.held:
        run.ui.tell(f"holds: {words}")
    if found.faults:
        run.ui.table("", ["fault in", "where", "why"], [[one.what, one.where, one.why] for one in found.faults])
    run.ui.document(found.document())
    if found.faults:
        first = found.faults[0]
        fix = "do not run it; ask who published it, and publish it anew"
        raise JobError(
            f"{len(found.faults)} faults: {first.what} of {image}", where=first.where, why=first.why, fix=fix
        )
    run.ui.tell(f"{image}: {found.digest} is what was signed")
