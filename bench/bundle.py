"""Export and import of a stack against `cp -r` of the same bytes plus `sha256sum` of them, in turn, in fresh folders.

    python bench/bundle.py [STACK] [--rounds N] [--json] [--folder DIR]

All start from the same fetched files, in the page cache, and end with their bytes synced to the disk.
`sha256sum` is coreutils', which does not use the processor's SHA instructions everywhere; the last column
leaves it out and counts the hashing of one pass by Python's hashlib (OpenSSL) instead, the stricter measure.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from builder import settings as site
from builder.bundle import export, import_
from builder.fetch import fetch
from builder.files import same_file, sha256_of
from builder.lock import read
from builder.lock.model import Artifact
from builder.settings import Settings
from builder.spec import load, stack_folder
from builder.ui import Ui


def seconds(work: Callable[[], object], folder: Path) -> float:
    """Seconds of the work and of bringing what it wrote to the disk."""
    started = time.monotonic()
    work()
    subprocess.run(["sync", "--file-system", str(folder)], check=True)
    return time.monotonic() - started


def hash_all(files: list[Path]) -> None:
    """One pass of hashlib over the files."""
    for path in files:
        sha256_of(path)


def measure(stack: str, artifacts: tuple[Artifact, ...], settings: Settings, parent: Path | None) -> dict[str, float]:
    """Seconds of each way, and the ratios of export and import to the copies."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=parent) as name:
        folder = Path(name)
        source = folder / "source"
        for item in artifacts:
            same_file(settings.home / item.folder / item.filename, source / item.filename)
        there = replace(settings, home=folder / "there", stacks=(folder / "there" / "stacks",))
        there.stacks[0].mkdir(parents=True)
        bundle = folder / f"{stack}.bundle.tar"
        files = sorted(source.iterdir())
        hash_all(files)
        subprocess.run(["sync"], check=True)
        found = {
            "cp": seconds(lambda: subprocess.run(["cp", "-r", source, folder / "copy"], check=True), folder),
            "sha256sum": seconds(
                lambda: subprocess.run(["sha256sum", *files], check=True, stdout=subprocess.DEVNULL), folder
            ),
            "hashlib": seconds(lambda: hash_all(files), folder),
            "export": seconds(lambda: export([load(stack, settings)], bundle, settings, Ui()), folder),
            "import": seconds(lambda: import_(bundle, there, Ui()), folder),
        }
    for verb in ("export", "import"):
        found[f"{verb}_ratio"] = found[verb] / (found["cp"] + found["sha256sum"])
        found[f"{verb}_strict_ratio"] = found[verb] / (found["cp"] + found["hashlib"])
    return {key: round(value, 2) for key, value in found.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stack", nargs="?", default="ort-cudnn9")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where the copies go, default the temporary folder")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    settings = site.load()
    lock = read(stack_folder(options.stack, settings))
    fetch(lock.artifacts(), lock.indexes, settings, Ui())
    size = sum(item.size for item in lock.artifacts())
    rounds = [measure(options.stack, lock.artifacts(), settings, options.folder) for _ in range(options.rounds)]
    if options.json:
        print(json.dumps({"stack": options.stack, "bytes": size, "rounds": rounds}, indent=2, sort_keys=True))
        return
    for one in rounds:
        print(f"{size} bytes: cp {one['cp']} s, sha256sum {one['sha256sum']} s, hashlib {one['hashlib']} s")
        for verb in ("export", "import"):
            print(
                f"  {verb} {one[verb]} s: {one[f'{verb}_ratio']} times cp + sha256sum, "
                f"{one[f'{verb}_strict_ratio']} times cp + hashlib"
            )


if __name__ == "__main__":
    main()
