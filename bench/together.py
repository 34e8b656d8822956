"""Three stacks by `stack --at-once N`: together against one after the other, in turn, from no lock to smoke-tested.

    python bench/together.py [--rounds N] [--at-once 1 2 3] [--out bench/results/together.json]

Each run resolves, fetches, builds and tests three small stacks of real wheels. Each holds a small package in a release
that no run before had beside it, so no wheel layer of theirs is in the engine's cache; the base, and wheels that do not
change, are there. The median of seconds on the clock is shown, the ratio to one at a time within each round, and the
load of the machine when each run began: what else it does counts in every figure.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
MODELS = {
    "infer": ["onnxruntime==1.20.1", "numpy==1.26.4", "pillow==11.3.0"],
    "vision": ["opencv-python-headless==4.9.0.80", "numpy==1.26.4", "scipy==1.11.4"],
    "serve": ["fastapi==0.115.0", "uvicorn==0.30.6", "pydantic==2.9.2", "numpy==1.26.4", "jinja2==3.1.6"],
}
# Releases of small pure packages: one of each makes a set of wheels that no cache holds.
MARKS = {
    "tzdata": ["2023.3", "2023.4", "2024.1", "2024.2", "2025.1", "2025.2"],
    "tomli": ["2.0.0", "2.0.1", "2.0.2", "2.1.0", "2.2.1"],
    "wrapt": ["1.16.0", "1.17.0", "1.17.2", "1.17.3"],
    "toolz": ["0.11.2", "0.12.0", "0.12.1", "1.0.0"],
    "iniconfig": ["1.1.1", "2.0.0", "2.1.0"],
}


def marks(seen: set[tuple[str, ...]]) -> list[str]:
    """Requirements that no run of this bench had yet; seen is added to."""
    while (found := tuple(f"{name}=={secrets.choice(releases)}" for name, releases in MARKS.items())) in seen:
        pass
    seen.add(found)
    return list(found)


def folder(place: Path, beside: list[str]) -> None:
    """Write the three stacks."""
    (place / "families").mkdir(parents=True)
    (place / "families" / "plain.yaml").write_text((HERE / "stacks/families/debian12-py311.yaml").read_text())
    for name, packages in MODELS.items():
        (place / name).mkdir()
        lines = [f"summary: {name}", "family: plain", f"packages: {json.dumps(packages + beside)}", "smoke: [python]"]
        (place / name / "stack.yaml").write_text("\n".join(lines) + "\n")


def run(work: Path, beside: list[str], home: Path, prefix: str, at_once: int) -> dict[str, Any]:
    """Make the three; gives seconds on the clock, what each took, and the load when it began."""
    place = work / uuid.uuid4().hex
    folder(place, beside)
    words = ["--json", "--stacks", str(place), "stack", *MODELS, "--gpu", "none", "--at-once", str(at_once)]
    variables = {"MODELSTACKS_HOME": str(home), "MODELSTACKS_IMAGE_PREFIX": prefix}
    load, started = os.getloadavg()[0], time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "builder", *words],
        cwd=HERE,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    seconds = round(time.monotonic() - started, 2)
    each = {row["stack"]: row["seconds"] | {"all": row["wall"]} for row in json.loads(done.stdout)["stacks"]}
    return {"seconds": seconds, "load": round(load, 1), "each": each}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rounds: list[dict[str, Any]] = []
    seen: set[tuple[str, ...]] = set()
    prefix = f"modelstacks-bench/{uuid.uuid4().hex[:8]}"
    with tempfile.TemporaryDirectory(prefix="bench-together-") as work:
        home = Path(work) / "home"
        home.mkdir()
        for shared in ("wheels", "assets"):
            (home / shared).symlink_to(HERE / shared)
        ways = list(options.at_once)
        try:
            for number in range(-1, options.rounds):  # the first brings base and wheels, and is not counted
                taken = {}
                for way in ways if number >= 0 else ways[-1:]:
                    taken[str(way)] = run(Path(work), marks(seen), home, prefix, way)
                    print(number, way, json.dumps(taken[str(way)]), file=sys.stderr, flush=True)
                if number >= 0:
                    rounds.append(taken)
                ways = ways[1:] + ways[:1]  # each way is first, second and last in turn
        finally:
            words = ["docker", "image", "ls", "--quiet", "--filter", f"reference={prefix}/*"]
            images = set(subprocess.run(words, capture_output=True, text=True, check=True).stdout.split())
            subprocess.run(["docker", "image", "rm", "--force", *images], capture_output=True, check=False)
    result: dict[str, Any] = {"cores": os.cpu_count(), "stacks": MODELS, "rounds": rounds, "at once": {}}
    for way in map(str, options.at_once):
        median = round(statistics.median(one[way]["seconds"] for one in rounds), 1)
        ratio = round(statistics.median(one[way]["seconds"] / one["1"]["seconds"] for one in rounds), 3)
        load = round(statistics.median(one[way]["load"] for one in rounds), 1)
        result["at once"][way] = {"median seconds": median, "ratio": ratio, "load": load}
        print(f"{way} at once: {median} s, {ratio} of one after the other; load {load}")
    if options.out:
        options.out.parent.mkdir(exist_ok=True)
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
