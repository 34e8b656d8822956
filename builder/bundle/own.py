"""The wheels that this program itself needs, by requirements.lock, for one Python; kept in assets/own-wheels."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement

from builder.bundle.content import OWN_WHEELS
from builder.errors import InputError, JobError
from builder.files import held, scratch, sha256_of, sha256_text, sync_folder, write_atomic
from builder.settings import Settings
from builder.settings.program import PROGRAM
from builder.ui import Ui

_GLIBCS = (17, 24, 27, 28, 31, 34, 35, 36)  # manylinux_2_N tags that wheels are published under


def running_python() -> str:
    """The version of the Python that runs this, such as 3.11."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def own_wheels(python: str, settings: Settings, ui: Ui, *, offline: bool) -> list[Path]:
    """The wheels of requirements.lock for this version of Python on x86-64 Linux; pip brings what is not there.

    Each is of a sha256 that requirements.lock names. Raises InputError for a version that is none, JobError
    where pip cannot bring them.
    """
    if not re.fullmatch(r"3\.\d{1,2}", python) or int(python[2:]) < 10:
        raise InputError(f"--python {python} is not a version such as 3.11, 3.10 or newer")
    lock = (PROGRAM / "requirements.lock").read_text()
    wanted = _for_python(lock, python)
    folder = settings.home / OWN_WHEELS
    record = folder / f".cp{python.replace('.', '')}.list"
    with held(folder / ".lock"):
        names = _recorded(record, lock)
        if not names or not all((folder / name).is_file() for name in names):
            names = _download(wanted, python, folder, settings, ui, offline=offline)
            write_atomic(record, "\n".join([sha256_text(lock), *names]) + "\n")
    allowed = set(re.findall(r"--hash=sha256:([0-9a-f]{64})", lock))
    for name in names:
        if sha256_of(folder / name) not in allowed:
            fix = "remove the file and export again"
            raise JobError(f"{name} is not a wheel that requirements.lock names", where=str(folder / name), fix=fix)
    return [folder / name for name in names]


def _for_python(lock: str, python: str) -> str:
    """The requirements that hold for this Python, without their markers; pip would ask the running one."""
    running = {key: str(value) for key, value in default_environment().items()}
    environment = {**running, "python_version": python, "python_full_version": f"{python}.0"}
    kept = []
    for line in lock.replace("\\\n", " ").splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        text, *hashes = re.split(r"\s+--hash=", line.split(" #")[0].strip())
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            words = [f"{requirement.name}{requirement.specifier}", *(f"--hash={item}" for item in hashes)]
            kept.append(" ".join(words))
    return "\n".join(kept) + "\n"


def _recorded(record: Path, lock: str) -> list[str]:
    if not record.is_file():
        return []
    digest, *names = record.read_text().splitlines()
    return names if digest == sha256_text(lock) else []


def _download(wanted: str, python: str, folder: Path, settings: Settings, ui: Ui, *, offline: bool) -> list[str]:
    with scratch(folder / ".scratch", "new-") as new:
        (new / "requirements.txt").write_text(wanted)
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download", "--no-deps"]
        command += ["--require-hashes", "--only-binary=:all:", "--find-links", str(folder), "--progress-bar=off"]
        command += ["--python-version", python, "--implementation", "cp", "--platform", "manylinux2014_x86_64"]
        command += [word for minor in _GLIBCS for word in ("--platform", f"manylinux_2_{minor}_x86_64")]
        command += ["--dest", str(new), "-r", str(new / "requirements.txt")]
        environment = dict(os.environ)
        if offline:
            command.append("--no-index")
        else:
            environment |= _trust(settings)
            command += ["--index-url", settings.index] if settings.index else []
        with ui.working(f"bringing our own wheels for Python {python} to {OWN_WHEELS}"):
            done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if done.returncode != 0:
            why = next((line for line in reversed(done.stderr.splitlines()) if line.startswith("ERROR:")), "")
            fix = f"put the wheels of requirements.lock into {OWN_WHEELS}" if offline else "see docs/settings.md"
            raise JobError("pip could not bring our own wheels", why=why, fix=fix)
        names = sorted(path.name for path in new.glob("*.whl"))
        for wheel in names:
            (new / wheel).replace(folder / wheel)
    sync_folder(folder)
    return names


def _trust(settings: Settings) -> dict[str, str]:
    from builder.net.tls import ca_bundle  # noqa: PLC0415

    bundle = str(ca_bundle(settings))
    return {"PIP_CERT": bundle, "SSL_CERT_FILE": bundle}
