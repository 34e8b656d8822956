"""The `Packages` list that makes a folder of .deb files an apt source."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from builder.errors import JobError, SurroundingsError
from builder.lock.model import Artifact


def package_list(folder: Path, debs: Iterable[Artifact]) -> str:
    """The stanzas of these files, read from their own control data, with the locked size and sha256.

    Raises JobError where dpkg-deb cannot read a file, SurroundingsError where this host has no dpkg-deb.
    """
    if not shutil.which("dpkg-deb"):
        raise SurroundingsError("dpkg-deb is not installed", fix="install the package dpkg of your distribution")
    stanzas = []
    for deb in debs:
        done = subprocess.run(
            ["dpkg-deb", "--field", str(folder / deb.filename)], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            fix = "run `make fetch VERIFY=1`"
            raise JobError(f"{deb.filename} is not a readable .deb", why=done.stderr.strip(), fix=fix)
        control = done.stdout.rstrip("\n")
        stanzas.append(f"{control}\nFilename: ./{deb.filename}\nSize: {deb.size}\nSHA256: {deb.sha256}\n")
    return "\n".join(stanzas)
