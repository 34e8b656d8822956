"""Locking the base image and the system packages resolved inside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from builder.engine.client import Engine
from builder.errors import InputError, JobError, SurroundingsError, Unreachable
from builder.files import scratch
from builder.lock import apt
from builder.lock.model import Artifact, LockedBase, Unresolved
from builder.net.session import Session
from builder.net.tls import engine_ca_file
from builder.origin import Origin
from builder.registry.pulls import Repository, split
from builder.settings import Settings
from builder.spec.model import Stack
from builder.spec.parts import Bootstrap

_ABSENT = re.compile(r"manifest unknown|not found|does not exist|access denied|no matching manifest", re.I)
_OS_RELEASE = re.compile(r"""^(\w+)=["']?([^"'\n]*)["']?$""", re.M)


@dataclass(frozen=True)
class System:
    """The base, and the .deb files that the stack's system packages and those of its toolchain need on top of it."""

    base: LockedBase
    debs: tuple[Artifact, ...]
    toolchain: tuple[Artifact, ...]


def locked(stack: Stack, settings: Settings, warn: Callable[[str], None] = lambda _: None) -> System:
    """The base and everything that is installed by apt.

    warn: told of a base that has a newer C library than the family says. Raises InputError where the base is not what
    the family says, SurroundingsError where the archive, the engine or the registry cannot be reached.
    """
    if stack.base.bootstrap is not None:
        system, versions = _bootstrap(stack, stack.base.bootstrap, settings)
    else:
        system, versions = _image(stack, str(stack.base.image), settings)
    _check_python(stack, versions)
    _check_glibc(stack, versions.get("libc6", ""), warn)
    return system


def unresolved(stack: Stack) -> tuple[LockedBase, tuple[Unresolved, ...]]:
    """A base image that cannot be reached, as a lock says it, and with it every system package."""
    image = str(stack.base.image)
    registry, repository, tag = split(image)
    packages = (*stack.system, *(stack.toolchain.system if stack.toolchain else ()))
    base = Unresolved(
        kind="base", name=untagged(image), version=tag, origin=Origin("registry", f"{registry}/{repository}")
    )
    return LockedBase(kind="image", reference=image), (
        base,
        *(Unresolved(kind="deb", name=name) for name in dict.fromkeys(packages)),
    )


def _installed_on(private: apt.Apt, status: str, stack: Stack) -> tuple[tuple[Artifact, ...], tuple[Artifact, ...]]:
    """What apt adds to a system of this status: for the stack, and for its toolchain alone."""
    compilers = stack.toolchain.system if stack.toolchain else ()
    if stack.system or compilers:
        private.set_status(status)
    system = private.install(stack.system) if stack.system else ()
    return system, private.install(compilers) if compilers else ()


def _bootstrap(stack: Stack, boot: Bootstrap, settings: Settings) -> tuple[System, dict[str, str]]:
    """What is locked, and the version of every package that is then there."""
    with apt.opened(boot.distribution, with_security(boot.suites, settings), settings) as private:
        debs = private.install((*apt.MINBASE, *boot.packages))
        base = LockedBase(
            kind="bootstrap",
            distribution=boot.distribution,
            include=boot.packages,
            epoch=private.release_epoch(),
            debs=debs,
        )
        status = private.status(debs) if stack.system or stack.toolchain else ""
        if not stack.apt_archives:
            system, compilers = _installed_on(private, status, stack)
    if stack.apt_archives:  # which have no say in what a base is
        with _with_own(boot.distribution, boot.suites, stack, settings) as private:
            system, compilers = _installed_on(private, status, stack)
    return System(base, system, compilers), {item.project: item.version for item in (*debs, *system)}


def _with_own(
    distribution: str, suites: Sequence[str], stack: Stack, settings: Settings
) -> AbstractContextManager[apt.Apt]:
    """An apt that reads the stack's own archives too."""
    suites = with_security(suites, settings)
    return apt.opened(distribution, suites, settings, own=stack.apt_archives, beside=stack.folder)


def with_security(suites: Sequence[str], settings: Settings) -> tuple[str, ...]:
    """The suites, with the security suite of each where the site wants it."""
    more = (f"{one}-security" for one in suites if "-" not in one) if settings.security else ()
    return tuple(dict.fromkeys((*suites, *more)))


def _image(stack: Stack, reference: str, settings: Settings) -> tuple[System, dict[str, str]]:
    """Pull the image, note its digest, and ask apt on top of the packages that are in it; as `_bootstrap`."""
    engine = Engine.connect()
    pulled, digest = _pulled_first(engine, settings.image_mirrors(reference))
    name = untagged(reference)
    blobs = registry_blobs(name, digest, settings)
    base = LockedBase(kind="image", reference=f"{name}@{digest}", digest=digest, blobs=blobs)
    with _copied_out(engine, pulled, settings) as folder:
        status = (folder / "status").read_text(errors="replace")
        release = dict(_OS_RELEASE.findall((folder / "os-release").read_text(errors="replace")))
    system: tuple[Artifact, ...] = ()
    compilers: tuple[Artifact, ...] = ()
    if stack.system or (stack.toolchain and stack.toolchain.system):
        # Not the -updates and -security pockets: their files leave the archive when superseded.
        distribution, suites = _release(reference, release)
        with _with_own(distribution, suites, stack, settings) as private:
            system, compilers = _installed_on(private, status, stack)
    versions = {**_installed(status), **{item.project: item.version for item in system}}
    return System(base, system, compilers), versions


def registry_blobs(name: str, digest: str, settings: Settings) -> tuple[Artifact, ...]:
    """The manifest, configuration and layers of an image for linux/amd64, from the first mirror that has it."""
    with Session(settings) as session:
        *others, last = settings.image_mirrors(name)
        for address in others:
            try:
                found = Repository(address, session).image(digest)[1]
                break
            except (JobError, SurroundingsError):
                continue
        else:
            found = Repository(last, session).image(digest)[1]
    host, repository, _ = split(name)
    return tuple(
        Artifact(
            kind="blob",
            filename=blob.digest.removeprefix("sha256:"),
            size=blob.size,
            sha256=blob.digest.removeprefix("sha256:"),
            origin=Origin("registry", f"{host}/{repository}"),
            project=blob.what,
            version=blob.digest.removeprefix("sha256:")[:16],
        )
        for blob in found
    )


def untagged(reference: str) -> str:
    """The name of an image without tag and digest."""
    name = reference.split("@", maxsplit=1)[0]
    return name.rsplit(":", 1)[0] if ":" in name.rsplit("/", 1)[-1] else name


def _pulled_first(engine: Engine, references: Sequence[str]) -> tuple[str, str]:
    """Pull an image from the first of its mirrors that has it; returns its name there by digest, and the digest."""
    for number, reference in enumerate(references, 1):
        try:
            digest = _pulled(engine, reference)
        except (InputError, SurroundingsError):
            if number == len(references):
                raise
        else:
            return f"{untagged(reference)}@{digest}", digest
    raise AssertionError("an image has at least its own name")


def _pulled(engine: Engine, reference: str) -> str:
    """Pull an image; returns the digest its registry names."""
    try:
        said = engine.pull(reference)
    except JobError as error:
        why = "".join(error.why.splitlines()[-1:])
        if _ABSENT.search(error.why):
            fix = "correct `image` in the family, or log in with `docker login`"
            raise InputError(f"the registry gives no image {reference}", why=why, fix=fix) from None
        fix = "check the network and the engine's own proxy, mirrors and certificates"
        if "x509" in error.why:
            registry = split(reference)[0]
            fix = f"put your site's root certificate into {engine_ca_file(registry)} on the engine's machine"
            raise SurroundingsError(f"the registry of {reference} is not trusted", why=why, fix=fix) from None
        raise Unreachable(f"the registry of {reference} cannot be reached", why=why, fix=fix) from None
    found = re.search(r"^Digest: (sha256:[0-9a-f]{64})$", "\n".join(said), re.M)
    if not found:
        raise JobError(f"the engine names no digest of {reference}", fix="use an image that a registry serves")
    return found[1]


@contextmanager
def _copied_out(engine: Engine, reference: str, settings: Settings) -> Iterator[Path]:
    """A folder with the package status and os-release of an image, copied out without starting it."""
    with engine.created(reference) as container, scratch(settings.assets / ".scratch", "image-") as folder:
        for path, name in (("/var/lib/dpkg/status", "status"), ("/etc/os-release", "os-release")):
            data = engine.copied(container, path)
            if data is None:
                fix = "choose an image of Debian or Ubuntu"
                raise InputError(f"{reference} has no {path}", why="it is not of Debian's kind", fix=fix)
            (folder / name).write_bytes(data)
        yield folder


def _release(reference: str, release: dict[str, str]) -> tuple[str, tuple[str]]:
    """Distribution and suites, of an image's os-release."""
    distribution, code = release.get("ID", ""), release.get("VERSION_CODENAME", "")
    if distribution not in ("debian", "ubuntu") or not code:
        problem = f"{reference} is {distribution or 'of unknown make'}; system packages need Debian or Ubuntu"
        raise InputError(problem, fix="choose an image of Debian or Ubuntu, or leave `system` out")
    return distribution, (code,)


def _installed(status: str) -> dict[str, str]:
    """Name and version of the packages that a dpkg status text has as installed."""
    found = {}
    for stanza in status.split("\n\n"):
        fields = dict(re.findall(r"^(Package|Status|Version): (.+)$", stanza, re.M))
        if fields.get("Status", "").endswith(" installed"):
            found[fields.get("Package", "")] = fields.get("Version", "")
    return found


def _check_glibc(stack: Stack, libc6: str, warn: Callable[[str], None]) -> None:
    """Raise InputError where the base's C library is older than the family states; warn of a newer one."""
    there, stated = re.match(r"\d+\.\d+", libc6), Version(stack.base.glibc)
    if not there or Version(there[0]) < stated:
        fix = f'write glibc: "{there[0]}" in the family' if there else "choose another base"
        raise InputError(f"the family says glibc {stated}, its base has libc6 {libc6 or '(none)'}", fix=fix)
    if Version(there[0]) > stated:
        warn(
            f"the family says glibc {stated}, its base has {there[0]}; wheels are chosen for {stated}, which run there"
        )


def _check_python(stack: Stack, versions: dict[str, str]) -> None:
    """Raise InputError where the distribution's own Python is not the one the family states."""
    python = versions.get("python3", "")
    if stack.interpreter == "/usr/bin/python3" and not python.startswith(f"{stack.python}."):
        raise InputError(
            f"the family says Python {stack.python}, its base has python3 {python or '(none)'}",
            fix="add python3 to the base's packages or to `system`, or correct `python` and `interpreter`",
        )
