"""What a verb costs where there is nothing to do, in this checkout and in another one, in turn.

    python bench/startup.py [OTHER] [--rounds N] [--stack NAME] [--json]

Runs `make list`, `modelstacks --help` and `make stack`. Before each run that is measured stands one that is not: both
checkouts give their image one name, which the other's run has taken, and the first run of all builds it.
Byte code is compiled on both sides first, as `make` does when it makes .venv. Shown are medians of seconds on the
clock and of seconds of processor time, children's included; on a machine that does other work the second is the one
to go by.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent


def seconds(words: list[str], checkout: Path) -> tuple[float, float]:
    """On the clock, and of processor time. Raises CalledProcessError where the command fails."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MAKE") and key != "MFLAGS"}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(words, cwd=checkout, env=kept, check=True, capture_output=True)
    took, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, nargs="?", default=HERE, help="default: this one again")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--stack", default="onnx-cpu")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    commands = {
        "make list": ["make", "list"],
        "--help": [".venv/bin/python", "-m", "builder", "--help"],
        "make stack": ["make", "stack", f"STACK={options.stack}", "GPU=none"],
    }
    other_one = options.other.resolve()
    for checkout in (other_one, HERE):
        subprocess.run([".venv/bin/python", "-m", "compileall", "-q", "builder"], cwd=checkout, check=True)
    found: dict[str, dict[str, float]] = {}
    for name, words in commands.items():
        runs: list[tuple[Path, list[tuple[float, float]]]] = [(other_one, []), (HERE, [])]
        for _ in range(options.rounds):
            for checkout, taken in runs:
                seconds(words, checkout)
                taken.append(seconds(words, checkout))
        medians = [[statistics.median(column) for column in zip(*taken, strict=True)] for _, taken in runs]
        (other, other_cpu), (ours, ours_cpu) = medians
        found[name] = {
            "other": other,
            "here": ours,
            "times": other / ours,
            "other_cpu": other_cpu,
            "here_cpu": ours_cpu,
            "times_cpu": other_cpu / ours_cpu,
        }
    if options.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{'':12}{'other':>9}{'here':>9}{'times':>7}{'other cpu':>11}{'here cpu':>10}{'times':>7}")
    for name, one in found.items():
        clock = f"{one['other']:9.3f}{one['here']:9.3f}{one['times']:7.2f}"
        print(f"{name:12}{clock}{one['other_cpu']:11.3f}{one['here_cpu']:10.3f}{one['times_cpu']:7.2f}")


if __name__ == "__main__":
    main()
