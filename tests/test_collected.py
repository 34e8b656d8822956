"""Every file of tests that git knows is run."""

from __future__ import annotations

import subprocess

from tests.collecting import collected
from tests.conftest import REPO


def test_every_file_of_tests_is_collected() -> None:
    """Git's list, and not the folder's, as a build leaves other people's tests in ignored folders."""
    words = ["git", "ls-files", "tests/test_*.py", "tests/**/test_*.py"]
    known = subprocess.run(words, cwd=REPO, capture_output=True, text=True, check=True).stdout.split()
    assert "tests/build/test_build.py" in known
    files = {one.partition("::")[0] for one in collected()}
    assert [file for file in known if file not in files] == []
