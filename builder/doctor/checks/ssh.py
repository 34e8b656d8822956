"""Whether an ssh server answers where the site says that git sources are reached by ssh; no key is shown to it."""

from __future__ import annotations

import socket

from builder.doctor.model import Diagnosis, Server
from builder.plain import plain

NAME = "ssh"
_LONGEST = 255  # bytes of the line by which a server names itself (RFC 4253, 4.2)


def judge(host: Server, seconds: float) -> Diagnosis:
    """What the server says first. Whether it is the right one and takes a key is git's affair, by known_hosts."""
    try:
        with socket.create_connection((host.name, host.port), seconds) as way:
            way.settimeout(seconds)
            said = plain(way.recv(_LONGEST).decode("ascii", "replace").partition("\n")[0].strip())
    except OSError as error:
        why = f"no ssh server answers: {error.strerror or error}"
        return _bad(host, why)
    if not said.startswith("SSH-"):
        return _bad(host, f"what answers is no ssh server: {said[:80]!r}")
    return Diagnosis(check=NAME, subject=host.subject, state="good", message=f"an ssh server answers, {said[:80]}")


def _bad(host: Server, message: str) -> Diagnosis:
    fix = f"check host and port of [git-ssh.{host.name}] in modelstacks.toml, and that this machine may reach it"
    return Diagnosis(check=NAME, subject=host.subject, state="bad", message=message, fix=fix)
