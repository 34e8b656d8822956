"""A healthy image is green, and the report, the JUnit XML and the evidence say the same."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from builder.errors import InputError
from builder.lock import StackLock
from builder.spec.model import Stack


def test_a_healthy_image_is_green_and_every_result_is_kept(
    judge, stack: Stack, lock: StackLock, engine, image, containers
) -> None:
    report = judge(image)
    assert report.green, [(one.test, one.reason) for one in report.results if one.outcome != "passed"]
    assert {one.check for one in report.results} == set(stack.smoke)
    assert (report.failed, report.skipped, report.passed) == (0, 0, len(report.results))

    cases = ET.parse(report.junit).getroot().findall(".//testcase")
    assert sorted(case.attrib["name"] for case in cases) == sorted(one.test for one in report.results)

    evidence = json.loads(report.evidence.read_text())
    assert evidence["image_id"] == engine.image(image).id
    assert evidence["lock"] == lock.digest
    assert evidence["engine"] == {"version": engine.info.version, "store": engine.info.store}
    assert evidence["probes"]["numpy_scipy"]["figures"]["numpy"] == "1.26.4"
    cpu = evidence["probes"]["onnxruntime CPUExecutionProvider 1e-4 1e-5"]["figures"]
    assert cpu["Conv"]["elements"] == 256
    assert 0 < cpu["Conv"]["difference"] < 1e-4
    assert containers() == []


def test_an_earlier_run_is_reused_only_while_it_was_green_and_nothing_changed(judge, image) -> None:
    few = ("onnxruntime",)
    first = judge(image, smoke=few)
    again = judge(image, smoke=few, reuse=True)
    assert again == replace(first, reused=True)
    assert not judge(image, smoke=few).reused
    assert not judge(image, smoke=("onnxruntime", "onnxruntime_cpu"), reuse=True).reused
    red = {"smoke": ("python",), "python": "3.10"}
    assert not judge(image, **red).green
    assert not judge(image, reuse=True, **red).reused


@pytest.mark.parametrize(
    ("keys", "image_name", "message"),
    [
        ({"smoke": ("pythno",)}, "", r"no smoke test is called pythno.*use one of: gpu, loader.*python"),
        ({"smoke": ()}, "", r"names no smoke test.*list some under `smoke`"),
        ({}, "modelstacks-test-smoke:none", r"the engine has no image modelstacks-test-smoke:none.*make build STACK="),
    ],
    ids=["unknown test", "no test", "no image"],
)
def test_what_cannot_be_judged_is_an_input_error(judge, image, keys, image_name, message) -> None:
    with pytest.raises(InputError, match=message):
        judge(image_name or image, **keys)
