"""Every fact has a source, and the facts agree with each other."""

import itertools
import re
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from builder.check import all_rules, packaged_facts
from builder.check.rows import Facts
from builder.check.torch import covers

FACTS = packaged_facts()
TABLES: Mapping[str, tuple[Mapping[str, Any], ...]] = {name: FACTS[name] for name in Facts.__annotations__}  # type: ignore[literal-required]
ROWS = [(name, row) for name, rows in TABLES.items() for row in rows]


def number(release: Mapping[str, Any]) -> Version:
    return Version(release["torch"].replace("*", "0"))


def test_every_row_has_a_source_and_marks_columns_that_it_has() -> None:
    for name, row in ROWS:
        assert isinstance(row["source"], str), (name, row)
        assert len(row["source"]) >= 10, (name, row)
        marked = row.get("unverified", True)
        # The cuDNN of a release of torch stands in its builds.
        assert marked is True or set(marked) <= {*row, "cudnn"}, (name, row)


def test_no_row_is_said_twice() -> None:
    for name, rows in TABLES.items():
        texts = [repr({key: value for key, value in row.items() if key != "source"}) for row in rows]
        assert len(set(texts)) == len(texts), name


def test_ranges_can_be_read() -> None:
    for _, row in ROWS:
        for column in ("versions", "breaks"):
            if isinstance(row.get(column), str):
                SpecifierSet(row[column])
    for row in FACTS["torch_builds"]:
        SpecifierSet(row["torch"])
    for row in FACTS["distributions"]:
        assert date.fromisoformat(row["end"]) > date(2020, 1, 1)


def test_each_torch_has_its_partners() -> None:
    for row in FACTS["torch_releases"]:
        for partner in ("torchvision", "torchaudio", "triton"):
            wanted = row[partner]
            assert wanted in ("", "none") or re.fullmatch(r"\d+\.\d+(\.\d+|\.\*)", wanted), row
        assert row["torchvision"], row
        assert row["torchaudio"], row
        assert (row["torchaudio"] == "none") == (number(row) >= Version("2.12")), row
        assert row["triton"] or number(row) < Version("2"), row
    # Of torchaudio: the same number since torch 2.1, the release's own before.
    for row in FACTS["torch_releases"]:
        if Version("2.1") <= number(row) < Version("2.12"):
            assert row["torchaudio"] == row["torch"]


def test_each_torch_has_builds_of_known_cudas_and_its_default_is_one_of_them() -> None:
    known = {row["cuda"] for row in FACTS["cuda_drivers"]}
    for row in FACTS["torch_releases"]:
        assert row["default"] in row["builds"], row
        assert set(row["builds"]) <= known, row
        assert all(re.fullmatch(r"\d+(\.\d+)+", cudnn) for cudnn in row["builds"].values()), row
        first, last = (Version(one) for one in row["python"])
        assert first < last


def test_cuda_and_cudnn_of_a_later_torch_are_not_older() -> None:
    rows = sorted(FACTS["torch_releases"], key=number)
    for before, after in itertools.pairwise(rows):
        assert Version(before["default"]) <= Version(after["default"])
        assert Version(before["glibc"]) <= Version(after["glibc"])
        assert [Version(one) for one in before["python"]] <= [Version(one) for one in after["python"]]


# Of these builds nobody has read the architectures; they are not checked against `gpus`, and a finding says so.
NOT_READ = {("2.11.0", "12.9"), ("2.15.0", "12.6"), ("2.15.0", "13.0")} | {
    (release, "13.2") for release in ("2.12.0", "2.12.1", "2.13.*", "2.14.0", "2.14.1")
}


def test_the_code_of_each_build_of_torch_is_known_once() -> None:
    unknown = set()
    for row in FACTS["torch_releases"]:
        for cuda in row["builds"]:
            rows = [
                code
                for code in FACTS["torch_builds"]
                if cuda in code["cuda"] and SpecifierSet(code["torch"]).contains(number(row))
            ]
            assert len(rows) <= 1, (row["torch"], cuda)
            if not rows:
                unknown.add((row["torch"], cuda))
    assert unknown == NOT_READ


def test_every_build_of_torch_could_be_compiled_by_the_nvcc_of_its_cuda() -> None:
    nvcc = {row["capability"]: row for row in FACTS["compute_capabilities"]}
    for row in FACTS["torch_builds"]:
        for capability in [*row["capabilities"], *filter(None, [row["ptx"]])]:
            known = nvcc[capability]
            for cuda in row["cuda"]:
                assert Version(known["first"]) <= Version(cuda), (row, capability)
                assert not known["last"] or Version(cuda) <= Version(known["last"]), (row, capability)


def test_every_gpu_has_a_known_capability_and_kind_and_no_two_rows_one_name() -> None:
    capabilities = {row["capability"] for row in FACTS["compute_capabilities"]}
    kinds = {row["kind"] for row in FACTS["cuda_forward_compatibility"]}
    assert {row["capability"] for row in FACTS["gpus"]} <= capabilities
    assert {row["kind"] for row in FACTS["gpus"]} == kinds
    names = [row["gpu"] for row in FACTS["gpus"]]
    assert len(set(names)) == len(names)


def test_drivers_of_later_toolkits_are_newer_and_every_toolkit_has_a_family() -> None:
    rows = FACTS["cuda_drivers"]
    order = sorted(rows, key=lambda row: (Version(row["cuda"]), Version(row["driver"])), reverse=True)
    assert list(rows) == order
    for newer, older in itertools.pairwise(rows):
        if newer["cuda"] != older["cuda"]:
            assert Version(newer["driver"]) > Version(older["driver"]), (newer, older)
    families = FACTS["cuda_driver_families"]
    for row in rows:
        if (cuda := Version(row["cuda"])) >= Version("10.2"):
            fits = [one for one in families if Version(one["first"]) <= cuda <= Version(one["last"])]
            assert len(fits) == 1, row
            assert Version(fits[0]["driver"]) <= Version(row["driver"]), row


def test_onnxruntime_is_listed_and_known_alike() -> None:
    listed = {version for row in FACTS["onnxruntime_gpu_wheels"] for version in row["versions"]}
    for version in listed:
        rows = [row for row in FACTS["onnxruntime_gpu"] if SpecifierSet(row["versions"]).contains(version)]
        assert len(rows) == 1, version
    for row in FACTS["gone_from_index"]:
        assert row["version"] not in listed
        assert set(row["nearest"]) <= listed
    for wheels in FACTS["onnxruntime_gpu_wheels"]:
        assert wheels["versions"] == tuple(sorted(wheels["versions"], key=Version))


def test_every_library_of_onnxruntime_is_in_a_wheel() -> None:
    held = {one for row in FACTS["library_folders"] for one in row["libraries"]}
    for row in FACTS["onnxruntime_gpu"]:
        assert {*row["libraries"], *row.get("opens", ())} <= held, row


def test_pairs_are_read_by_a_rule_and_named_once() -> None:
    names = [(row["rule"], row["name"]) for row in FACTS["package_pairs"]]
    assert len(set(names)) == len(names)
    assert {rule for rule, _ in names} <= {rule.NAME for rule in all_rules()}


# What NVIDIA and pytorch say runs where; source: the cubin rule, replicate/cog pkg/doctor/gpu_compatibility.go.
@pytest.mark.parametrize(
    ("code", "ptx", "capability", "runs"),
    [
        (["8.6"], "", "8.9", True),
        (["8.9"], "", "8.6", False),
        (["8.0", "8.6"], "", "9.0", False),
        (["9.0"], "", "10.0", False),
        (["12.0"], "", "10.0", False),
        (["10.0"], "", "12.0", False),
        (["12.0"], "", "12.1", True),
        (["8.6"], "8.6", "12.0", True),
        (["8.6"], "8.6", "8.0", False),
        (["9.0"], "9.0", "8.9", False),
    ],
)
def test_code_runs_on_the_same_major_and_ptx_on_what_is_newer(code, ptx, capability, runs) -> None:
    assert covers(code, ptx, capability) is runs
