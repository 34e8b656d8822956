"""Inputs of a few lines, and what `new` makes of them without a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from builder import settings as site
from builder.new import decide, extras, pairs, repository, routing, verb, write
from builder.new.decide import Draft
from builder.new.found import Decision, Found
from builder.new.offers import Offer
from builder.new.tree import of_folder
from builder.settings import Settings
from builder.spec.model import Stack
from builder.spec.stacks import Stacks, load_stack


@dataclass(frozen=True)
class Made:
    """What was made: the text of the file, its values, the stack it loads as, and the decisions."""

    text: str
    stack: Stack
    draft: Draft

    @property
    def said(self) -> dict[str, object]:
        said: dict[str, object] = yaml.safe_load(self.text)
        return said

    def decided(self, what: str) -> Decision:
        """The one decision on a thing."""
        named = [one for one in self.draft.decisions if what in one.what]
        (found,) = [one for one in named if one.what == what] or named
        return found


Make = Callable[..., Made]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make a stack of files (text by path): of the one called `only`, or of all as a repository."""

    def run(
        files: Mapping[str, str],
        only: str = "",
        *,
        offers: Mapping[str, Offer] | None = None,
        source: tuple[str, str] = ("", ""),
    ) -> Made:
        folder = tmp_path / "input"
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        found = Found(source=source)
        if only:
            verb._file(folder / only, found)
        else:
            repository.read(of_folder(folder), found)
        own = Settings(home=tmp_path, stacks=(*site.load(environ={}).stacks, tmp_path / "stacks"))
        (tmp_path / "stacks" / "mine").mkdir(parents=True, exist_ok=True)
        asking = decide.Asking(found)
        elsewhere = routing.routed(asking)
        fits = decide.choose(asking, Stacks(own).families(), dict(offers or {}), elsewhere)
        draft = decide.drafted(asking, fits, dict(offers or {}), elsewhere)
        pairs.bound(draft, fits[0].family)
        extras.add(asking, draft, fits[0].family)
        text = write.stack_yaml(draft, "Mine")
        (tmp_path / "stacks" / "mine" / "stack.yaml").write_text(text)
        return Made(text, load_stack("mine", own), draft)

    return run
