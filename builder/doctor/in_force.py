"""The settings in force and where each came from, without any secret."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from builder.doctor.proxy import shown
from builder.errors import SurroundingsError
from builder.net.index import default_index
from builder.net.tls import stores
from builder.net.urls import clean_text
from builder.settings import Settings
from builder.settings.program import expanded


@dataclass(frozen=True)
class Setting:
    """One setting. source: file:line, a variable, "default", or the program whose configuration was asked."""

    name: str
    value: str
    source: str

    def document(self) -> dict[str, str]:
        """For --json."""
        return asdict(self)


def in_force(settings: Settings) -> list[Setting]:
    """Every setting of this run: our own, the roots that are trusted, and the proxies of the environment."""
    own = [
        Setting(_clean(name), _clean(value), _clean(settings.sources.get(name, "default")))
        for name, value in _own(settings)
    ]
    return [*own, *_roots(settings), *_environment()]


def _own(settings: Settings) -> Iterator[tuple[str, str]]:
    yield "home", str(settings.home)
    yield "cache", str(settings.cache_folder)
    yield "stacks", _paths(settings.stacks)
    yield "jobs", str(settings.jobs)
    yield "timeouts.connect", f"{settings.connect_timeout:g} s"
    yield "timeouts.read", f"{settings.read_timeout:g} s"
    yield "built", settings.built or "none"
    yield "builder", settings.builder or "the engine's own BuildKit"
    yield "build-cache", settings.build_cache or "none"
    yield "files", settings.files or "none"
    yield "mount-weights", " ".join(settings.mount_weights) or "none"
    yield "security", "on" if settings.security else "off"
    yield "engine", settings.engine or "docker's own choice"
    yield "tls", settings.tls
    yield "ca-bundle", _paths(settings.ca_bundle) or "none"
    yield "index", settings.index or f"{_index(settings)} (as uv or pip are configured)"
    yield from ((f"mirrors.{name}", value) for name, value in settings.mirrors.items())
    for table, rows in (("rewrites", settings.rewrites), ("images", settings.images)):
        yield from ((f"{table}.{prefix}", " ".join(_clean(one) for one in value)) for prefix, value in rows.items())
    for host, variable in settings.tokens.items():
        yield f"tokens.{host}", f"${variable}, {'set' if os.environ.get(variable) else 'not set'}"
    for host, files in settings.client_certificates.items():
        yield f"client-certificates.{host}", str(files.cert)
    for host, ssh in settings.git_ssh.items():
        yield f"git-ssh.{host}", f"{ssh.user}, port {ssh.port}, {ssh.key or 'keys of the agent'}"


def _index(settings: Settings) -> str:
    try:
        return default_index(settings)
    except SurroundingsError as error:
        return error.problem


def _roots(settings: Settings) -> Iterator[Setting]:
    found: dict[str, list[str]] = {}
    for what, file, certificates in stores(settings):
        source = settings.sources.get("ca-bundle", "default") if what == "CA_BUNDLE" else what
        found.setdefault(f"{len(certificates)} in {file}", []).append(source)
    for value, sources in found.items():
        yield Setting("roots", value, ", ".join(sources))


def _environment() -> Iterator[Setting]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        for form in (name, name.upper()):
            if value := os.environ.get(form):
                yield Setting(name, _printable(value if name == "no_proxy" else shown(value)), f"${form}")
                break
    if endpoint := os.environ.get("HF_ENDPOINT"):
        yield Setting("hugging face", _clean(endpoint), "$HF_ENDPOINT")
    netrc = expanded(os.environ.get("NETRC") or "~/.netrc")
    if netrc.is_file():
        yield Setting("netrc", str(netrc), "$NETRC" if os.environ.get("NETRC") else "default")


def _paths(paths: Sequence[Path]) -> str:
    return os.pathsep.join(str(path) for path in paths)


def _clean(text: str) -> str:
    """Without the login and the query values of any address in it."""
    return _printable(clean_text(text))


def _printable(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", "?", text)
