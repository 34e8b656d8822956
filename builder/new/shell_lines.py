"""Lines of a shell, as Dockerfiles, install scripts and READMEs have them: what they install, clone and download."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from builder.new import pip_files
from builder.new.found import Asked, Decision, Found
from builder.new.tree import Tree

_PIP = re.compile(r"(?:^|\s)(?:pip3?|uv pip|python3? -m pip|mim)\s+install\s+(.*)")
_APT = re.compile(r"(?:apt-get|apt)\s+(?:-\S+\s+)*install\s+(.*)")
_CONDA = re.compile(r"conda\s+(create|install)\s+(.*)")
_VALUED = {"-i", "--index-url", "--extra-index-url", "-f", "--find-links"}
_FROM = re.compile(r"^FROM\s+(?:--\S+\s+)?(\S+)", re.I)
_LONGEST = 3000


def read(tree: Tree, path: str, found: Found, *, packages: bool) -> None:
    """Add what the lines of a file install. packages: those of pip and conda too, and not pages and versions alone."""
    for number, line in _commands(tree.text(path), code=path.lower().endswith((".md", ".rst"))):
        where = f"{path}:{number}"
        # Python's own `from` begins lines of a README too.
        if "dockerfile" in path.lower() and (image := _FROM.match(line)):
            _base(image[1], where, found)
        if match := re.match(r"ENV\s+([A-Za-z_]\w*)[= ](\S+)\s*$", line):
            found.env.setdefault(match[1], Asked(text=match[2].strip("\"'"), where=where))
        for word in _words(_APT, line):
            if re.fullmatch(r"[a-z0-9][a-z0-9+.-]*[a-z0-9+]", word):
                found.system.append(Asked(text=word, where=where))
        if conda := _CONDA.search(line):
            for word in conda[2].split():
                if version := re.fullmatch(r"(python|cudatoolkit|pytorch-cuda)=+([\d.]+)", word):
                    kind = found.python if version[1] == "python" else found.cuda
                    kind.append(Asked(text=version[2], where=where))
        _pip(line, where, found, packages=packages)


def _commands(text: str, *, code: bool) -> Iterator[tuple[int, str]]:
    """Each command by its line, continued lines joined; code: of indented or fenced parts alone."""
    joined, begun, fenced = "", 0, False
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if code and line.startswith(("```", "~~~")):
            fenced = not fenced
            continue
        if code and not (fenced or raw.startswith(("    ", "\t")) or joined):
            continue
        begun = begun or number
        joined += f" {line.removesuffix(chr(92)).lstrip('$ ')}"
        if line.endswith("\\") and len(joined) < _LONGEST:
            continue
        for part in re.split(r"&&|;\s|\|\|", joined[:_LONGEST]):
            if part.strip() and not part.strip().startswith("#"):
                yield begun, part.strip().removeprefix("RUN ").strip()
        joined, begun = "", 0


def _words(pattern: re.Pattern[str], line: str) -> list[str]:
    match = pattern.search(line)
    if not match:
        return []
    try:
        words = shlex.split(match[1], comments=True)
    except ValueError:
        words = match[1].split()
    return [word for word in words if not word.startswith("-") and "$" not in word]


def _pip(line: str, where: str, found: Found, *, packages: bool) -> None:
    match = _PIP.search(line)
    if not match:
        return
    try:
        words = iter(shlex.split(match[1], comments=True))
    except ValueError:
        return
    for word in words:
        if word in _VALUED:
            found.pages.append((pip_files.PAGES[word], Asked(text=next(words, ""), where=where)))
        elif word in ("-r", "-c", "--requirement", "-e", "--editable"):
            next(words, "")
        elif packages and not word.startswith("-") and "$" not in word and re.match(r"[A-Za-z]", word):
            pip_files.add(word, where, found, constraint=False)


def _base(image: str, where: str, found: Found) -> None:
    """What the name of a Dockerfile's base tells of Python and CUDA."""
    if python := re.search(r"python:(3\.\d+)", image):
        found.python.append(Asked(text=python[1], where=where))
    if cuda := re.search(r"cuda:?(\d+\.\d)", image):
        found.cuda.append(Asked(text=cuda[1], where=where))
    why = "the stack's family is its base"
    found.decisions.append(Decision(kind="changed", what=f"FROM {image}", into="family", why=why, where=where))
