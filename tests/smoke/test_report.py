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
    assert {one.check for one in report.results} == {*stack.smoke, "imports"}
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


def test_the_junit_xml_of_a_failed_test_has_what_its_probe_said(judge, variant) -> None:
    noise = "import sys; [print(number, file=sys.stderr) for number in range(2000)]; raise ImportError"
    cv2 = "/opt/venv/lib/python3.11/site-packages/cv2"
    report = judge(variant(f"RUN echo '{noise}' > {cv2}/__init__.py && rm -r {cv2}/__pycache__"), smoke=("opencv",))
    said = {}
    for case in ET.parse(report.junit).getroot().iter("testcase"):
        said[case.attrib["name"]] = "".join(part.text or "" for part in case.iter("system-err"))
    failed = {one.test for one in report.results if one.outcome == "failed"}
    assert failed == {name for name, text in said.items() if text}
    assert len(failed) == len(report.results) - 1 == 3
    for name in failed:
        assert "probe opencv:" in said[name]
        assert "\n0\n1\n2\n" in said[name]
        assert "\n1999\n" in said[name]


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
        ({"smoke": ("pythno",)}, "", r"no smoke test is called pythno.*use one of: .*gpu, .*python"),
        ({"smoke": ()}, "", r"names no smoke test.*list some under `smoke`"),
        ({}, "modelstacks-test-smoke:none", r"the engine has no image modelstacks-test-smoke:none.*make build STACK="),
    ],
    ids=["unknown test", "no test", "no image"],
)
def test_what_cannot_be_judged_is_an_input_error(judge, image, keys, image_name, message) -> None:
    with pytest.raises(InputError, match=message):
        judge(image_name or image, **keys)
