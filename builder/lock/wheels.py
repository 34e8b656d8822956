"""Which wheels a stack needs, resolved by uv for the stack's own Python and platform."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import tomli
import tomli_w
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from builder.errors import InputError
from builder.files import scratch
from builder.lock import assumed as sdists
from builder.lock.known import known, write_stand_ins
from builder.lock.model import Artifact, Kind, Unresolved
from builder.lock.routes import Routes
from builder.lock.run_uv import NoSolution, NotBuilt, mirror, run_uv, who_asks
from builder.lock.tags import platform, rank
from builder.lock.unsolvable import unsolvable, without_wheels
from builder.net.session import Session, clean_url
from builder.origin import Origin
from builder.settings import Settings
from builder.spec.model import Stack

_MOST_LACKING = 60  # sdists are looked for one after the other, each by a run of uv


@dataclass(frozen=True)
class Wheels:
    """What a resolution gives: files sorted by project, and the wheels of indexes that cannot be reached.

    rebuilt: (project, version, build) of files that stay locked while the index has a later build of the version.
    brought: by project, who asks for it: other projects, or the stack itself as "".
    """

    found: tuple[Artifact, ...] = ()
    unresolved: tuple[Unresolved, ...] = ()
    rebuilt: tuple[tuple[str, str, int], ...] = ()
    brought: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def resolve(
    stack: Stack,
    routes: Routes,
    settings: Settings,
    session: Session,
    keep: Sequence[Artifact],
    lacking: dict[str, str] | None = None,
) -> Wheels:
    """The wheels of a stack; versions in `keep` are preferred where they still fit.

    Each package of a named index comes from that index and no other; everything else comes from the default index.
    Of an index that `routes` has as not reached, what is publicly known is taken (known.yaml). lacking: if given, gets
    the projects (and versions) that have an sdist alone and nobody said are compiled; else they are an error. Raises
    InputError where the requirements cannot be met.
    """
    own_git = {canonicalize_name(one.name) for one in stack.extensions if one.git}
    left_out = routes.compiled & own_git
    wanted = [item for item in stack.packages if canonicalize_name(Requirement(item).name) not in left_out]
    found: dict[str, str] = {}
    done = _resolve(stack, wanted, routes, settings, session, keep, {}, found)
    if found and lacking is None:
        raise without_wheels(found, stack)
    (lacking if lacking is not None else {}).update(found)
    return done


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
    done = _resolve(stack, stack.toolchain.packages, routes, settings, session, (*wheels.found, *keep), pins, {})
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
    lacking: dict[str, str],
) -> Wheels:
    """pins: the version that must be taken wherever a project is needed. lacking: gets those with an sdist alone."""
    direct, assumed = list(wanted), dict[str, tuple[str, ...]]()
    names = {str(canonicalize_name(Requirement(item).name)) for item in direct}
    while True:
        # uv routes direct requirements only: a dependency that an index claims is made direct and resolved again.
        try:
            routed = {name: routes.of[name] for name in names & set(routes.of)}
            packages, brought = _compile(
                stack, settings, direct, replace(routes, of=routed), keep, pins, assumed, lacking
            )
            stray = {package["name"] for package in packages} & set(routes.of) - names
        except NotBuilt as error:
            if error.project in assumed:
                raise
            assumed[error.project] = sdists.requirements(error.project, error.version, session, settings)
            continue
        except NoSolution as error:
            if more := _without_wheels(error, stack, routes, lacking):
                assumed |= {one: sdists.requirements(one, more[one], session, settings) for one in more}
                lacking |= more
                continue
            stray = set(re.findall(r"[a-z0-9][a-z0-9-]*", error.said)) & set(routes.of) - names
            if not stray:
                raise unsolvable(error.said, stack, routes, settings, lacking) from None
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
        brought,
    )


def _without_wheels(error: NoSolution, stack: Stack, routes: Routes, lacking: Mapping[str, str]) -> dict[str, str]:
    """The projects that uv found no wheel of, which nobody said are compiled; nothing where there is none new."""
    compiled = {str(canonicalize_name(name)) for name in (*stack.from_source, *routes.compiled, *lacking)}
    found = sdists.lacking(error.said) if len(lacking) < _MOST_LACKING else {}
    return {name: version for name, version in found.items() if name not in compiled | set(routes.of)}


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
    assumed: Mapping[str, tuple[str, ...]],
    lacking: Iterable[str],
) -> tuple[list[dict[str, Any]], dict[str, tuple[str, ...]]]:
    """Run uv once; returns the packages of the PEP 751 file it writes, and who asks for each.

    assumed: requirements of projects that uv is not to ask an sdist for. lacking: those that may be sdists for once.
    """
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
        command = [uv.find_uv_bin(), "pip", "compile", "pyproject.toml", "--no-header", "--quiet"]
        sdists.write(assumed, home / "uv.toml")
        command += [
            "--config-file=uv.toml" if assumed else "--no-config",
            f"--python-version={stack.python}",
            f"--python-platform={platform(stack)}",
        ]
        command += ["--only-binary", ":all:", "-c", "constraints.txt"]
        command += [f"--no-binary={name}" for name in (*stack.from_source, *sorted(routes.compiled), *lacking)]
        command += _said(stack, direct, home)
        if stack.from_source or routes.compiled:
            # Build scripts run here for metadata, at the stack's own versions: a second torch is 6 GB in the cache.
            tools = stack.toolchain.packages if stack.toolchain else ()
            (home / "tools.txt").write_text("".join(f"{one}\n" for one in (*tools, *stack.packages)))
            command += ["--build-constraint", "tools.txt"]
        # First the versions (uv prefers those its output file holds already), then their files and hashes.
        run_uv([*command, "-o", "requirements.txt"], stack, home, settings)
        run_uv(
            [*command, "-c", "requirements.txt", "--format", "pylock.toml", "-o", "pylock.toml"], stack, home, settings
        )
        packages: list[dict[str, Any]] = tomli.loads((home / "pylock.toml").read_text()).get("packages", [])
        brought = who_asks((home / "requirements.txt").read_text())
    return packages, brought


def _said(stack: Stack, direct: Sequence[str], home: Path) -> list[str]:
    """The words of uv for what a stack says over its packages' heads; what is asked for directly is never left out."""
    asked = {canonicalize_name(Requirement(item).name) for item in direct}
    without = [name for name in stack.not_taken if canonicalize_name(name) not in asked]
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
        row: dict[str, Any] = {"name": name, "url": mirror(index.url or index.find_links, settings), "explicit": True}
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
