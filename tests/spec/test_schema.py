"""The exported JSON schemas are current, accept every shipped file, and refuse what the loader refuses."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from builder.spec import schema

STACKS = Path(__file__).parents[2] / "stacks"
BAD = Path(__file__).parent / "bad"

# What only the loader sees: that which is no YAML at all, or depends on another line or another file.
ONLY_LOADER = {
    *("alias", "anchor", "binary", "control-character", "duplicate-key", "family-package-twice", "impossible-date"),
    *("index-claimed-by-family", "index-claimed-twice", "index-of-family", "latin-1", "merge-key", "missing-family"),
    *("extension-downloads-clash", "extension-nowhere", "extension-outside", "extension-twice", "files-missing"),
    *(
        "number-as-key",
        "number-too-long",
        "open-bracket",
        "open-quote",
        "package-of-family",
        "package-twice",
        "requirement",
    ),
    *("exclude-newer-month", "label-ours", "override-twice", "override-of-index", "without-asked"),
    *("renamed-family", "user-env", "requirements-missing", "requirements-lines"),
    *("second-colon", "summary-jinja-bare", "tab-indentation", "tag", "two-documents", "weight-name-prefix"),
}
CASES = sorted(path.stem if path.suffix == ".yaml" else path.name for path in BAD.iterdir() if path.suffix != ".txt")


def validator(name: str) -> jsonschema.Draft202012Validator:
    loaded = json.loads(schema.texts()[name])
    jsonschema.Draft202012Validator.check_schema(loaded)
    return jsonschema.Draft202012Validator(loaded)


def test_the_exported_schemas_are_current() -> None:
    assert schema.stale(STACKS) == [], "run python -m builder.spec.schema"


def test_a_changed_or_missing_schema_is_told(tmp_path: Path) -> None:
    schema.export(tmp_path)
    assert schema.stale(tmp_path) == []
    (tmp_path / "schema.json").write_text("{}")
    (tmp_path / "families" / "schema.json").unlink()
    assert schema.stale(tmp_path) == [tmp_path / "schema.json", tmp_path / "families" / "schema.json"]


@pytest.mark.parametrize("path", sorted(STACKS.glob("**/*.yaml")), ids=lambda path: str(path.relative_to(STACKS)))
def test_a_shipped_file_names_its_schema_and_fits_it(path: Path) -> None:
    text = path.read_text()
    prefix = "# yaml-language-server: $schema="
    named = text.splitlines()[0].removeprefix(prefix)
    found = (path.parent / named).resolve()
    assert found.is_file()
    validator(str(found.relative_to(STACKS))).validate(yaml.safe_load(text))


@pytest.mark.parametrize("case", [case for case in CASES if case not in ONLY_LOADER])
def test_the_schema_refuses_a_bad_file_too(case: str) -> None:
    family = (BAD / case).is_dir()
    path = BAD / case / "families" / "own.yaml" if family else BAD / f"{case}.yaml"
    checked = validator("families/schema.json" if family else "schema.json")
    assert not checked.is_valid(yaml.safe_load(path.read_text()))
