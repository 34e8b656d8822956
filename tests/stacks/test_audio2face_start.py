"""The start of audio2face-sdk: engines are made once, whole and loadable or not there; what is mounted is judged first.

TensorRT is a stand-in of ours (standins/tensorrt_builder), and so are GPU and upstream's program: none of them is here.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import wave
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import REPO

FILES = REPO / "stacks" / "audio2face-sdk" / "files"
STANDIN = Path(__file__).parent / "standins" / "tensorrt_builder"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
# As NVIDIA's models have it; other numbers.
INFO = {
    "trt_build_param": {
        "cuda_in_graphics": ["--memPoolSize=tacticSharedMem:0.046875"],
        "batch": ["--minShapes=a:1x5,b:1x3", "--optShapes=a:{OPT}x5,b:{OPT}x3", "--maxShapes=a:{MAX}x5,b:{MAX}x3"],
    },
    "defaults": {"OPT": 2, "MAX": 8},
}
PROGRAM = """#!{python}
import os, sys
for name in ("mark", "multi-diffusion"):
    folder = "_data/generated/audio2face-sdk/samples/data/" + name
    print(name, open(folder + "/network.trt", "rb").read(9), os.path.exists(folder + "/model.json"))
print(open("sample-data/audio_4sec_16k_s16le.wav", "rb").read(4))
print("Track 0 processed {frames} frames.")
sys.exit({code})
"""


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """audio2face_start.__main__ with the stand-in TensorRT, a GPU that is a stand-in too, and folders of its own."""
    monkeypatch.syspath_prepend(str(FILES))
    monkeypatch.syspath_prepend(str(STANDIN))
    monkeypatch.setenv("AUDIO2FACE_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("AUDIO2FACE_ENGINES", str(tmp_path / "engines"))
    gpu = importlib.import_module("audio2face_start.gpu")
    monkeypatch.setattr(gpu, "first", lambda: gpu.Gpu("NVIDIA Stand-In 5090", "12.0"))
    monkeypatch.delitem(sys.modules, "tensorrt", raising=False)
    return importlib.import_module("audio2face_start.__main__")


def model(folder: Path, name: str, onnx: bytes = b"onnx", info: object = INFO) -> Path:
    """A model as it is mounted."""
    made = folder / "models" / name
    made.mkdir(parents=True, exist_ok=True)
    (made / "network.onnx").write_bytes(onnx)
    (made / "model.json").write_text("{}")
    (made / "model_data.npz").write_bytes(b"data")
    (made / "trt_info.json").write_text(json.dumps(info))
    return made


def engines(folder: Path) -> list[Path]:
    return sorted((folder / "engines").glob("*/*/network.trt"))


def leftovers(folder: Path) -> list[Path]:
    return list((folder / "engines").rglob(".making-*"))


def test_an_engine_is_made_once_with_what_the_model_asks_for(start: ModuleType, tmp_path: Path) -> None:
    made = model(tmp_path, "audio2face-3d-v3.0")
    assert start.main(["engines"]) == 0
    (engine,) = engines(tmp_path)
    assert engine.read_bytes() == (b"engine of onnx['tactic=49152', 'a=(1, 5)(2, 5)(8, 5)', 'b=(1, 3)(2, 3)(8, 3)']"), (
        "0.046875 MiB of shared memory, and three shapes of each input"
    )
    assert (engine.parent / "model_data.npz").resolve() == made / "model_data.npz"
    assert engine.parent.parent.name == "nvidia-stand-in-5090-sm12.0-trt10.13.3.9"
    before = engine.stat().st_mtime_ns
    assert start.main(["engines"]) == 0
    assert engine.stat().st_mtime_ns == before
    assert start.main(["check"]) == 0


def test_another_gpu_tensorrt_network_or_build_is_another_engine(
    start: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model(tmp_path, "net")
    start.main(["engines"])
    model(tmp_path, "net", onnx=b"other")
    start.main(["engines"])
    model(tmp_path, "net", info={**INFO, "defaults": {"OPT": 1, "MAX": 1}})
    start.main(["engines"])
    gpu = sys.modules["audio2face_start.gpu"]
    monkeypatch.setattr(gpu, "first", lambda: gpu.Gpu("NVIDIA Stand-In 4090", "8.9"))
    start.main(["engines"])
    monkeypatch.setattr(sys.modules["tensorrt"], "__version__", "10.14.0.1")
    start.main(["engines"])
    assert len(engines(tmp_path)) == 5


def test_a_damaged_engine_is_told_and_made_again(
    start: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model(tmp_path, "net")
    start.main(["engines"])
    (engine,) = engines(tmp_path)
    whole = engine.read_bytes()
    engine.write_bytes(b"half")
    assert start.main(["check"]) == 1
    assert capsys.readouterr().out == "net\tdamaged\n"
    assert start.main(["engines"]) == 0
    assert engine.read_bytes() == whole
    assert "does not load; it is made again" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("onnx", "why"),
    [
        (b"squeeze", "ONNXTRT_squeezeTensor"),
        (b"large", "Tactic Device request: 8999MB Available: 8191MB"),
        (b"dud", "was built and does not load"),
    ],
)
def test_where_no_engine_can_be_built_it_is_an_error_and_nothing_is_left(
    start: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], onnx: bytes, why: str
) -> None:
    model(tmp_path, "net", onnx)
    assert start.main(["engines"]) == 1
    assert why in capsys.readouterr().err
    assert engines(tmp_path) == leftovers(tmp_path) == []


def process(first: str = "", **environment: str) -> subprocess.Popen[bytes]:
    """`engines` in a process of its own, for the GPU and TensorRT of these tests; first: what is run before it."""
    script = (
        f"{first}\nimport sys\nfrom audio2face_start import gpu, __main__\n"
        "gpu.first = lambda: gpu.Gpu('NVIDIA Stand-In 5090', '12.0')\nsys.exit(__main__.main(['engines']))\n"
    )
    path = f"{STANDIN}{os.pathsep}{FILES}"
    return subprocess.Popen([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": path, **environment})


def test_two_containers_at_once_make_an_engine_once(start: ModuleType, tmp_path: Path) -> None:
    model(tmp_path, "net")
    running = [process(STANDIN_BUILDS=str(tmp_path / "builds")) for _ in range(2)]
    assert [one.wait() for one in running] == [0, 0]
    assert (tmp_path / "builds").read_text() == "built\n"
    assert len(engines(tmp_path)) == 1


def test_a_container_that_is_killed_leaves_nothing_that_counts(start: ModuleType, tmp_path: Path) -> None:
    """The same program, killed while it writes: what it left is no engine, and the next run removes it."""
    made = model(tmp_path, "net")
    for number in range(40):
        (made / f"part{number}.npz").write_bytes(b"")
    done = process("import os, signal; os.fsync = lambda number: os.kill(os.getpid(), signal.SIGKILL)")
    assert done.wait() == -signal.SIGKILL
    assert len(leftovers(tmp_path)) == 1
    assert engines(tmp_path) != [] and all(path.parent.name.startswith(".making-") for path in engines(tmp_path))
    assert start.main(["check"]) == 1
    assert start.main(["engines"]) == 0
    assert leftovers(tmp_path) == []
    assert len(engines(tmp_path)) == 1


def test_the_emotion_model_is_made_only_where_it_is_asked_for(start: ModuleType, tmp_path: Path) -> None:
    model(tmp_path, "audio2face-3d-v3.0")
    model(tmp_path, "audio2emotion-v2.2", b"large")
    assert start.main(["engines"]) == 0
    assert [path.parent.name.rpartition("-")[0] for path in engines(tmp_path)] == ["audio2face-3d-v3.0"]
    assert start.main(["engines", "audio2emotion-v2.2"]) == 1


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("network.onnx", POINTER), "network.onnx is a Git LFS pointer, not the file. Fix: run `git lfs pull` there"),
        (("model_data.npz", POINTER), "model_data.npz is a Git LFS pointer"),
        (("trt_info.json", b"{}"), "does not say how its engine is built (KeyError: 'trt_build_param')"),
        (("trt_info.json", b'{"trt_build_param": {"a": ["--best"]}}'), "'--best' of the model's trt_info.json"),
        (("trt_info.json", b'{"trt_build_param": {"a": ["--fp16{x.__class__}"]}}'), "does not say how"),
        (("trt_info.json", b'{"trt_build_param": {"a": ["--minShapes=a:1x2"]}}'), "a has shapes for min alone"),
        (("model.json", None), "model.json is missing"),
    ],
)
def test_a_model_that_is_not_whole_is_told_by_its_file(
    start: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: tuple[str, bytes | None], why: str
) -> None:
    name, data = change
    path = model(tmp_path, "net") / name
    path.unlink()
    if data is not None:
        path.write_bytes(data)
    assert start.main(["engines"]) == 2
    assert why in capsys.readouterr().err
    assert engines(tmp_path) == []


def test_no_model_and_no_gpu_are_told(
    start: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert start.main(["engines"]) == 2
    assert "mount them: --volume /path/to/models:" in capsys.readouterr().err
    model(tmp_path, "net")
    monkeypatch.undo()
    monkeypatch.setenv("AUDIO2FACE_MODELS", str(tmp_path / "models"))
    gpu = sys.modules["audio2face_start.gpu"]
    if Path("/dev/nvidia0").exists():
        pytest.skip("this machine has a GPU")
    with pytest.raises(Exception, match="--gpus all"):
        gpu.first()


def sound(path: Path, rate: int = 16000) -> Path:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(b"\0\0" * rate)
    return path


def executor(folder: Path, monkeypatch: pytest.MonkeyPatch, *, frames: int = 60, code: int = 0) -> None:
    """A stand-in of upstream's sample on the PATH, which reads what the real one reads."""
    (folder / "bin").mkdir(exist_ok=True)
    path = folder / "bin" / "sample-a2f-executor"
    path.write_text(PROGRAM.format(python=sys.executable, frames=frames, code=code))
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(path.parent))


def test_the_sample_makes_its_engines_and_starts_where_upstream_looks_for_them(
    start: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("audio2face-3d-v2.3-mark", "audio2face-3d-v3.0"):
        model(tmp_path, name)
    executor(tmp_path, monkeypatch)
    assert start.main(["sample", "--sound", str(sound(tmp_path / "a.wav"))]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "mark b'engine of' True",
        "multi-diffusion b'engine of' True",
        "b'RIFF'",
        "Track 0 processed 60 frames.",
    ]
    executor(tmp_path, monkeypatch, frames=0)
    assert start.main(["sample", "--sound", str(tmp_path / "a.wav")]) == 1
    assert "a track gave no frames" in capsys.readouterr().err
    executor(tmp_path, monkeypatch, code=1)
    assert start.main(["sample", "--sound", str(tmp_path / "a.wav")]) == 1
    assert start.main(["run", "none"]) == 3
    assert "there is no program none" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (POINTER, "is a Git LFS pointer"),
        (b"RIFX", "is no WAV file of PCM"),
        (44100, "has 44100 samples a second, not 16000"),
        (None, "is not there"),
    ],
)
def test_a_sound_that_upstream_would_refuse_without_a_reason_is_told(
    start: ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    data: bytes | int | None,
    why: str,
) -> None:
    for name in ("audio2face-3d-v2.3-mark", "audio2face-3d-v3.0"):
        model(tmp_path, name)
    executor(tmp_path, monkeypatch)
    path = tmp_path / "a.wav"
    if isinstance(data, int):
        sound(path, data)
    elif data is not None:
        path.write_bytes(data)
    assert start.main(["sample", "--sound", str(path)]) == 2
    assert why in capsys.readouterr().err
    assert engines(tmp_path) == [], "minutes of building come after what is cheap to see"
