"""Images from a wheelhouse, ours against Dockerfiles as they are written today, in turn, nothing cached.

    python bench/images.py [STACK] [--store overlay2|containerd] [--rounds N] [--only NAME,NAME] [--out DIR] [--json]

Each measurement has an engine of its own (dockerd, root), begun for it and ended after it, which holds nothing but the
base; so its processor time can be told from that of others. All files are fetched, and read once before. The work is
the same: every wheel of the lock installed to a virtual environment on the same base, byte code made, the image in the
engine's store, without a network. What an alternative does not do (hashes, one date for every file) is to its gain.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pip

from builder import settings as site
from builder.build import base, build
from builder.engine.client import Engine
from builder.fetch import fetch
from builder.files import same_file
from builder.lock.existing import readable
from builder.lock.model import StackLock
from builder.render.base import base_tag
from builder.render.folders import uv_program
from builder.settings import Settings
from builder.spec import Stacks
from builder.spec.model import Stack
from builder.ui import Ui

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.private_engine import PrivateEngine, Store, private_engine

_BEGIN = """FROM {base}
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_NO_CACHE=1 UV_OFFLINE=1
"""
_BIND = "".join(f"--mount=type=bind,source={name},target=/mnt/{name} " for name in ("uv", "pip", "wheels"))
_COPY = "".join(f"COPY {name} /mnt/{name}\n" for name in ("uv", "pip", "wheels"))
_VENV = "/mnt/uv/uv venv /opt/venv && "
_WHAT = "--no-index --no-deps --find-links /mnt/wheels --requirement /mnt/wheels/requirements.txt\n"
_UV = f"{_VENV}/mnt/uv/uv pip install --python /opt/venv/bin/python {_WHAT}"
_PIP = f"{_VENV}PYTHONPATH=/mnt/pip /opt/venv/bin/python -m pip install --quiet --no-cache-dir {_WHAT}"
DOCKERFILES = {
    "uv-bind": f"{_BEGIN}RUN {_BIND}{_UV}",
    "uv-copy": f"{_BEGIN}{_COPY}RUN {_UV}",
    "pip-bind": f"{_BEGIN}RUN {_BIND}{_PIP}",
    "pip-copy": f"{_BEGIN}{_COPY}RUN {_PIP}",
}
RESULTS = Path(__file__).resolve().parent / "results"
BUSY = 0.5  # other work on a processor, as its load says, from which on a machine is called loaded


@dataclass(frozen=True)
class Ground:
    """What is measured. wheels: a folder of links to the wheels, with requirements.txt and uv beside it."""

    stack: Stack
    lock: StackLock
    settings: Settings
    context: Path


def processor(pid: int) -> float:
    """Seconds of the processor that a process and its children took, those that ended too."""
    total = 0.0
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = place.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if pid in (int(place.parent.name), int(fields[1])):
            total += sum(int(one) for one in fields[11:15]) / os.sysconf("SC_CLK_TCK")
    return total


def ours(ground: Ground, engine: Engine) -> None:
    """Our build, every layer made anew."""
    build(ground.stack, ground.lock, ground.settings, engine, Ui(), tag="bench:1")


def ours_known(ground: Ground, engine: Engine) -> None:
    """Our build where the layers were made before, on an engine that has none of them."""
    build(ground.stack, ground.lock, ground.settings, engine, Ui(), tag="bench:1")


def dockerfile(name: str) -> Callable[[Ground, Engine], None]:
    """The build of an alternative's Dockerfile."""

    def run(ground: Ground, engine: Engine) -> None:
        text = DOCKERFILES[name].format(base=base_tag(ground.lock.base))
        (ground.context / "Dockerfile").write_text(text)
        words = ["buildx", "build", "--network=none", "--provenance=false", "--tag", "bench:1", str(ground.context)]
        engine.run(words)

    return run


def unzip(ground: Ground, _engine: Engine) -> None:
    """The wheels unpacked by two processes of unzip, the largest first; nothing else is done."""
    wheels = sorted((ground.context / "wheels").glob("*.whl"), key=lambda path: -path.stat().st_size)
    with tempfile.TemporaryDirectory(prefix="bench-images-", dir=ground.context.parent) as folder:
        words = ["xargs", "-P2", "-n1", "unzip", "-q", "-o", "-d", folder]
        subprocess.run(words, input="\n".join(map(str, wheels)), text=True, check=True)


WAYS: dict[str, Callable[[Ground, Engine], None]] = {
    "ours": ours,
    "ours-known": ours_known,
    **{name: dockerfile(name) for name in DOCKERFILES},
    "unzip": unzip,
}


@contextmanager
def prepared(name: str) -> Iterator[Ground]:
    """Everything fetched and read once; a home of its own for what is kept and built."""
    settings = site.load()
    stack = Stacks(settings).load(name)
    lock = readable(stack.folder)
    if not isinstance(stack, Stack) or lock is None:
        raise SystemExit(f"{name} is no stack with a lock")
    fetch(lock.artifacts(), lock.indexes, settings, Ui())
    base.archive(lock.base, settings, Ui())
    with tempfile.TemporaryDirectory(prefix=".bench-images-", dir=settings.build) as folder:
        context = Path(folder) / "context"
        for item in lock.wheels:
            same_file(settings.home / item.folder / item.filename, context / "wheels" / item.filename)
        lines = (f"{item.project}=={item.version} --hash=sha256:{item.sha256}\n" for item in lock.wheels)
        (context / "wheels" / "requirements.txt").write_text("".join(lines))
        same_file(uv_program(lock, settings) / "uv", context / "uv" / "uv")
        shutil.copytree(Path(pip.__file__).parent, context / "pip" / "pip")
        for path in (context / "wheels").iterdir():
            path.read_bytes()
        yield Ground(stack, lock, settings, context)


def measured(name: str, ground: Ground, store: Store) -> dict[str, float]:
    """One build on an engine that holds the base alone: seconds, and those of the processor, ours and the engine's."""
    kept = ground.settings.home / "wheels" / ".layers"
    if name != "ours-known":
        for path in kept.glob("*.json"):
            path.unlink()
    with private_engine(store, ground.context.parent) as private:
        engine = Engine.connect(private.host)
        try:
            base.ensure(ground.lock.base, ground.settings, engine, Ui())
            os.sync()
            return {**_timed(WAYS[name], ground, engine, private), "size": _size(engine)}
        finally:
            engine.close()


def _timed(
    way: Callable[[Ground, Engine], None], ground: Ground, engine: Engine, private: PrivateEngine
) -> dict[str, float]:
    before, by_engine, started = os.times(), processor(private.pid), time.monotonic()
    way(ground, engine)
    seconds, after = time.monotonic() - started, os.times()
    own = sum(after[:4]) - sum(before[:4])
    took = {"seconds": seconds, "own": own, "engine": processor(private.pid) - by_engine, "load": os.getloadavg()[0]}
    return {key: round(value, 2) for key, value in took.items()}


def _size(engine: Engine) -> int:
    made = engine.image("bench:1")
    return made.size if made else 0


def table(rounds: dict[str, list[dict[str, float]]]) -> dict[str, dict[str, Any]]:
    """The medians and spread of each way, and its ratio to uv-bind in the same rounds."""
    found: dict[str, dict[str, Any]] = {}
    for name, rows in rounds.items():
        times = [row["seconds"] for row in rows]
        found[name] = {
            "seconds": round(statistics.median(times), 1),
            "spread": [min(times), max(times)],
            "processor": round(statistics.median(row["own"] + row["engine"] for row in rows), 1),
            "size": max(row["size"] for row in rows),
        }
        if against := rounds.get("uv-bind"):
            pairs = list(zip(rows, against, strict=False))
            found[name]["ratio"] = round(
                statistics.median(one["seconds"] / other["seconds"] for one, other in pairs), 2
            )
            found[name]["processor-ratio"] = round(
                statistics.median((a["own"] + a["engine"]) / (b["own"] + b["engine"]) for a, b in pairs), 2
            )
    return found


def compared(stack: str, store: Store, names: list[str], count: int) -> dict[str, Any]:
    """The document of so many rounds of these ways, in turn."""
    load = os.getloadavg()[0]
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    with prepared(stack) as ground:
        for _ in range(count):
            for name in names:
                rounds[name].append(measured(name, ground, store))
                print(f"{store} {name}: {rounds[name][-1]}", file=sys.stderr)
        wheels = ground.lock.wheels
    return {
        "what": "images from a wheelhouse, nothing cached",
        "when": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "stack": stack,
        "store": store,
        "wheels": len(wheels),
        "bytes": sum(item.size for item in wheels),
        "processors": os.cpu_count(),
        "load before": round(load, 2),
        "loaded": load / (os.cpu_count() or 1) > BUSY,
        "rounds": rounds,
        "medians": table(rounds),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stack", nargs="?", default="onnx-cpu")
    parser.add_argument("--store", choices=["overlay2", "containerd"], action="append")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", default=",".join(WAYS), help="some of the ways, in this order")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the folder of the JSON files")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if os.geteuid() != 0 or not shutil.which("dockerd", path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
        print("images are not measured: an engine of its own for each needs root and dockerd")
        return
    for store in options.store or ["overlay2", "containerd"]:
        found = compared(options.stack, store, options.only.split(","), options.rounds)
        text = json.dumps(found, indent=1)
        (options.out / f"images-{options.stack}-{store}.json").write_text(f"{text}\n")
        if options.json:
            print(text)
            continue
        load = found["load before"]
        state = (
            f"LOADED by other work ({load}): take the ratios, not the seconds" if found["loaded"] else f"quiet ({load})"
        )
        print(f"{options.stack}, {store}, {options.rounds} rounds; the machine was {state}")
        for name, row in found["medians"].items():
            low, high = row["spread"]
            ratio = f", {row['ratio']} x uv-bind" if "ratio" in row else ""
            print(f"  {name:10} {row['seconds']:6} s ({low} to {high}), processor {row['processor']} s{ratio}")


if __name__ == "__main__":
    main()
