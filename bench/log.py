"""Recognising known failures: how quick on a build's log and on the test logs, and how right.

    python bench/log.py [--megabytes N] [--json]

The figures of speed are of the processor's time of one process. Precision and recall are over tests/doctor/logs.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from pathlib import Path

import yaml

from builder.failures import recognise_file, recognise_stream

LOGS = Path(__file__).resolve().parent.parent / "tests" / "doctor" / "logs"


def speed(text: bytes, size: int) -> float:
    """MB/s of reading a log of this many bytes, made of a text again and again."""
    log = io.BytesIO(text * (size // len(text) + 1))
    started = time.process_time()
    recognise_stream(log)
    return round(len(log.getvalue()) / (time.process_time() - started) / 1e6, 1)


def right(expected: dict[str, list[str]]) -> dict[str, float]:
    """Precision and recall over all test logs."""
    found = {name: {one.failure.id for one in recognise_file(LOGS / f"{name}.log").matches} for name in expected}
    true = sum(len(found[name] & set(ids)) for name, ids in expected.items())
    seen, there = sum(map(len, found.values())), sum(map(len, expected.values()))
    return {"logs": len(expected), "precision": round(true / seen, 4), "recall": round(true / there, 4)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=32)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    kinds = yaml.safe_load((LOGS / "expected.yaml").read_text())
    expected = {**kinds["measured"], **kinds["written"]}
    green = b"".join((LOGS / f"{name}.log").read_bytes() for name, ids in sorted(expected.items()) if not ids)
    every = b"".join((LOGS / f"{name}.log").read_bytes() for name in sorted(expected))
    figures = {
        "MB/s, logs without a failure": speed(green, options.megabytes * 1_000_000),
        "MB/s, all test logs": speed(every, options.megabytes * 1_000_000),
        **right(expected),
    }
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        print(", ".join(f"{name}: {value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
