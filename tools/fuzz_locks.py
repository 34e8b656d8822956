"""Feed damaged locks to their readers: each is read, or refused by an InputError within a second; else it is told.

    .venv/bin/python tools/fuzz_locks.py --seconds 20        random changes of the shipped locks, for CI
    .venv/bin/python tools/fuzz_locks.py --atheris --seconds 7200

atheris (coverage-guided) is not in requirements.lock: `.venv/bin/pip install atheris` where a wheel fits.
"""  # fmt: skip

from __future__ import annotations

import argparse
import inspect
import random
import re
import sys
import tempfile
import time
from pathlib import Path

import tomli._parser

from builder import origin
from builder.errors import InputError
from builder.files import sha256_text
from builder.lock import pylock, schema, store
from builder.lock.service import ServiceLock, read_any
from builder.spec import tomldoc

REPO = Path(__file__).parents[1]
SLOW = 5.0  # seconds, on a machine that does other things too
WORDS = [
    b"", b"=", b"[", b"]]", b"{", b'"', b"'", b'"""', b"\n", b"\r", b"\x00", b"\xff", b"-", b"--output=x", b"../",
    b"/abs",
    b"9" * 40, b"1e400", b"nan", b"true", b"1979-05-27", b"\\u0000", b"\\n", b"a.b", b"[" * 300, b"{a=" * 300,
    "\u202e".encode(), b"git+https://h/a@", b"index:", b"sha256:", b"0" * 64, b"kind = 'service'\n", b"[base]\n",
]  # fmt: skip


class Reader:
    """Reads damaged locks in a folder of its own. good: the parts of whole ones that changes start from."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "one"
        self._folder.mkdir()
        self.good: list[tuple[str, str]] = []
        for path in sorted((REPO / "stacks").glob("*/stack.lock")):
            lock = re.sub(r'^stack = ".*"$', 'stack = "one"', path.read_text(), flags=re.M)
            python = path.with_name("pylock.toml")
            if python.exists():
                self.good.append((lock, python.read_text()))

    def read(self, name: str, data: bytes, number: int) -> None:
        """Read a lock, one of whose files has these bytes. Raises AssertionError for anything but a proper answer."""
        lock, python = self.good[number % len(self.good)]
        if name == store.PYLOCK:
            text = data.decode(errors="replace").replace("\r\n", "\n")
            lock = lock.replace(sha256_text(python), sha256_text(text))
            data, python = lock.encode(), data.decode(errors="replace")
        (self._folder / store.STACK_LOCK).write_bytes(data)
        (self._folder / store.PYLOCK).write_bytes(python.encode())
        started = time.monotonic()
        try:
            found = read_any(self._folder)
        except InputError as error:
            if not error.fix:
                raise AssertionError("it says no fix") from None
        else:
            if not isinstance(found, ServiceLock):
                store.write(self._folder, found)  # which reads it again
        if (took := time.monotonic() - started) > SLOW:
            raise AssertionError(f"it took {took:.1f} seconds")


def changed(data: bytes, chance: random.Random) -> bytes:
    """A few random changes."""
    for _ in range(chance.randint(1, 4)):
        at, length = chance.randrange(len(data) + 1), chance.choice([0, 1, 2, 8, 64, 500])
        other = chance.randrange(len(data) + 1)
        new = chance.choice([chance.choice(WORDS), chance.randbytes(2), data[other : other + length]])
        data = data[:at] + new + data[at + length :]
    return data


def at_random(reader: Reader, seconds: float, seed: int) -> int:
    """Random changes for so long; the number of locks read."""
    chance, count, until = random.Random(seed), 0, time.monotonic() + seconds  # noqa: S311 - nothing is kept secret
    while time.monotonic() < until:
        number, name = chance.randrange(99), chance.choice([store.STACK_LOCK, store.PYLOCK])
        data = changed(reader.good[number % len(reader.good)][name == store.PYLOCK].encode(), chance)
        try:
            reader.read(name, data, number)
        except BaseException:
            kept = Path(tempfile.mkdtemp(prefix="fuzz-")) / name
            kept.write_bytes(data)
            sys.stderr.write(f"{kept} (seed {seed}, lock {count}) is not answered properly\n")
            raise
        count += 1
    return count


def guided(reader: Reader, seconds: float) -> None:
    """By atheris, for so long; never comes back."""
    import atheris  # type: ignore[import-not-found]  # noqa: PLC0415

    # All of Python would take minutes; what reads a lock is here.
    for module in (tomli._parser, tomldoc, schema, pylock, store, origin):
        for value in vars(module).values():
            if inspect.isfunction(value) and value.__module__ == module.__name__:
                atheris.instrument_func(value)

    def one(data: bytes) -> None:
        name = store.PYLOCK if data[:1] < b"\x80" else store.STACK_LOCK
        reader.read(name, data[1:], 0)

    corpus = Path(tempfile.mkdtemp(prefix="fuzz-corpus-"))
    for number, pair in enumerate(reader.good):
        for first, text in zip((b"\xff", b"\x00"), pair, strict=True):
            (corpus / f"{number}-{first[0]}").write_bytes(first + text.encode())
    atheris.Setup(
        [sys.argv[0], f"-max_total_time={round(seconds)}", "-timeout=20", "-max_len=200000", str(corpus)], one
    )
    atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--atheris", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz-locks-") as folder:
        reader = Reader(Path(folder))
        if given.atheris:
            guided(reader, given.seconds)
        seed = given.seed if given.seed is not None else time.time_ns()
        count = at_random(reader, given.seconds, seed)
    sys.stdout.write(f"{count} damaged locks in {given.seconds:g} seconds, seed {seed}: each was read or refused\n")


if __name__ == "__main__":
    main()
