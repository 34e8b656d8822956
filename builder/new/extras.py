"""What an input says beside requirements: system packages, variables, extensions, weights, imports."""

from __future__ import annotations

import re

from packaging.utils import canonicalize_name

from builder.new.decide import Asking, Draft, need_tools
from builder.new.found import Decision, fits
from builder.new.known import names
from builder.spec.model import Family
from builder.spec.secrets import secret
from builder.spec.text import EnvName, Module, PackageName, PlainText

# Of a Dockerfile's installs: what builds or fetches, and what the base has.
_TOOLS = re.compile(
    r"(python3?(\.\d+)?(-.*)?|build-essential|g\+\+.*|gcc.*|cmake|ninja-build|make|git(-lfs)?|curl|wget|ca-certificates"
    r"|vim|nano|sudo|unzip|zip|software-properties-common|gnupg2?|apt-transport-https|tzdata|locales|openssh-.*|tmux|htop"
    r"|.*-dev|cuda-.*|libcudnn.*|nvidia-.*|pkg-config|aria2|rsync|lsb-release|apt-utils|tree|less)"
)
_OURS = {"PATH", "DEBIAN_FRONTEND", "LD_LIBRARY_PATH", "CUDA_HOME", "HOME", "USER", "VIRTUAL_ENV", "LANG", "PWD"}
_SHOWN = 40
WORKSPACE = "/workspace"


def add(asking: Asking, draft: Draft, family: Family) -> None:
    """Add to the draft what is neither a requirement nor an index."""
    _system(asking, draft)
    _env(asking, draft)
    _source(asking, draft)
    _extensions(asking, draft, family)
    _weights(asking, draft)
    _imported(asking, draft, family)


def _system(asking: Asking, draft: Draft) -> None:
    for one in asking.found.system:
        if one.text in draft.system:
            continue
        if _TOOLS.fullmatch(one.text):
            why = "it builds or fetches, or the base has it; sources, wheels and a toolchain take its place"
            draft.decisions.append(Decision(kind="left out", what=one.text, why=why, where=one.where))
            continue
        draft.system.append(one.text)
        draft.decisions.append(Decision(kind="kept", what=one.text, into="system", where=one.where))


def _env(asking: Asking, draft: Draft) -> None:
    for name, one in asking.found.env.items():
        why = "the image sets it" if name in _OURS else "a secret by its name" if secret(name) else ""
        if not why and not (fits(EnvName, name) and fits(PlainText, one.text) and one.text.isprintable()):
            why = 'its text could not stand in a stack file ($ ` " \\ and brackets of Jinja)'
        if why:
            draft.decisions.append(Decision(kind="left out", what=f"{name}=…", why=why, where=one.where))
            continue
        draft.env[name] = one.text
        draft.decisions.append(Decision(kind="kept", what=f"{name}={one.text}", into="env", where=one.where))


def _source(asking: Asking, draft: Draft) -> None:
    git, commit = asking.found.source
    if git and commit:
        draft.sources.insert(0, {"git": git, "commit": commit, "into": WORKSPACE})
        draft.paths.insert(0, WORKSPACE)
        what = f"{git}@{commit[:12]}"
        why = f"the code itself, without its history, in {WORKSPACE}"
        draft.decisions.append(Decision(kind="kept", what=what, into="sources", why=why))


def _extensions(asking: Asking, draft: Draft, family: Family) -> None:
    for one in asking.found.compiled:
        name, modules = one.name, [text for text in one.modules if fits(Module, text)]
        why = "it compiles an extension, so it is built once, in a stage of its own"
        if not asking.found.source[0] or not modules or not fits(PackageName, name):
            lack = "the stack's source is not known" if not asking.found.source[0] else "its modules are computed"
            draft.note(
                "extensions", f"{{name: {name}, path: {WORKSPACE}/{one.folder}, compiled: [...]}}  {one.where}: {lack}"
            )
            draft.decisions.append(Decision(kind="yours", what=name, into="extensions", why=lack, where=one.where))
            continue
        row: dict[str, object] = {"name": name, "path": f"{WORKSPACE}/{one.folder}".rstrip("/"), "compiled": modules}
        draft.extensions.append(row if one.cuda else {**row, "cuda": False})
        draft.decisions.append(Decision(kind="moved", what=name, into="extensions", why=why, where=one.where))
        need_tools(draft, family, [])
        if one.cuda and not draft.notes.get("gpus"):
            draft.note("gpus", '["8.6", "9.0"]  the compute capabilities that the CUDA code is compiled for')
            if not (family.toolchain and family.toolchain.cuda_home):
                draft.note("toolchain", "cuda-home and nvcc: the family has none (docs/extensions.md says how)")
                why = f"{name} is compiled by nvcc, and the family has none"
                draft.decisions.append(Decision(kind="yours", what="nvcc", into="toolchain", why=why))


def _weights(asking: Asking, draft: Draft) -> None:
    for one in asking.found.weights[:_SHOWN]:
        shape = f"{{url: {one.text}, into: {WORKSPACE}}}" if one.text.startswith("https://") else one.text
        draft.note("weights", f"{shape}  {one.where}: by {one.url}")
        why = "it is downloaded when the program runs; as a weight it is fetched once, by hash"
        draft.decisions.append(Decision(kind="yours", what=one.text, into="weights", why=why, where=one.where))


def _imported(asking: Asking, draft: Draft, family: Family) -> None:
    """Modules that the code imports and nothing declares."""
    have = {re.sub(r"[-_.]", "", one) for one in (*draft.packages, *draft.without, *asking.asked)}
    have |= {re.sub(r"[-_.]", "", str(canonicalize_name(re.split(r"[<>=!~ \[;]", one)[0]))) for one in family.packages}
    for module, where in sorted(asking.found.imported.items())[:_SHOWN]:
        row = names("import").get(module)
        project = row["to"] if row else module
        plain = re.sub(r"[-_.]", "", str(canonicalize_name(project or module)))
        if plain in have or any(
            one.startswith(plain) and plain in ("cv2", "onnxruntime", "opencvpython") for one in have
        ):
            continue
        why = f"the code imports {module}, and nothing declares it"
        draft.note("packages", f"{project or module}  {where}: {why}")
        draft.decisions.append(Decision(kind="yours", what=project or module, into="packages", why=why, where=where))
