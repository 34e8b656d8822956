"""Memory, cgroup limits, disks, CDI files and the whole look, on made trees and on this machine."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from builder.engine.client import Engine
from builder.errors import SurroundingsError
from builder.host import look, system, toolkit
from builder.settings import Settings

MEMINFO = "MemTotal:       16384000 kB\nMemFree:          100000 kB\nMemAvailable:    8192000 kB\n"
LIMIT = 2 * 1024**3


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in {"proc/meminfo": MEMINFO, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_without_a_limit_the_machines_memory_is_usable(tmp_path) -> None:
    found = system.memory(tree(tmp_path, {"proc/self/cgroup": "0::/\n"}))
    assert (found.total, found.available, found.limit) == (16384000 * 1024, 8192000 * 1024, None)
    assert found.usable == found.total


@pytest.mark.parametrize(
    "files",
    [
        {
            "proc/self/cgroup": "0::/a/b\n",
            "sys/fs/cgroup/a/memory.max": f"{LIMIT}\n",
            "sys/fs/cgroup/a/b/memory.max": "max",
        },
        {"proc/self/cgroup": "0::/../../x\n", "sys/fs/cgroup/memory.max": f"{LIMIT}\n"},
        {
            "proc/self/cgroup": "9:cpu,cpuacct:/\n5:memory:/docker/1\n0::/\n",
            "sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{LIMIT}\n",
        },
    ],
    ids=["v2, of a parent", "v2, in a namespace", "v1"],
)
def test_the_least_limit_counts(tmp_path, files: dict[str, str]) -> None:
    found = system.memory(tree(tmp_path, files))
    assert found.usable == found.limit == LIMIT


def test_a_limit_above_the_machines_memory_is_none(tmp_path) -> None:
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": str(1 << 50)}
    assert system.memory(tree(tmp_path, files)).limit is None


def test_this_machines_memory_is_what_the_kernel_tells_every_program() -> None:
    assert system.memory().total == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(
    ("release", "wsl"),
    [("5.15.167.4-microsoft-standard-WSL2", True), ("4.4.0-19041-Microsoft", True), ("6.1.0", False)],
)
def test_wsl_is_told_by_its_kernel(tmp_path, release: str, wsl: bool) -> None:
    root = tree(
        tmp_path, {"proc/sys/kernel/osrelease": f"{release}\n", "etc/os-release": 'PRETTY_NAME="Ubuntu 24.04"\n'}
    )
    assert system.is_wsl(system.kernel(root)) is wsl
    assert system.name(root) == "Ubuntu 24.04"


def test_a_folder_that_is_not_there_counts_as_its_parents_disk(tmp_path) -> None:
    there, later = system.disk(tmp_path), system.disk(tmp_path / "a" / "b")
    assert (there.missing, later.missing) == (False, True)
    assert later.device == there.device
    assert not (tmp_path / "a").exists()


SPEC = """\
cdiVersion: "0.5.0"
kind: {kind}
devices:
  - name: all
    containerEdits:
      deviceNodes:
        - path: /dev/null
containerEdits:
  mounts:
    - {{hostPath: "{library}", containerPath: /usr/lib/libcuda.so.1, options: [ro, bind]}}
"""


def test_a_cdi_file_of_another_driver_names_files_that_are_gone(tmp_path) -> None:
    library = tmp_path / "libcuda.so.580.159.04"
    library.touch()
    spec = tmp_path / "nvidia.yaml"
    spec.write_text(SPEC.format(kind="nvidia.com/gpu", library=library))
    (fresh,) = toolkit.cdi_specs([tmp_path])
    assert (fresh.path, fresh.devices, fresh.gone) == (spec, ("all",), ())
    library.unlink()
    (stale,) = toolkit.cdi_specs([tmp_path])
    assert stale.gone == (str(library),)


@pytest.mark.parametrize(
    "text", ["", "[", "kind: nvidia.com/gpu\ndevices: 3\n", SPEC.format(kind="vendor.com/nic", library="/x")]
)
def test_a_file_that_offers_no_gpu_is_passed_over(tmp_path, text: str) -> None:
    (tmp_path / "one.yaml").write_text(text)
    (tmp_path / "notes.txt").write_text(SPEC.format(kind="nvidia.com/gpu", library="/x"))
    assert toolkit.cdi_specs([tmp_path, tmp_path / "none"]) == ()


def test_the_toolkit_says_its_version(program, monkeypatch) -> None:
    program("nvidia-ctk", "echo 'NVIDIA Container Toolkit CLI version 1.18.0'; echo 'commit: f8daa5e'")
    assert toolkit.version() == "1.18.0"
    monkeypatch.setenv("PATH", "/nowhere")
    assert toolkit.version() == ""


def test_a_look_at_this_machine_is_whole_and_a_json_document(tmp_path) -> None:
    found = look(Settings(home=tmp_path, stacks=()))
    assert found.home_disk.path == tmp_path
    assert found.cpus >= 1
    assert json.loads(json.dumps(found.document()))["memory"]["total"] == found.memory.total
    try:
        engine = Engine.connect()
    except SurroundingsError:
        assert found.engine is None
        assert found.engine_lack
    else:
        assert found.engine == engine.info
        assert found.engine_lack is None


def test_without_an_engine_the_look_says_what_is_missing(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    found = look(Settings(home=tmp_path, stacks=()))
    assert found.engine is None
    assert found.engine_disk is None
    assert found.engine_lack
    assert (found.engine_lack.lacks, found.engine_lack.fix) == ("client", "make engine")
