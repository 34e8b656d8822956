"""What libaudio2x.so needs and exports, what the loader does not find, and whether the SDK's programs start.

Argument: site-packages. The programs are beside this interpreter; they start in an empty folder, so that they say what
they are and find no model.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

LOADER = "/lib64/ld-linux-x86-64.so.2"
PROGRAMS = {"audio2face-benchmarks": ["--help"], "sample-a2f-executor": []}
SECTION, DYNAMIC, SYMBOL = struct.Struct("<IIQQQQIIQQ"), struct.Struct("<qQ"), struct.Struct("<IBBHQQ")
DYNSYM, NEEDED = 11, 1  # SHT_DYNSYM and DT_NEEDED of the ELF specification


def elf(path: Path) -> dict[str, list[str]]:
    """needed: the libraries that a 64-bit ELF file names; exported: the names of the symbols that it defines."""
    data = path.read_bytes()
    (start,), (count,) = struct.unpack_from("<Q", data, 40), struct.unpack_from("<H", data, 60)
    sections = [SECTION.unpack_from(data, start + at * SECTION.size) for at in range(count)]
    found: dict[str, list[str]] = {"needed": [], "exported": []}
    for _, kind, _, _, offset, size, link, *_ in sections:
        names = sections[link][4] if link < count else 0

        def text(at: int, names: int = names) -> str:
            return data[names + at : data.index(b"\0", names + at)].decode(errors="replace")

        if kind == 6:  # SHT_DYNAMIC
            rows = DYNAMIC.iter_unpack(data[offset : offset + size])
            found["needed"] = [text(value) for tag, value in rows if tag == NEEDED]
        if kind == DYNSYM:
            symbols = SYMBOL.iter_unpack(data[offset : offset + size])
            found["exported"] = [text(name) for name, _, _, section, _, _ in symbols if section and name]
    return found


def missing(path: Path) -> list[str]:
    """The libraries that the loader does not find for a file, asked as ldd asks it."""
    traced = {**os.environ, "LD_TRACE_LOADED_OBJECTS": "1"}
    done = subprocess.run([LOADER, str(path)], env=traced, capture_output=True, text=True, check=False)
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines()]
    lost = sorted({line.split("=>")[0].strip() for line in lines if line.endswith("not found")})
    return lost or ([done.stderr.strip()[-300:]] if done.returncode else [])


def started(words: list[str]) -> dict[str, object]:
    """How a program ended, and the begin of what it said."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                words, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                timeout=60, check=False,
            )  # fmt: skip
        except OSError as error:
            return {"code": 127, "said": str(error)}
    return {"code": done.returncode, "said": (done.stdout + done.stderr)[:2000]}


library = Path(sys.argv[1], "audio2face_sdk", "lib", "libaudio2x.so")
programs = {name: Path(sys.executable).with_name(name) for name in PROGRAMS}
figures = elf(library)
print(
    json.dumps(
        {
            "library": str(library),
            "needed": figures["needed"],
            "new_abi": [name for name in figures["exported"] if "cxx11" in name][:5],
            "missing": {str(path): missing(path) for path in (library, *programs.values()) if path.is_file()},
            "programs": {name: started([str(path), *PROGRAMS[name]]) for name, path in programs.items()},
        }
    )
)
