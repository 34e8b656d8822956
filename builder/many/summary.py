"""What became of several stacks, for people's and machines' reading after: JSON and JUnit XML."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from builder.files import write_atomic

if TYPE_CHECKING:
    from builder.many.run import Outcome


def rows(outcomes: Sequence[Outcome]) -> list[dict[str, object]]:
    """A row for each, as the JSON document has them: what `stack` says of one, and its state."""
    found: list[dict[str, object]] = []
    for one in outcomes:
        made = (one.document.get("stacks") or [{}])[0]
        row = {"stack": one.stack, "state": one.state, "wall": one.seconds, "log": str(one.log), **made}
        found.append(row | ({"errors": one.document["errors"]} if one.state == "failed" else {}))
    return found


def write(outcomes: Sequence[Outcome], folder: Path) -> tuple[Path, Path]:
    """Write both files into a folder; gives where."""
    one, other = folder / "stacks.json", folder / "stacks.junit.xml"
    write_atomic(one, json.dumps({"stacks": rows(outcomes)}, indent=2, sort_keys=True) + "\n")
    failed = [row for row in outcomes if row.state == "failed"]
    suite = ET.Element("testsuite", name="modelstacks", tests=str(len(outcomes)), failures=str(len(failed)))
    for row in outcomes:
        case = ET.SubElement(suite, "testcase", classname="stack", name=row.stack, time=f"{row.seconds:.3f}")
        if row.state == "failed":
            errors = row.document.get("errors") or [{}]
            failure = ET.SubElement(case, "failure", message=str(errors[0].get("problem", ""))[:500])
            failure.text = "\n".join(f"{key}: {value}" for key, value in errors[0].items() if value)
    ET.indent(suite)
    write_atomic(other, ET.tostring(suite, encoding="utf-8", xml_declaration=True) + b"\n")
    return one, other
