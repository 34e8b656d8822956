"""Which wheels a stack needs, resolved by uv for the stack's own Python and platform."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Container, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import tomli
import tomli_w
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from builder.errors import InputError, JobError, SurroundingsError
from builder.files import scratch
from builder.lock.known import known, write_stand_ins
from builder.lock.model import Artifact, Kind, Unresolved
from builder.lock.routes import Routes
from builder.lock.tags import rank
from builder.lock.unsolvable import unsolvable
from builder.net.index import default_index
from builder.net.session import Session, clean_url
from builder.net.untrusted import untrusted
from builder.net.urls import clean_text
from builder.net.uv import environment as uv_environment
from builder.origin import Origin
from builder.settings import Settings
from builder.spec.model import Stack


class _NoSolution(Exception):
    """uv found no set of versions. said: its reasons, on one line."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


@dataclass(frozen=True)
class Wheels:
    """What a resolution gives: files sorted by project, and the wheels of indexes that cannot be reached.

    rebuilt: (project, version, build) of files that stay locked while the index has a later build of the version.
    """

    found: tuple[Artifact, ...] = ()
    unresolved: tuple[Unresolved, ...] = ()
    rebuilt: tuple[tuple[str, str, int], ...] = ()


def resolve(stack: Stack, routes: Routes, settings: Settings, session: Session, keep: Sequence[Artifact]) -> Wheels:
    """The wheels of a stack; versions in `keep` are preferred where they still fit.

    Each package of a named index comes from that index and no other; everything else comes from the default index.
    Of an index that `routes` has as not reached, what is publicly known is taken (known.yaml). Raises InputError where
    the requirements cannot be met.
    """
    own_git = {canonicalize_name(one.name) for one in stack.extensions if one.git}
    left_out = routes.compiled & own_git
    wanted = [item for item in stack.packages if canonicalize_name(Requirement(item).name) not in left_out]
    return _resolve(stack, wanted, routes, settings, session, keep, {})


def toolchain(
    stack: Stack, wheels: Wheels, routes: Routes, settings: Settings, session: Session, keep: Sequence[Artifact]
) -> Wheels:
    """The wheels that the compile stage needs, at the versions of the stack's own `wheels`.

    Raises InputError where the toolchain's requirements do not go with those.
    """
    if stack.toolchain is None or not stack.toolchain.packages:
        return Wheels()
    pins = {item.project: item.version for item in wheels.found}
    pins |= {item.name: item.version for item in wheels.unresolved}
    done = _resolve(stack, stack.toolchain.packages, routes, settings, session, (*wheels.found, *keep), pins)
    if sdist := next((item.project for item in done.found if item.kind == "sdist"), ""):
        fix = "take it, or what needs it, out of the toolchain's packages"
        raise InputError(f"{sdist} is to compile and to be compiled", fix=fix)
    return done


def _resolve(
    stack: Stack,
    wanted: Sequence[str],
    routes: Routes,
    settings: Settings,
    session: Session,
    keep: Sequence[Artifact],
    pins: Mapping[str, str],
) -> Wheels:
    """pins: the version that must be taken wherever a project is needed."""
    direct = list(wanted)
    names = {str(canonicalize_name(Requirement(item).name)) for item in direct}
    while True:
        # uv routes direct requirements only: a dependency that an index claims is made direct and resolved again.
        try:
            routed = {name: routes.of[name] for name in names & set(routes.of)}
            packages = _compile(stack, settings, direct, replace(routes, of=routed), keep, pins)
            stray = {package["name"] for package in packages} & set(routes.of) - names
        except _NoSolution as error:
            stray = set(re.findall(r"[a-z0-9][a-z0-9-]*", error.said)) & set(routes.of) - names
            if not stray:
                raise unsolvable(error.said, stack, routes, settings) from None
        if not stray:
            break
        names |= stray
        direct += sorted(stray)
    sizes = {item.sha256: item.size for item in keep}
    unreached = [package for package in packages if routes.of.get(package["name"]) in routes.unreached]
    packages = [package for package in packages if package not in unreached]
    with ThreadPoolExecutor(settings.jobs) as pool:
        found = list(pool.map(lambda package: _artifact(package, stack, routes.of, sizes, session), packages))
    rebuilt = [(item, _later_build(package, stack, item)) for package, item in zip(packages, found, strict=True)]
    return Wheels(
        tuple(sorted(found, key=lambda item: item.project)),
        tuple(_unresolved(package, stack, routes.of) for package in unreached),
        tuple((item.project, item.version, build) for item, build in rebuilt if build),
    )


def _later_build(package: Mapping[str, Any], stack: Stack, item: Artifact) -> int:
    """The build that an installer takes which locks nothing, 0 where that is the file that is locked."""
    if item.kind != "wheel" or (newest := _name(_best(package["wheels"], stack))) == item.filename:
        return 0
    return (parse_wheel_filename(newest)[2] or (0, ""))[0]


def _unresolved(package: Mapping[str, Any], stack: Stack, routes: Mapping[str, str]) -> Unresolved:
    """The known wheel that stood in for one of an index that cannot be reached."""
    filename = _name(_best(package["wheels"], stack))
    return Unresolved(
        kind="wheel",
        name=package["name"],
        version=package["version"],
        filename=filename,
        sha256=next(one.sha256 for one in known() if one.file == filename),
        origin=Origin("index", routes[package["name"]]),
    )


def _artifact(
    package: Mapping[str, Any], stack: Stack, routes: Mapping[str, str], known: Mapping[str, int], session: Session
) -> Artifact:
    wheels = package.get("wheels", [])
    kind: Kind = "wheel" if wheels else "sdist"
    entry = _best(wheels, stack, known) if wheels else package["sdist"]
    sha256 = entry.get("hashes", {}).get("sha256", "")
    url = entry["url"]
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        problem = f"{package['name']} has no sha256 on its index"
        raise InputError(
            problem, where=clean_url(url), fix="use a mirror that serves hashes (PEP 503 #sha256= or PEP 691)"
        )
    return Artifact(
        kind=kind,
        filename=_name(entry),
        size=entry.get("size") or known.get(sha256) or session.size_of(url),
        sha256=sha256,
        origin=Origin("index", routes.get(package["name"], "default")),
        project=package["name"],
        version=package["version"],
    )


def _compile(
    stack: Stack,
    settings: Settings,
    direct: Sequence[str],
    routes: Routes,
    keep: Sequence[Artifact],
    pins: Mapping[str, str],
) -> list[dict[str, Any]]:
    """Run uv once; returns the packages of the PEP 751 file it writes."""
    import uv  # noqa: PLC0415

    with scratch(settings.assets / ".scratch", "uv-") as folder:
        home = Path(folder)
        for index in routes.unreached:
            claimed = {str(canonicalize_name(name)) for name in stack.indexes[index].packages}
            write_stand_ins(claimed, home / f"known-{index}")
        (home / "pyproject.toml").write_text(tomli_w.dumps(_project(stack, direct, routes, settings)))
        # The first of a name wins; two would contradict each other.
        preferred = {item.project: item.version for item in reversed(keep)}
        _write_pins(home / "requirements.txt", preferred)
        _write_pins(home / "constraints.txt", pins)
        command = [uv.find_uv_bin(), "pip", "compile", "pyproject.toml", "--no-header", "--no-annotate", "--quiet"]
        command += ["--no-config", f"--python-version={stack.python}", f"--python-platform={stack.platform}"]
        command += ["--only-binary", ":all:", "-c", "constraints.txt"]
        for name in (*stack.from_source, *sorted(routes.compiled)):
            command.append(f"--no-binary={name}")
        command += _said(stack, direct, home)
        if (stack.from_source or routes.compiled) and stack.toolchain:
            # Build scripts run here for their metadata: beside the tools that will compile them, not the newest ones.
            (home / "tools.txt").write_text("".join(f"{one}\n" for one in stack.toolchain.packages))
            command += ["--build-constraint", "tools.txt"]
        # First the versions (uv prefers those its output file holds already), then their files and hashes.
        _uv([*command, "-o", "requirements.txt"], stack, home, settings)
        _uv([*command, "-c", "requirements.txt", "--format", "pylock.toml", "-o", "pylock.toml"], stack, home, settings)
        packages: list[dict[str, Any]] = tomli.loads((home / "pylock.toml").read_text()).get("packages", [])
    return packages


def _said(stack: Stack, direct: Sequence[str], home: Path) -> list[str]:
    """The words of uv for what a stack says over its packages' heads; what is asked for directly is never left out."""
    asked = {canonicalize_name(Requirement(item).name) for item in direct}
    without = [name for name in stack.without if canonicalize_name(name) not in asked]
    words = [f"--exclude-newer={stack.exclude_newer}T00:00:00Z"] if stack.exclude_newer else []
    for option, lines in (("overrides", stack.overrides), ("excludes", without)):
        if lines:
            (home / f"{option}.txt").write_text("".join(f"{one}\n" for one in lines))
            words.append(f"--{option}={option}.txt")
    return words


def _write_pins(path: Path, versions: Mapping[str, str]) -> None:
    path.write_text("".join(f"{project}=={version}\n" for project, version in versions.items()))


def _best(wheels: Sequence[dict[str, Any]], stack: Stack, locked: Container[str] = ()) -> dict[str, Any]:
    """The wheel that an installer on the stack's Python and platform takes: the most specific tag first, of several
    builds of one tag the file that is locked (by sha256), else the newest build."""
    fitting = []
    for entry in wheels:
        _, _, build, tags = parse_wheel_filename(_name(entry))
        if (place := rank(tags, stack)) is not None:
            kept = entry.get("hashes", {}).get("sha256", "") in locked
            fitting.append((place, not kept, -(build[0] if build else 0), entry))
    if not fitting:
        problem = f"{_name(wheels[0])} does not run on {stack.platform}"
        raise InputError(problem, fix="choose a version that has such a wheel")
    return min(fitting, key=lambda row: row[:3])[3]


def _name(entry: Mapping[str, Any]) -> str:
    """The file name of a PEP 751 wheel or sdist entry."""
    return str(entry.get("name") or unquote((entry.get("url") or entry["path"]).split("#")[0].rsplit("/", 1)[-1]))


def _project(stack: Stack, direct: Sequence[str], routes: Routes, settings: Settings) -> dict[str, Any]:
    indexes = []
    for name, index in stack.indexes.items():
        row: dict[str, Any] = {"name": name, "url": _mirror(index.url or index.find_links, settings), "explicit": True}
        if name in routes.unreached:
            row["url"] = f"./known-{name}"
        if index.find_links or name in routes.unreached:
            row["format"] = "flat"
        indexes.append(row)
    return {
        "project": {
            "name": f"stack-{stack.name}",
            "version": "0",
            "requires-python": f"=={stack.python}.*",
            "dependencies": list(direct),
        },
        "tool": {"uv": {"index": indexes, "sources": {name: {"index": index} for name, index in routes.of.items()}}},
    }


def _uv(command: Sequence[str], stack: Stack, home: Path, settings: Settings) -> None:
    """Run uv with the first of the default index's mirrors that can be reached."""
    named = {name: _mirror(index.url or index.find_links, settings) for name, index in stack.indexes.items()}
    defaults = settings.mirrored(default_index(settings))
    for number, default in enumerate(defaults, 1):
        try:
            _uv_once(command, home, uv_environment(default, named, home, settings), settings)
            return
        except SurroundingsError:
            if number == len(defaults):
                raise


def _uv_once(command: Sequence[str], home: Path, environment: Mapping[str, str], settings: Settings) -> None:
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, env=environment, check=False)
    if done.returncode == 0:
        return
    said = clean_text(" ".join(done.stderr.split()))
    if "No solution found" in said:
        raise _NoSolution(said)
    if "ertificate" in said and (url := re.search(r"https://[^\s`'\")>]+", said)):
        raise untrusted(url[0], " ".join(re.findall(r"invalid peer certificate: \w+", said)[:1]), settings)
    if re.search(r"[Cc]ertificate|Failed to fetch|Could not connect|dns error|error sending request", said):
        fix = "check the network; behind a private CA, export CA_BUNDLE=/path/to/ca.pem"
        raise SurroundingsError("uv could not reach an index", why=said[-600:], fix=fix)
    raise JobError("uv failed", why=said[-1500:], fix="see uv's words")


def _mirror(url: str | None, settings: Settings) -> str:
    """The address at which a named index is asked: its first mirror."""
    return settings.mirrored(str(url))[0]
