"""What nvcc 13.0 wrote is read alike however it is compressed, and code for one GPU alone is told from a family's.

The files are of kernel.cu by nvidia-cuda-nvcc 13.0.88: `nvcc -fatbin -compress-mode MODE -gencode
arch=compute_75,code=[sm_75,compute_75]` as MODE.fatbin, and with `size` for 90a, 100a and 100f. By default it
compresses PTX alone (zstd), with `speed` by a method that leaves its first words, with `size` machine code as well.
cuobjdump 13.5 lists the same, but for the letters of sm_100f.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from builder.check.torch import named_code_runs

HERE = Path(__file__).parent / "fatbins"
PROBE = Path(__file__).resolve().parents[2] / "builder" / "smoke" / "probes" / "extension.py"
ZSTD = b"\x28\xb5\x2f\xfd"


def code(name: str) -> set[str]:
    command = [sys.executable, str(PROBE), "--code", str(HERE / f"{name}.fatbin")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout)["code"])


@pytest.mark.parametrize(
    ("mode", "frames", "plain"), [("default", 1, True), ("speed", 0, True), ("size", 2, False), ("none", 0, True)]
)
def test_each_way_of_compressing_is_read_alike(mode: str, frames: int, plain: bool) -> None:
    data = (HERE / f"{mode}.fatbin").read_bytes()
    assert (data.count(ZSTD), b"\x7fELF" in data) == (frames, plain), "the file is what it is here for"
    assert (b".version 9.0" in data) == (frames == 0), "PTX stands in it as text"
    assert code(mode) == {"sm_75", "compute_75"}


@pytest.mark.parametrize(
    ("name", "runs"),
    [
        ("90a", {"9.0": True, "10.0": False}),
        ("100a", {"10.0": True, "10.3": False, "12.0": False}),
        ("100f", {"10.0": True, "10.3": True, "12.0": False}),
    ],
)
def test_code_for_one_gpu_alone_and_for_a_family_run_where_they_do(name: str, runs: dict[str, bool]) -> None:
    held = code(name)
    assert held == {f"sm_{name}", f"compute_{name}"}
    assert {one: named_code_runs(held, one) for one in runs} == runs
