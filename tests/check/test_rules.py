"""Each rule finds what breaks it and nothing else: cases/RULE.yaml holds stacks that break just that rule, and near
misses that break none. The shipped stacks break none."""

from dataclasses import replace
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml

from builder import settings as site
from builder.check import all_rules, check, packaged_facts
from builder.lock import store
from builder.lock.model import Artifact
from builder.origin import Origin
from builder.spec.service import Service
from builder.spec.stacks import load, stack_names

from .conftest import lock_of

TODAY = date(2026, 11, 21)
HERE = Path(__file__).parent
DET_10G = "5838f7fe053675b1c7a08b633df49e7af5495cee0493c7dcf6697200b85b5b91"
SHORT: dict[str, Any] = {
    "DET_10G": DET_10G,
    "EXTENSION": {"name": "own", "git": "https://example.org/own", "commit": "0" * 40, "compiled": ["own._C"]},
    "LIBRARIES": sorted({row["folder"] for row in packaged_facts()["library_folders"]}),
}


def spelled(value: Any) -> Any:
    """A case's values with the words of SHORT spelled out."""
    if isinstance(value, dict):
        return {key: spelled(one) for key, one in value.items()}
    if isinstance(value, list):
        return [spelled(one) for one in value]
    return SHORT.get(value, value) if isinstance(value, str) else value


CASES = [
    (path.stem, spelled(case))
    for path in sorted((HERE / "cases").glob("*.yaml"))
    for case in yaml.safe_load(path.read_text())
]


@pytest.mark.parametrize(("rule", "case"), CASES, ids=[f"{rule}: {case['case']}" for rule, case in CASES])
def test_a_case_gives_exactly_its_findings(rule: str, case: dict[str, Any], stack_of) -> None:
    stack, lock = stack_of(case.get("stack"), case.get("family")), None
    if "lock" in case:
        locked = datetime.fromisoformat(case.get("locked", "2026-11-21")).replace(tzinfo=timezone.utc)
        lock = lock_of(*case["lock"], epoch=int(locked.timestamp()))
    found = check(stack, lock, TODAY)
    assert {one.key: one.level for one in found} == case["finds"]
    assert {one.rule for one in found} <= {rule}
    for one in found:
        assert one.cause
        assert one.source
        assert case.get("problem", "") in one.problem
        assert case.get("cause", "") in one.cause
        assert one.fix.startswith(case.get("fix", ""))
        assert one.unverified == ("(this fact is unverified)" in one.cause)


def test_every_rule_has_a_case_that_breaks_it_and_a_near_miss() -> None:
    for rule in all_rules():
        finds = [bool(case["finds"]) for name, case in CASES if name == rule.NAME]
        assert set(finds) == {True, False}, rule.NAME
    assert {name for name, _ in CASES} == {rule.NAME for rule in all_rules()}


@pytest.mark.parametrize(("facts", "key"), [("package_pairs", "name"), ("conflicting_packages", "module")])
def test_every_row_about_packages_has_a_case_that_breaks_it(facts: str, key: str) -> None:
    broken = {found for _, case in CASES for found in case["finds"]}
    tables: Any = packaged_facts()
    rows = tables[facts]
    assert {f"{row.get('rule', facts)}/{row[key]}" for row in rows} <= broken


def test_a_recorded_hash_tells_a_weight_that_may_not_be_baked(stack_of) -> None:
    stack = stack_of({"weights": [{"url": "https://example.org/renamed.onnx", "into": "/w"}]})
    row = Artifact(
        kind="weight", filename="x", size=1, sha256="", origin=Origin.parse("https://example.org/renamed.onnx")
    )
    assert check(stack, replace(lock_of(), weights=(row,))) == []
    found = check(stack, replace(lock_of(), weights=(replace(row, sha256=DET_10G),)))
    assert [one.key for one in found] == ["unbakeable_weights/renamed.onnx"]


def test_the_locked_toolchain_decides(stack_of) -> None:
    toolchain = {"packages": ["torch", "setuptools"]}
    family = {"base": {"image": "own:1", "glibc": "2.36"}, "python": "3.8", "torch": "1.12.1+cu113"}
    stack = stack_of(
        {"packages": ["torch==1.12.1+cu113"], "extensions": [SHORT["EXTENSION"]]}, {**family, "toolchain": toolchain}
    )
    lock = lock_of("torch==1.12.1+cu113", epoch=1)
    for version, expected in (("69.5.1", []), ("75.3.4", ["pkg_resources/torch-cpp-extension"])):
        tools = lock_of(f"setuptools=={version}").wheels
        found = check(stack, replace(lock, toolchain=tools), TODAY)
        assert [(one.key, one.level) for one in found] == [(key, "error") for key in expected]


def test_the_shipped_stacks_and_their_locks_break_no_rule() -> None:
    settings = site.load(environ={})
    for name, folder in stack_names(settings).items():
        if isinstance(stack := load(name, settings), Service):
            continue  # tests/service has its findings
        for lock in (None, store.read(folder) if store.exists(folder) else None):
            found = check(stack, lock, TODAY)
            assert [one.text for one in found if one.level != "accepted"] == [], name
