"""What a stack imports, and the checks of its own beside its stack.yaml, on a real image and on spoilt ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from builder.errors import InputError
from builder.smoke import SmokeReport
from builder.smoke.subject import of_stack
from builder.spec.files import own_checks
from builder.spec.named import ReadFrom

OWN = """from __future__ import annotations
import numpy

def test_numpy_adds():
    assert int(numpy.add(1, 1)) == 2

def test_it_is_another_numpy():
    assert numpy.__version__ == "0", "found " + numpy.__version__
"""


BOTH = ("it_imports", "it_imports_as_a_user_without_an_entry_on_a_read_only_root")


def failures(report: SmokeReport) -> dict[str, str]:
    return {one.test.removeprefix("test_"): one.reason for one in report.results if one.outcome == "failed"}


def in_folder(stack, folder: Path) -> None:
    stack._read_from = ReadFrom(folder=folder, stack=b"", kind="")


def test_without_imports_the_modules_of_the_packages_named_are_imported(judge, image) -> None:
    report = judge(image, smoke=(), packages=("numpy", "opencv-python-headless", "absent"))
    found = {one.test: one.outcome for one in report.results}
    strange = "test_it_imports_as_a_user_without_an_entry_on_a_read_only_root"
    assert found == {
        "test_it_imports[package numpy]": "passed",
        "test_it_imports[package opencv-python-headless]": "passed",
        f"{strange}[package numpy]": "passed",
        f"{strange}[package opencv-python-headless]": "passed",
        "test_a_user_without_an_entry_has_name_locale_and_caches": "passed",
    }


def test_a_module_that_breaks_or_is_not_there_is_red(judge, image, variant) -> None:
    gone = "cd /opt/venv/lib/python3.11/site-packages/numpy && rm -r __pycache__"
    broken = variant(f"RUN {gone} && echo 'raise SystemExit(3)' > __init__.py")
    found = failures(judge(broken, smoke=(), packages=("numpy",)))
    assert found == dict.fromkeys((f"{test}[package numpy]" for test in BOTH), "numpy: SystemExit: 3")
    found = failures(judge(image, smoke=(), imports=("numpy.linalg", "nope")))
    said = "nope: ModuleNotFoundError: No module named 'nope'"
    assert found == dict.fromkeys((f"{test}[module nope]" for test in BOTH), said)


def test_what_imports_for_its_own_user_alone_is_red(judge, variant) -> None:
    """A package that others may not read, and a module that opens a file of root's."""
    site = "/opt/venv/lib/python3.11/site-packages"
    kept = f"echo 'open(\"/root/kept\")' > {site}/kept.py && touch /root/kept"
    closed = variant(f"RUN chmod 700 {site}/scipy && {kept}")
    failed = failures(judge(closed, smoke=(), imports=("scipy", "kept", "numpy.version")))
    said = failed.pop("it_imports_as_a_user_without_an_entry_on_a_read_only_root[module kept]")
    assert said == "kept: PermissionError: [Errno 13] Permission denied: '/root/kept'"
    said = failed.pop("it_imports_as_a_user_without_an_entry_on_a_read_only_root[module scipy]")
    assert said == "user 4242 may not read the files of scipy"
    assert not failed


def test_what_makes_its_cache_when_it_is_imported_has_a_place_for_it(judge, variant) -> None:
    """As scikit-image 0.20 does, whose variable is known; a home on a read-only root is none, and is told once."""
    site = "/opt/venv/lib/python3.11/site-packages"
    given = "os.environ.get('SKIMAGE_DATADIR', os.path.expanduser('~/.cache/one'))"
    known = f"import os; os.makedirs({given}, exist_ok=True)"
    home = "import os; os.makedirs(os.path.expanduser('~/.cache/two'))"
    made = variant(f'RUN echo "{known}" > {site}/known.py && echo "{home}" > {site}/home.py')
    failed = failures(judge(made, smoke=(), imports=("known", "home")))
    assert failed == {"it_imports[module home]": "home: OSError: [Errno 30] Read-only file system: '/root/.cache'"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "ENV USER=",
            "user 4242 has no name (KeyError: 'getpwuid(): uid not found: 4242'): give the image a variable USER",
        ),
        ("ENV LC_ALL=C PYTHONUTF8=0", "text is read as ansi_x3.4-1968: set LANG to C.UTF-8"),
        (
            "ENV MPLCONFIGDIR=/opt/mpl NUMBA_CACHE_DIR=/tmp/numba",
            "user 4242 cannot write to MPLCONFIGDIR=/opt/mpl: leave it out, or mount a volume there",
        ),
    ],
)
def test_a_user_without_name_locale_or_caches_is_told_what_to_do(judge, variant, line: str, said: str) -> None:
    failed = failures(judge(variant(line), smoke=(), imports=("numpy.version",)))
    assert failed == {"a_user_without_an_entry_has_name_locale_and_caches": said}


def test_a_check_of_ones_own_runs_inside_and_is_told_by_its_line(judge, image, stack, tmp_path) -> None:
    (tmp_path / "mine" / "checks").mkdir(parents=True)
    (tmp_path / "mine" / "checks" / "mine.py").write_text(OWN)
    in_folder(stack, tmp_path / "mine")
    found = failures(judge(image, smoke=()))
    said = found.pop("own_check_passes[mine]")
    assert not found
    assert said.startswith('test_it_is_another_numpy: line 8, assert numpy.__version__ == "0", "found "')
    assert said.endswith("AssertionError: found 1.26.4")


def test_own_checks_are_files_with_plain_names(stack, lock, tmp_path) -> None:
    checks = tmp_path / "checks"
    checks.mkdir()
    (checks / "good_1.py").write_text("assert True")
    assert own_checks(tmp_path) == {"good_1": "assert True"}
    in_folder(stack, tmp_path)
    assert of_stack(stack, lock).checks[-2:] == ("imports", "own")
    assert of_stack(stack, lock, ["python"]).checks == ("python",)
    (checks / "Bad-name.py").write_text("")
    with pytest.raises(InputError, match=r"Bad-name\.py is no name of a check"):
        own_checks(tmp_path)
    (checks / "Bad-name.py").unlink()
    (checks / "link.py").symlink_to(checks / "good_1.py")
    with pytest.raises(InputError, match=r"checks/link\.py is a link"):
        own_checks(tmp_path)
    (checks / "link.py").unlink()
    (checks / "latin.py").write_bytes(b"\xe4")
    with pytest.raises(InputError, match="a check cannot be read"):
        own_checks(tmp_path)
    shutil.rmtree(checks)
    assert own_checks(tmp_path) == {}
