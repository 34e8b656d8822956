"""`make rehearsal STACK=NAME`: a shipped stack, from its unchanged files, where its own hosts cannot be reached.

What can be had is real, and what cannot stands in; both are said first. Ends with the smoke tests and how to run the
image, which stays as modelstacks/NAME:rehearsal.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

from builder.errors import InputError
from tests.conftest import REPO
from tests.rehearsal import sources
from tests.rehearsal.clone import KEEP, PROGRESS

HERE = Path(__file__).parent


def main() -> int:
    """Rehearse the stack that is named; gives the exit code of its test, 2 where there is none."""
    stacks = rehearsals()
    name = " ".join(word for word in sys.argv[1:] if word != "--")  # make sets it before what a user gave
    if name not in stacks:
        sys.stderr.write(f"error: no rehearsal of {name or 'no stack'}\n  fix: STACK= one of {', '.join(stacks)}\n")
        return 2
    test = stacks[name]
    try:
        lines = told(name)
    except InputError as error:
        sys.stderr.write(f"error: {error.problem}\n  fix: {error.fix}\n")
        return 2
    code = compile(test.read_text(), str(test), "exec")
    sys.stdout.write("\n".join([f"==> rehearsal of {name}", *lines, "", str(code.co_consts[0]).strip(), "", ""]))
    sys.stdout.flush()
    words = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", str(test)]
    done = subprocess.run(words, cwd=REPO, env={**os.environ, KEEP: "1", PROGRESS: "1"}, check=False)
    if done.returncode == 0:
        sys.stdout.write(f"\nthe image: docker run --rm --gpus all modelstacks/{name}:rehearsal\n")
    return done.returncode


def rehearsals() -> dict[str, Path]:
    """The shipped stacks that have one, and its test."""
    there = {path.stem.removeprefix("test_").replace("_", "-"): path for path in sorted(HERE.glob("test_*.py"))}
    return {name: path for name, path in there.items() if (REPO / "stacks" / name / "stack.yaml").is_file()}


def told(name: str) -> list[str]:
    """A line for each git source of a stack: real, or a stand-in."""
    stack = yaml.safe_load((REPO / "stacks" / name / "stack.yaml").read_text())
    lines = []
    for address, commit in sources.declared(stack):
        how = "real" if sources.there(address) else f"a stand-in ({sources.SOURCES}=DIR has the real one)"
        lines.append(f"{address} at {commit[:8]}: {how}")
    return lines or ["it has no git source"]


if __name__ == "__main__":
    sys.exit(main())
