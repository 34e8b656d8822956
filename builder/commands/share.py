"""The verb share."""

from __future__ import annotations

import click

from builder.commands._common import STACKS, Run, Verb


@click.command(cls=Verb)
@STACKS
@click.option("--registry", metavar="HOST/NAME", help="The repository; else that of the setting `files`.")
@click.pass_obj
def command(run: Run, stacks: tuple[str, ...], registry: str | None) -> None:
    """Put the files of locks into a registry, for other builders.

    Their fetch takes them from there where the setting `files` names it; oras pulls them too.
    """
    from builder.errors import InputError
    from builder.lock.existing import locked
    from builder.publish.files import share
    from builder.registry.descriptor import address

    if not (registry or run.settings.files):
        raise InputError("no registry is named", fix="make share REGISTRY=HOST/NAME, or set `files`")
    place = address(registry or run.settings.files)
    if not place[1]:
        raise InputError("the registry has no repository's name", fix="write HOST/NAME: registry.example.org/files")
    loaded = run.stacks.named(stacks)
    run.ui.document(
        {"shared": [share(one.name, locked(one), place, run.settings, run.ui).document() for one in loaded]}
    )
