"""Every packaged file of rows holds what its type says, as plainly as a stack file must, and one loader reads it."""

from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from pydantic import TypeAdapter

from builder import facts
from builder.check import all_rules, rules
from builder.check.rows import FOLDER, Facts
from builder.doctor.container import facts as container
from builder.failures import catalogue
from builder.lock import known
from builder.new import known as new_known
from builder.spec import renamed, yamldoc

BUILDER = Path(facts.__file__).parent
KINDS: dict[Path, Any] = {
    **{FOLDER / f"{name}.yaml": get_args(hint)[0] for name, hint in get_type_hints(Facts).items()},
    BUILDER / "doctor/container/facts/caches.yaml": container.CacheFolder,
    BUILDER / "doctor/container/facts/modules.yaml": container.Module,
    BUILDER / "doctor/container/facts/nameless.yaml": container.Nameless,
    BUILDER / "lock/known.yaml": known.Row,
    BUILDER / "new/known/names.yaml": new_known.Name,
    BUILDER / "new/known/pages.yaml": new_known.Page,
    BUILDER / "new/known/needs.yaml": new_known.Needs,
    BUILDER / "failures/signs.yaml": catalogue.Sign,
    BUILDER / "spec/renamed_families.yaml": renamed.Renamed,
    **dict.fromkeys((BUILDER / "failures/known").glob("*.yaml"), catalogue.Row),
}
KINDS.pop(FOLDER / "smoke_names.yaml")  # its rows are the modules of a folder


def test_every_packaged_file_of_rows_has_a_type() -> None:
    assert set(KINDS) == set(BUILDER.rglob("*.yaml"))


@pytest.mark.parametrize("path", sorted(KINDS), ids=lambda path: str(path.relative_to(BUILDER)))
def test_rows_are_what_their_type_says(path: Path) -> None:
    rows = facts.rows(path, KINDS[path])
    assert rows, "an empty table"
    kind: Any = KINDS[path]
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    assert tuple(adapter.validate_python(row, strict=True) for row in rows) == rows, "a key that the type does not have"
    assert yamldoc.read(path).value == rows, "a key twice, an anchor or the like"


def test_a_wrong_value_and_an_unknown_key_would_be_seen() -> None:
    kind: Any = KINDS[FOLDER / "cuda_images.yaml"]
    row = {"image": "a", "tag": "b", "gone": True, "source": "c"}
    assert TypeAdapter(kind).validate_python(row, strict=True) == row
    assert TypeAdapter(kind).validate_python({**row, "gine": True}, strict=True) != {**row, "gine": True}
    with pytest.raises(ValueError, match="valid boolean"):
        TypeAdapter(kind).validate_python({**row, "gone": "yes"}, strict=True)


@pytest.mark.parametrize("text", ["a: 1\n", "- a\n", "[]: {}\n", "''\n"])
def test_a_file_that_is_no_list_of_rows_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises((TypeError, ValueError)):
        facts.rows(tmp_path / "x.yaml", dict)


def test_rows_are_read_once() -> None:
    path = FOLDER / "cuda_images.yaml"
    assert facts.rows(path, KINDS[path]) is facts.rows(path, KINDS[path])


def test_every_module_of_the_folder_of_rules_is_asked_under_its_own_name() -> None:
    files = sorted(path.stem for path in Path(rules.__path__[0]).glob("*.py") if path.stem != "__init__")
    assert [rule.NAME for rule in all_rules()] == files
    assert all(callable(rule.find) for rule in all_rules())
