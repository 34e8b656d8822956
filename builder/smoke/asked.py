"""What the command line asks of smoke, made into runs; every contradiction is an error that names the way out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from builder.errors import InputError
from builder.lock.existing import locked
from builder.smoke.subject import Subject, known_checks, of_checks, of_stack
from builder.smoke.target import VENV, Container, Image, Local, Target
from builder.spec import Loaded, built

if TYPE_CHECKING:
    from builder.engine.client import Engine
    from builder.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What one command line asks for; "" and () for what was not given. checks: names, also several by comma in one."""

    stacks: Sequence[Loaded] = ()
    image: str = ""
    host: str = ""
    container: str = ""
    checks: Sequence[str] = ()
    python: str = ""
    out: Path | None = None

    @property
    def elsewhere(self) -> bool:
        """Whether a target is named, so that the image of the stack is not meant."""
        return bool(self.image or self.host or self.container)

    @property
    def check_names(self) -> list[str]:
        """The names of the smoke tests asked for."""
        return [name for word in self.checks for name in word.replace(",", " ").split()]


def runs(asked: Asked, settings: Settings, connect: Callable[[], Engine]) -> Iterator[tuple[Target, Subject, Path]]:
    """For each run that is asked for its target, what it is held against, and the folder of its report.

    connect: gives the engine; not called for this machine itself.
    Raises InputError for a contradiction, before anything is run.
    """
    _refuse_contradictions(asked)
    stacks = [built(one) for one in asked.stacks]
    subjects = [of_stack(one, locked(one), asked.check_names) for one in stacks] or [of_checks(asked.check_names)]
    engine = None if asked.host else connect()
    for subject in subjects:
        target = _target(asked, subject, engine, settings)
        # what is not the whole proof of a stack's own image lies beside that proof
        name = "smoke" if subject.stack and not asked.elsewhere and not asked.checks else f"smoke-{target.kind}"
        yield target, subject, asked.out or settings.build / subject.stack / name


def _target(asked: Asked, subject: Subject, engine: Engine | None, settings: Settings) -> Target:
    python = asked.python or (VENV if subject.stack and not asked.host else "python3")
    if engine is None:
        return Local.find(python)
    if asked.container:
        return Container.find(engine, asked.container, python)
    if asked.image:
        fix = "docker images lists those that are there; docker pull or docker load brings others"
        return Image.find(engine, asked.image, python, of=subject.stack or "image", fix=fix)
    fix = f"make build STACK={subject.stack}"
    return Image.find(engine, settings.image(subject.stack), python, of=subject.stack, fix=fix)


def _refuse_contradictions(asked: Asked) -> None:
    """Raise InputError for the first thing that cannot be meant."""
    given = [word for word in ("image", "host", "container") if getattr(asked, word)]
    named, stacks = ", ".join(f"--{word}" for word in given), ", ".join(one.name for one in asked.stacks)
    if len(given) > 1:
        raise InputError(f"{named} name several targets", fix="keep one of them; each run has exactly one target")
    if asked.host not in ("", "local"):
        raise InputError(
            f"no way to reach a host called {asked.host}", fix="--host local, run on the machine that is meant"
        )
    if given and len(asked.stacks) > 1:
        raise InputError(
            f"{named} is one target, and {stacks} are several stacks",
            fix="name the one stack that the target is held against",
        )
    if not asked.stacks and not asked.check_names:
        raise InputError(
            f"nothing to hold {named} against",
            fix=f"name a stack, or smoke tests: --checks {','.join(known_checks())}",
        )
    if asked.python and not given:
        raise InputError(
            f"--python {asked.python} is not the Python of a stack's own image, which is {VENV}",
            fix="leave --python out, or name a target: --image, --container or --host local",
        )
    if asked.out and len(asked.stacks) > 1:
        raise InputError(f"--out is one folder, and {stacks} are several stacks", fix="leave --out out")
