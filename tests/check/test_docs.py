"""The page of the docs names every rule, with the words of its module."""

import re
from pathlib import Path

from builder.check import all_rules

PAGE = (Path(__file__).parents[2] / "docs" / "check.md").read_text()


def test_the_table_of_the_docs_has_each_rule_in_its_modules_words() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE, re.MULTILINE)
    assert rows == [(rule.NAME, " ".join((rule.__doc__ or "").split())) for rule in all_rules()]
