"""A container may say anything: what it says is bounded, cleaned, and never obeyed."""

from __future__ import annotations

import json

import pytest

from builder.doctor.container.inside import Container
from builder.doctor.container.model import System
from builder.doctor.container.text import clean, markdown, plain_path
from builder.inside import ProbeError, probe
from tests.doctor.container.conftest import Start

# Where it is and which version, as asked first; then what the test wants it to say.
FAKE = """#!/bin/sh
case "$3" in *sys.executable*) printf '/usr/bin/python3\\n3.11\\n'; exit;; esac
"""


@pytest.fixture
def fake(start: Start, tmp_path):
    """A container whose python3 is a shell script of the test's."""

    def make(says: str) -> str:
        script = tmp_path / "python3"
        script.write_text(f"{FAKE}{says}\n")
        script.chmod(0o755)
        return start(mounts={"/usr/bin/python3": script})

    return make


def test_endless_output_is_cut(fake, diagnose) -> None:
    report = diagnose(fake("yes"))
    assert report.evidence.interpreters == ()
    assert {one.rule for one in report.findings} == {"unseen"}
    assert any("too long" in one.problem for one in report.findings)


def test_a_probe_that_hangs_is_given_up(fake, monkeypatch) -> None:
    monkeypatch.setattr(probe, "GRACE", 0)
    container = Container.find(fake("sleep 60"))
    with pytest.raises(ProbeError, match="no answer within 1 s"):
        container.probe("made", "/usr/bin/python3", "", System, env={}, seconds=1)


@pytest.mark.parametrize(
    "says",
    ["[" * 100000, "{}" + "x" * 10, '{"os": 7}', "1" * 10000, '{"libraries": {"a": "b"}}', ""],
    ids=["deep", "no JSON", "a number", "a long number", "no list", "nothing"],
)
def test_what_is_not_the_document_asked_for_is_refused(fake, says) -> None:
    container = Container.find(fake("printf '%s\\n' '" + says + "'"))
    with pytest.raises(ProbeError, match=r"not the document asked for|no answer"):
        container.probe("made", "/usr/bin/python3", "", System, env={}, seconds=20)


def test_control_characters_and_odd_paths_do_not_get_through(fake) -> None:
    odd = {
        "os": "\x1b[31mred\x07\u202e txt\n# heading",
        "pythons": ["/opt/a b/bin/python", "/opt/$(id)/bin/python", "relative", "/opt/good/bin/python"],
        "versions": {"/x\x1b]0;title\x07": "9"},
    }
    container = Container.find(fake(f"cat <<'END'\n{json.dumps(odd)}\nEND"))
    system, _ = container.probe("made", "/usr/bin/python3", "", System, env={}, seconds=20)
    assert system.os == "[31mred txt # heading"
    assert system.pythons == ("/opt/good/bin/python",)
    assert list(system.versions) == ["/x]0;title"]


def test_nothing_of_a_container_is_obeyed_by_a_terminal_shell_or_markdown_reader() -> None:
    assert clean("a\x00b\x9bc\u2066d" + "e" * 5000, 10) == "abcdeee…"
    assert plain_path("/opt/x;reboot") == plain_path("/opt/`id`") == plain_path("/a\n/b") == ""
    assert markdown("<img src=x> | [a](b) `c`") == r"\<img src=x\> \| \[a\](b) \`c\`"
