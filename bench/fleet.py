"""Files of locks from a registry of one's own, against the same fetch without it; and what a fleet moves and keeps.

    python bench/fleet.py [STACK] [--rounds N] [--stacks 500] [--builders 50] [--json]

The stack's files are shared into a real registry on loopback (Debian's docker-registry, http), then fetched to fresh
homes: from there, and from where they come without it. Figures of many stacks are those of the shipped locks, scaled.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from builder import settings as site
from builder.errors import ModelstacksError
from builder.fetch import fetch
from builder.lock.existing import readable
from builder.lock.model import Artifact, StackLock
from builder.publish.files import share
from builder.registry.descriptor import address
from builder.settings import Settings
from builder.spec import Stacks
from builder.spec.model import Stack
from builder.ui import Ui

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.registry import registry


def seconds(lock: StackLock, settings: Settings, folder: Path) -> float:
    """Of a fetch of all files of a lock into a fresh home."""
    started = time.monotonic()
    fetch(lock.artifacts(), lock.indexes, replace(settings, home=folder), Ui())
    return time.monotonic() - started


def measure(name: str, lock: StackLock, settings: Settings, rounds: int) -> dict[str, Any]:
    """The times, and what went over the wire."""
    with tempfile.TemporaryDirectory(prefix="bench-fleet-") as top, registry(Path(top)) as place:
        where = f"{place}/files"
        first = share(name, lock, address(where), settings, Ui())
        again = share(name, lock, address(where), settings, Ui())
        taken: dict[str, list[float]] = {"registry": [], "index": []}
        for _ in range(rounds):
            for who, files in (("registry", where), ("index", "")):
                with tempfile.TemporaryDirectory(prefix="bench-fleet-home-") as home:
                    taken[who].append(seconds(lock, replace(settings, files=files), Path(home)))
        stored = sum(path.stat().st_size for path in Path(top, "data").rglob("data"))
    middle = {who: statistics.median(values) for who, values in taken.items()}
    return {
        "stack": name,
        "bytes": first.bytes,
        "files": first.files,
        "stored": stored,
        "share": {"seconds": round(first.seconds, 2), "sent": first.sent},
        "share again": {"seconds": round(again.seconds, 2), "sent": again.sent},
        "fetch": {who: round(value, 2) for who, value in middle.items()},
        "ratio": round(middle["index"] / middle["registry"], 2),
    }


def shipped(stacks: Stacks) -> dict[str, Any]:
    """What the locks of the shipped stacks name: bytes of each, and of all when each file counts once."""
    each: dict[str, int] = {}
    every: dict[str, Artifact] = {}
    for one in stacks.named(["all"]):
        try:
            lock = readable(one.folder) if isinstance(one, Stack) else None
        except ModelstacksError:
            continue
        if lock is None:
            continue
        files = {item.sha256: item for item in lock.carried() if not item.pending}
        each[one.name] = sum(item.size for item in files.values())
        every |= files
    total, once = sum(each.values()), sum(item.size for item in every.values())
    return {"stacks": len(each), "each": each, "total": total, "once": once, "shared": round(total / once, 2)}


def fleet(known: dict[str, Any], stacks: int, builders: int) -> dict[str, int]:
    """The bytes of that many stacks, linear in the shipped ones: an upper bound, as more stacks share more.

    A builder that keeps its files builds every stack in the end; one that keeps nothing fetches for each build.
    """
    once, each = known["once"] / known["stacks"] * stacks, known["total"] / known["stacks"] * stacks
    return {
        "stored in the registry": round(once),
        "from the internet with it": round(once),
        "from the internet without it, builders that keep their files": round(once * builders),
        "from the registry, builders that keep their files": round(once * builders),
        "from either, all stacks built once by builders that keep nothing": round(each),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stack", nargs="?", default="onnx-cpu")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--stacks", type=int, default=500)
    parser.add_argument("--builders", type=int, default=50)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    settings = site.load()
    stacks = Stacks(settings)
    lock = readable(stacks.load(options.stack).folder)
    if lock is None:
        raise SystemExit(f"{options.stack} has no lock")
    fetch(lock.artifacts(), lock.indexes, settings, Ui())
    known = shipped(stacks)
    found = measure(options.stack, lock, settings, options.rounds)
    scaled = fleet(known, options.stacks, options.builders)
    if options.json:
        print(json.dumps({"one": found, "shipped": known, "fleet": scaled}, indent=1))
        return
    one, once, again = found["fetch"], found["share"], found["share again"]
    print(f"{found['stack']}: {found['files']} files, {_mb(found['bytes'])}; the registry keeps {_mb(found['stored'])}")
    print(f"share: {once['seconds']} s, {_mb(once['sent'])}; again: {again['seconds']} s, {_mb(again['sent'])}")
    print(f"fetch: {one['registry']} s from the registry, {one['index']} s without: {found['ratio']}")
    print(f"{known['stacks']} locks: {_mb(known['total'])}, each file once {_mb(known['once'])}: {known['shared']}")
    for what, count in scaled.items():
        print(f"{options.stacks} stacks, {options.builders} builders: {what}: {count / 1e12:.2f} TB")


def _mb(count: float) -> str:
    return f"{count / 1e6:.0f} MB"


if __name__ == "__main__":
    main()
