"""docker's file of logins, read as docker reads it; its credential helpers are heard and never repeated."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from docker import auth, credentials

_PATIENCE = 60.0  # seconds: a helper may ask the user to open a key ring


class _Helper(credentials.Store):
    """A program docker-credential-NAME. The SDK's own lets its standard error through, in which a secret may be."""

    def __init__(self, name: str) -> None:
        self.program = f"{credentials.constants.PROGRAM_PREFIX}{name}"
        self.exe = shutil.which(self.program)

    def _execute(self, subcmd: str, data_input: Any) -> bytes:  # noqa: ANN401 - as the SDK has it
        if self.exe is None:
            raise credentials.StoreError(f"{self.program} is not installed")
        try:
            done = subprocess.run(
                [self.exe, subcmd],
                input=data_input,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=_PATIENCE,
                check=True,
            )
        except subprocess.CalledProcessError as error:
            raise credentials.errors.process_store_error(error, self.program) from None
        except (OSError, subprocess.TimeoutExpired):
            raise credentials.StoreError(f"{self.program} did not answer") from None
        said: bytes = done.stdout
        return said


class _Logins(auth.AuthConfig):
    def _get_store_instance(self, name: str) -> _Helper:
        return _Helper(name)


def found(path: Path, host: str) -> dict[str, Any]:
    """What a config.json has for a host: `credHelpers`, else `credsStore`, else `auths`; empty for nothing.

    Raises docker.errors.DockerException, ValueError, KeyError, TypeError, AttributeError or OSError for what cannot be
    read; their words may hold a secret.
    """
    known: dict[str, Any] | None = _Logins.load_config(str(path), None).resolve_authconfig(host)
    return known or {}
