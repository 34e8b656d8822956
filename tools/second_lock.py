"""Draw docs/second-lock.svg: what `make lock` says of a stack that was changed, from a real run of it.

    .venv/bin/python tools/second_lock.py

Needs the default index and Debian's archive. The stack is that of BEFORE, then that of AFTER; all versions are pinned,
so that the table is the same on every day. `drawn` makes the picture of a text, `said` the text.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
PICTURE = HERE / "docs" / "second-lock.svg"
BEFORE = ["numpy==1.26.3", "scipy==1.11.3"]
AFTER = ["numpy==1.26.4", "scipy==1.11.4", "six==1.17.0"]
COMMAND = "make lock STACK=mine STACKS=mystacks"
_STACK = "summary: numbers\nfamily: debian12-py311\npackages: [{}]\nsmoke: [python]\n"
_LINE, _CHARACTER, _MARGIN = 20, 8.43, 16
_STYLE = """
    .ground { fill: #ffffff; stroke: #d0d7de } text { fill: #1f2328; white-space: pre;
    font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace }
    .old { fill: #a40e26 } .new { fill: #116329 } .faint { fill: #59636e }
    @media (prefers-color-scheme: dark) { .ground { fill: #0d1117; stroke: #3d444d } text { fill: #f0f6fc }
    .old { fill: #ff9492 } .new { fill: #7ee787 } .faint { fill: #9198a1 } }
"""


def said(folder: Path) -> str:
    """What the second lock says on stdout. folder: an empty one, for the stack and its home."""
    stack = folder / "mystacks" / "mine" / "stack.yaml"
    stack.parent.mkdir(parents=True)
    words = [sys.executable, "-m", "builder", "--stacks", str(folder / "mystacks"), "lock", "mine"]
    out = ""
    for packages in (BEFORE, AFTER):
        stack.write_text(_STACK.format(", ".join(packages)))
        home = os.environ | {"MODELSTACKS_HOME": str(folder)}
        out = subprocess.run(words, cwd=HERE, env=home, check=True, stdout=subprocess.PIPE, text=True).stdout
    return out.strip("\n")


def drawn(text: str) -> str:
    """The picture of a table of changes: what goes in one colour, what comes in another, in a light or a dark page."""
    lines = [f"$ {COMMAND}", *text.splitlines()]
    head = lines[2]
    before, after = head.index("before"), head.index("after")
    rows = []
    for number, line in enumerate(lines):
        at = f'x="{_MARGIN}" y="{_MARGIN + _LINE * number + 14}"'
        if number <= 1:
            rows.append(f"<text {at}>{escape(line)}</text>")
        elif number <= 3:
            rows.append(f'<text {at} class="faint">{escape(line)}</text>')
        else:
            parts = (("", line[:before]), ("old", line[before:after]), ("new", line[after:]))
            spans = "".join(f'<tspan class="{kind}">{escape(part)}</tspan>' for kind, part in parts)
            rows.append(f"<text {at}>{spans}</text>")
    width = max(map(len, lines)) * _CHARACTER + 2 * _MARGIN
    height = len(lines) * _LINE + 2 * _MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" role="img"'
        f' aria-label="The table of what changed in a lock">\n<style>{_STYLE}</style>\n'
        f'<rect class="ground" x="0.5" y="0.5" width="{width - 1:.0f}" height="{height - 1}" rx="6"/>\n'
        + "\n".join(rows)
        + "\n</svg>\n"
    )


def main() -> None:
    """Run it, and draw."""
    with tempfile.TemporaryDirectory() as work:
        PICTURE.write_text(drawn(said(Path(work))))


if __name__ == "__main__":
    main()
