"""The pages as text, and where they are put."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from builder.files import write_atomic
from builder.report.page import Page, gather
from builder.report.proofs import Proof
from builder.report.treemap import spoken
from builder.settings import Settings
from builder.spec import Loaded

if TYPE_CHECKING:
    import jinja2

INDEX = "index.html"


def write(loaded: Sequence[Loaded], settings: Settings, out: Path, evidence: Sequence[Proof]) -> list[Path]:
    """A page for each, and an index of these; gives their paths, the index first. Same inputs, same bytes."""
    templates = _environment(settings.templates / "report")
    style = (settings.templates / "report" / "style.css").read_text(encoding="utf-8").strip()
    told = {"style": style, "policy": _policy(style), "bytes": spoken}
    pages = [gather(one, settings, evidence) for one in loaded]
    texts = {out / INDEX: templates.get_template("index.html").render(pages=pages, **told)}
    of_one = templates.get_template("page.html")
    for page in pages:
        texts[out / _file(page)] = of_one.render(page=page, **told)
    for path, text in texts.items():
        write_atomic(path, text)
    return list(texts)


def _file(page: Page) -> str:
    return f"stacks/{page.name}.html"


def _policy(style: str) -> str:
    """What a browser may load for a page: nothing at all; and it takes our one style sheet by its hash."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _environment(folder: Path) -> jinja2.Environment:
    """Jinja for pages: every value is text of somebody else, and is escaped."""
    import jinja2  # noqa: PLC0415 - a run that has nothing to render does without

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
        finalize=_visible,
    )


def _visible(value: object) -> object:
    """Text without characters that hide or turn round other text; what is markup of ours is left as it is."""
    from markupsafe import Markup  # noqa: PLC0415

    from builder.plain import plain  # noqa: PLC0415

    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value
