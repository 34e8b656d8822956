"""The verb publish."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from builder.commands._common import REQUIRE_SMOKE, STACKS, Run, Verb

if TYPE_CHECKING:
    from builder.publish.packed import Compression
    from builder.publish.proof import Required

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(cls=Verb)
@STACKS
@click.option("--registry", required=True, metavar="HOST/NAME", help="Where to; the stack's name is put after it.")
@click.option("--key", required=True, type=_FILE, help="Sign with this private key (PEM, ECDSA P-256).")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="One more tag, beside version and lock digest.")
@REQUIRE_SMOKE
@click.option("--evidence", multiple=True, type=_FILE, help="Evidence of another machine, such as one with a GPU.")
@click.option(
    "--compression", type=click.Choice(["zstd", "gzip"]), default="zstd", show_default=True, help="Of the layers."
)
@click.option("--mount", multiple=True, metavar="NAME", help="A repository of the registry to take blobs from.")
@click.pass_obj
def command(
    run: Run,
    stacks: tuple[str, ...],
    registry: str,
    key: Path,
    tags: tuple[str, ...],
    require_smoke: Required,
    evidence: tuple[Path, ...],
    compression: Compression,
    mount: tuple[str, ...],
) -> None:
    """Push images to a registry, with SBOM, provenance, evidence.

    Signed with a key of your own; refused without smoke evidence for that very image.
    """
    from builder.engine.client import Engine
    from builder.keys import private_key
    from builder.lock.existing import locked
    from builder.publish import publish
    from builder.registry.descriptor import address
    from builder.spec import built

    loaded = [built(one) for one in run.stacks.named(stacks)]
    place, private = address(registry), private_key(key, "cosign")
    engine, documents, neighbours = Engine.connect(builds=False), [], list(mount)
    for one in loaded:
        done = publish(
            one,
            locked(one),
            place,
            private,
            run.settings,
            engine,
            run.ui,
            tags=tags,
            compression=compression,
            required=require_smoke,
            files=evidence,
            neighbours=tuple(neighbours),
        )
        neighbours.append("/".join(filter(None, (place[1], one.name))))
        documents.append(done.document())
        done.say(run.ui)
    run.ui.document({"published": documents})
