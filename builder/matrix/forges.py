"""The rows of a matrix as the forges take them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Literal

from builder.matrix.rows import Row

Format = Literal["json", "github", "gitlab"]


def github(rows: Iterable[Row]) -> str:
    """Two lines for $GITHUB_OUTPUT: the matrix and how many rows it has."""
    found = [row.document() | {"why": []} for row in rows]
    return f"matrix={json.dumps({'include': found})}\ncount={len(found)}\n"


def gitlab(rows: Iterable[Row], registry: str, branch: str) -> str:
    """A child pipeline with a job for each row; JSON, which is YAML. A job of nothing where there is none."""
    jobs: dict[str, Any] = {row.stack: _job(row, registry, branch) for row in rows}
    none = {"nothing-to-build": {"script": ["true"]}}
    return json.dumps({"stages": ["test"], **(jobs or none)}, indent=2) + "\n"


def _job(row: Row, registry: str, branch: str) -> dict[str, Any]:
    required = "gpu" if row.gpu else "cpu"
    script = ['make fetch FROZEN=1 STACK="$STACK"', 'make build FROZEN=1 STACK="$STACK"']
    script.append(f'make smoke GPU={"require" if row.gpu else "none"} STACK="$STACK"')
    script.append('make audit STACK="$STACK" ADVISORIES="${ADVISORIES:-}"')
    if row.kind == "stack":
        publish = 'REQUIRED=%s TAG="run-$CI_PIPELINE_ID" KEY_TEXT="$MODELSTACKS_KEY" tools/ci-publish.sh' % required  # noqa: UP031
        script.append(f'if [ "$CI_COMMIT_BRANCH" = {branch} ]; then {publish}; fi')
    return {
        "stage": "test",
        "tags": row.runner,
        "variables": {"STACK": row.stack, "REGISTRY": registry},
        "cache": {"key": row.cache_key, "paths": ["wheels", "assets"]},
        "artifacts": {
            "when": "always",
            "paths": [f"build/{row.stack}/smoke", "build/report"],
            "reports": {"junit": f"build/{row.stack}/smoke/junit.xml"},
        },
        "script": script,
        "after_script": ['make report STACK="$STACK"'],
    }
