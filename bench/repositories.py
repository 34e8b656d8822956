"""What `new` and `lock` make of repositories of the field, beside uv pip compile and repo2docker of the same.

    python bench/repositories.py SOURCES [--only NAME] [--repo2docker PROGRAM] [--json FILE]

SOURCES is a folder of clones: SOURCES/NAME, SOURCES/OWNER/NAME, or bare ones as MODELSTACKS_REHEARSAL_SOURCES has them,
SOURCES/HOST/OWNER/NAME.git. Prints the table of docs/new.md. Nothing
is built: `lock --pending` where the default index and Debian alone are reached; uv for the Python
of the stack and wheels alone; repo2docker by `--no-build --debug`, whose Dockerfile tells its base and its Python, for
which uv is asked once more. The traps are what `check` says of the versions that uv chose.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
ROWS = HERE / "repositories.yaml"
_INDEX = re.compile(r"(?m)^(--extra-index-url|--index-url|-i|--find-links|-f)\b.*$")
_ENV = {key: value for key, value in os.environ.items() if not key.startswith("MODELSTACKS_")}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sources", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--repo2docker", default="")
    parser.add_argument("--json", type=Path, help="where to put the figures")
    parser.add_argument("--again", type=Path, help="print the table of such figures, and measure nothing")
    options = parser.parse_args()
    if options.again:
        print(table(json.loads(options.again.read_text()), options.repo2docker))
        return
    found = []
    for row in yaml.safe_load(ROWS.read_text()):
        if options.only in row["repository"]:
            with tempfile.TemporaryDirectory(prefix="modelstacks-bench-") as folder:
                found.append(measured(row, options.sources, Path(folder), options.repo2docker))
            print(json.dumps(found[-1]), file=sys.stderr, flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    print(table(found, options.repo2docker))


def measured(row: dict[str, Any], sources: Path, work: Path, repo2docker: str) -> dict[str, Any]:
    """One repository: all three."""
    clone = checkout(row, sources, work)
    stacks = work / "stacks"
    stacks.mkdir()
    name = row["repository"].rpartition("/")[2].lower()
    new = run([sys.executable, "-m", "builder", "--json", "--stacks", stacks, "new", f"b-{name}", "--from", clone])
    family = json.loads(new.stdout)["family"]
    stack = stacks / f"b-{name}" / "stack.yaml"
    errors, edits = locked(stack, row.get("edits", ()))
    python = yaml.safe_load((HERE.parent / "stacks" / "families" / f"{family}.yaml").read_text())["python"]
    lists = requirement_lists(clone)
    found = {"repository": row["repository"], "commit": row["commit"][:12], "family": family, "python": python}
    found |= {"edits": edits, "lock": errors, "list": lists[0].name if lists else ""}
    if lists:
        found["uv"] = compiled(lists[0], python, family, work)
    if repo2docker:
        found["repo2docker"] = dockerfile(repo2docker, clone)
        if lists and found["repo2docker"]["python"] not in ("", python):
            found["repo2docker"]["uv"] = compiled(lists[0], found["repo2docker"]["python"], family, work)
    return found


def checkout(row: dict[str, Any], sources: Path, work: Path) -> Path:
    """A clone at the commit, that says its address."""
    places = [sources / row["repository"], *sources.glob(f"*/{row['repository']}.git")]
    places += [sources / row["repository"].rpartition("/")[2]]
    source = next(place for place in places if place.exists())
    clone = work / "clone"
    words = ["git", "-c", "advice.detachedHead=false"]
    run([*words, "clone", "--quiet", "--no-checkout", source, clone])
    subprocess.run([*words, "checkout", "--quiet", row["commit"]], cwd=clone, check=False, capture_output=True)
    run(["git", "remote", "set-url", "origin", f"https://github.com/{row['repository']}"], cwd=clone)
    return clone


def locked(stack: Path, edits: list[dict[str, Any]]) -> tuple[list[str], int]:
    """Errors that are left, and how many edits were made. Edits are made once a lock has failed."""
    errors = lock(stack)
    if not errors or not edits:
        return errors, 0
    for edit in edits:
        text = stack.read_text()
        if "old" in edit:
            if text.count(edit["old"]) != 1:
                return [f"the edit {edit['old']!r} has no place in the file"], 0
            stack.write_text(text.replace(edit["old"], edit["new"]))
        else:
            said = yaml.safe_load(text)
            more = edit["new"] if isinstance(edit["new"], list) else [edit["new"]]
            said.setdefault(edit["to"], []).extend(more)
            stack.write_text(yaml.safe_dump(said, sort_keys=False))
    return lock(stack), len(edits)


def lock(stack: Path) -> list[str]:
    """What `lock --pending` has against a stack; nothing where it writes the lock."""
    words = ["--json", "--stacks", stack.parents[1], "lock", stack.parent.name, "--pending"]
    done = subprocess.run(
        [sys.executable, "-m", "builder", *map(str, words)], cwd=HERE.parent, env=_ENV, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode == 0:
        return []
    return [" | ".join(filter(None, (one["problem"], one.get("why")))) for one in json.loads(done.stdout)["errors"]]


def requirement_lists(clone: Path) -> list[Path]:
    """As `new` chooses: the one at the root first."""
    found = sorted(clone.glob("requirements*.txt"), key=lambda path: (path.name != "requirements.txt", path.name))
    return [path for path in found if path.is_file()]


def compiled(requirements: Path, python: str, family: str, work: Path) -> dict[str, Any]:
    """Whether uv resolves a list for a Python by wheels alone; the rules of `check` that speak of the result."""
    out = work / f"pins-{python}.txt"
    uv = Path(sys.executable).parent / "uv"
    words = ["pip", "compile", "--quiet", "--no-header", "--no-annotate", "--only-binary", ":all:"]
    words += ["--python-version", python, "--python-platform", "x86_64-manylinux_2_35", "--output-file", str(out)]
    done = subprocess.run(
        [uv, *words, requirements.name], cwd=requirements.parent, env=_ENV, capture_output=True, text=True, check=False
    )
    if done.returncode and "Failed to " in done.stderr and _INDEX.search(text := requirements.read_text()):
        plain = requirements.with_name("without-its-indexes.txt")
        plain.write_text(_INDEX.sub("", text))
        return {**compiled(plain, python, family, work), "without": "without its index lines"}
    if done.returncode:
        return {"resolves": False, "why": " ".join(done.stderr.split())[:400]}
    pins = [line.strip() for line in out.read_text().splitlines() if line.strip() and not line.startswith(("#", "-"))]
    folder = work / f"pinned-{python}"
    (folder / "pinned").mkdir(parents=True, exist_ok=True)
    pinned = [pin.partition(" ")[0] for pin in pins if "://" not in pin]
    stack = {"summary": "pinned", "family": family, "packages": pinned}
    (folder / "pinned" / "stack.yaml").write_text(yaml.safe_dump(stack))
    said = subprocess.run(
        [sys.executable, "-m", "builder", "--json", "--stacks", str(folder), "check", "pinned"],
        cwd=HERE.parent, env=_ENV, capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        found = json.loads(said.stdout)["stacks"]["pinned"]
    except (KeyError, ValueError):
        return {"resolves": True, "packages": len(pins), "traps": [], "check": said.stdout[-300:]}
    traps = sorted({f"{one['rule']} ({one['about']})" for one in found if one["level"] == "error"})
    return {"resolves": True, "packages": len(pins), "traps": traps}


def dockerfile(program: str, clone: Path) -> dict[str, Any]:
    """What repo2docker would build: its base, its Python, and what it installs of the repository."""
    words = [program, "--no-build", "--debug", "--user-id", "1000", "--user-name", "me", str(clone)]
    done = subprocess.run(words, env=_ENV, capture_output=True, text=True, check=False, timeout=120)
    said = done.stdout + done.stderr
    base, python = re.search(r"(?m)^FROM (\S+)", said), re.search(r"(?:python=|environment\.py-)(3\.\d+)", said)
    installs = re.findall(r"pip install --no-cache-dir (-r \S+|\S+)|(env update)", said)
    return {
        "base": base[1] if base else "",
        "python": python[1] if python else "",
        "installs": sorted({one or two for one, two in installs}),
        "failed": "" if base else " ".join(said.split())[-200:],
    }


def run(words: list[Any], cwd: Path = HERE.parent) -> subprocess.CompletedProcess[str]:
    """Run, or end with what it said."""
    done = subprocess.run([str(word) for word in words], cwd=cwd, env=_ENV, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{words}: {done.stderr[-2000:]}{done.stdout[-1000:]}")
    return done


def table(found: list[dict[str, Any]], repo2docker: str) -> str:
    """The rows for docs/new.md."""
    programs = [
        [str(Path(sys.executable).parent / "uv"), "--version"],
        *([[repo2docker, "--version"]] if repo2docker else []),
    ]
    told = [subprocess.run(one, capture_output=True, text=True, check=False).stdout for one in programs]
    versions = [one.split(" (")[0].strip() for one in told]
    versions[1:] = [f"jupyter-repo2docker {one}" for one in versions[1:]]
    lines = [
        f"Measured {datetime.date.today()} by `bench/repositories.py`: {', '.join(versions)}.",
        "",
        "| repository | commit | family | `lock` | `uv pip compile` | traps in its result "
        "| repo2docker: what it would install (no image built: its base could not be reached) |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in found:
        edits = f"{one['edits']} edit{'s' * (one['edits'] != 1)}" if one["edits"] else "no edit"
        lock_said = f"no, after {edits}: {one['lock'][0].partition(' | ')[0][:120]}" if one["lock"] else edits
        uv, docker = one.get("uv", {}), one.get("repo2docker", {})
        cells = [one["repository"], f"`{one['commit']}`", one["family"], lock_said]
        cells += [_uv(uv), ", ".join(uv.get("traps", ())) or "-"]
        other = docker.get("uv", uv)
        installs = ", ".join(docker.get("installs", ())) or "nothing of it"
        installs = installs.replace('-r "requirements.txt"', "its list").replace(", .", ", itself")
        chosen = f"Python {docker['python']}" if docker.get("python") else f"on {docker.get('base', '')[:40]}"
        cells.append(f"{chosen}, {installs}: {_uv(other)}" if docker else "-")
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join(lines)


def _uv(said: dict[str, Any]) -> str:
    if not said:
        return "takes no such file"
    text = f"{said['packages']} packages" if said["resolves"] else f"no: {short(said['why'])}"
    return f"{said['without']}: {text}" if said.get("without") else text


def short(why: str) -> str:
    """What uv says, in some words: the package without a wheel, the versions that clash, or the host."""
    if host := re.search(r"(?:Failed to (?:fetch|read)[^:]*: `?https://)([^/`]+)", why):
        return f"no way to {host[1]}"
    if wheel := re.search(r"Because (?:only )?([^ {]+)[^,]*? has no usable wheels", why):
        return f"{wheel[1]} has no wheel"
    return (why.partition("Because ")[2] or why)[:110]


if __name__ == "__main__":
    if not shutil.which("git"):
        raise SystemExit("git is needed")
    main()
