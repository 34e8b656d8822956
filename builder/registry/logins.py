"""The login for a registry: of `docker login` (its file or a credential helper), else of the site's tokens."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from builder.errors import InputError
from builder.net.client import basic
from builder.settings import Settings

_SAID = re.compile(r"(?i)password|secret|token")


@dataclass(frozen=True)
class Login:
    """A name and a password, or a token to get tokens with. None of it is ever shown."""

    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    identity: str = field(default="", repr=False)

    def __bool__(self) -> bool:
        return bool(self.identity or (self.user and self.password))


def login(host: str, settings: Settings) -> Login:
    """The login for a registry's host; one that is false where there is none.

    Raises InputError where docker's file cannot be read, or its credential helper fails.
    """
    return _docker(host) or _site(host, settings)


def _site(host: str, settings: Settings) -> Login:
    found = basic(f"https://{host}/", settings)
    return Login(*found) if found else Login()


def _docker(host: str) -> Login:
    from docker import errors  # noqa: PLC0415 - 0.1 s

    from builder.registry import helpers  # noqa: PLC0415 - loads it

    folder = Path(os.environ.get("DOCKER_CONFIG") or "~/.docker").expanduser()
    path = folder / "config.json"
    if not path.is_file():
        return Login()
    name = "docker.io" if host == "registry-1.docker.io" else host
    try:
        found = helpers.found(path, name)
    except (errors.DockerException, ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        fix = f"docker login {host}"
        raise InputError(f"the login for {host} cannot be read", where=str(path), why=_why(error), fix=fix) from None
    identity = found.get("IdentityToken") or found.get("identitytoken") or ""
    user, password = found.get("username") or found.get("Username"), found.get("password") or found.get("Password")
    if user == "<token>":  # a helper's way to hand out an identity token
        return Login(identity=str(password))
    return Login(str(user or ""), str(password or ""), str(identity))


def _why(error: Exception) -> str:
    """What is wrong, without what may be a secret: a helper's words may repeat what it was given."""
    helper = re.search(r"docker-credential-[A-Za-z0-9._-]+", str(error))
    if helper and not shutil.which(helper[0]):
        return f"the credential helper {helper[0]} is not installed"
    if helper:
        return f"the credential helper {helper[0]} failed"
    return type(error).__name__ if _SAID.search(str(error)) else str(error)[:200]
