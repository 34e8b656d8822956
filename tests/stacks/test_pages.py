"""Every shipped stack can be found: it stands in the README, with a page that is there and shows how to build it."""

import re

import pytest

from tests.conftest import REPO

README = (REPO / "README.md").read_text("utf-8")
STACKS = sorted(path.parent.name for path in (REPO / "stacks").glob("*/stack.yaml"))


@pytest.mark.parametrize("name", STACKS)
def test_a_stack_stands_in_the_readme_with_its_page(name: str) -> None:
    (row,) = [line for line in README.splitlines() if line.startswith("|") and f"`{name}`" in line]
    pages = re.findall(r"\((docs/stacks/[\w-]+\.md)(?:#[\w-]+)?\)", row)
    assert pages, f"the row of {name} names no page"
    texts = [(REPO / page).read_text("utf-8") for page in pages]
    assert any(re.search(rf"\b{name}\b", text) for text in texts), f"no page of its row speaks of {name}"
