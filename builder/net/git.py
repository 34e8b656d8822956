"""A git source at one commit, as a tar with the same bytes each time it is made."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path

from builder.errors import JobError, SurroundingsError
from builder.files import sync_folder
from builder.net.session import clean_url
from builder.net.tls import ca_bundle
from builder.settings import Settings

_UNREACHABLE = re.compile(
    r"could not resolve|failed to connect|couldn't connect|timed out|connection (refused|reset)|too slow", re.IGNORECASE
)
_UNTRUSTED = re.compile(r"SSL certificate problem|certificate verification failed|server verification failed")


def archive_commit(url: str, commit: str, target: Path, settings: Settings) -> None:
    """Write the tree of a commit to target as a tar without prefix; every time is the commit's.

    url: https address of the repository. commit: 40 hex digits. What .gitattributes says of archives
    is not obeyed, so the tar holds all tracked files unchanged. Nothing of the user's git configuration
    or hooks is used. Raises SurroundingsError without git or where the server cannot be reached or
    trusted, JobError where it has no such commit or the commit has submodules.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".git-", dir=target.parent) as folder:
        git = _Git(url, Path(folder), settings)
        git.run("init", "--quiet", "--bare", "--template=", "--object-format=sha1", ".")
        Path(folder, "info").mkdir(exist_ok=True)
        Path(folder, "info", "attributes").write_text("* -export-ignore -export-subst\n")
        git.run("fetch", "--quiet", "--depth=1", "--no-tags", "--", url, commit)
        if git.run("ls-tree", "--name-only", commit, "--", ".gitmodules"):
            raise JobError(
                "the commit has submodules, which are not supported yet",
                where=f"{clean_url(url)}@{commit}",
                fix="name each submodule as a source of its own, at the commit this one wants",
            )
        aside = Path(folder, "archive.tar")
        git.run("-c", "tar.umask=0022", "archive", "--format=tar", f"--output={aside}", commit)
        with aside.open("rb") as stream:
            os.fsync(stream.fileno())
        aside.replace(target)
    sync_folder(target.parent)


class _Git:
    def __init__(self, url: str, folder: Path, settings: Settings) -> None:
        self._url, self._folder = url, folder
        kept = ("PATH", "HOME", "http_proxy", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "ALL_PROXY")
        self._environment = {
            **{name: os.environ[name] for name in kept if name in os.environ},
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": "https",
            "GIT_SSL_CAINFO": str(ca_bundle(settings)),
            "GIT_HTTP_LOW_SPEED_LIMIT": "1",
            "GIT_HTTP_LOW_SPEED_TIME": "60",
        }

    def run(self, *arguments: str) -> str:
        """What git prints on stdout."""
        try:
            done = subprocess.run(
                ["git", *arguments],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            )
        except FileNotFoundError:
            raise SurroundingsError("git is not installed", fix="apt-get install git") from None
        if done.returncode:
            raise self._failed(done.stderr)
        return done.stdout.strip()

    def _failed(self, stderr: str) -> JobError | SurroundingsError:
        where = clean_url(self._url)
        lines = [line for line in stderr.splitlines() if line.strip()]
        why = re.sub(r"://[^/\s@]*@", "://", lines[-1]) if lines else "git says nothing"
        if _UNTRUSTED.search(stderr):
            fix = "export CA_BUNDLE=FILE, your site's root certificate in PEM; it adds to the public roots"
            return SurroundingsError("the certificate of the git server is not trusted", where=where, why=why, fix=fix)
        if _UNREACHABLE.search(stderr):
            return SurroundingsError("the git server cannot be reached", where=where, why=why, fix="check the network")
        if "No space left" in stderr:
            return SurroundingsError("the disk is full", where=str(self._folder.parent), why=why, fix="make room")
        return JobError("git cannot fetch the commit", where=where, why=why, fix="check the address and the commit")
