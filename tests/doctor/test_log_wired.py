"""A build or a smoke test that fails says by itself which known failure its words show."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.build import buildx
from builder.engine.client import Engine
from builder.errors import JobError
from builder.lock import read
from builder.render import Rendered, base_tag
from builder.smoke.report import GpuAccess, Result, SmokeReport
from builder.ui import Ui
from tests.conftest import IMAGES


def failed_build(folder: Path, base: str, step: str, engine: Engine) -> JobError:
    """The error of a real build whose one step fails."""
    (folder / "contexts" / "empty").mkdir(parents=True)
    (folder / "Dockerfile").write_text(f"FROM {base}\nRUN {step}\n")
    with pytest.raises(JobError) as caught:
        build = Rendered(folder, folder / "Dockerfile", {})
        buildx.run(build, engine, Ui(), tags=(f"{IMAGES}/test:fails",), labels={}, epoch=1, use_cache=False)
    return caught.value


def test_a_failed_build_names_the_first_known_failure_its_fix_and_the_log(
    tiny: Path, engine: Engine, tmp_path: Path
) -> None:
    # Its words are not among the last ones; on one stream, as BuildKit may show two in another order.
    step = "exec 2>&1; python3 -c 'import pkg_resources' || seq 100; exit 1"
    error = failed_build(tmp_path, base_tag(read(tiny / "tiny").base), step, engine)
    log = tmp_path / "build.log"
    assert error.problem == "step [2/2] of the build failed"
    assert "known failure pkg_resources-gone: setuptools 82 removed pkg_resources" in error.why
    assert error.fix.startswith("pin setuptools<81")
    assert f"make doctor LOG={log}" in error.fix
    assert (
        "No module named 'pkg_resources'" in log.read_text() and "pkg_resources'" not in error.why.partition("known")[0]
    )


def test_a_failed_build_that_nobody_knows_keeps_its_own_words(tiny: Path, engine: Engine, tmp_path: Path) -> None:
    error = failed_build(tmp_path, base_tag(read(tiny / "tiny").base), "echo our own words; exit 3", engine)
    assert "our own words" in error.why
    assert "known failure" not in error.why
    assert "make doctor" not in error.fix


def report(*results: Result) -> SmokeReport:
    return SmokeReport(
        stack="ort-cudnn9",
        target="image",
        name="modelstacks/ort-cudnn9:latest",
        image_id="sha256:1",
        python={},
        gpu=GpuAccess(mode="none", arguments=(), reason="none was asked for"),
        results=results,
        seconds=1.0,
        junit=Path("junit.xml"),
        evidence=Path("evidence.json"),
    )


def test_a_failed_smoke_test_names_the_known_failure(capsys: pytest.CaptureFixture[str]) -> None:
    reason = "probe loader ended with code 1: ImportError: libcudnn_adv.so.9: cannot open shared object file"
    failed = Result(
        check="loader", test="test_all_found", outcome="failed", reason=reason, seconds=0.1, needs_gpu=False
    )
    report(failed).table(Ui())
    said = capsys.readouterr().out
    assert "known failures in the failed tests" in said
    assert "ort-cudnn-adv: cuDNN 9 is missing" in said


def test_skipped_and_passed_smoke_tests_are_not_searched(capsys: pytest.CaptureFixture[str]) -> None:
    skipped = Result(check="gpu", test="test_gpu", outcome="skipped", reason="Killed", seconds=0.0, needs_gpu=True)
    report(skipped).table(Ui())
    assert "known failure" not in "".join(capsys.readouterr())
