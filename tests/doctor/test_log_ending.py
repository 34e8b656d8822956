"""Which finding stands first, what is none, what is said where nothing is known, and how it is written."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence

import pytest

from builder.failures import Reading, recognise_stream
from builder.failures.rank import Signs
from builder.failures.scan import TAIL
from builder.failures.text import markdown, plain
from tests.conftest import cli

NVCC = "nvcc fatal   : Unsupported gpu architecture 'compute_120'"
GL = "ImportError: libGL.so.1: cannot open shared object file: No such file or directory"


def read(*lines: str) -> Reading:
    return recognise_stream(io.BytesIO("\n".join([*lines, ""]).encode()))


def found(*lines: str) -> list[tuple[str, str]]:
    return [(one.failure.id, one.level) for one in read(*lines).matches]


def ids(*lines: str) -> list[str]:
    return [name for name, _ in found(*lines)]


# --- what was wrong with the rows


def test_the_bare_times_of_buildkits_summary_are_marks() -> None:
    assert ids("------", " > [3/4] RUN make:", "1101.7 Killed", "------") == ["oom-host"]
    text = (
        "0.761 The detected CUDA version (13.0) mismatches the version that was used to compile",
        "0.761 PyTorch (12.1)",
    )
    assert ids(*text) == ["cuda-mismatch"]
    assert read("1101.7 Killed").matches[0].hits[0].text == "Killed"


@pytest.mark.parametrize("number", ["0.13", "12.5", "3.141"])
def test_a_number_that_begins_a_line_of_its_own_is_no_mark(number: str) -> None:
    assert ids(f"{number}Killed") == []


def test_429_is_the_registrys_limit_or_a_servers() -> None:
    assert ids("ERROR: failed to solve: x: unexpected status from HEAD request: 429 Too Many Requests") == [
        "registry-limit"
    ]
    assert ids("HTTPError: 429 Client Error: Too Many Requests for url: https://hub.example/a") == ["too-many-requests"]


@pytest.mark.parametrize(
    "lines",
    [
        ["sudo: unable to resolve host chat_backend: Name or service not known"],
        [
            "Connecting to files.example (files.example)|2001:db8::7|:443... failed: Network is unreachable.",
            "Connecting to files.example (files.example)|192.0.2.7|:443... connected.",
        ],
        [f"a1b2c3d Fix {GL} in slim images", f"* 9f8e7d6 (HEAD -> main) Catch {NVCC}"],
        [
            "commit a1b2c3d4e5f60718293a4b5c6d7e8f9012345678",
            "Author: A <a@example.org>",
            "Date:   Mon Mar 2",
            "",
            f"    {GL}",
        ],
        ["^CGracefully stopping... (press Ctrl+C again to force)", "worker-1 exited with code 137"],
        ["E cuda_dnn.cc:9342] Unable to register cuDNN factory: Attempting to register factory for plugin cuDNN"],
    ],
    ids=["sudo", "wget", "oneline", "log", "compose", "factory"],
)
def test_what_looks_like_a_failure_and_is_none(lines: list[str]) -> None:
    assert ids(*lines) == []
    assert not read(*lines).failed


def test_the_same_words_elsewhere_are_failures() -> None:
    assert ids("curl: (6) Could not resolve host: files.example") == ["name-unknown"]
    assert ids("Connecting to files.example|2001:db8::7|:443... failed: Network is unreachable.") == ["no-connection"]
    assert ids(GL) == ids(f"    {GL}") == ids(f"20260301 {GL}") == ["cv2-libgl"]
    assert ids("worker-1 exited with code 137") == ["oom-host"]


def test_a_row_does_not_say_what_the_log_does_not_hold() -> None:
    lines = (
        'File "/x/tensorflow/core/framework/attr_value_pb2.py", line 1',
        "TypeError: Descriptors cannot be created directly.",
    )
    (first, *_) = read(*lines).matches
    assert first.failure.id == "tf-protobuf"
    assert "2.8.0" not in first.cause + first.fix


@pytest.mark.parametrize(
    "line",
    [
        "x509: certificate has expired or is not yet valid: current time 2026-03-01 is after 2025-01-01",
        "curl: (60) SSL certificate problem: certificate has expired",
        "fatal: unable to access 'https://git.example/a.git/': SSL certificate problem: certificate has expired",
        "There was a problem confirming the ssl certificate: certificate verify failed: certificate has expired",
    ],
)
def test_no_second_finding_contradicts_the_first(line: str) -> None:
    assert ids(line) == ["tls-clock"]


def test_an_exact_failure_stands_for_the_general_one_on_its_line() -> None:
    assert ids("OSError: libsndfile.so.1: cannot open shared object file: No such file or directory") == ["sndfile"]
    assert ids("OSError: libfoo.so.1: cannot open shared object file: No such file or directory") == ["library-missing"]
    assert ids("a.c:1:10: fatal error: portaudio.h: No such file or directory") == ["header-portaudio"]
    assert ids("a.c:1:10: fatal error: foo/bar.h: No such file or directory") == ["header-missing"]


def test_cdi_tells_whose_device_is_missing() -> None:
    assert ids("failed to inject CDI devices: unresolvable CDI devices runtime.nvidia.com/gpu=all") == ["cdi-runtime"]
    assert ids("failed to inject CDI devices: unresolvable CDI devices nvidia.com/gpu=all") == ["cdi-device"]


@pytest.mark.parametrize(
    ("line", "name", "fix"),
    [
        ("Killed", "oom-host", "more memory"),
        ("g++: fatal error: Killed signal terminated program cc1plus", "oom-compile", "MAX_JOBS=1"),
        ("MemoryError: Unable to allocate 12. GiB for an array", "oom-allocation", "smaller batches"),
        ("RuntimeError: unable to open shared memory object </torch_1> in read-write mode", "shm", "--shm-size"),
    ],
)
def test_each_shortage_of_memory_has_its_own_cause_and_fix(line: str, name: str, fix: str) -> None:
    (match,) = read(line).matches
    assert match.failure.id == name
    assert fix in match.fix


def test_mmcv_from_2_on_is_not_called_mmcv_full() -> None:
    (match,) = read("ModuleNotFoundError: No module named 'mmcv._ext'").matches
    assert "mmcv from 2.0 on" in match.fix
    (match,) = read(
        "AssertionError: MMCV==2.2.0 is used but incompatible. Please install mmcv>=2.0.0rc4, <2.1.0."
    ).matches
    assert match.failure.id == "mmcv-version"
    assert "mmcv-full" not in match.fix


def test_torch_in_an_isolated_build_is_not_called_missing() -> None:
    missing = "ModuleNotFoundError: No module named 'torch'"
    assert ids("  Getting requirements to build wheel: finished with status 'error'", missing) == [
        "build-isolation-torch"
    ]
    assert ids("Traceback (most recent call last):", missing) == ["torch-missing"]


def test_a_constraint_for_an_isolated_build_is_given_as_pip_reads_it() -> None:
    (match,) = read("ModuleNotFoundError: No module named 'pkg_resources'").matches
    assert "--build-constraint" in match.fix and "PIP_BUILD_CONSTRAINT" in match.fix


def test_a_quiet_pip_that_found_nothing_has_two_causes() -> None:
    said = "ERROR: Could not find a version that satisfies the requirement torhc (from versions: none)"
    first = read("$ pip install -q torhc", said).matches[0]
    assert "misspelt" in first.cause and "TLS" in first.cause and "without -q" in first.fix


# --- what stands first


def test_what_ended_the_log_outranks_what_stands_far_above() -> None:
    far = ["compiling"] * (TAIL // 4)
    assert ids(NVCC, *far, GL) == ["cv2-libgl", "nvcc-arch"]
    assert ids(NVCC, "compiling", GL) == ["nvcc-arch", "cv2-libgl"]  # near, so that the more telling words are first


def test_what_explains_the_end_is_not_far() -> None:
    far = ["compiling"] * (TAIL // 4)
    matches = read("TypeError: Descriptors cannot be created directly.", *far, NVCC.replace("120", "90"), GL).matches
    assert [one.failure.id for one in matches][-1] == "protobuf-descriptor"
    tls = "There was a problem confirming the ssl certificate: x"
    none = "ERROR: Could not find a version that satisfies the requirement a (from versions: none)"
    assert ids(tls, *far, none) == ["tls-pip", "no-versions"]


def test_a_consequence_stands_under_the_error_before_it() -> None:
    failed = "subprocess.CalledProcessError: Command '['ninja', '-v']' returned non-zero exit status 1."
    matches = read(NVCC, failed).matches
    assert [(one.failure.id, one.follows) for one in matches] == [("nvcc-arch", ""), ("compile-failed", "nvcc-arch")]
    assert [(one.failure.id, one.follows) for one in read(failed).matches] == [("compile-failed", "")]


def test_an_error_after_which_the_program_went_on_is_a_warning() -> None:
    gone_on = "INFO:     Application startup complete."
    assert found(GL, gone_on) == [("cv2-libgl", "warning")]
    assert not read(GL, gone_on).failed
    assert found(gone_on, GL) == [("cv2-libgl", "error")]
    assert found(GL, gone_on, "worker-1 exited with code 1") == [("cv2-libgl", "error")]
    assert found(GL, "worker-1 exited with code 1", gone_on) == [("cv2-libgl", "error")]  # another service went on
    assert found(GL, "INFO:     Shutting down") == [("cv2-libgl", "error")]


def test_what_was_only_tried_again_is_none_unless_an_error_came_of_it() -> None:
    retry = "WARNING: Retrying (Retry(total=4)) after connection broken by 'Read timed out.': /a.whl"
    assert found(retry, "Successfully installed a-1.0") == []
    assert ids(retry, "ERROR: Could not install packages") == ["connection-reset"]
    assert ids(retry) == ["connection-reset"]


def test_the_last_of_the_signs_counts() -> None:
    assert Signs(error=3, ended=0, went_on=4).well
    assert not Signs(error=4, ended=0, went_on=4).well
    assert not Signs(error=1, ended=5, went_on=4).well


def test_words_of_common_letters_are_looked_for_in_the_logs_end_alone() -> None:
    words, line = "[mov,mp4 @ 0x1] moov atom not found", "frame 1 of 2"
    assert ids(*[line] * 9000, words) == ["lfs-pointer-media"]
    assert ids(words, *[line] * 9000) == []
    assert read(*[line] * 9000, "fatal: early EOF").failed


def test_a_header_is_known_by_the_word_before_the_compilers_own() -> None:
    line = "a.c:1:10: fatal error: {}: No such file or directory"
    assert ids(line.format("portaudio.h")) == ["header-portaudio"]
    assert ids(line.format("other/portaudio.h")) == ["header-missing"]


# --- what is said where nothing is known

UNKNOWN = [
    "Step 3/9 : RUN make",
    "frobnicator.c:3:1: error: widget inverted",
    "frobnicator.c:9:1: error: widget upside down",
    "make: *** [frob] Error 2",
]


@pytest.mark.parametrize(
    ("lines", "sort", "more"),
    [
        (UNKNOWN[:3], "a compilation", "LOG=FILE"),
        (["Traceback (most recent call last):", "ImportError: a strange one"], "an import", "CONTAINER=NAME"),
        (["docker: Error response from daemon: something new."], "the start of a container", "ONLY=host"),
        (["ERROR: Could not build a requirement"], "an install", "LOG=FILE"),
        (["Traceback (most recent call last):", "ValueError: bad shape"], "the run of a program", "CONTAINER=NAME"),
        (["curl: (56) error: TLS alert"], "a download or the network", "ONLY=network"),
    ],
)
def test_it_still_says_what_sort_of_failure_it_is_and_what_to_run_next(
    lines: Sequence[str], sort: str, more: str
) -> None:
    reading = read(*lines)
    assert reading.matches == ()
    assert reading.failed
    assert reading.ending.sort == sort
    assert reading.ending.next.startswith("make doctor") and more in reading.ending.next


def test_it_still_says_the_first_and_the_last_error_and_the_step() -> None:
    ending = read(*UNKNOWN).ending
    assert (ending.first and ending.first.line, ending.last and ending.last.line) == (2, 4)
    assert ending.step == "Step 3/9 : RUN make"
    steps = " > [builder 3/7] RUN pip install .:", "12.1 SomethingError: it broke"
    assert read(*steps).ending.step == "[builder 3/7] RUN pip install .:"
    assert read("ok", "done").ending.document()["failed"] is False


def test_the_command_says_so_and_ends_with_1() -> None:
    import subprocess
    import sys

    from tests.conftest import REPO

    words = [sys.executable, "-m", "builder", "doctor", "--log", "-"]
    text = "\n".join([*UNKNOWN, ""])
    done = subprocess.run(words, cwd=REPO, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == ""
    assert done.stdout.startswith("no known failure in the 4 lines of standard input; an error ends it all the same")
    for said in (
        "last error: line 4",
        "first error: line 2",
        "step: Step 3/9",
        "it looks like: a",
        "next: make doctor",
    ):
        assert said in done.stdout
    done = subprocess.run([*words, "--json"], cwd=REPO, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert found["failures"] == []
    assert found["ending"]["last_error"]["line"] == 4


# --- how it is written


def test_a_finding_is_readable_at_80_columns_with_its_consequences_under_it() -> None:
    failed = "subprocess.CalledProcessError: Command '['ninja', '-v']' returned non-zero exit status 1."
    text = plain("build.log", read(NVCC, failed), 80)
    assert max(map(len, text.splitlines())) <= 80
    order = [
        text.index(word)
        for word in ("error: nvcc-arch", "cause: ", "fix: ", "in a stack: ", "source: ", "then follows: ")
    ]
    assert order == sorted(order)
    assert text.index("then follows: ") < text.index("compile-failed")


def test_markdown_holds_the_logs_words_in_blocks_that_they_cannot_end() -> None:
    text = markdown("a`b", read(f"```` **bold** <script> {NVCC}"))
    block = text.split("\n`````\n")
    assert len(block) == 3 and "<script>" in block[1]
    assert "- **fix:** " in text and "- **source:** " in text and "a`b" not in text


def test_the_command_writes_markdown(tmp_path: object) -> None:
    from tests.doctor.test_log import LOGS

    done = cli("doctor", "--log", str(LOGS / "cuda-mismatch.log"), "--format", "markdown")
    assert done.returncode == 1
    assert "### error: `cuda-mismatch`, line " in done.stdout
