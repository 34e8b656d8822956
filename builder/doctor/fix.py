"""What the doctor may mend by itself. Never a driver, a package, another's file or a setting of the engine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from builder.check.host import CDI_FILE
from builder.doctor import leftovers
from builder.engine import daemon
from builder.errors import JobError, ModelstacksError
from builder.host import Host, program
from builder.settings import Settings
from builder.ui import Ui

_SECONDS = 60.0  # nvidia-ctk starts the driver and looks through all of its files


@dataclass(frozen=True)
class Remedy:
    """One safe thing. what: what it will do, in words. do: does it; raises OSError or ModelstacksError."""

    what: str
    do: Callable[[Ui], None]


@dataclass(frozen=True)
class Done:
    """A remedy that was tried. why: why it was not done, "" where it was."""

    what: str
    why: str

    def document(self) -> dict[str, Any]:
        """For --json."""
        return {**asdict(self), "done": not self.why}


def remedies(host: Host, files: Sequence[Path], containers: Sequence[str]) -> list[Remedy]:
    """What is safe to do on a machine. files, containers: what killed runs of ours left behind."""
    found = []
    if host.home_disk.missing and host.home_disk.writable:
        found.append(Remedy(f"make the folder {host.home_disk.path}", partial(_make, host.home_disk.path)))
    if host.root and host.engine_lack and host.engine_lack.lacks == "answer" and _dockerd():
        found.append(Remedy("start the Docker Engine that is installed here", daemon.start))
    if _lacks_cdi(host):
        found.append(Remedy(f"write {CDI_FILE} with nvidia-ctk, so that containers get the GPU by CDI", _cdi))
    found += [Remedy(f"remove {path}, which a killed run left", partial(_remove, path)) for path in files]
    found += [
        Remedy(f"remove the stopped smoke container {one[:12]}", partial(_remove_container, one)) for one in containers
    ]
    return found


def mend(host: Host, settings: Settings, ui: Ui) -> list[Done]:
    """Do what is safe, each said before it is done; one that fails keeps nobody from the rest."""
    todo = remedies(host, leftovers.files(settings), leftovers.containers() if host.engine else [])
    if not todo:
        ui.say("nothing here can be mended safely without you")
    done = []
    for one in todo:
        ui.step(one.what)
        try:
            one.do(ui)
            why = ""
        except ModelstacksError as error:
            why = str(error)
        except OSError as error:
            why = error.strerror or str(error)
        if why:
            ui.warn(f"not done: {why}")
        done.append(Done(one.what, why))
    return done


def _dockerd() -> bool:
    return shutil.which("dockerd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is not None


def _lacks_cdi(host: Host) -> bool:
    """Whether a CDI file is all that is missing, and none is there to be overwritten."""
    engine = host.engine is not None and not (host.engine_elsewhere or host.engine_gpus)
    return bool(engine and host.root and host.toolkit and host.nvidia.gpus and not host.cdi) and not (
        os.path.lexists(CDI_FILE)
    )


def _make(folder: Path, _: Ui) -> None:
    folder.mkdir(parents=True, exist_ok=True)


def _cdi(_: Ui) -> None:
    said = program.run(["nvidia-ctk", "cdi", "generate", f"--output={CDI_FILE}"], _SECONDS)
    if said is None or said.code != 0:
        last = said.out.strip().splitlines()[-1:] if said else []
        raise JobError("nvidia-ctk wrote no CDI file", why=" ".join(last))


def _remove(path: Path, _: Ui) -> None:
    leftovers.remove_file(path)


def _remove_container(one: str, _: Ui) -> None:
    leftovers.remove_container(one)
