"""The levels of settings, each over the one before: defaults, user file, project file, environment, command line."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.errors import InputError
from builder.settings.model import ClientCertificate, GitSsh, Settings
from builder.settings.program import INSTALLED, PROGRAM, SHIPPED, expanded

if TYPE_CHECKING:
    from builder.settings.shape import Site

FILE = "modelstacks.toml"
_VARIABLES = {
    ("index",): "MODELSTACKS_INDEX",
    ("home",): "MODELSTACKS_HOME",
    ("cache",): "MODELSTACKS_CACHE",
    ("stacks",): "MODELSTACKS_STACKS",
    ("jobs",): "MODELSTACKS_JOBS",
    ("mount-weights",): "MODELSTACKS_MOUNT_WEIGHTS",
    ("ca-bundle",): "CA_BUNDLE",
    ("tls",): "MODELSTACKS_TLS",
    ("engine",): "MODELSTACKS_ENGINE",
    ("built",): "MODELSTACKS_BUILT",
    ("builder",): "MODELSTACKS_BUILDER",
    ("build-cache",): "MODELSTACKS_BUILD_CACHE",
    ("files",): "MODELSTACKS_FILES",
    ("image-prefix",): "MODELSTACKS_IMAGE_PREFIX",
    ("security",): "MODELSTACKS_SECURITY",
    ("mirrors", "debian"): "MODELSTACKS_DEBIAN_MIRROR",
    ("mirrors", "debian-security"): "MODELSTACKS_DEBIAN_SECURITY_MIRROR",
    ("mirrors", "ubuntu"): "MODELSTACKS_UBUNTU_MIRROR",
    ("timeouts", "connect"): "MODELSTACKS_CONNECT_TIMEOUT",
    ("timeouts", "read"): "MODELSTACKS_READ_TIMEOUT",
}
_TABLES = ("rewrites", "images", "mirrors", "tokens", "client-certificates", "git-ssh", "timeouts")
_LISTS = (("stacks",), ("ca-bundle",), ("mount-weights",))  # every level adds to these

Where = Callable[[Sequence[str]], str]


@dataclass(frozen=True)
class Level:
    """What one level says. values: as in the file. where: place of a key. folder: what its relative paths are to."""

    values: dict[str, Any]
    where: Where
    folder: Path | None = None


def load(
    *,
    stacks: tuple[Path, ...] = (),
    environ: Mapping[str, str] | None = None,
    given: Sequence[str] = (),
    folder: Path | None = None,
) -> Settings:
    """The settings of this run; docs/settings.md has the keys, the variables and which level wins.

    stacks: the command line's folders. environ: default the process's. given: KEY=VALUE of the command
    line. folder: where the project's file is looked for, default the current folder. Raises InputError
    for a file that cannot be read, an unknown key or a wrong value, with its place.
    """
    env = os.environ if environ is None else environ
    levels = [*_files(env, folder or Path.cwd()), _environment(env), _command_line(given)]
    held = [(level, _checked(level)) for level in levels if level.values]
    return _merged(held, tuple(path.resolve() for path in stacks))


def _files(env: Mapping[str, str], folder: Path) -> Iterator[Level]:
    """The user's file, then the project's."""
    from builder.settings.file import read  # noqa: PLC0415

    config = env.get("XDG_CONFIG_HOME") or (f"{env['HOME']}/.config" if env.get("HOME") else "")
    user = Path(config, "modelstacks", FILE) if config else None
    home = Path(env.get("MODELSTACKS_HOME") or _home()).resolve()
    project = next((path for path in (*_upward(folder.resolve()), home / FILE) if path.is_file()), None)
    for path in dict.fromkeys((user, project)):
        if path is not None and path.is_file():
            values, lines = read(path)

            def where(keys: Sequence[str], path: Path = path, lines: Mapping[tuple[str, ...], int] = lines) -> str:
                line = next((lines[tuple(keys[:n])] for n in range(len(keys), 0, -1) if tuple(keys[:n]) in lines), 0)
                return f"{path}:{line}" if line else str(path)

            yield Level(values, where, path.parent)


def _home() -> Path:
    """The home where none is given."""
    return Path.cwd() if INSTALLED else PROGRAM


def _upward(folder: Path) -> Iterator[Path]:
    yield from (parent / FILE for parent in (folder, *folder.parents))


def _environment(env: Mapping[str, str]) -> Level:
    values: dict[str, Any] = {}
    for keys, name in _VARIABLES.items():
        if text := env.get(name, ""):
            _put(values, keys, _typed(keys, text))
    return Level(
        values, lambda keys: _VARIABLES.get(tuple(str(key) for key in keys[: 2 if keys[0] in _TABLES else 1]), "")
    )


def _command_line(given: Sequence[str]) -> Level:
    values: dict[str, Any] = {}
    for word in given:
        key, equals, text = word.partition("=")
        keys = tuple(key.split("."))
        if not equals or keys not in _VARIABLES:
            known = ", ".join(".".join(item) for item in _VARIABLES)
            fix = f"write KEY=VALUE with one of: {known}"
            if keys[0] == "archives":
                fix = f"it is called {'.'.join(('mirrors', *keys[1:]))} now"
            raise InputError(f"--set {key} names no setting", fix=fix)
        _put(values, keys, _typed(keys, text))
    return Level(values, lambda keys: f"--set {'.'.join(keys[: 2 if keys[0] in _TABLES else 1])}")


def _put(values: dict[str, Any], keys: Sequence[str], value: object) -> None:
    for key in keys[:-1]:
        values = values.setdefault(key, {})
    values[keys[-1]] = value


def _typed(keys: tuple[str, ...], text: str) -> object:
    """A text of the environment or command line, as the file would hold it."""
    if keys in _LISTS:
        return [item for item in text.split(os.pathsep) if item]
    if keys[0] == "mirrors":
        return text.split()
    if keys[0] in ("jobs", "timeouts"):
        for kind in (int, float):
            try:
                return kind(text)
            except ValueError:
                continue
    return text


def _checked(level: Level) -> Site:
    from pydantic import ValidationError  # noqa: PLC0415

    from builder.settings.file import explained  # noqa: PLC0415
    from builder.settings.shape import Site  # noqa: PLC0415

    try:
        return Site.model_validate(level.values)
    except ValidationError as error:
        raise explained(error, level.values, level.where) from None


def _merged(levels: Sequence[tuple[Level, Site]], stacks: tuple[Path, ...]) -> Settings:
    """One Settings of all levels."""
    found = _Found(levels)
    tables = {key: found.each(key) for key in _TABLES}
    mirrors = {name: tuple(addresses) for name, addresses in tables["mirrors"].items()}
    several = {addresses[0]: addresses for addresses in mirrors.values() if len(addresses) > 1}
    home = (found.path("home") or _home()).resolve()
    given = [path.resolve() for path in found.paths("stacks")]
    settings = Settings(
        home=home,
        stacks=(SHIPPED, *([home / "stacks"] if INSTALLED else []), *given, *stacks),
        index=found.one("index", ""),
        mirrors={name: addresses[0] for name, addresses in mirrors.items()},
        ca_bundle=tuple(found.paths("ca-bundle")),
        jobs=found.one("jobs", 8),
        mount_weights=tuple(found.listed("mount-weights")),
        rewrites={**several, **{key: tuple(value) for key, value in tables["rewrites"].items()}},
        images={key: tuple(value) for key, value in tables["images"].items()},
        tls=found.one("tls", "verify"),
        tokens=tables["tokens"],
        client_certificates=found.client_certificates(),
        git_ssh=found.git_ssh(),
        cache=found.path("cache"),
        engine=found.one("engine", ""),
        built=found.one("built", ""),
        builder=found.one("builder", ""),
        build_cache=found.one("build-cache", ""),
        files=found.one("files", ""),
        image_prefix=found.one("image-prefix", "modelstacks"),
        security=found.one("security", "off") == "on",
        connect_timeout=float(tables["timeouts"].get("connect", 15)),
        read_timeout=float(tables["timeouts"].get("read", 60)),
        sources=found.sources,
    )
    if stacks:
        found.sources["stacks"] = ", ".join(item for item in (found.sources.get("stacks", ""), "--stacks") if item)
    for keys in _VARIABLES:
        if keys[0] != "mirrors":
            found.sources.setdefault(".".join(keys), "default")
    return settings


def _path(text: str, folder: Path | None) -> Path:
    """A path of the settings: `~` is the user's home; relative to folder, as it stands where folder is None."""
    found = expanded(text)
    return found if folder is None else folder / found


class _Found:
    """Reads the levels, the last one first, and notes where each value came from."""

    def __init__(self, levels: Sequence[tuple[Level, Site]]) -> None:
        self._levels = [(level, site.model_dump(by_alias=True, exclude_none=True)) for level, site in levels]
        self.sources: dict[str, str] = {}

    def one(self, key: str, default: Any) -> Any:  # noqa: ANN401
        for level, values in reversed(self._levels):
            if key in values:
                self.sources[key] = level.where([key])
                return values[key]
        return default

    def path(self, key: str) -> Path | None:
        for level, values in reversed(self._levels):
            if key in values:
                self.sources[key] = level.where([key])
                return _path(values[key], level.folder)
        return None

    def paths(self, key: str) -> list[Path]:
        """Those of all levels, in their order."""
        return [_path(item, level.folder) for level, item in self._all(key)]

    def listed(self, key: str) -> list[str]:
        """The texts of all levels, in their order."""
        return [item for _, item in self._all(key)]

    def _all(self, key: str) -> list[tuple[Level, str]]:
        found: list[tuple[Level, str]] = []
        for level, values in self._levels:
            if values[key]:
                self.sources[key] = ", ".join(filter(None, (self.sources.get(key, ""), level.where([key]))))
                found += [(level, item) for item in values[key]]
        return found

    def each(self, table: str) -> dict[str, Any]:
        """A table's entries, a later level's entry in place of an earlier one's."""
        found: dict[str, Any] = {}
        for level, values in self._levels:
            for key, value in values[table].items():
                found[key] = value
                self.sources[f"{table}.{key}"] = level.where([table, key])
        return found

    def client_certificates(self) -> dict[str, ClientCertificate]:
        found = {}
        for level, values in self._levels:
            for host, files in values["client-certificates"].items():
                cert = _path(files["cert"], level.folder)
                found[host] = ClientCertificate(cert=cert, key=_path(files.get("key") or files["cert"], level.folder))
                self.sources[f"client-certificates.{host}"] = level.where(["client-certificates", host])
        return found

    def git_ssh(self) -> dict[str, GitSsh]:
        found = {}
        for level, values in self._levels:
            for host, said in values["git-ssh"].items():
                files = {key: _path(said[key], level.folder) for key in ("key", "known-hosts") if key in said}
                found[host] = GitSsh(
                    user=said["user"], port=said["port"], key=files.get("key"), known_hosts=files.get("known-hosts")
                )
                self.sources[f"git-ssh.{host}"] = level.where(["git-ssh", host])
        return found
