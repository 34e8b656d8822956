"""What an extension asks for as `downloads` is locked beside the archives of weights, by hash or pending."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from builder.lock import inputs_digest
from builder.lock.weights import locked
from builder.net.session import Session
from builder.settings import Settings
from builder.spec import load_stack
from builder.spec.model import Stack
from tests.conftest import FAMILY
from tests.lock.test_store import everything

URL = "https://example.org/parts@1.3.1.zip"


def stack(folder: Path, **keys: Any) -> Stack:
    """A stack with one extension and one download of it; keys: of the download, None takes one away."""
    download = {"url": URL, "size": 5, "sha256": "a" * 64, "into": "_deps", **keys}
    download = {key: value for key, value in download.items() if value is not None}
    extension = {"name": "x", "git": "https://example.org/x", "commit": "b" * 40, "compiled": ["x"]}
    text = {"summary": "test", "family": "own", "extensions": [{**extension, "downloads": [download]}]}
    (folder / "families").mkdir(parents=True, exist_ok=True)
    (folder / "one").mkdir(exist_ok=True)
    (folder / "families" / "own.yaml").write_text(FAMILY)
    (folder / "one" / "stack.yaml").write_text(json.dumps(text))
    return load_stack("one", Settings(home=folder, stacks=(folder,)))


def test_a_download_is_locked_as_an_archive_and_puts_nothing_into_the_image(tmp_path: Path) -> None:
    with Session(Settings(home=tmp_path, stacks=())) as session:
        archives, weights, unresolved = locked(stack(tmp_path), session)
        (pending,), _, _ = locked(stack(tmp_path, sha256=None), session)
        seen = replace(pending, sha256="c" * 64, seen="https://mirror.example/parts@1.3.1.zip")
        old = replace(everything(), archives=(seen,))
        (recorded,), _, _ = locked(stack(tmp_path, sha256=None), session, old)
    assert (weights, unresolved) == ((), ())
    assert [(one.kind, one.project, one.size, one.sha256, str(one.origin)) for one in archives] == [
        ("archive", "parts@1.3.1.zip", 5, "a" * 64, URL)
    ]
    assert pending.pending
    assert recorded == seen, "what an earlier fetch recorded holds"


def test_a_lock_is_stale_where_another_download_is_asked_for(tmp_path: Path) -> None:
    before = inputs_digest(stack(tmp_path))
    assert inputs_digest(stack(tmp_path)) == before
    assert inputs_digest(stack(tmp_path, sha256="d" * 64)) != before
    assert inputs_digest(stack(tmp_path, url="https://example.org/parts@1.3.2.zip")) != before
