"""Which addresses stacks need, as the site's settings give them; one harmless address for each."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name

from builder.doctor.model import Diagnosis, Kind, Need
from builder.errors import SurroundingsError
from builder.lock.existing import readable
from builder.lock.model import StackLock
from builder.net import gitssh
from builder.net.archive import archive
from builder.net.huggingface import address
from builder.net.index import default_index, find_links, links, uv_default
from builder.net.session import Session
from builder.origin import DEFAULT_INDEX, Origin
from builder.registry.pulls import split
from builder.settings import Settings
from builder.spec import Loaded
from builder.spec.model import Stack
from builder.spec.service import Service

_HUB = "registry-1.docker.io"  # where images named docker.io/… are served


def needs(stacks: Iterable[Loaded], settings: Settings) -> tuple[list[Need], list[Diagnosis]]:
    """What the stacks need, without doubles, in the order of use; and what has no address at all.

    A lock that is missing or damaged is done without, as `check` speaks of it.
    """
    found: dict[str, Need | Diagnosis] = {}
    for stack in stacks:
        if isinstance(stack, Service):
            for need in registries(stack.image, settings):
                found.setdefault(need.url, need)
            continue
        for one in _of_stack(stack, readable(stack.folder), settings):
            found.setdefault(one.url if isinstance(one, Need) else one.message, one)
    needed = [one for one in found.values() if isinstance(one, Need)]
    return needed, [one for one in found.values() if isinstance(one, Diagnosis)]


def _of_stack(stack: Stack, lock: StackLock | None, settings: Settings) -> Iterator[Need | Diagnosis]:
    for several in (_default_index(lock, settings), _archives(stack, lock, settings)):
        try:
            yield from several
        except SurroundingsError as error:
            yield Diagnosis(check="address", subject="-", state="bad", message=error.problem, fix=error.fix)
    for name, one in stack.indexes.items():
        url = one.find_links or f"{str(one.url).rstrip('/')}/{canonicalize_name(one.packages[0])}/"
        kind: Kind = "page" if one.find_links else "index"
        need = Need(url=url, kind=kind, label=f"index {name}", name=", ".join(one.packages))
        yield from _mirrored(need, settings)
    if stack.base.image:
        yield from registries(stack.base.image, settings)
    addresses = [one.git for one in stack.sources] + [one.git for one in stack.extensions if one.git]
    for git in dict.fromkeys(addresses):
        url, name = f"{git.rstrip('/')}/info/refs?service=git-upload-pack", urlsplit(git).path.strip("/")
        for need in _mirrored(Need(url=url, kind="git", label="git source", name=name), settings):
            ssh = settings.ssh(need.url)
            yield replace(need, url=gitssh.address(git, ssh), sited=True) if ssh else need
    for weight in stack.baked:  # the others are mounted by who runs the image, and never fetched
        if weight.origin:
            yield from _file(weight.origin, "weights", settings)
    for download in (one for extension in stack.extensions for one in extension.downloads):
        yield from _file(download.origin, "download", settings)


def _file(origin: Origin, label: str, settings: Settings) -> Iterator[Need]:
    url = address(origin)
    sited = origin.scheme == "hf" and bool(os.environ.get("HF_ENDPOINT"))
    name = url.partition("?")[0].rpartition("/")[2]
    yield from _mirrored(Need(url=url, kind="weights", label=label, name=name, sited=sited), settings)


def _mirrored(need: Need, settings: Settings) -> Iterator[Need]:
    """The need at each address that the site's mirrors give for it."""
    for url in settings.mirrored(need.url):
        yield replace(need, url=url, sited=need.sited or url != need.url)


def _default_index(lock: StackLock | None, settings: Settings) -> Iterator[Need]:
    locked = [*lock.wheels, *lock.tools] if lock else []
    index = default_index(settings)
    project = next((item.project for item in locked if item.origin == DEFAULT_INDEX), "pip")
    need = Need(url=f"{index}/{project}/", kind="index", label="the default index", sited=_configured(index))
    yield from _mirrored(need, settings)


def _configured(index: str) -> bool:
    """Whether the site's configuration names this index, and not uv itself."""
    try:
        return index != uv_default()
    except SurroundingsError:
        return True


def _archives(stack: Stack, lock: StackLock | None, settings: Settings) -> Iterator[Need]:
    """A file that every archive has: the release of a suite; for an image base, the first locked .deb file."""
    boot = stack.base.bootstrap
    paths: dict[str, str] = {}
    for suite in boot.suites if boot else ():
        security = boot is not None and boot.distribution == "debian" and suite.endswith("-security")
        paths.setdefault("debian-security" if security else str(boot and boot.distribution), f"dists/{suite}/InRelease")
    for own in stack.apt_archives:
        label = f"archive of {urlsplit(own.url).hostname}"
        yield from _mirrored(
            Need(url=f"{own.address}/dists/{own.suite}/InRelease", kind="archive", label=label), settings
        )
    for deb in (one for one in (lock.debs if lock else ()) if one.origin.scheme == "archive"):
        paths.setdefault(deb.origin.place, deb.origin.path)
    for name, path in paths.items():
        need = Need(
            url=f"{archive(settings, name)}/{path}",
            kind="archive",
            label=f"archive of {name}",
            sited=name in settings.mirrors,
        )
        yield from _mirrored(need, settings)


def registries(reference: str, settings: Settings) -> Iterator[Need]:
    """The registry of an image reference, or its mirrors."""
    given = settings.image_mirrors(reference)
    for one in given:
        named = split(one)[0]
        host = _HUB if named == "docker.io" else named
        scheme = "http" if re.fullmatch(r"(localhost|127\.[0-9.]+)(:\d+)?", host) else "https"
        url, name = f"{scheme}://{host}/v2/", one.partition("@")[0]
        need = Need(url=url, kind="registry", label="image registry", name=name, sited=given != [reference])
        yield from _mirrored(need, settings)


def file_hosts(page: Need, session: Session, settings: Settings) -> list[Need]:
    """For an index page, one file of each host that its files are on, or of its mirrors. Raises as `links` does."""
    index, _, project = page.url.rstrip("/").rpartition("/")
    found = find_links(session, page.url) if page.kind == "page" else links(session, index, project)
    hosts: dict[str, Need] = {}
    for link in found.values():
        for need in _mirrored(
            Need(url=link.url, kind="files", label=f"files of {page.label}", sited=page.sited), settings
        ):
            hosts.setdefault(urlsplit(need.url).netloc, need)
    return list(hosts.values())
