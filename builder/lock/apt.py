"""Which .deb files a base or a stack's system packages need, asked of apt itself in a folder of its own.

apt reads only the sources, keyring and package status given here, runs no hook of the host, and
downloads only signed package lists. The host's apt gives its proxies. Needs apt on the host (Debian or Ubuntu).
Package lists stay in the cache, where apt asks by their dates whether there are newer ones.
"""

from __future__ import annotations

import email.utils
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import unquote

from builder.errors import InputError, JobError, SurroundingsError
from builder.files import held, scratch, sha256_of, sha256_text
from builder.lock import ownapt
from builder.lock.model import Artifact
from builder.net.aptlogin import apt_logins
from builder.net.archive import archive
from builder.net.tls import ca_bundle
from builder.net.untrusted import untrusted
from builder.net.urls import clean_text, quoted, without_login
from builder.origin import Origin
from builder.settings import Settings
from builder.spec.parts import AptArchive

_COMPONENTS = {"debian": "main", "ubuntu": "main universe"}
_URI_LINE = re.compile(r"^'(?P<url>[^']+)' (?P<file>\S+) (?P<size>\d+) SHA256:(?P<sha256>[0-9a-f]{64})$")
# What `mmdebstrap --variant=minbase` installs, in apt's own patterns.
MINBASE = ("?essential", "?priority(required)", "apt")


@dataclass(frozen=True)
class Apt:
    """One private apt: its configuration file, its folder of package lists, and the addresses it reads."""

    config: Path
    lists: Path
    mirrors: Mapping[str, str]

    def install(self, packages: Sequence[str]) -> tuple[Artifact, ...]:
        """The .deb files apt would install for packages (names or apt patterns), sorted by file name."""
        out = self._run("apt-get", "install", "--print-uris", "-qq", "-y", "--no-install-recommends", *packages)
        found = [self._artifact(line) for line in out.splitlines() if line.startswith("'")]
        return tuple(sorted(found, key=lambda item: item.filename))

    def status(self, debs: Sequence[Artifact]) -> str:
        """The dpkg status text of a system on which exactly these files are installed."""
        if not debs:
            return ""
        shown = self._run("apt-cache", "show", *(f"{item.project}={item.version}" for item in debs))
        stanzas = dict.fromkeys(shown.strip().split("\n\n"))
        return "\n\n".join(f"{stanza}\nStatus: install ok installed" for stanza in stanzas) + "\n"

    def set_status(self, text: str) -> None:
        """Make apt believe that this is what is installed."""
        (self.config.parent / "status").write_text(text)

    def release_epoch(self) -> int:
        """The newest `Date:` of the signed Release files read, in seconds since 1970."""
        dates = [
            int(email.utils.parsedate_to_datetime(match[1]).timestamp())
            for path in sorted(self.lists.glob("*Release"))
            if (match := re.search(r"^Date: (.+)$", path.read_text(errors="replace"), re.M))
        ]
        if not dates:
            raise JobError("apt brought no Release file with a date", fix="check the mirror of the distribution")
        return max(dates)

    def _artifact(self, line: str) -> Artifact:
        match = _URI_LINE.match(line)
        if not match:
            raise JobError("apt gave a file without a sha256", why=line, fix="use a mirror with SHA256 package lists")
        url = unquote(match["url"])
        name, mirror = next(pair for pair in self.mirrors.items() if url.startswith(f"{unquote(pair[1])}/"))
        project, version, _ = match["file"].split("_", 2)
        path = url.removeprefix(unquote(mirror)).lstrip("/")
        return Artifact(
            kind="deb",
            filename=match["file"],
            size=int(match["size"]),
            sha256=match["sha256"],
            origin=Origin("https", f"{name}/{quoted(path)}") if "://" in name else Origin("archive", name, path=path),
            project=unquote(project),
            version=unquote(version),
        )

    def _run(self, *command: str) -> str:
        # -c is read after the host's configuration, so that what it says holds.
        program, *arguments = command
        words = [program, "-c", str(self.config), *arguments]
        done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}, check=False)
        if done.returncode == 0:
            return done.stdout
        spoken = clean_text(done.stderr + done.stdout)
        said = [line for line in spoken.splitlines() if line.startswith(("E:", "W:", "Err:"))]
        if unknown := re.search(r"Unable to locate package (\S+)|Package '(\S+)' has no installation", "\n".join(said)):
            fix = "correct the name, or add the suite that has it to the base"
            raise InputError(f"system package {unknown[1] or unknown[2]} is not in the archive", fix=fix)
        if suite := re.search(r"The repository '\S+ (\S+) Release' does not have a Release file", "\n".join(said)):
            raise InputError(f"suite {suite[1]} is not in the archive", fix="correct `suites` of the base")
        if command[1] == "update":
            fix = "check the network, and the mirror (MODELSTACKS_DEBIAN_MIRROR, or the host's apt sources)"
            if "is not valid yet" in spoken:
                fix = "set this machine's clock"
            elif re.search(r"Release file for \S+ is expired", spoken):
                fix = "take a mirror that is kept up to date, or set this machine's clock"
            raise SurroundingsError("the archive cannot be read", why="; ".join(said[-4:]), fix=fix)
        why = "; ".join(said[-4:]) or clean_text(done.stderr)[-500:]
        raise JobError(f"{command[0]} {command[1]} failed", why=why, fix="see apt's words")


@contextmanager
def opened(
    distribution: str,
    suites: Sequence[str],
    settings: Settings,
    *,
    keyrings: Sequence[Path] = (),
    own: Sequence[AptArchive] = (),
    beside: Path = Path(),
) -> Iterator[Apt]:
    """An Apt for these suites of a distribution, with fresh package lists, held for the length of a with block.

    keyrings: where the archive's keys are; default the host's package of that distribution's keys. own: further
    archives, whose keys lie in beside; what the distribution has is taken from there only where they claim it.
    Raises SurroundingsError without apt or keys on this host, or without a mirror that answers.
    """
    if not shutil.which("apt-get"):
        fix = "lock on a Debian or Ubuntu machine; the lock then serves anywhere"
        raise SurroundingsError("system packages are resolved by apt, which this host lacks", fix=fix)
    keys = list(keyrings) or [Path(f"/usr/share/keyrings/{distribution}-archive-keyring.gpg")]
    if missing := [path for path in keys if not path.exists()]:
        fix = f"apt-get install {distribution}-archive-keyring"
        raise SurroundingsError(f"the keys of the {distribution} archive are missing", where=str(missing[0]), fix=fix)
    names = sorted({_archive_of(distribution, suite) for suite in suites})
    cached = _kept(distribution, [*suites, *map(repr, own)], [*keys, *(beside / one.key for one in own)], settings)
    with (
        held(cached / ".held", wait=False) as ours,
        scratch(settings.assets / ".scratch", "apt-") as folder,
    ):
        kept = cached if ours else folder / "lists"  # another run has them; this one reads its own
        signed = ",".join(str(path) for path in keys)
        found: Apt | None = None
        choices = {name: settings.mirrored(archive(settings, name)) for name in names}
        choices |= {one.address: settings.mirrored(one.address) for one in own}
        for turn in range(turns := max(len(addresses) for addresses in choices.values())):
            mirrors = {name: addresses[min(turn, len(addresses) - 1)] for name, addresses in choices.items()}
            sources = [
                f"deb [arch=amd64 signed-by={signed}] "
                f"{without_login(mirrors[_archive_of(distribution, suite)])} {suite} "
                f"{_COMPONENTS[distribution]}"
                for suite in suites
            ]
            sources += ownapt.lines(own, beside, mirrors, folder)
            preferred = ownapt.preferences(own, mirrors, folder)
            last = turn + 1 == turns
            found = _updated(Path(folder, str(turn)), kept, sources, mirrors, settings, last=last, more=preferred)
            if found:
                break
        try:
            yield cast(Apt, found)
        except JobError:  # what is kept may be damaged: the next run starts from nothing
            _forget(kept)
            raise


def _forget(kept: Path) -> None:
    for name in ("lists", "cache"):
        shutil.rmtree(kept / name, ignore_errors=True)


def _kept(distribution: str, suites: Sequence[str], keys: Sequence[Path], settings: Settings) -> Path:
    """The folder of the package lists of these suites, as signed by these keys."""
    named = sha256_text("\n".join([distribution, *suites, *(sha256_of(path) for path in keys)]))
    folder = settings.cache_folder / "apt" / f"{distribution}-{named[:16]}"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def _updated(
    home: Path,
    kept: Path,
    sources: Sequence[str],
    mirrors: Mapping[str, str],
    settings: Settings,
    *,
    last: bool,
    more: str = "",
) -> Apt | None:
    """An Apt whose package lists are fresh; None where its mirrors cannot be read and are not the last ones."""
    retries = f'Acquire::Retries "{3 if last else 0}";\n'
    more += retries + apt_logins(mirrors.values(), home, settings)
    config = _prepare(home, kept, sources, ca_bundle(settings), more)
    mirrors = {name: without_login(url) for name, url in mirrors.items()}
    apt = Apt(config, kept / "lists", dict(sorted(mirrors.items(), key=lambda pair: -len(pair[1]))))
    try:
        apt._run("apt-get", "update", "-qq")
    except (InputError, SurroundingsError) as error:
        _forget(kept)
        if not last:
            return None
        refused = next((url for url in mirrors.values() if url.startswith("https:") and f"{url}/" in error.why), "")
        if refused and "ertificate" in error.why:
            raise untrusted(refused, re.sub(r"://[^/\s@]*@", "://", error.why), settings) from None
        raise
    return apt


def _archive_of(distribution: str, suite: str) -> str:
    """Debian keeps security updates in an archive of their own; Ubuntu does not."""
    return "debian-security" if distribution == "debian" and suite.endswith("-security") else distribution


def _prepare(home: Path, kept: Path, sources: Sequence[str], ca: Path, more: str) -> Path:
    home.mkdir(exist_ok=True)
    for folder in ("lists/partial", "cache/archives/partial"):
        (kept / folder).mkdir(parents=True, exist_ok=True)
    (home / "sources.list").write_text("\n".join(sources) + "\n")
    (home / "status").write_text("")
    config = home / "apt.conf"
    config.write_text(
        f"""Dir::Etc::sourcelist "{home}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State::Lists "{kept}/lists";
Dir::State::status "{home}/status";
Dir::State::extended_states "{home}/extended_states";
Dir::Cache "{kept}/cache";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "srcpkgcache.bin";
Acquire::GzipIndexes "false";
APT::Architecture "amd64";
#clear APT::Architectures;
APT::Architectures {{"amd64";}};
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
APT::Update::Error-Mode "any";
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::ForceHash "SHA256";
Acquire::https::CaInfo "{ca}";
Acquire::https::Verify-Peer "true";
Acquire::https::Verify-Host "true";
{more}"""
    )
    return config
