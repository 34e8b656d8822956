"""How `list` and `check all` grow with the number of stacks: 12, 50 and 500 of them, their locks fresh, in turn.

    python bench/many.py [--rounds N] [--json]

The folders are copies of shipped stacks, each lock made its own. A cold run has an empty cache, a warm one finds what
the run before it kept. Shown are medians of processor time, children's included, and of seconds on the clock, and each
as a multiple of that of 12 and of 50; on a machine that does other work processor time is the one to go by.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from startup import HERE, seconds

from builder.lock import inputs_digest
from builder.settings import load
from builder.spec import Stacks, built

COUNTS = (12, 50, 500)
MODELS = ("onnx-cpu", "ort-cudnn9", "gsplat", "torch-cu13", "ort-cu13")
VERBS = ("list", "check")


def folder(place: Path, count: int) -> Path:
    """A folder of so many stacks with fresh locks."""
    shipped = HERE / "stacks"
    shutil.copytree(shipped / "families", place / "families")
    names = [f"stack{number:03}" for number in range(count)]
    for number, name in enumerate(names):
        model = MODELS[number % len(MODELS)]
        shutil.copytree(shipped / model, place / name)
        lock = place / name / "stack.lock"
        lock.write_text(lock.read_text().replace(f'stack = "{model}"', f'stack = "{name}"', 1))
    stacks = Stacks(load(stacks=(place,)))
    for name in names:
        lock, inputs = place / name / "stack.lock", inputs_digest(built(stacks.load(name)))
        lock.write_text(re.sub(r'(?m)^inputs = ".*"$', f'inputs = "{inputs}"', lock.read_text(), count=1))
    return place


def fresh(place: Path, count: int) -> None:
    """Raise SystemExit where a lock of ours is not fresh: stale ones are told sooner, and would flatter."""
    words = [sys.executable, "-m", "builder", "--json", "--stacks", str(place), "list"]
    rows = json.loads(subprocess.run(words, cwd=HERE, check=True, capture_output=True, text=True).stdout)["stacks"]
    found = sum(row["lock"] == "fresh" for row in rows if row["name"].startswith("stack"))
    if found != count:
        raise SystemExit(f"{found} of {count} locks are fresh")


def measured(rounds: int) -> dict[str, dict[int, tuple[float, float]]]:
    """By verb and cache: of each count, the medians of processor time and of seconds on the clock."""
    runs: dict[tuple[str, str], dict[int, list[tuple[float, float]]]] = {}
    with tempfile.TemporaryDirectory() as work:
        places = {count: folder(Path(work) / str(count), count) for count in COUNTS}
        for count, place in places.items():
            fresh(place, count)
        for _ in range(rounds):
            for verb in VERBS:
                for count, place in places.items():
                    cache = Path(work) / "cache"
                    shutil.rmtree(cache, ignore_errors=True)
                    os.environ["MODELSTACKS_CACHE"] = str(cache)
                    command = [sys.executable, "-m", "builder", "--stacks", str(place), verb]
                    for state in ("cold", "warm"):
                        wall, cpu = seconds(command, HERE)
                        runs.setdefault((verb, state), {}).setdefault(count, []).append((cpu, wall))
    return {
        f"{verb}, {state}": {
            count: (statistics.median(one[0] for one in taken), statistics.median(one[1] for one in taken))
            for count, taken in by_count.items()
        }
        for (verb, state), by_count in runs.items()
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measured(options.rounds)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{'':14}{''.join(f'{count:>8} stacks' for count in COUNTS)}   500 : 12   500 : 50   (processor time)")
    for what, by_count in found.items():
        cpu = {count: pair[0] for count, pair in by_count.items()}
        wall = {count: pair[1] for count, pair in by_count.items()}
        for name, row in (("", cpu), ("  clock", wall)):
            cells = "".join(f"{row[count]:13.2f} s" for count in COUNTS)
            print(f"{name or what:14}{cells}{row[500] / row[12]:11.1f}{row[500] / row[50]:11.1f}")


if __name__ == "__main__":
    main()
