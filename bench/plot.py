"""The results of bench/images.py as one picture: docs/images.svg.

    python bench/plot.py [RESULT.json…] [--out docs/images.svg]

A bar for each way, as a ratio to the Dockerfile with uv and a bind mount in the same rounds; one panel for each file.
Where the machine did other work too, the ratio is one of processor time.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import jinja2

RESULTS = Path(__file__).resolve().parent / "results"
_NAMES = {
    "ours": "modelstacks, nothing made before",
    "ours-known": "modelstacks, layers known here",
    "uv-bind": "Dockerfile, uv, wheels bound",
    "uv-copy": "Dockerfile, uv, wheels copied",
    "pip-bind": "Dockerfile, pip, wheels bound",
    "pip-copy": "Dockerfile, pip, wheels copied",
    "unzip": "unzip alone, two processes",
}
_TEMPLATE = """\
<svg xmlns="http://www.w3.org/2000/svg" width="720" height="{{ height }}" role="img" aria-label="{{ label }}">
<style>
    .ground { fill: #ffffff; stroke: #d0d7de } text { fill: #1f2328; font: 14px system-ui, sans-serif }
    .other { fill: #8c959f } .ours { fill: #1a7f37 } .faint { fill: #59636e }
    @media (prefers-color-scheme: dark) { .ground { fill: #0d1117; stroke: #3d444d } text { fill: #f0f6fc }
    .other { fill: #6e7681 } .ours { fill: #3fb950 } .faint { fill: #9198a1 } }
</style>
<rect class="ground" x="0.5" y="0.5" width="719" height="{{ height - 1 }}" rx="6"/>
{% for panel in panels %}
<text x="16" y="{{ panel.top }}">{{ panel.title }}</text>
{% for bar in panel.bars %}
<text class="faint" x="16" y="{{ bar.y + 14 }}">{{ bar.name }}</text>
<rect class="{{ "ours" if bar.ours else "other" }}" x="250" y="{{ bar.y }}" width="{{ bar.width }}" height="18" rx="2"/>
<text x="{{ 258 + bar.width }}" y="{{ bar.y + 14 }}">{{ bar.text }}</text>
{% endfor %}
{% endfor %}
</svg>
"""


def drawn(results: list[dict[str, Any]]) -> str:
    """The picture of these results, as SVG."""
    panels, top = [], 30
    shown = [("processor-ratio", "processor") if one["loaded"] else ("ratio", "seconds") for one in results]
    most = max(row[key] for one, (key, _) in zip(results, shown, strict=True) for row in one["medians"].values())
    for one, (ratio, seconds) in zip(results, shown, strict=True):
        bars = []
        for place, (name, row) in enumerate(sorted(one["medians"].items(), key=lambda pair: float(pair[1][ratio]))):
            bars.append(
                {
                    "name": _NAMES.get(name, name),
                    "ours": name.startswith("ours"),
                    "y": top + 12 + 26 * place,
                    "width": round(330 * row[ratio] / most, 1),
                    "text": f"{row[ratio]:.2f} ({row[seconds]:.0f} s)",
                }
            )
        state = "processor time, as others worked too" if one["loaded"] else "time on a quiet machine"
        size = f"{one['wheels']} wheels, {one['bytes'] / 1e9:.1f} GB"
        panels.append({"top": top, "title": f"{one['stack']}: {size}, {one['store']} store, {state}", "bars": bars})
        top += 26 * len(bars) + 44
    label = "Time of an image from a wheelhouse, as a ratio to a Dockerfile with uv and a bind mount"
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_TEMPLATE).render(panels=panels, height=top - 10, label=label)


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="*", type=Path, default=sorted(RESULTS.glob("images-*.json")))
    parser.add_argument("--out", type=Path, default=Path("docs/images.svg"))
    options = parser.parse_args()
    if options.results:
        options.out.write_text(drawn([json.loads(path.read_text()) for path in options.results]))


if __name__ == "__main__":
    main()
