"""Git sources over ssh: where the site says so of a host, an https address of a stack stands for that path on it."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from urllib.parse import urlsplit

from builder.errors import JobError, SurroundingsError
from builder.settings import GitSsh, Settings


def address(url: str, ssh: GitSsh) -> str:
    """The ssh address of a repository of an https address."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
    return f"ssh://{ssh.user}@{host}:{ssh.port}{parts.path}"


def environment(ssh: GitSsh, settings: Settings) -> dict[str, str]:
    """What has git take this ssh: no file of configuration, no question, no server whose key is not known."""
    words = ["ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
    words += ["-o", f"ConnectTimeout={max(1, round(settings.connect_timeout))}"]
    if ssh.known_hosts:
        words += ["-o", f"UserKnownHostsFile={_quoted(ssh.known_hosts)}", "-o", "GlobalKnownHostsFile=none"]
    if ssh.key:
        words += ["-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", f"IdentityFile={_quoted(ssh.key)}"]
    agent = {"SSH_AUTH_SOCK": os.environ["SSH_AUTH_SOCK"]} if "SSH_AUTH_SOCK" in os.environ else {}
    return {**agent, "GIT_ALLOW_PROTOCOL": "ssh", "GIT_SSH_VARIANT": "ssh", "GIT_SSH_COMMAND": shlex.join(words)}


def _quoted(path: Path) -> str:
    """A path as ssh reads the value of an option: its own quotes, and % doubled."""
    return '"' + str(path.absolute()).replace("%", "%%").replace('"', '\\"') + '"'


def failed(said: str, where: str, host: str) -> JobError | SurroundingsError | None:
    """What ssh's own words of a failure mean, None for words that are not its own."""
    if "Host key verification failed" in said:
        changed = "REMOTE HOST IDENTIFICATION HAS CHANGED" in said
        why = "it has another than the one that is known" if changed else "no known_hosts has it"
        fix = f"ask who runs {host} for its key and put it into known_hosts (`known-hosts` of [git-ssh])"
        return SurroundingsError("the key of the git server is not trusted", where=where, why=why, fix=fix)
    if "Permission denied" in said:
        fix = "load the key into the agent (ssh-add), or name it as `key` of [git-ssh] in modelstacks.toml"
        return SurroundingsError("the git server takes none of the ssh keys", where=where, fix=fix)
    return None
