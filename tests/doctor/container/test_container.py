"""Broken containers that can be made in seconds: what is wrong comes first, and nothing inside changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.doctor.container import ContainerReport
from builder.doctor.container.inside import Container
from builder.errors import InputError
from tests.conftest import IMAGES, cli, document
from tests.doctor.container.conftest import SITE, Site

PATH = {"PYTHONPATH": SITE}


def rules(report: ContainerReport) -> list[str]:
    return [one.rule for one in report.findings]


@pytest.fixture
def old_opencv(site: Site) -> Path:
    """OpenCV as compiled for NumPy 1, with NumPy 2."""
    return site("opencv-python-headless==4.9.0.80", "numpy==2.2.6")


def test_modules_for_numpy_1_beside_numpy_2(start, diagnose, old_opencv) -> None:
    report = diagnose(start(mounts={SITE: old_opencv}, env=PATH))
    assert rules(report) == ["numpy_abi"]
    first = report.findings[0]
    assert first.problem == "cv2 (opencv-python-headless 4.9.0.80) cannot be imported beside numpy 2.2.6"
    assert first.fix == "install numpy<2"
    assert first.image == ("RUN uv pip install --python /usr/bin/python3 --break-system-packages 'numpy<2'",)
    assert "numpy.core.multiarray failed to import" in first.why


def test_what_the_fix_leads_to_has_no_finding(start, diagnose, site) -> None:
    report = diagnose(start(mounts={SITE: site("opencv-python-headless==4.9.0.80", "numpy<2")}, env=PATH))
    assert rules(report) == []
    assert {one.module: one.ok for one in report.evidence.interpreters[0].imports} == {"cv2": True, "numpy": True}


def test_two_distributions_of_cv2(start, diagnose, site) -> None:
    both = site("opencv-python-headless==4.10.0.84", "opencv-python==4.9.0.80", "numpy<2")
    first = diagnose(start(mounts={SITE: both}, env=PATH)).findings[0]
    assert first.rule == "conflicting_packages"
    assert first.problem == "opencv-python 4.9.0.80 and opencv-python-headless 4.10.0.84 are both installed"
    assert first.fix == "uninstall both, then install opencv-python-headless==4.10.0.84 alone"


def test_a_session_runs_read_only_and_as_another_user_where_packages_are_open_to_all(start, diagnose, site) -> None:
    mounts = {SITE: site("onnxruntime==1.20.1", "numpy<2")}
    mounts[SITE].chmod(0o700)
    closed = diagnose(start("--user", "65534", mounts=mounts, env=PATH))
    assert [(one.rule, one.level) for one in closed.findings] == [("closed_folder", "warning")]
    mounts[SITE].chmod(0o755)
    report = diagnose(start("--read-only", "--user", "65534", mounts=mounts, env=PATH))
    assert rules(report) == []
    session = report.evidence.interpreters[0].session
    assert session and session.right and session.providers == ("CPUExecutionProvider",)


def test_the_python_that_runs_is_looked_at_with_the_paths_it_was_given(start, diagnose, old_opencv) -> None:
    script = f"export PYTHONPATH={SITE} LD_LIBRARY_PATH=/usr/lib; exec python3 -c 'import time; time.sleep(3600)'"
    report = diagnose(start(mounts={SITE: old_opencv}, program=("sh", "-c", script)))
    assert rules(report) == ["numpy_abi"]
    python = report.evidence.interpreters[0]
    assert (python.pid, python.python, python.library_path) == (1, "/usr/bin/python3", "/usr/lib")


def test_a_virtual_environment_off_path_is_found(start, diagnose, old_opencv, tmp_path) -> None:
    packages = "lib/python3.11/site-packages"
    (tmp_path / packages).mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to("/usr/bin/python3")
    (tmp_path / "pyvenv.cfg").write_text("home = /usr/bin\n")
    report = diagnose(start(mounts={"/opt/own": tmp_path, f"/opt/own/{packages}": old_opencv}))
    assert [one.prefix for one in report.evidence.interpreters] == ["/usr", "/opt/own"]
    assert [(one.rule, one.where) for one in report.findings] == [("numpy_abi", "/opt/own/bin/python")]
    assert report.findings[0].image == ("RUN uv pip install --python /opt/own/bin/python 'numpy<2'",)


@pytest.fixture(scope="module")
def no_python(engine, base):
    """The same Debian without its Python, by a plain docker build."""
    tag = f"{IMAGES}/doctor:no-python"
    dockerfile = f"FROM {base}\nRUN rm -rf /usr/bin/python3* /usr/lib/python3*\nENV CUDA_VERSION=12.4.0\n"
    engine.run(["build", "--quiet", "--network", "none", "--tag", tag, "-"], input=dockerfile)
    yield tag
    engine.remove(tag)


def test_a_container_without_python_is_told_from_outside(start, diagnose, no_python) -> None:
    report = diagnose(start(image=no_python))
    assert rules(report) == ["no_gpu", "no_python"]
    assert report.evidence.system.os == "Debian GNU/Linux 12 (bookworm)"
    assert report.evidence.container.env["CUDA_VERSION"] == "12.4.0"
    assert report.findings[0].problem == (
        "no GPU visible in the container: start it with --gpus all or --device nvidia.com/gpu=all"
    )


def test_the_command_line_gives_table_json_and_markdown(start, old_opencv, tmp_path) -> None:
    secrets = {"API_TOKEN": "hush-1"}
    program = ("sh", "-c", "exec sleep 3600", "--token=hush-2", "--api-key", "hush-3")
    name = start(mounts={SITE: old_opencv}, env={**PATH, **secrets}, program=program)
    report = tmp_path / "report.md"
    done = cli("--json", "doctor", "--container", name, "--report", str(report))
    found = document(done, code=1)
    assert [one["rule"] for one in found["findings"]] == ["numpy_abi"]
    assert found["evidence"]["container"]["command"][3:] == ["--token=***", "--api-key", "***"]
    assert "first: install numpy<2" in done.stderr
    text = report.read_text()
    assert text.startswith(f"# Container {name}\n\n## 1. cv2 (opencv-python-headless 4.9.0.80) cannot be imported")
    assert "    RUN uv pip install --python /usr/bin/python3 --break-system-packages 'numpy<2'\n" in text
    for said in (done.stdout, done.stderr, text):
        assert "hush" not in said


def test_containers_that_cannot_be_looked_into_are_input_errors(start, engine) -> None:
    name = start()
    unknown = cli("doctor", "--container", "no-such-container")
    assert unknown.returncode == 2
    assert "the engine has no container no-such-container" in unknown.stderr
    assert name in unknown.stderr
    for action, fix in (("pause", f"docker unpause {name}"), ("kill", f"docker start {name}")):
        engine.run([action, name])
        with pytest.raises(InputError) as caught:
            Container.find(name)
        assert caught.value.fix.startswith(fix)
        engine.run(["unpause", name], check=False)
    with pytest.raises(InputError, match="is no name of a container"):
        Container.find("--help")
    assert cli("doctor", "--container", name, "onnx-cpu").returncode == 2


def test_a_package_of_lazy_names_is_imported_whole(start, diagnose, tmp_path) -> None:
    """As lazy-loader 0.6 does it: names are filled at a first use, or at once where EAGER_IMPORT is set."""
    (tmp_path / "skimage").mkdir()
    (tmp_path / "skimage" / "__init__.py").write_text("")
    lazy = "import os\nif os.environ.get('EAGER_IMPORT'):\n    import numpy.no_such_part\n"
    (tmp_path / "skimage" / "measure.py").write_text(lazy)
    (tmp_path / "scikit_image-0.26.0.dist-info").mkdir()
    (tmp_path / "scikit_image-0.26.0.dist-info" / "METADATA").write_text("Name: scikit-image\nVersion: 0.26.0\n")
    report = diagnose(start(mounts={SITE: tmp_path}, env=PATH))
    assert report.findings[0].problem == "skimage.measure (scikit-image 0.26.0) cannot be imported"
