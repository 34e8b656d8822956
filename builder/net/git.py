"""A git source at one commit, as a tar with the same bytes each time it is made."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from builder.errors import InputError, JobError, ModelstacksError, SurroundingsError, Unreachable
from builder.files import scratch, sync_folder
from builder.net import gitssh
from builder.net.client import authorization
from builder.net.submodules import LIMIT, Submodule, join, submodules
from builder.net.tls import ca_bundle
from builder.net.untrusted import untrusted
from builder.net.urls import clean_text, clean_url
from builder.origin import Origin
from builder.settings import Settings

# All attributes that change what `git archive` writes of a file; those of the commit and of the user yield to these.
_AS_COMMITTED = "* -export-ignore -export-subst -text !eol !ident !filter !working-tree-encoding\n"
_UNREACHABLE = re.compile(
    r"could not resolve|failed to connect|couldn't connect|timed out|connection (refused|reset)|too slow"
    r"|tunnel failed|from proxy",
    re.IGNORECASE,
)
_ADVICE = ("Please make sure you have the correct", "and the repository exists.")  # git's own, after ssh's words
_UNTRUSTED = re.compile(r"SSL certificate problem|certificate verification failed|server verification failed")


def archive_commit(url: str, commit: str, target: Path, settings: Settings) -> None:
    """Write the tree of a commit to target as a tar without prefix; every time is the commit's.

    url: https address of the repository, taken from the first of its mirrors that has the commit.
    commit: 40 or 64 hex digits. What .gitattributes says is not obeyed, so the tar holds all
    tracked files as they were committed. Nothing of the user's git configuration or hooks is used. The server is
    verified under TLS=hash-locked too. Raises SurroundingsError without git or where the server cannot be reached or
    trusted, JobError where it has no such commit.

    Submodules are taken along, at the commits that the tree records, from https addresses only; JobError
    where one is at another address or outside the tree.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with scratch(target.parent / ".scratch", "git-") as folder:
        parts = _archived(Submodule(path="", url=url, commit=commit), folder, settings, [LIMIT])
        aside = folder / "whole.tar"
        if len(parts) > 1:
            join(parts, aside)
        else:
            aside = parts[0]
        with aside.open("rb") as stream:
            os.fsync(stream.fileno())
        aside.replace(target)
    sync_folder(target.parent)


def _archived(source: Submodule, folder: Path, settings: Settings, left: list[int]) -> list[Path]:
    """The tars of a commit and of all its submodules, each under its path, made in folder. left: how many more may be.

    The tar of a commit without submodules is git's own.
    """
    if left[0] <= 0:
        where = f"{clean_url(source.url)}@{source.commit}"
        raise JobError(f"the source has more than {LIMIT} submodules", where=where, fix="name another commit")
    left[0] -= 1
    _require_plain(source)
    git = _Git(source.url, folder, settings)
    git.run(
        "init",
        "--quiet",
        "--bare",
        "--template=",
        f"--object-format={'sha1' if len(source.commit) == 40 else 'sha256'}",
        ".",
    )
    Path(folder, "info").mkdir(exist_ok=True)
    Path(folder, "info", "attributes").write_text(_AS_COMMITTED)
    git.fetch(source.commit)
    found = submodules(git.run, source.url, source.commit)
    tar = folder / "archive.tar"
    prefix = [f"--prefix={source.path}/"] if source.path else []
    git.run(
        "-c", "tar.umask=0022", "archive", "--format=tar", *prefix, f"--output={tar}", "--end-of-options", source.commit
    )
    parts = [tar]
    for number, one in enumerate(found):
        inner = folder / f"submodule-{number}"
        inner.mkdir()
        path = f"{source.path}/{one.path}" if source.path else one.path
        parts += _archived(Submodule(path=path, url=one.url, commit=one.commit), inner, settings, left)
    return parts


def _require_plain(source: Submodule) -> None:
    """Raise InputError for what git could take for an option: both become words of its command line."""
    try:
        Origin("git", source.url, source.commit)
    except ValueError as error:
        fix = "correct the address and the commit; run `make lock` where a lock says so"
        raise InputError("a git source is not an address and a full commit", why=str(error), fix=fix) from None


class _Git:
    def __init__(self, url: str, folder: Path, settings: Settings) -> None:
        self._url, self._folder, self._settings = url, folder, settings
        kept = ("PATH", "HOME", "http_proxy", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "ALL_PROXY")
        self._environment = {
            **{name: os.environ[name] for name in kept if name in os.environ},
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": "https",
            "GIT_SSL_CAINFO": str(ca_bundle(settings)),
            "GIT_HTTP_LOW_SPEED_LIMIT": "1",
            "GIT_HTTP_LOW_SPEED_TIME": str(max(1, round(settings.read_timeout))),
        }

    def fetch(self, commit: str) -> None:
        """Bring the commit from the first of the repository's mirrors that has it."""
        addresses = self._settings.mirrored(self._url)
        passed: list[ModelstacksError] = []
        for address in addresses:
            self._url = address
            ssh = self._settings.ssh(address)
            place = gitssh.address(address, ssh) if ssh else address
            try:
                self.run("fetch", "--quiet", "--depth=1", "--no-tags", "--", place, commit, login=address)
                return
            except (JobError, SurroundingsError) as error:
                passed.append(error)
        last = passed.pop()
        if passed:
            last.why += "".join(f"; before it, {one.where}: {one.problem}" for one in passed)
        raise last

    def _login(self, url: str) -> dict[str, str]:
        """What shows git the token and client certificate of the host, kept off the command line."""
        found: dict[str, str] = {}
        if ssh := self._settings.ssh(url):
            return gitssh.environment(ssh, self._settings)
        if files := self._settings.client_certificate(url):
            found |= {"GIT_SSL_CERT": str(files.cert), "GIT_SSL_KEY": str(files.key)}
        if header := authorization(url, self._settings):
            # git would send the header on to the host a redirect leads to, so none is followed.
            pairs = [("http.extraHeader", f"Authorization: {header}"), ("http.followRedirects", "false")]
            found["GIT_CONFIG_COUNT"] = str(len(pairs))
            for number, (key, value) in enumerate(pairs):
                found |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        return found

    def run(self, *arguments: str, login: str = "") -> str:
        """What git prints on stdout. login: the address whose token and client certificate it may use."""
        try:
            done = subprocess.run(
                ["git", *arguments],
                cwd=self._folder,
                env={**self._environment, **(self._login(login) if login else {})},
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
        lines = [line for line in stderr.splitlines() if line.strip() and not line.startswith(_ADVICE)]
        why = clean_text(lines[-1]) if lines else "git says nothing"
        if _UNTRUSTED.search(stderr):
            return untrusted(self._url, why, self._settings)
        if self._settings.ssh(self._url) and (told := gitssh.failed(stderr, where, str(urlsplit(self._url).hostname))):
            return told
        if _UNREACHABLE.search(stderr):
            return Unreachable("the git server cannot be reached", where=where, why=why, fix="check the network")
        if "No space left" in stderr:
            return SurroundingsError("the disk is full", where=str(self._folder.parent), why=why, fix="make room")
        return JobError("git cannot fetch the commit", where=where, why=why, fix="check the address and the commit")
