"""The settings of one run, and what follows from them alone."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from builder.settings.program import NOWHERE, PROGRAM, expanded

Tls = Literal["verify", "hash-locked"]


@dataclass(frozen=True, kw_only=True)
class ClientCertificate:
    """What this machine shows to a server that asks: PEM files; key may be the same file as cert."""

    cert: Path
    key: Path


@dataclass(frozen=True, kw_only=True)
class GitSsh:
    """How a git host is reached by ssh. key: a private key, None for those of the agent. known_hosts: the keys that its
    server may have, None for the user's own."""

    user: str = "git"
    port: int = 22
    key: Path | None = None
    known_hosts: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one run.

    home: folder that holds wheels/, assets/ and build/. stacks: folders of stacks, later ones added
    by the user. index: simple API address of the default index, "" to ask pip's configuration.
    mirrors: Debian-like archive per distribution name, for those given. rewrites: addresses that stand
    for an address prefix, in the order to try. images: the same for image names (`docker.io/nvidia`).
    ca_bundle: PEM or DER files, or folders of them, to trust beside the public roots and the system store.
    mount_weights: patterns (as fnmatch has them) of the names of weights that are mounted and never put into an image.
    tls: "hash-locked" lets a file of locked sha256 and size come over unverified TLS.
    tokens: name of the environment variable with the token, per host. client_certificates: per host.
    git_ssh: hosts of git sources that are reached by ssh in the place of https.
    A host is `HOST` (port 443) or `HOST:PORT`. cache: folder for what can be made again, None for the user's.
    built: address of a folder laid out as wheels/built, where compiled wheels may come from; "" for none.
    builder: name of a BuildKit of one's own as buildx has it, "" for the engine's.
    build_cache: HOST/NAME of a registry's repository for the steps of builds, "" for none.
    files: HOST/NAME of a registry's repository where files of locks may come from by their sha256; "" for none.
    image_prefix: what stands before /NAME in the names of images that are made here.
    security: whether a lock takes packages of the distribution's security suite too.
    engine: address (`unix://…`) or name of a docker context, "" for docker's own choice.
    connect_timeout, read_timeout: seconds to wait for a connection, and for the next byte.
    sources: where each value in force was given (file:line, variable, `--set`), or "default".
    """

    home: Path
    stacks: tuple[Path, ...]
    index: str = ""
    mirrors: Mapping[str, str] = field(default_factory=dict)
    ca_bundle: tuple[Path, ...] = ()
    jobs: int = 8
    mount_weights: tuple[str, ...] = ()
    rewrites: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    images: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tls: Tls = "verify"
    tokens: Mapping[str, str] = field(default_factory=dict)
    client_certificates: Mapping[str, ClientCertificate] = field(default_factory=dict)
    git_ssh: Mapping[str, GitSsh] = field(default_factory=dict)
    cache: Path | None = None
    built: str = ""
    builder: str = ""
    build_cache: str = ""
    files: str = ""
    engine: str = ""
    image_prefix: str = "modelstacks"
    security: bool = False
    connect_timeout: float = 15
    read_timeout: float = 60
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def wheels(self) -> Path:
        """The flat wheelhouse."""
        return self.home / "wheels"

    @property
    def assets(self) -> Path:
        """Everything fetched that is not a wheel."""
        return self.home / "assets"

    @property
    def own_stacks(self) -> Path:
        """The folder of stacks that things are written to where none is named: the last one."""
        return self.stacks[-1]

    @property
    def build(self) -> Path:
        """Rendered builds and reports, one folder per stack."""
        return self.home / "build"

    @property
    def templates(self) -> Path:
        """The Jinja templates that come with this program."""
        return PROGRAM / "templates"

    @property
    def cache_folder(self) -> Path:
        """Where merged CA bundles lie: `cache`, else modelstacks/ in XDG_CACHE_HOME or ~/.cache.

        A user without a home has it among the assets.
        """
        if self.cache is not None:
            return self.cache
        found = expanded(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "modelstacks"
        return self.assets / ".cache" if found.is_relative_to(NOWHERE) else found

    def image(self, stack: str, tag: str = "latest") -> str:
        """The name of a stack's image in the engine."""
        return f"{self.image_prefix}/{stack}:{tag}"

    def mirrored(self, url: str) -> list[str]:
        """The addresses to try for url, in order: by the longest prefix of `rewrites`, else url itself.

        A prefix ends where a part of the address ends, so `https://a.example` does not stand for `https://a.example.org`.
        """
        return _replaced(url, self.rewrites, _as_prefix(url), "/?#") or [url]

    def image_mirrors(self, reference: str) -> list[str]:
        """The image references to try for one, in order: by the longest prefix of `images`, else the reference itself.

        Names are completed as Docker does: `debian:12` is docker.io/library/debian:12.
        """
        full = _full_reference(reference)
        return _replaced(full, self.images, full, "/:@") or [reference]

    def token_variable(self, url: str) -> str:
        """The environment variable that holds the token for an https address, "" where none is set for its host."""
        return next((self.tokens[key] for key in hosts_of(url) if key in self.tokens), "")

    def client_certificate(self, url: str) -> ClientCertificate | None:
        """The certificate to show to the host of an https address."""
        return next((self.client_certificates[key] for key in hosts_of(url) if key in self.client_certificates), None)

    def ssh(self, url: str) -> GitSsh | None:
        """How git reaches the host of an https address by ssh, None where by https."""
        return next((self.git_ssh[key] for key in hosts_of(url) if key in self.git_ssh), None)

    def engine_environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """What the docker command needs in its environment to use `engine`; nothing where environ already chooses."""
        if not self.engine or environ.get("DOCKER_HOST") or environ.get("DOCKER_CONTEXT"):
            return {}
        return {"DOCKER_HOST" if "://" in self.engine else "DOCKER_CONTEXT": self.engine}


def hosts_of(url: str) -> list[str]:
    """The keys under which a host may stand in the settings, for an https address; none for other addresses."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        return []
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = parts.port or 443
    return [f"{host}:{port}", *([host] if port == 443 else [])]


def _as_prefix(url: str) -> str:
    """The address with scheme and host in lower case and without the default port."""
    found = re.match(r"(https?)://([^/?#]*)(.*)$", url, re.IGNORECASE | re.DOTALL)
    if not found:
        return url
    scheme = found[1].lower()
    host = found[2].lower().removesuffix(":443" if scheme == "https" else ":80")
    return f"{scheme}://{host}{found[3]}"


def _replaced(text: str, table: Mapping[str, Sequence[str]], shaped: str, ends: str) -> list[str]:
    """What stands in the table for the longest prefix of a shaped text, each with the rest of the text."""
    prefixes = {(_as_prefix(key) if "://" in key else key).rstrip("/"): value for key, value in table.items()}
    for prefix in sorted(prefixes, key=len, reverse=True):
        rest = shaped[len(prefix) :]
        if shaped.startswith(prefix) and (not rest or rest[0] in ends):
            return [f"{item.rstrip('/')}{rest}" for item in prefixes[prefix]]
    return []


def _full_reference(reference: str) -> str:
    first, slash, _ = reference.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return reference
    return f"docker.io/{reference}" if slash else f"docker.io/library/{reference}"
