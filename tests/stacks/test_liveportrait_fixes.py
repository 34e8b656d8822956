"""What replaces upstream's functions in LivePortrait: each on the smallest input that upstream's code fails on.

Upstream's repository cannot be fetched everywhere: CHECKOUT has its functions as its public history has them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

from builder.engine.client import Engine
from tests.conftest import REPO, cli, document

START = REPO / "stacks" / "liveportrait" / "files"
NUMPY = "numpy==1.26.4"  # the stack's own


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with the stack's numpy, of the default index."""
    folder = tmp_path_factory.mktemp("numpy") / "venv"
    subprocess.run([find_uv_bin(), "venv", "--quiet", "--python", sys.executable, folder], check=True)
    subprocess.run([find_uv_bin(), "pip", "install", "--quiet", "--python", folder, NUMPY], check=True)
    return folder / "bin" / "python"


def told(python: Path, code: str, folder: Path) -> Any:
    """What a script prints last, as JSON; it has numpy as np and our fixes."""
    script = f"import json, os, pickle\nimport numpy as np\nfrom liveportrait_start import fixes\n{code}"
    done = subprocess.run(
        [python, "-W", "error", "-c", script],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(START)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


# An array whose class calls itself numpy.ndarray and is another one, as after numpy was imported a second time.
SECOND = """
second = type("ndarray", (np.ndarray,), {"__module__": "numpy"})
motion = {"motion": [{"R": np.arange(9.0).reshape(1, 3, 3).view(second)}], "c_eyes_lst": (np.ones(2).view(second),)}
"""


def test_an_array_of_a_second_numpy_is_pickled(python: Path, tmp_path: Path) -> None:
    found = told(
        python,
        SECOND
        + """
try:
    pickle.dumps(motion)
    said = ""
except pickle.PicklingError as error:
    said = str(error)
fixes.dump("new/d0.pkl", motion)
data = open("new/d0.pkl", "rb").read()
back = pickle.loads(data)
kind = type(back["c_eyes_lst"]).__name__
print(json.dumps([said, back["motion"][0]["R"].tolist(), kind, data[1], os.listdir("new")]))
""",
        tmp_path,
    )
    said, rotation, kind, protocol, left = found
    assert said == "Can't pickle <class 'numpy.ndarray'>: it's not the same object as numpy.ndarray"
    assert rotation == [[[0, 1, 2], [3, 4, 5], [6, 7, 8]]]
    assert (kind, protocol, left) == ("tuple", 5, ["d0.pkl"])


def test_a_template_stays_whole_where_a_new_one_cannot_be_written(python: Path, tmp_path: Path) -> None:
    found = told(
        python,
        """
fixes.dump("d0.pkl", {"n_frames": 1})
try:
    fixes.dump("d0.pkl", {"n_frames": lambda: 2})
    failed = False
except Exception:
    failed = True
print(json.dumps([failed, pickle.load(open("d0.pkl", "rb")), os.listdir(".")]))
""",
        tmp_path,
    )
    assert found == [True, {"n_frames": 1}, ["d0.pkl"]]


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ("np.array([[1.5, 2.5]], dtype=object)", [1, 2]),
        ("np.array([np.zeros((1, 3)), np.ones((1, 3))], dtype=object)", [2, 1, 3]),
        ("np.array(np.ones((1, 3, 3)).tolist(), dtype=object)", [1, 3, 3]),
        ("[[1, 2], [3, 4]]", [2, 2]),
        ("np.float32(2)", []),
        ("np.ones((3, 2)).T", [2, 3]),
        ("np.array(0.5, dtype=object)", []),
    ],
)
def test_numbers_in_any_wrapping_become_float32(python: Path, tmp_path: Path, value: str, shape: list[int]) -> None:
    code = f"one = fixes.numbers({value})\nprint(json.dumps([str(one.dtype), one.shape, one.flags.c_contiguous]))"
    assert told(python, code, tmp_path) == ["float32", shape, True]


@pytest.mark.parametrize(
    "value", ["'text'", "None", "np.array([[1], [1, 2]], dtype=object)", "[None, 1.0]", "{'a': 1}"]
)
def test_what_is_no_table_of_numbers_is_none(python: Path, tmp_path: Path, value: str) -> None:
    assert told(python, f"print(json.dumps(fixes.numbers({value}) is None))", tmp_path) is True


FRAMES = """
from liveportrait_start.memory import Memory
short = False
fixes.measured = lambda: Memory(100, 1 if short else 99, "test") if short else Memory(10**11, 10**11, "test")
parts = []
def original(self, images):
    parts.append(len(images))
    return np.array(images)[..., np.newaxis].transpose(0, 4, 3, 1, 2)
images = [np.full((2, 4, 3), number, dtype=np.uint8) for number in range(7)]
load = fixes.batched(original)
whole = original(None, images)
parts.clear()
"""


def test_a_video_comes_in_batches_with_the_same_frames(python: Path, tmp_path: Path) -> None:
    code = """
os.environ["LIVE_PORTRAIT_BATCH_SIZE"] = "3"
frames = load(None, images)
same = all((frames[place] == whole[place]).all() for place in range(frames.shape[0]))
print(json.dumps([same, list(frames.shape) == list(whole.shape), parts]))
"""
    assert told(python, FRAMES + code, tmp_path) == [True, True, [3, 3, 1]]


def test_a_batch_is_halved_where_memory_is_short(python: Path, tmp_path: Path) -> None:
    code = """
os.environ["LIVE_PORTRAIT_BATCH_SIZE"] = "4"
frames = load(None, images)
frames[0]
short = True
for place in range(4, 7):
    frames[place]
print(json.dumps(parts))
"""
    assert told(python, FRAMES + code, tmp_path) == [4, 2, 1]


def test_without_the_variable_a_video_is_loaded_as_upstream_does(python: Path, tmp_path: Path) -> None:
    code = 'os.environ.pop("LIVE_PORTRAIT_BATCH_SIZE", 0)\nload(None, images)\nprint(json.dumps(parts))'
    assert told(python, FRAMES + code, tmp_path) == [7]


CHECKOUT = {
    "src/__init__.py": "",
    "src/utils/__init__.py": "",
    "src/utils/helper.py": """
import torch
def dct2device(dct, device):
    for key in dct:
        dct[key] = torch.tensor(dct[key]).to(device)
    return dct
""",
    "src/utils/io.py": """
import pickle
def dump(wfp, obj):
    pickle.dump(obj, open(wfp, "wb"))
""",
    "src/live_portrait_wrapper.py": """
import numpy as np
import torch
class LivePortraitWrapper:
    def prepare_videos(self, imgs):
        y = np.clip(np.array(imgs)[..., np.newaxis].astype(np.float32) / 255., 0, 1)
        return torch.from_numpy(y).permute(0, 4, 3, 1, 2)
""",
    "inference.py": """
import json, pickle, sys
import numpy as np
import torch
from src.live_portrait_wrapper import LivePortraitWrapper
from src.utils.helper import dct2device
from src.utils.io import dump
class ndarray:  # an array of a second numpy, which torch refuses
    __module__ = "numpy"
    dtype = np.dtype("float32")
    def __array__(self, dtype=None, copy=None):
        return np.arange(6, dtype=np.float32).reshape(2, 3)
said = {}
def attempt(name, function):
    try:
        said[name] = function()
    except Exception as error:
        said[name] = f"{type(error).__name__}: {error}"
objects = np.array([[1.5, 2.5]], dtype=object)
attempt("from_numpy", lambda: torch.from_numpy(ndarray()).tolist())
attempt("objects", lambda: torch.from_numpy(objects).permute(1, 0).tolist())
attempt("text", lambda: torch.from_numpy(np.array(["a"])))
attempt("dict", lambda: dct2device({"R": objects}, "cpu")["R"].permute(1, 0).tolist())
tensor = torch.ones(1, 3)
attempt("kept", lambda: dct2device({"t": tensor, "note": "x"}, "cpu")["t"] is tensor)
learnt = [torch.ones(3, requires_grad=True)] * 2  # numpy cannot read these, nor those on a GPU
attempt("list", lambda: list(dct2device({"R": learnt}, "cpu")["R"].shape))
attempt("plain", lambda: dump("/tmp/d1.pkl", learnt) or type(pickle.load(open("/tmp/d1.pkl", "rb"))[0]).__name__)
second = type("ndarray", (np.ndarray,), {"__module__": "numpy"})
attempt("dump", lambda: dump("/tmp/d0.pkl", {"R": np.ones(2).view(second)}))
images = [np.full((2, 4, 3), number * 50, dtype=np.uint8) for number in range(5)]
frames = LivePortraitWrapper().prepare_videos(images)
said["frames"] = [type(frames).__name__, list(frames.shape), float(frames[4].max()), list(frames[4].shape)]
said["arguments"] = sys.argv[1:]
print(json.dumps(said))
""",
}


@pytest.fixture(scope="module")
def torch_image(engine: Engine) -> str:
    """An image with a real torch and numpy: that of the stack gsplat."""
    return str(document(cli("--json", "stack", "gsplat", "--gpu", "none", timeout=1800))["stacks"][0]["image"]["tag"])


def checkout(folder: Path, **changed: str) -> Path:
    for name, text in {**CHECKOUT, **changed}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    folder.chmod(0o755)
    return folder


def ran(engine: Engine, image: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    options = ["--rm", "--network", "none", "--memory", "8g", "--workdir", "/workspace"]
    options += ["--volume", f"{folder}:/workspace:ro", "--volume", f"{START}:/opt/liveportrait:ro"]
    options += ["--env", "PYTHONPATH=/opt/liveportrait", "--entrypoint", "/opt/venv/bin/python"]
    return engine.run(["run", *options, image, *words], check=False)


@pytest.mark.heavy
def test_upstreams_functions_fail_with_a_real_torch(engine: Engine, torch_image: str, tmp_path: Path) -> None:
    said = json.loads(ran(engine, torch_image, checkout(tmp_path), "inference.py").stdout.splitlines()[-1])
    assert said["from_numpy"].startswith("TypeError: expected np.ndarray (got ")
    assert "numpy.object_" in said["objects"]
    assert "numpy.object_" in said["dict"]
    assert said["kept"] is not True
    assert "ValueError: " in said["list"]
    assert said["plain"] == "Tensor"
    assert "it's not the same object as numpy.ndarray" in said["dump"]
    assert said["frames"][0] == "Tensor"


@pytest.mark.heavy
def test_they_work_when_started_by_the_entry_point(engine: Engine, torch_image: str, tmp_path: Path) -> None:
    words = ("-m", "liveportrait_start", "inference.py", "-s", "a b.jpg")
    done = ran(engine, torch_image, checkout(tmp_path), *words)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["from_numpy"] == [[0, 1, 2], [3, 4, 5]]
    assert said["objects"] == said["dict"] == [[1.5], [2.5]]
    assert said["text"].startswith("TypeError: ")
    assert said["kept"] is True
    assert (said["list"], said["plain"]) == ([2, 3], "ndarray")
    assert said["dump"] is None
    assert said["frames"] == ["Frames", [5, 1, 3, 2, 4], pytest.approx(200 / 255), [1, 3, 2, 4]]
    assert said["arguments"] == ["-s", "a b.jpg"]


@pytest.mark.heavy
def test_an_upstream_of_another_shape_is_refused(engine: Engine, torch_image: str, tmp_path: Path) -> None:
    folder = checkout(tmp_path, **{"src/utils/io.py": "def save(wfp, obj): ...\n"})
    done = ran(engine, torch_image, folder, "-m", "liveportrait_start", "inference.py")
    assert done.returncode == 1
    assert "src.utils.io has no dump; its commit is not the one" in done.stderr
