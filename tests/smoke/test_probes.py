"""A probe's words are not trusted: their size is bounded, and what it leaves behind holds nobody up."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.inside import Place, ProbeError
from builder.smoke import brief
from builder.smoke.brief import Probes


@pytest.fixture
def probe(monkeypatch, tmp_path: Path) -> Callable[[str], object]:
    """Run a script as a probe on this machine."""
    monkeypatch.setattr(brief, "_PROBES", tmp_path)
    place = Place(python=sys.executable, environment={"WORD": "given"}, folder=str(tmp_path))

    def run(script: str) -> object:
        (tmp_path / "made.py").write_text(script)
        return Probes(place)("made", "one", "two")

    return run


def test_a_probe_gets_its_arguments_environment_and_folder(probe, tmp_path) -> None:
    seen = "[sys.argv[1:], os.environ['WORD'], os.getcwd()]"
    script = f"import json, os, sys\nprint('talk')\nprint(json.dumps({{'seen': {seen}}}))"
    assert probe(script) == {"seen": [["one", "two"], "given", str(tmp_path)]}
    with pytest.raises(ProbeError, match="printed list, not a JSON object"):
        probe("print([])")


def test_endless_output_is_cut_off(probe, monkeypatch) -> None:
    monkeypatch.setattr(brief, "PROBE_BYTES", 100_000)
    for stream in ("stdout", "stderr"):
        with pytest.raises(ProbeError, match="printed more than 100000 bytes"):
            probe(f"import sys\nwhile True: sys.{stream}.write('x' * 10_000)")


def test_a_child_that_keeps_the_outputs_open_holds_nobody_up(probe, monkeypatch) -> None:
    monkeypatch.setattr(brief, "PROBE_SECONDS", 2)
    before = time.monotonic()
    with pytest.raises(ProbeError, match="no answer within 2 s"):
        probe("import subprocess\nsubprocess.Popen(['sleep', '20'])\nprint('{}')")
    assert time.monotonic() - before < 18


@pytest.mark.parametrize("words", ["print('[' * 100_000)", "print('NaN, no')", "pass", "print('{')"])
def test_what_is_no_document_is_said(probe, words) -> None:
    with pytest.raises(ProbeError, match="printed no JSON document"):
        probe(words)


def test_an_interpreter_that_is_not_there_is_a_probe_error(tmp_path) -> None:
    place = Place(python=str(tmp_path / "none"), environment={})
    with pytest.raises(ProbeError, match=r"probe python does not start: .*No such file"):
        Probes(place)("python")
