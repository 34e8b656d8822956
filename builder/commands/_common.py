"""What the verbs share: options that mean the same everywhere, and what a run needs."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

    from builder.settings import Settings
    from builder.spec import Loaded, Stacks
    from builder.ui import Ui


@dataclass(frozen=True)
class Run:
    """What every verb gets: the site's settings, the voice, and the stacks there are.

    words: what was given of the options of every verb, as another run of this program would be given it.
    """

    settings: Settings
    ui: Ui
    words: tuple[str, ...] = ()

    @cached_property
    def stacks(self) -> Stacks:
        """The stacks there are; scanned when first asked for, once."""
        from builder.spec import Stacks

        return Stacks(self.settings)

    def owned(self, words: Iterable[str], default: str = "") -> list[Loaded]:
        """What these words ask for, as `Stacks.named`, for a verb that may write a lock.

        Where this program is installed, a shipped stack is first copied to the user's own folder of stacks, so that
        nothing is written among the installed files.
        """
        from builder.spec.stacks import Stacks, own

        loaded = self.stacks.named(words, default)
        if not (copies := own(loaded, self.settings)):
            return loaded
        for one in copies:
            self.ui.say(f"{one.name}: copied from the shipped stacks to {one}")
        return Stacks(self.settings).named(one.name for one in loaded)


@dataclass
class Given:
    """The options that every verb takes, as far as they are read: those before the verb, then those after it."""

    ui: Ui
    folders: list[Path] = field(default_factory=list)
    settings: list[str] = field(default_factory=list)

    def run(self) -> Run:
        """What they come to. Raises InputErrors for settings that are wrong."""
        from builder.settings import load

        found = load(stacks=tuple(self.folders), given=self.settings)
        if found.tls == "hash-locked":
            self.ui.warn("tls = hash-locked: locked files may come over unverified TLS, held to their sha256 and size")
        os.environ.update(found.engine_environment(os.environ))
        words = [word for folder in self.folders for word in ("--stacks", str(folder))]
        words += [word for one in self.settings for word in ("--set", one)]
        return Run(found, self.ui, tuple(words))


class Verb(click.Command):
    """A command that takes the options of every verb beside its own, and is called with a Run."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(*arguments, **named)
        self.params += everywhere()

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own
        """Run it. Raises what the verb does."""
        ctx.obj = ctx.obj.run()
        return super().invoke(ctx)


def everywhere() -> list[click.Parameter]:
    """The options that stand before a verb or after it, and add up."""

    def json(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        ctx.obj.ui.as_json = ctx.obj.ui.as_json or value

    def stacks(ctx: click.Context, _: click.Parameter, value: tuple[Path, ...]) -> None:
        ctx.obj.folders += value

    def settings(ctx: click.Context, _: click.Parameter, value: tuple[str, ...]) -> None:
        ctx.obj.settings += value

    return [
        click.Option(
            ["--json"],
            is_flag=True,
            is_eager=True,  # so that what is wrong with the other words is said in JSON too
            expose_value=False,
            callback=json,
            help="One JSON document on stdout; talk stays on stderr.",
        ),
        click.Option(
            ["--stacks", "folders"],
            multiple=True,
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            expose_value=False,
            callback=stacks,
            help="A folder of your own stacks and families (also MODELSTACKS_STACKS).",
        ),
        click.Option(
            ["--set", "given"],
            multiple=True,
            metavar="KEY=VALUE",
            expose_value=False,
            callback=settings,
            help="A setting, over modelstacks.toml and the environment.",
        ),
    ]


def _complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Stack names for shell completion."""
    return [name for name in [*sorted(ctx.obj.run().stacks.folders), "all"] if name.startswith(incomplete)]


STACKS = click.argument("stacks", nargs=-1, metavar="[STACK…]", shell_complete=_complete)
GPU = click.option(
    "--gpu",
    type=click.Choice(["auto", "none", "require"]),
    default="auto",
    show_default=True,
    help="auto: use one where the engine offers it; require: fail without one.",
)
OFFLINE = click.option(
    "--offline",
    is_flag=True,
    envvar="MODELSTACKS_OFFLINE",
    help="Ask no network: what is not here is an error that names it (also MODELSTACKS_OFFLINE=1).",
)
FROZEN = click.option(
    "--frozen",
    is_flag=True,
    envvar="MODELSTACKS_FROZEN",
    help="Refuse a lock with pending hashes instead of recording them (also MODELSTACKS_FROZEN=1).",
)
REQUIRE_SMOKE = click.option(
    "--require-smoke",
    type=click.Choice(["cpu", "gpu", "none"]),
    default="cpu",
    show_default=True,
    help="The smoke evidence that the image must have.",
)
RUNNER = click.option("--runner", default="ubuntu-24.04", metavar="LABELS", help="Labels of a runner; ubuntu-24.04.")
GPU_RUNNER = click.option("--gpu-runner", default="self-hosted,gpu", metavar="LABELS", help="Of one with a GPU.")
