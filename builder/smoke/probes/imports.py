"""Import a module, all that a distribution installs, or what a console script calls: what failed, by its name."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import sys
from importlib import metadata

LEFT_OUT = {"test", "tests", "testing", "docs", "doc", "examples", "example", "benchmarks", "scripts", "bin"}


def modules_of(project: str) -> list[str]:
    """The modules that a distribution installs: packages by the folder of their first __init__, and single files."""
    found: set[str] = set()
    singles: set[str] = set()
    for path in metadata.files(project) or ():
        parts = path.parts
        plain = all(re.fullmatch(r"[A-Za-z]\w*", part) and part not in LEFT_OUT for part in parts[:-1])
        if len(parts) > 1 and plain and parts[-1] == "__init__.py":
            found.add(".".join(parts[:-1]))
        elif len(parts) == 1 and (single := re.fullmatch(r"([A-Za-z]\w*)(\.py|\..*so)", parts[0])):
            singles.add(single[1])
    first = [one for one in found if not any(one.startswith(f"{other}.") for other in found)]
    return sorted({*first, *singles})


def script(name: str) -> None:
    """Have what a console script calls. Raises where the program is not on PATH, or calls what is not there."""
    if not shutil.which(name):
        raise FileNotFoundError(f"no program of that name is on PATH={os.environ.get('PATH')}")
    found = (one for dist in metadata.distributions() for one in dist.entry_points if one.group == "console_scripts")
    next(one for one in found if one.name == name).load()


kind, name = sys.argv[1:]
modules = modules_of(name) if kind == "package" else [name]
failed = {}
for module in modules:
    try:
        (script if kind == "script" else importlib.import_module)(module)
    except BaseException as error:  # some end the process where they miss something
        failed[module] = f"{type(error).__name__}: {error}"[:500]
print()
files = {name: getattr(sys.modules.get(name), "__file__", None) for name in modules}
print(json.dumps({"modules": modules, "failed": failed, "files": files}))
