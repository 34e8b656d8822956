"""Known failures in logs: each row is proved by a log, none is seen where there is none, and no log can stop it."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from builder.doctor.log import LogReport, examine_log
from builder.errors import InputError
from builder.failures import Failure, Match, recognise, recognise_file, recognise_stream
from builder.failures.catalogue import failure, known
from builder.failures.scan import KEPT
from builder.failures.search import AHEAD
from builder.ui import Ui
from tests.conftest import REPO, cli, document
from tests.doctor.threads import KINDS, cases, messages

LOGS = Path(__file__).parent / "logs"
BLOCK = 1 << 18  # bytes that are searched at a time
MISMATCH = (
    "The detected CUDA version (13.0) mismatches the version that was used to compile",
    "PyTorch (12.1). Please",
)
NVCC = b"nvcc fatal   : Unsupported gpu architecture 'compute_120'\n"


def expected() -> dict[str, list[str]]:
    """What each log shows, by the log's name."""
    kinds = yaml.safe_load((LOGS / "expected.yaml").read_text())
    return {name: ids for kind in ("measured", "written") for name, ids in kinds[kind].items()}


EXPECTED = expected()


def ids(matches: tuple[Match, ...]) -> list[str]:
    return [match.failure.id for match in matches]


def read(data: bytes) -> tuple[Match, ...]:
    return recognise_stream(io.BytesIO(data)).matches


@pytest.mark.parametrize("name", EXPECTED)
def test_a_log_shows_its_failures_and_no_others_the_most_specific_first(name: str) -> None:
    assert ids(recognise_file(LOGS / f"{name}.log").matches) == EXPECTED[name]


def test_every_log_is_expected_and_precision_and_recall_over_all_are_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert {path.stem for path in LOGS.glob("*.log")} == set(EXPECTED)
    found = {name: set(ids(recognise_file(LOGS / f"{name}.log").matches)) for name in EXPECTED}
    right = sum(len(found[name] & set(wanted)) for name, wanted in EXPECTED.items())
    seen, there = sum(map(len, found.values())), sum(map(len, EXPECTED.values()))
    quiet = [name for name, wanted in EXPECTED.items() if not wanted]
    alarms = [name for name in quiet if found[name]]
    with capsys.disabled():
        figures = f"precision {right / seen:.3f} ({right} of {seen}), recall {right / there:.3f} ({right} of {there})"
        sys.stdout.write(f"\n{len(EXPECTED)} logs, {len(quiet)} without a failure: {figures}, false alarms {alarms}\n")
    assert len(EXPECTED) >= 100 and len(quiet) >= 10
    assert right == seen == there and not alarms


@pytest.mark.parametrize("name", known())
def test_every_pattern_finds_its_failure_in_some_log_by_itself(name: str) -> None:
    """In a whole log, or for a message that is in none of them in words.txt, under the failure's name."""
    row = known()[name]
    logs = [(LOGS / f"{log}.log").read_text().splitlines() for log, wanted in EXPECTED.items() if name in wanted]
    logs += [one.log for kind in KINDS for one in cases(kind) if not one.harmless]
    logs += messages().get(name, [])
    for pattern in row.patterns:
        alone = {name: dataclasses.replace(row, patterns=(pattern,))}
        assert any(recognise(log, alone) for log in logs), pattern


# --- the data


@pytest.mark.parametrize("row", known().values(), ids=known())
def test_a_row_is_whole_and_its_words_can_be_filled_in(row: Failure) -> None:
    assert row.cause and row.fix and row.source and row.level in ("error", "warning")
    assert row.kind in ("exact", "general", "consequence")
    assert set(row.over) <= set(known()) - {row.id}
    wanted = set(re.findall(r"\{(\w+)\}", row.cause + row.fix + row.stack))
    for pattern in row.patterns:
        assert len(pattern.text.encode()) >= 6
        assert wanted <= set(re.compile(pattern.then).groupindex), pattern


def test_what_explains_what_has_no_circle() -> None:
    def climb(name: str, passed: tuple[str, ...]) -> None:
        assert name not in passed
        for below in known()[name].over:
            climb(below, (*passed, name))

    for name in known():
        climb(name, ())


def test_every_id_is_there_once() -> None:
    text = "".join(path.read_text() for path in (REPO / "builder" / "failures" / "known").glob("*.yaml"))
    assert sorted(re.findall(r"^- id: (.+)$", text, re.M)) == sorted(known())


def test_no_fix_switches_verification_off() -> None:
    off = re.compile(
        r"curl -k|\s-k\b|--insecure|trusted-host|verify=False|sslVerify|PYTHONHTTPSVERIFY|TLS_REJECT|strict-ssl"
        r"|no-check-certificate|trusted=yes|Verify-Peer|allow_pickle=True|hash-locked",
        re.I,
    )
    assert [row.id for row in known().values() if off.search(f"{row.fix} {row.stack}")] == []


def test_a_fix_is_for_plain_docker_and_pip_and_a_stack_has_words_of_its_own() -> None:
    ours = re.compile(r"modelstacks|in a stack|of the stack|`(?:system|weights|extensions|gpus|libraries|sources)`")
    assert [row.id for row in known().values() if ours.search(row.fix)] == []


def test_a_row_with_an_unknown_key_is_refused() -> None:
    row = {"id": "x", "patterns": ["some words"], "cause": "c", "fix": "f", "source": "s"}
    assert failure(row).patterns[0].text == "some words"
    with pytest.raises(TypeError):
        failure({**row, "fixx": "f"})


# --- what is shown


def test_lines_are_numbered_and_the_first_few_are_kept() -> None:
    log = b"fine\n" + NVCC * (KEPT + 2)
    (match,) = read(log)
    assert [hit.line for hit in match.hits] == [2, 3, 4][:KEPT]
    assert match.more is True
    assert read(b"fine\n" + NVCC * KEPT)[0].more is False


def test_a_fix_uses_the_words_of_the_log_where_they_are_safe_to_copy() -> None:
    (match,) = read(NVCC)
    assert match.fix.startswith("take compute_120 out of TORCH_CUDA_ARCH_LIST")
    (match,) = read(b"ninja: error: unknown target '$(rm -rf ~);x'\n")
    assert "rm -rf" not in match.fix + match.cause
    assert "without TARGET" in match.fix


def test_escapes_unseen_characters_and_logins_are_not_shown() -> None:
    line = (
        "\x1b]0;title\x07\x1b[1;31mERROR\x1b[0m https://me:secret@mirror.example \u202e[bold]nvcc \x1b[33mfatal\x1b[0m"
    )
    line += "  : Unsupported\tgpu architecture 'compute_120'\x08\x1b[2K\r\n"
    (match,) = read(line.encode())
    shown = "ERROR https://***@mirror.example [bold]nvcc fatal : Unsupported gpu architecture 'compute_120'"
    assert match.hits[0].text == shown


def test_the_marks_of_buildkit_and_compose_may_stand_between_two_lines_of_one_message() -> None:
    words = [
        "The detected CUDA version (13.0) mismatches the version that was used to compile",
        "PyTorch (12.1). Please",
    ]
    for mark in ("#12 3.456 ", "worker-1  | ", "2026-03-01T10:00:00.1234567Z ", "      "):
        (match,) = recognise(f"{mark}{word}" for word in words)
        assert match.cause == "nvcc is of CUDA 13.0, torch was built with CUDA 12.1"


def test_a_killed_line_is_one_and_a_word_in_a_line_is_not() -> None:
    assert ids(recognise(["Killed"])) == ["oom-host"]
    assert ids(recognise(["2 workers Killed", "Killed by the user", "libkilled"])) == []


# --- hostile and odd input


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_other_encodings_are_read(encoding: str) -> None:
    text = "Überschrift\r\n" * 3 + NVCC.decode()
    (match,) = read(text.encode(encoding))
    assert (match.failure.id, match.hits[0].line) == ("nvcc-arch", 4)


def test_binary_bytes_and_nuls_around_the_words_do_no_harm() -> None:
    garbage = bytes(range(256)) * 3000
    (match,) = read(garbage + b"\n\0" + NVCC + garbage)
    assert match.failure.id == "nvcc-arch"
    assert recognise_stream(io.BytesIO(garbage)).matches == ()
    assert recognise_stream(io.BytesIO(b"")).lines == 0


@pytest.mark.parametrize("offset", [*range(-90, 10, 7), *range(-AHEAD - 90, -AHEAD + 10, 7)])
def test_words_across_the_end_of_a_piece_are_found_once(offset: int) -> None:
    words = (
        b"The detected CUDA version (13.0) mismatches the version that was used to compile\n#1 2.0 PyTorch (12.1).\n"
    )
    before = b"x" * 79 + b"\n"
    pad = before * (-(-(BLOCK + offset) // len(before)))
    pad = pad[len(pad) - BLOCK - offset :]
    reading = recognise_stream(io.BytesIO(pad + words + before * 9000))
    (match,) = reading.matches
    assert [hit.line for hit in match.hits] == [pad.count(b"\n") + 1]
    assert (match.hits[0].groups["torch"], match.more) == ("12.1", False)
    assert reading.lines == pad.count(b"\n") + 2 + 9000


def test_a_line_of_many_megabytes_is_cut_and_what_it_holds_is_found() -> None:
    line = b"progress " * (1 << 20)
    reading = recognise_stream(io.BytesIO(line + NVCC.strip() + line + b"\nKilled\n"))
    assert ids(reading.matches) == ["oom-host", "nvcc-arch"]  # what ends it stands before what is megabytes above
    assert [match.hits[0].line for match in reading.matches] == [2, 1]
    assert len(reading.matches[1].hits[0].text) < 1000


def seconds(data: bytes) -> float:
    """The processor's time for one reading."""
    started = time.process_time()
    recognise_stream(io.BytesIO(data))
    return time.process_time() - started


def hostile(row: Failure) -> Iterator[bytes]:
    """For each pattern, texts that almost match, with what it may try again and again behind them."""
    fillers = (b"", b" ", b"a", b"1.", b"_", b"\n", b"'", b"sm_1 ", b" \n")
    for pattern in row.patterns:
        text, near = pattern.text.encode(), b" ".join(word.encode() for word in pattern.near)
        tried = (*fillers, text) if pattern.then else (b"\n",)
        yield b"".join(text + filler * 200 + near for filler in tried)


@pytest.mark.parametrize("row", known().values(), ids=known())
def test_no_pattern_is_slow_on_what_almost_matches(row: Failure) -> None:
    """A pattern that tries exponentially or runs over the whole log would need hours for one of these."""
    for piece in hostile(row):
        data = (piece * (BLOCK // len(piece) + 1))[:BLOCK]
        assert seconds(data) < 2, piece[:200]


def test_four_times_the_hostile_log_takes_about_four_times_as_long() -> None:
    """With few rows left after their first hits the rest would be quick: a near word that is far keeps all in play."""
    mixed = b"".join(
        pattern.text.encode() + b" 1 " for row in known().values() for pattern in row.patterns if pattern.then
    )

    def seconds(count: int) -> float:
        started = time.process_time()
        recognise_stream(io.BytesIO(mixed * count))
        return time.process_time() - started

    few, many = min(seconds(50) for _ in range(3)), min(seconds(200) for _ in range(2))
    assert many < 8 * few, (few, many)


def lines_of(size: int) -> io.RawIOBase:
    """A stream of about this many bytes that are nowhere in memory at once, with one failure at its end."""

    class Stream(io.RawIOBase):
        left = size

        def read(self, count: int = -1) -> bytes:
            if self.left <= 0:
                return b""
            self.left -= count
            return (b"#7 12.34 gcc -pthread -O3 -Wall -fPIC -c a.c -o a.o\n" * (count // 52 + 1))[: count - 1] + b"\n"

    return Stream()


def test_memory_does_not_grow_with_the_log() -> None:
    def peak(size: int) -> int:
        tracemalloc.start()
        recognise_stream(lines_of(size))  # type: ignore[arg-type]
        taken = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return taken

    known()
    small, large = peak(2 << 20), peak(24 << 20)
    assert large < small + (1 << 20), (small, large)


# The command, which tells its own peak of memory at its end: rusage would count the tests' process, forked before exec.
TELLING = """
import atexit, pathlib, runpy, sys
atexit.register(lambda: sys.stderr.write(pathlib.Path("/proc/self/status").read_text()))
runpy.run_module("builder", run_name="__main__", alter_sys=True)
"""


@pytest.mark.heavy
def test_a_gigabyte_and_a_line_of_a_hundred_megabytes_take_little_memory() -> None:
    """Through the command line as a user runs it; the limit holds Python itself and its libraries too."""
    feed = (
        "import sys\nw = sys.stdout.buffer.write\nline = b'#7 12.34 gcc -pthread -O3 -Wall -fPIC -c a.c -o a.o\\n'\n"
        "line *= 10000\nfor _ in range(2000): w(line)\nfor _ in range(100): w(b'x' * (1 << 20))\n"
        f"w(b'\\n' + {NVCC!r})\n"
    )
    with subprocess.Popen([sys.executable, "-c", feed], stdout=subprocess.PIPE) as source:
        done = subprocess.run(
            [sys.executable, "-c", TELLING, "--json", "doctor", "--log", "-"],
            cwd=REPO,
            stdin=source.stdout,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
    found = document(done, code=1)
    assert found["bytes"] > 1_100_000_000
    assert [one["id"] for one in found["failures"]] == ["nvcc-arch"]
    assert found["failures"][0]["hits"][0]["line"] == 20_000_002 == found["lines"]
    assert int(re.findall(r"VmHWM:\s+(\d+) kB", done.stderr)[-1]) < 120_000


# --- the command


def test_the_command_says_line_cause_and_fix_on_stdout_and_ends_with_1() -> None:
    done = cli("doctor", "--log", str(LOGS / "cuda-mismatch.log"))
    assert done.returncode == 1
    assert done.stderr == ""
    assert re.search(r"^error: cuda-mismatch \(line \d+\)$", done.stdout, re.M)
    assert "cause: nvcc is of CUDA 13.0, torch was built with CUDA 12.1" in done.stdout
    assert "fix: compile in a devel base of CUDA 12.1" in done.stdout
    assert "source: torch/utils/cpp_extension.py" in done.stdout


def test_the_command_says_plainly_that_it_knows_none() -> None:
    done = cli("doctor", "--log", str(LOGS / "none-pip.log"))
    assert done.returncode == 0
    assert done.stdout.startswith("no known failure in the ")


def test_the_command_reads_standard_input_and_gives_a_document() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "builder", "--json", "doctor", "--log", "-"],
        cwd=REPO,
        input=(LOGS / "tls-pip.log").read_text(),
        capture_output=True,
        text=True,
        check=False,
    )
    found = document(done, code=1)
    assert found["log"] == "standard input"
    assert [(one["id"], one["follows"]) for one in found["failures"]] == [
        ("tls-pip", ""),
        ("tls-python", "tls-pip"),
        ("no-versions", "tls-pip"),
    ]
    assert all(one["hits"][0]["line"] and one["source"] for one in found["failures"])


def test_the_make_target_takes_a_log() -> None:
    command = ["make", "--dry-run", "doctor", "LOG=build/x/build.log", "FORMAT=markdown"]
    said = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True).stdout
    assert 'doctor --log "$given_LOG" --format "$given_FORMAT"' in said


@pytest.mark.parametrize(
    "words",
    [["--log", "/nowhere/build.log"], ["--log", "/"], ["--log", "-", "onnx-cpu"], ["--format", "markdown"]],
)
def test_a_log_that_cannot_be_read_or_stands_beside_other_words_is_wrong_input(words: list[str]) -> None:
    done = cli("--json", "doctor", *words)
    assert done.returncode == 2
    assert json.loads(done.stdout)["errors"][0]["fix"]


def test_a_file_that_cannot_be_read_is_wrong_input(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        recognise_file(tmp_path / "gone.log")


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("could not reach https://u:S3CRET@h.org/x", "h.org/x"),
        ("could not reach https://u:S3CRET/with/slash@h.org/simple", "h.org/simple"),
        ("GET https://h.org/x?X-Amz-Signature=S3CRET&token=S3CRET failed", "https://h.org/x?"),
        ("header Authorization: Basic S3CRETS3CRET= refused", "Authorization: Basic"),
        ("sent authorization=Bearer S3CRETS3CRET to it", "sent"),
        ("Bearer S3CRETS3CRET is not valid", "is not valid"),
        ("PRIVATE-TOKEN: S3CRET", "PRIVATE-TOKEN"),
        ("HF_TOKEN=S3CRET is not valid", "HF_TOKEN="),
        ("AWS_SECRET_ACCESS_KEY=S3CRET is not valid", "is not valid"),
        ("the token hf_S3CRETS3CRETS3CRET is not valid", "is not valid"),
        ("https://h.org:8443/team/x@1.0 has no such file", "https://h.org:8443/team/x@1.0"),
        ("unexpected token = 3, Key = 4", "token = 3, Key = 4"),
    ],
)
def test_no_secret_of_a_log_is_shown(form: str, line: str, kept: str) -> None:
    report = LogReport("x", recognise_stream(io.BytesIO(f"error: {line}\n".encode())))
    said = (
        json.dumps(report.document()) if form == "json" else report.text("markdown" if form == "markdown" else "text")
    )
    assert kept.partition("=")[0] in " ".join(said.split()) and "S3CRET" not in said


def test_a_device_without_an_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to("/dev/zero")
    with pytest.raises(InputError, match="cannot be read"):
        examine_log(str(tmp_path / "log"), Ui())
