"""Import a module, or all that a distribution installs: what failed, by module."""

from __future__ import annotations

import importlib
import json
import re
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


kind, name = sys.argv[1:]
modules = [name] if kind == "module" else modules_of(name)
failed = {}
for module in modules:
    try:
        importlib.import_module(module)
    except BaseException as error:  # some end the process where they miss something
        failed[module] = f"{type(error).__name__}: {error}"[:500]
print()
print(json.dumps({"modules": modules, "failed": failed}))
