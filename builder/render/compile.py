"""The build that compiles one package: a Dockerfile of its own, whose only output is a wheel."""

from __future__ import annotations

import json
import posixpath
from pathlib import Path

from builder.files import held, sha256_text
from builder.lock.model import Artifact, StackLock
from builder.render.base import base_has_python, base_tag
from builder.render.contexts import require_fetched
from builder.render.dockerfile import CLAMP, environment
from builder.render.folders import Rendered, deb_context, keep_only, uv_program, verified, wheel_context, written
from builder.render.groups import Group, grouped
from builder.render.recipe import Recipe
from builder.render.trees import write_tree
from builder.settings import Settings
from builder.spec.extension import Flags
from builder.spec.files import own_files
from builder.spec.model import Project, Stack

_TOOLCHAIN = "toolchain"


def render_recipe(stack: Stack, lock: StackLock, recipe: Recipe, settings: Settings) -> Rendered:
    """Write build/NAME/extensions/PROJECT/Dockerfile and its contexts.

    Raises InputError where a locked file is not fetched or a declared edit does not apply as often as it says.
    """
    folder = settings.build / stack.name / "extensions" / recipe.project
    require_fetched(lock, settings)
    groups = _groups(lock)
    with held(folder / ".rendering"):
        contexts = {"uv": uv_program(lock, settings), "source": folder / "contexts" / "source"}
        for group in groups:
            contexts[group.name] = wheel_context(folder, group, settings)
        if lock.toolchain_debs:
            contexts["toolchain-debs"] = deb_context(folder, "toolchain-debs", lock.toolchain_debs, settings)
        if lock.debs and not base_has_python(lock):
            contexts["debs"] = deb_context(folder, "debs", lock.debs, settings)
        archive = None if isinstance(recipe.source, Project) else verified(recipe.source, settings)
        tree = contexts["source"] / "source.tar"
        beside = _beside(stack, recipe, settings)
        sdist = isinstance(recipe.source, Artifact) and recipe.source.kind == "sdist"
        write_tree(archive, tree, recipe.edits, sdist=sdist, beside=beside)
        keep_only(folder, contexts)
        return written(folder, recipe_dockerfile(stack, lock, recipe, settings.templates), contexts)


def _beside(stack: Stack, recipe: Recipe, settings: Settings) -> dict[str, Path]:
    """What goes over the source, by its path there: the extension's downloads, each hashed again, and own files, which
    are all that there is of a project of the stack's own."""
    found = {}
    for place, item in recipe.downloads.items():
        found[place] = verified(item, settings)
    name = recipe.extension.files if recipe.extension else None
    if isinstance(recipe.source, Project):
        name = recipe.source.folder
    if name:
        for inside, path in own_files(stack.folder, [name]):
            found[posixpath.relpath(inside, name)] = path
    return found


def _groups(lock: StackLock) -> list[Group]:
    """The toolchain's wheels: those that stand alone, in layers that the image shares, and one group of the rest."""
    alone = [one for one in grouped(lock.toolchain) if [one.name] == [f"wheels-{item.project}" for item in one.wheels]]
    shared = {item for group in alone for item in group.wheels}
    rest = tuple(item for item in lock.toolchain if item not in shared)
    return [*alone, Group(_TOOLCHAIN, rest)]


def recipe_dockerfile(stack: Stack, lock: StackLock, recipe: Recipe, templates: Path) -> str:
    """The Dockerfile that compiles one package."""
    home = stack.toolchain.cuda_home if stack.toolchain else None
    extension = recipe.extension
    variables = dict(extension.env) if extension else {}
    flags = extension.flags if extension else Flags()
    # Every setuptools adds CPPFLAGS, for C and for C++; CFLAGS and CXXFLAGS replace Python's own in newer ones (73 on).
    for name, more in (("CPPFLAGS", flags.cxx), ("NVCC_APPEND_FLAGS", flags.nvcc)):
        if more:
            variables[name] = " ".join((*variables.get(name, "").split(), *more))
    # What shapes an object file and is seen neither in its sources nor on the compiler's command line.
    shaping = {key: recipe.inputs[key] for key in ("base", "compilers", "env", "flags")}
    return (
        environment(templates)
        .get_template("Compile.j2")
        .render(
            stack=stack,
            lock=lock,
            recipe=recipe,
            recipes=(),
            groups=_groups(lock),
            clamp=CLAMP,
            base_tag=base_tag(lock.base),
            base_has_python=base_has_python(lock),
            ready=(),
            cuda_home=home and (home if home.startswith("/") else f"{stack.site_packages}/{home}"),
            environment=variables,
            surroundings=sha256_text(json.dumps(shaping, sort_keys=True)),
        )
    )
