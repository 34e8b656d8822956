"""Fetching a stack's Python files: `pip download` of the same lock against ours, in turn, in fresh folders.

    python bench/fetch.py [STACK] [--rounds N] [--json]

Both use the default index, hash every file, and end with the same files; pip runs without its cache.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from builder import settings as site
from builder.fetch import fetch
from builder.lock import store
from builder.lock.model import StackLock
from builder.net.index import default_index
from builder.net.tls import ca_bundle
from builder.settings import Settings
from builder.ui import Ui


def pip_seconds(lock: StackLock, settings: Settings, folder: Path) -> float:
    """Seconds of `pip download --require-hashes` of the lock's wheels into folder."""
    requirements = folder / "requirements.txt"
    lines = [f"{item.project}=={item.version} --hash=sha256:{item.sha256}" for item in lock.wheels]
    requirements.write_text("\n".join(lines) + "\n")
    glibc = int(lock.platform.rsplit("_", 1)[1])
    platforms = [f"manylinux_2_{minor}_x86_64" for minor in range(glibc, 4, -1)]
    platforms += ["manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"]
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-cache-dir", "download"]
    command += ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--progress-bar", "off"]
    command += ["--python-version", lock.python, *(f"--platform={name}" for name in platforms)]
    command += ["--dest", str(folder / "wheels"), "--requirement", str(requirements)]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")} | {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": default_index(settings),
        "PIP_CERT": str(ca_bundle(settings)),
    }
    started = time.monotonic()
    subprocess.run(command, env=environment, check=True)
    return time.monotonic() - started


def our_seconds(lock: StackLock, settings: Settings, folder: Path) -> float:
    """Seconds of our fetch of the lock's wheels into folder."""
    started = time.monotonic()
    fetch(lock.wheels, lock.indexes, replace(settings, home=folder), Ui())
    return time.monotonic() - started


def measure(lock: StackLock, settings: Settings) -> dict[str, float]:
    """One round of both; the files of each are removed before the next starts."""
    seconds = {}
    names = set()
    for who, run in (("pip", pip_seconds), ("fetch", our_seconds)):
        with tempfile.TemporaryDirectory(prefix="bench-fetch-") as folder:
            seconds[who] = round(run(lock, settings, Path(folder)), 2)
            names.add(tuple(sorted(path.name for path in Path(folder, "wheels").iterdir() if path.is_file())))
            os.sync()  # what one wrote must not slow down the other
    if len(names) != 1:
        raise SystemExit(f"the two did not bring the same files: {names}")
    return {**seconds, "ratio": round(seconds["pip"] / seconds["fetch"], 2)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stack", nargs="?", default="ort-cudnn9")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    settings = site.load()
    folders = [folder / options.stack for folder in settings.stacks if (folder / options.stack).is_dir()]
    if not folders:
        raise SystemExit(f"there is no stack {options.stack}")
    lock = store.read(folders[-1])
    rounds = [measure(lock, settings) for _ in range(options.rounds)]
    size = sum(item.size for item in lock.wheels)
    if options.json:
        document = {"stack": options.stack, "files": len(lock.wheels), "bytes": size, "rounds": rounds}
        print(json.dumps(document, indent=2, sort_keys=True))
        return
    for one in rounds:
        print(f"pip download {one['pip']} s, fetch {one['fetch']} s: {one['ratio']} times as fast ({size} bytes)")


if __name__ == "__main__":
    main()
