"""What two parts of one stack file, or a stack and its family, say against each other. No IO here."""

from __future__ import annotations

from functools import cache
from pathlib import PurePosixPath

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from builder.spec.model import Shared, StackFile
from builder.spec.secrets import secret


class Clash(ValueError):
    """Two parts of a stack speak of one thing.

    path: keys and positions of the offending value in the stack (or, of a family alone, the family). fix: what to do.
    """

    def __init__(self, path: tuple[str | int, ...], problem: str, fix: str) -> None:
        super().__init__(problem)
        self.path = path
        self.fix = fix


@cache
def _project(requirement: str) -> str:
    return str(canonicalize_name(Requirement(requirement).name))


def clashes(ours: Shared, theirs: Shared | None = None, whose: str = "") -> list[Clash]:
    """Packages named twice, projects claimed by two indexes, and index names used twice, in file order of `ours`.

    theirs: the family that `ours` extends, None for a family itself. whose: the family's name, for the message.
    """
    found: list[Clash] = []
    seen = {_project(item): f"its family {whose}" for item in theirs.packages} if theirs else {}
    for place, item in enumerate(ours.packages):
        if (project := _project(item)) in seen:
            found.append(
                Clash(("packages", place), f"package {project} is also in {seen[project]}", "keep one of the two")
            )
        seen.setdefault(project, f"packages[{place}]")
    claimed: dict[str, str] = {}
    for name, index in theirs.indexes.items() if theirs else ():
        claimed.update({str(canonicalize_name(item)): f"{name} of its family {whose}" for item in index.packages})
    for name, index in ours.indexes.items():
        if name == "default":
            found.append(Clash(("indexes", name), "a lock calls the index of this machine `default`", "rename it"))
        if theirs and name in theirs.indexes:
            found.append(Clash(("indexes", name), f"index {name} is also in its family {whose}", "rename one of them"))
        for place, item in enumerate(index.packages):
            if (project := str(canonicalize_name(item))) in claimed:
                found.append(
                    Clash(
                        ("indexes", name, "packages", place),
                        f"package {project} is also claimed by index {claimed[project]}",
                        "let one index have it; a package comes from exactly one place",
                    )
                )
            claimed.setdefault(project, name)
    found += [
        Clash(("env", name), f"{name} is a secret by its name", "leave it out; who runs the image gives it")
        for name, value in ours.env.items()
        if value and secret(name)
    ]
    if isinstance(ours, StackFile):
        if ours.user:
            fix = "leave it out: `user` sets it"
            found += [
                Clash(("env", one), f"{one} is that of `user`", fix) for one in ("HOME", "USER") if one in ours.env
            ]
        own = {_project(item) for item in ours.packages}
        found += _override_clashes(ours, claimed, own)
        found += _extension_clashes(ours) + _place_clashes(ours)
    return found


def _override_clashes(stack: StackFile, served: dict[str, str], asked: set[str]) -> list[Clash]:
    """Projects that are overridden twice or left out and asked for as well; and those that uv would take elsewhere.

    served: the projects that a named index has, and which. asked: the projects of the stack's own `packages`.
    """
    found: list[Clash] = []
    seen: set[str] = set()
    for place, item in enumerate(stack.overrides):
        project = _project(item)
        if project in seen:
            found.append(Clash(("overrides", place), f"{project} is overridden twice", "keep one of the two"))
        if project in served:  # uv 0.13 forgets the index of a project that is overridden
            fix = f"pin {project} in `packages`, and override what asks for another"
            problem = (
                f"{project} comes from index {served[project]}, and an override would take it from the default one"
            )
            found.append(Clash(("overrides", place), problem, fix))
        seen.add(project)
    for place, name in enumerate(stack.without):
        if (project := str(canonicalize_name(name))) in asked | seen:
            problem = f"{project} is left out, and asked for in `packages` or `overrides`"
            found.append(Clash(("without", place), problem, "keep one of the two"))
    return found


def _extension_clashes(stack: StackFile) -> list[Clash]:
    """Extensions named twice, outside every source, or from an sdist that nothing asks for."""
    found: list[Clash] = []
    seen: dict[str, int] = {}
    wanted = {str(canonicalize_name(name)) for name in stack.from_source}
    waiting = {
        str(canonicalize_name(name)): key
        for key, index in stack.indexes.items()
        if index.fallback
        for name in index.packages
    }
    for place, extension in enumerate(stack.extensions):
        project = str(canonicalize_name(extension.name))
        if project in seen:
            problem = f"extension {project} is also extensions[{seen[project]}]"
            found.append(Clash(("extensions", place, "name"), problem, "keep one of the two"))
        seen.setdefault(project, place)
        inside = [f"{extension.path}/".startswith(f"{source.into.rstrip('/')}/") for source in stack.sources]
        if extension.path and not any(inside):
            problem = f"{extension.path} is in no source of the stack"
            found.append(Clash(("extensions", place, "path"), problem, "name a folder below a source's `into`"))
        if project in waiting and extension.path:
            problem = f"extension {project} has `path`, and index {waiting[project]} its wheels"
            found.append(Clash(("extensions", place, "path"), problem, "give it `git`, or nothing for its sdist"))
        if not extension.path and not extension.git and project not in wanted | waiting.keys():
            problem = f"extension {project} has neither `path` nor `git`, and is not in `from-source`"
            fix = f"give one of them, or list {project} in `packages` and in `from-source` to compile its sdist"
            found.append(Clash(("extensions", place, "name"), problem, fix))
    for project in sorted(waiting.keys() - seen.keys()):
        problem = f"index {waiting[project]} has `fallback`, and no extension is called {project}"
        fix = f"say under `extensions` how {project} is compiled, or leave `fallback` out"
        found.append(Clash(("indexes", waiting[project], "fallback"), problem, fix))
    return found


def _place_clashes(stack: StackFile) -> list[Clash]:
    """Sources or weights that would lie at one place, and folders below what is a weight's file."""
    found: list[Clash] = []
    folders = {("sources", place, "into"): part.into for place, part in enumerate(stack.sources)}
    folders |= {("files", place, "into"): part.into for place, part in enumerate(stack.files)}
    folders |= {("weights", place, "into"): part.into for place, part in enumerate(stack.weights)}
    taken = {f"{part.into.rstrip('/')}/{part.filename}": place for place, part in reversed([*enumerate(stack.weights)])}
    for place, weight in enumerate(stack.weights):
        path = f"{weight.into.rstrip('/')}/{weight.filename}"
        if taken[path] != place:
            problem = f"{path} is also the file of weights[{taken[path]}]"
            found.append(Clash(("weights", place), problem, "give one of them another `into` or `name`"))
    for keys, folder in folders.items():
        above = [folder.rstrip("/"), *(str(part) for part in PurePosixPath(folder).parents)]
        if hit := next((path for path in above if path in taken), None):
            problem = f"{folder} is, or lies below, the file of weights[{taken[hit]}]"
            found.append(Clash(keys, problem, "give one of them another `into` or `name`"))
    sources: dict[str, int] = {}
    for place, source in enumerate(stack.sources):
        if (first := sources.setdefault(source.into.rstrip("/"), place)) != place:
            problem = f"{source.into} is also the folder of sources[{first}]"
            found.append(Clash(("sources", place, "into"), problem, "give each source a folder of its own"))
    return found
