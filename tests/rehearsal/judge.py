"""What a rehearsal must have shown: every smoke test passed, or was skipped for a reason that is named here."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from tests.rehearsal.clone import Clone

NO_GPU = "GPU=none"


def judge(made: Mapping[str, Any], mounted: Mapping[str, str]) -> None:
    """mounted: `check.test` of each test that wants weights which are to be mounted, and what its reason must hold."""
    results = made["smoke"]["results"]
    bad = [one for one in results if one["outcome"] == "failed"]
    assert not bad, bad
    skipped = {f"{one['check']}.{one['test']}": one for one in results if one["outcome"] == "skipped"}
    for name, one in skipped.items():
        if one["needs_gpu"]:
            assert NO_GPU in one["reason"], one
        else:
            assert re.search(mounted[name], one["reason"]), one
    assert set(mounted) <= set(skipped)
    assert made["smoke"]["passed"] > 0


def figures(here: Clone, made: Mapping[str, Any]) -> None:
    """Write what the run cost to figures.json in the clone, and say it (`pytest -rP` shows it)."""
    lock, smoke = here.lock(), made["smoke"]
    found = {
        "stack": here.stack,
        "seconds": made["seconds"],
        "image": {key: made["image"][key] for key in ("tag", "id", "size")},
        "fetched": {"files": len(made["fetch"]["fetched"]), "bytes": made["fetch"]["bytes"]},
        "packages": len(lock.wheels),
        "debs": len(lock.debs),
        "bytes": sum(item.size for item in lock.artifacts()),
        "smoke": {key: smoke[key] for key in ("passed", "failed", "skipped")},
    }
    (here.folder / "figures.json").write_text(json.dumps(found, indent=2))
    print(json.dumps(found))  # noqa: T201
