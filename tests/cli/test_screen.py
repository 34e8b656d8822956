"""What a person sees of each verb that shows a table: results on stdout, lines that fit the screen, words whole."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from builder.engine.client import Engine
from builder.ui.table import width
from tests.conftest import HOME, REPO, cli, write_stack
from tests.screen import Shown, on_terminal

WIDTHS = (80, 100)
VERBS = {
    "list": ["list"],
    "check": ["check"],
    "check of this machine": ["check", "--host", "onnx-cpu", "gsplat"],
    "matrix": ["matrix"],
    "doctor": ["doctor", "--only", "host", "onnx-cpu", "gsplat"],
    "prune": ["prune", "--files-only"],
}
# Tables of what takes minutes, a registry or a GPU, as those verbs show them.
TABLES = {
    "reproduce": """
from builder.reproduce.differences import Difference
from builder.reproduce.twice import Report
digest = ("sha256:" + "ab" * 32, "sha256:" + "cd" * 32)
file = Difference("opt/venv/lib/python3.11/site-packages/numpy/core/_multiarray_umath.so", "content", "1 MB", "2 MB")
Report("onnx-cpu", "overlay2", False, "the image id, which is the digest of its OCI configuration", digest,
       (digest, digest), digest, (file,), 1.0).table(ui)
""",
    "publish": """
from builder.publish.run import Published
Published("onnx-cpu", "registry.example/models/onnx-cpu@sha256:" + "ab" * 32, "sha256:" + "ab" * 32,
          ("0123456789ab", "1.20.1", "latest"), 6, 14, 12, 1, 2_100_000, "2026-11-01T10:00:00+00:00", 12.5).say(ui)
""",
    "verify": """
ui.table("", ["fault in", "where", "why"], [["a layer", "sha256:" + "ab" * 32, "these bytes are not signed"]])
""",
    "lock, unresolved": """
ui.table("gsplat: unresolved", ["kind", "part", "publicly known sha256"],
         [["wheel", "torch-2.7.1+cu128-cp310-cp310-manylinux_2_28_x86_64.whl", "ab" * 32], ["base", "ubuntu", "-"]])
""",
    "doctor of a container": """
ui.table("", ["level", "rule", "where", "problem", "fix"], [["error", "numpy_abi", "/usr/bin/python3",
         "cv2 (opencv-python-headless 4.9.0.80) cannot be imported", "install numpy<2, or a newer release of it"]])
""",
    "audit": """
ui.table("", ["package", "advisory", "fixed in", "what"], [["pillow 9.5.0\\n(build only)",
         "GHSA-j7hp-h8jx-5ppr\\nCVE-2023-4863", "10.0.1", "libwebp writes over the end of a buffer"]])
""",
    "several stacks": """
ui.table("", ["stack", "", "seconds", "error"], [["onnx-cpu", "made", "12.1", ""],
         ["talkinggaussian-modern", "failed", "1.0", "the lock is not whole: a host could not be reached"]])
""",
}
_OUR_UI = "from builder.ui import Ui\nui = Ui()\n"


def fits(shown: Shown, wide: str, columns: int) -> None:
    """No line is longer than the screen but by one word, and no word is there that the wide output has not."""
    assert shown.out.strip(), shown.err
    for line in shown.out.splitlines():
        assert width(line) <= columns or max(map(len, line.split())) > columns // 2, line  # an image of a test
    strange = words(shown.out) - words(wide)
    assert strange <= {"…"}, f"broken: {strange}"


def words(text: str) -> set[str]:
    """The words of a text; figures, which another run may have otherwise, are all one."""
    return set(re.sub(r"\d+(\.\d+)?", "0", text.replace("─", " ")).split())


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("verb", VERBS)
def test_it_fits_the_screen_and_breaks_no_word(verb: str, columns: int) -> None:
    fits(on_terminal(*VERBS[verb], columns=columns), cli(*VERBS[verb]).stdout, columns)


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("table", TABLES)
def test_so_do_the_tables_of_what_takes_long(table: str, columns: int) -> None:
    code = _OUR_UI + TABLES[table]
    wide = subprocess.run([sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=True).stdout
    fits(on_terminal(columns=columns, program=[sys.executable, "-c", code]), wide, columns)


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("words", [("stack", "--gpu", "none"), ("smoke", "--gpu", "none"), ("lock", "--upgrade")])
def test_so_do_those_of_making_a_stack(words: tuple[str, ...], columns: int, tiny: Path) -> None:
    given = ["--stacks", str(tiny), *words, "tiny"]
    shown = on_terminal(*given, columns=columns)
    assert shown.code == 0, shown.err
    fits(shown, cli(*given).stdout, columns)


@pytest.mark.parametrize("columns", WIDTHS)
def test_so_do_the_first_lock_and_what_new_decides(columns: int, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("numpy==1.26.4\nsix>=1.16\ntorch==2.7.1\n")
    given = ["--stacks", str(tmp_path), "new", "mine", "--from", str(tmp_path / "requirements.txt")]
    wide = cli(*given).stdout
    (tmp_path / "mine" / "stack.yaml").unlink()
    fits(on_terminal(*given, columns=columns), wide, columns)


def test_a_pipe_finds_a_stack_and_a_file_is_filled(tmp_path: Path) -> None:
    found = subprocess.run(
        ["sh", "-c", "make list | grep gsplat"], cwd=REPO, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert [line.split()[0] for line in found] == ["gsplat"], "one line, the whole row"
    assert "gsplat 1.5.3" in found[0]
    for words in ("list", "check STACK=onnx-cpu", "matrix", "doctor ONLY=host STACK=onnx-cpu"):
        file = tmp_path / "said"
        subprocess.run(["sh", "-c", f"make {words} > {file} 2> /dev/null"], cwd=REPO, check=True)
        assert "onnx-cpu" in file.read_text(), words


def test_the_list_tells_in_a_line_each_what_is_built_and_proved(tiny: Path) -> None:
    write_stack(tiny, "unmade", packages=["six==1.17.0"])
    shown = on_terminal("--stacks", str(tiny), "list", columns=80)
    rows = [line for line in shown.out.splitlines() if line.startswith(("tiny ", "unmade "))]
    assert len(rows) == 2
    assert "built, proved on CPU" in rows[0]
    assert rows[1].split()[1:4] == ["none", "-", "no"]
    evidence = Path(
        json.loads(cli("--json", "--stacks", str(tiny), "smoke", "tiny", "--gpu", "none").stdout)["reports"][0][
            "evidence"
        ]
    )
    document = json.loads(evidence.read_text())
    document["devices"] = [{"name": "NVIDIA GeForce RTX 4090"}]
    document["results"][0]["needs_gpu"] = True
    text = evidence.read_text()
    try:
        evidence.write_text(json.dumps(document))
        assert "built, proved on RTX 4090" in cli("--stacks", str(tiny), "list").stdout
        evidence.write_text(json.dumps(document | {"image_id": "sha256:another"}))
        assert re.search(r"^tiny .* built  ", cli("--stacks", str(tiny), "list").stdout, re.MULTILINE)
    finally:
        evidence.write_text(text)


def test_where_no_engine_answers_the_list_says_so() -> None:
    done = cli("list", env={"DOCKER_HOST": "unix:///nowhere/docker.sock"})
    assert done.returncode == 0
    assert "no engine answers" in done.stderr
    assert re.search(r"^onnx-cpu .* \?  ", done.stdout, re.MULTILINE)


def test_a_stack_tells_its_smoke_tests_once_and_how_its_image_is_run(tiny: Path, engine: Engine) -> None:
    evidence = HOME / "build" / "tiny" / "smoke" / "evidence.json"
    evidence.unlink(missing_ok=True)
    done = cli("--stacks", str(tiny), "stack", "tiny", "--gpu", "none")
    assert done.returncode == 0, done.stderr
    assert "pytest" not in done.stdout + done.stderr, "its lines are ours in the table"
    tests = [one["test"] for one in json.loads(evidence.read_text())["results"]]
    for test in tests:
        words = test.removeprefix("test_").replace("_", " ")
        assert done.stdout.count(words) == tests.count(test) and words not in done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("run it: ")]
    words = shlex.split(line.removeprefix("run it: "))
    assert words[:4] == ["docker", "run", "--rm", "-it"] and words[-1] == "python"
    plain = [word for word in words if word != "-it"]
    ran = subprocess.run(
        [*plain, "-c", "import six; print(six.__version__)"], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "1.17.0\n"
    assert "make compose STACK=tiny" in done.stdout
