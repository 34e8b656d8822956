"""The stacks of TalkingGaussian: what they say, their declared edits, and their program as a user runs it.

Upstream's training scripts need a GPU and hours; small stand-ins take their names here, and write what those write.
ffmpeg is a real one: the system's, or that of the wheel imageio-ffmpeg.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from packaging.utils import canonicalize_name

from builder import settings as site
from builder.check import check
from builder.files import held
from builder.lock.routes import routes
from builder.lock.wheels import resolve
from builder.net.session import Session
from builder.spec.stacks import load_stack
from tests.conftest import REPO

NAMES = ("talkinggaussian", "talkinggaussian-modern")
FILES = REPO / "stacks" / "talkinggaussian" / "files"
SCRIPTS = ("train_mouth.py", "train_face.py", "train_fuse.py", "synthesize_fuse.py", "metrics.py")
COLUMNS = [f" AU{number:02d}_r" for number in (1, 4, 5, 6, 7, 25, 45)]
PER_FRAME = ("gt_imgs/{}.jpg", "ori_imgs/{}.lms", "parsing/{}.png", "torso_imgs/{}.png", "teeth_mask/{}.npy")
FIRST, FRAMES = 50, 25  # the frames of the test split: one second of video, from the third second on

# What upstream's scripts leave, by the names their sources have (Fictionarry/TalkingGaussian@9bd34f73).
STANDIN = """
import os, pathlib, subprocess, sys, time
name, words = pathlib.Path(sys.argv[0]).stem, sys.argv[1:]
line = " ".join([name, os.environ.get("CUDA_VISIBLE_DEVICES", "-"), *words])
pathlib.Path("called.txt").open("a").write(line + "\\n")
how = os.environ.get("STANDIN_" + name, "")
if how == "hang":
    time.sleep(120)
if how.isdigit():
    sys.exit(int(how))
if name == "metrics" or how == "nothing":
    sys.exit(0)
if name == "extract_ds_features":
    pathlib.Path(words[words.index("--output") + 1]).write_bytes(b"features")
    sys.exit(0)
output = pathlib.Path(words[words.index("-m") + 1])
output.mkdir(parents=True, exist_ok=True)
if name.startswith("train_"):
    (output / f"chkpnt_{name[6:]}_latest.pth").write_bytes(b"checkpoint")
    sys.exit(0)
made = output / ("train" if "--use_train" in words else "test") / "ours_None"
for part in ["renders"] if "--fast" in words else ["renders", "gt"]:
    (made / part).mkdir(parents=True, exist_ok=True)
    subprocess.run(["ffmpeg", "-y", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=25",
                    "-t", "1", "-pix_fmt", "yuv420p", str(made / part / "out.mp4")], check=True)
"""

# The real weights have 230 MB and more; small ones whose names tell their own hash are held to it by the same code.
STANDIN_WEIGHTS = b"weights"
SHA256 = hashlib.sha256(STANDIN_WEIGHTS).hexdigest()
WEIGHTS = tuple(f"{name}-{SHA256[:8]}.pth" for name in ("alexnet", "s3fd", "fan"))
DEEPSPEECH = Path(".tensorflow") / "models" / "deepspeech-0_1_0-b90017e8.pb"
START = f"""
import sys
from talkinggaussian_start import weights
weights.ALEXNET, weights.FACE_ALIGNMENT = {WEIGHTS[0]!r}, {WEIGHTS[1:]!r}
weights.DEEPSPEECH_SHA1 = {hashlib.sha1(STANDIN_WEIGHTS).hexdigest()!r}
from talkinggaussian_start.__main__ import main
sys.exit(main())
"""


@pytest.fixture(scope="session")
def ffmpeg() -> Path:
    """A folder for PATH with a real ffmpeg."""
    if found := shutil.which("ffmpeg"):
        return Path(found).parent
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "modelstacks" / "tests"
    folder = cache / "imageio-ffmpeg-0.6.0"
    with held(cache / "ffmpeg.lock"):
        if not (folder / "bin" / "ffmpeg").exists():
            words = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
            subprocess.run([*words, "--target", str(folder), "--upgrade", "imageio-ffmpeg==0.6.0"], check=True)
            (folder / "bin").mkdir(exist_ok=True)
            binary = next((folder / "imageio_ffmpeg" / "binaries").glob("ffmpeg-*"))
            binary.chmod(0o755)
            (folder / "bin" / "ffmpeg").symlink_to(binary)
    return folder / "bin"


class Head:
    """A workspace with stand-in scripts, whole data and weights, and the program to start in it."""

    def __init__(self, root: Path, ffmpeg: Path) -> None:
        self.root, self.data, self.output = root, root / "data" / "head", root / "output" / "head"
        self.environment = {
            "PATH": f"{ffmpeg}:/usr/bin:/bin",
            "PYTHONPATH": str(FILES),
            "PYTHONWARNINGS": "error",
            "HOME": str(root),
            "TORCH_HOME": str(root / "torch"),
        }
        for name in SCRIPTS:
            (root / name).write_text(STANDIN)
        features = root / "data_utils" / "deepspeech_features" / "extract_ds_features.py"
        features.parent.mkdir(parents=True)
        features.write_text(STANDIN)
        self._weights()
        self._data(ffmpeg)

    def _weights(self) -> None:
        hub = self.root / "torch" / "hub" / "checkpoints"
        hub.mkdir(parents=True)
        (self.root / DEEPSPEECH).parent.mkdir(parents=True)
        for path in (*(hub / name for name in WEIGHTS), self.root / DEEPSPEECH):
            path.write_bytes(STANDIN_WEIGHTS)
        (self.root / "start.py").write_text(START)

    def _data(self, ffmpeg: Path) -> None:
        for folder in ("gt_imgs", "ori_imgs", "parsing", "torso_imgs", "teeth_mask"):
            (self.data / folder).mkdir(parents=True)
        numbers = list(range(FIRST + FRAMES))
        for pattern in (
            "gt_imgs/{}.jpg",
            "ori_imgs/{}.lms",
            "parsing/{}.png",
            "torso_imgs/{}.png",
            "teeth_mask/{}.npy",
        ):
            for number in numbers:
                (self.data / pattern.format(number)).touch()
        for split, part in (("train", numbers[:FIRST]), ("val", numbers[FIRST:])):
            (self.data / f"transforms_{split}.json").write_text(_transforms(part))
        (self.data / "bc.jpg").touch()
        (self.data / "aud_ds.npy").write_bytes(_features(len(numbers), 16, 29))
        self.faces()
        # silence for two seconds, then a tone: the sound of the test frames is the tone
        tone = "aevalsrc='if(gte(t,2),0.5*sin(2*PI*440*t),0)':s=16000:d=3"
        words = ["-y", "-loglevel", "error", "-f", "lavfi", "-i", tone, str(self.data / "aud.wav")]
        subprocess.run([str(ffmpeg / "ffmpeg"), *words], check=True)

    def faces(
        self,
        mouth: Callable[[int], int] = lambda number: number % 20,
        blink: Callable[[int], float] = lambda number: number % 6 / 2.5,
        parted: Callable[[int], float] = lambda number: number % 11 / 10,
        lips: int = 40,
        left: int = 200,
    ) -> None:
        """Landmarks and action units, by the number of the frame: by how much the mouth is open, AU45 and AU25."""
        rows = [f"frame,{','.join(COLUMNS)}"]
        for number in range(FIRST + FRAMES):
            points = [(250.0, 250.0)] * 48 + [(left, 300.0), (left + lips, 320.0)] * 6
            points += [(220.0, 300.0), (220.0, 300.0 + mouth(number))] * 4
            text = "".join(f"{x:f} {y:f}\n" for x, y in points)
            (self.data / "ori_imgs" / f"{number}.lms").write_text(text)
            rows.append(f"{number}, 0.1, 0.1, 0.1, 0.1, 0.1, {parted(number)}, {blink(number)}")
        (self.data / "au.csv").write_text("\n".join([*rows, ""]))

    def start(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "start.py", *words]
        environment = {**self.environment, **more}
        return subprocess.run(
            command, cwd=self.root, env=environment, text=True, capture_output=True, timeout=60, check=False
        )

    def train(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return self.start("train", "data/head", "output/head", *words, **more)

    @property
    def called(self) -> list[str]:
        """What the stand-ins were called with: name, CUDA_VISIBLE_DEVICES, arguments."""
        path = self.root / "called.txt"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def head(tmp_path: Path, ffmpeg: Path) -> Head:
    return Head(tmp_path, ffmpeg)


def test_a_training_runs_upstreams_steps_in_their_order_and_ends_with_sound(head: Head, ffmpeg: Path) -> None:
    done = head.train("--gpu", "0")
    assert done.returncode == 0, done.stderr
    place, voice = "-s data/head -m output/head", "--audio_extractor deepspeech"
    made = "output/head/test/ours_None"
    assert head.called == [
        f"train_mouth 0 {place} {voice}",
        f"train_face 0 {place} --init_num 2000 --densify_grad_threshold 0.0005 {voice}",
        f"train_fuse 0 {place} --opacity_lr 0.001 {voice}",
        f"synthesize_fuse 0 {place} --eval {voice}",
        f"metrics 0 {made}/renders/out.mp4 {made}/gt/out.mp4",
    ]
    renders = head.output / "test" / "ours_None" / "renders"
    assert sorted(path.name for path in renders.iterdir()) == ["out.mp4", "out_with_sound.mp4"]
    assert "Audio:" not in _probe(ffmpeg, renders / "out.mp4"), "the stand-in's video has sound of its own"
    # the tone begins at the first test frame; from the sound's beginning there would be silence
    assert _loudness(ffmpeg, renders / "out_with_sound.mp4") > -20


def test_sound_of_the_test_frames_is_not_that_of_the_first_second(head: Head, ffmpeg: Path) -> None:
    assert _loudness(ffmpeg, head.data / "aud.wav", "-t", "1") < -80
    for name in ("transforms_train.json", "transforms_val.json"):
        (head.data / name).write_text(_transforms(range(FRAMES)))
    assert head.train("--fast").returncode == 0
    video = head.output / "test" / "ours_None" / "renders" / "out_with_sound.mp4"
    assert "Audio: aac" in _probe(ffmpeg, video)
    assert _loudness(ffmpeg, video) < -80


@pytest.mark.parametrize(
    ("script", "name", "left"), [("train_mouth", "mouth", 0), ("train_face", "face", 1), ("train_fuse", "fuse", 2)]
)
def test_a_step_that_fails_stops_all_that_follow(head: Head, script: str, name: str, left: int) -> None:
    done = head.train(**{f"STANDIN_{script}": "7"})
    assert done.returncode == 1
    assert f"error: {name} ended with code 7; nothing after it was started. Fix: look at its lines" in done.stderr
    assert f"--from {name}" in done.stderr
    assert len(head.called) == left + 1
    assert head.train("--from", name).returncode == 0


def test_a_step_that_leaves_no_checkpoint_stops_all_that_follow(head: Head) -> None:
    assert head.train("--fast").returncode == 0
    # a checkpoint of an earlier run must not pass for that of this one
    os.utime(head.output / "chkpnt_face_latest.pth", (1, 1))
    (head.root / "called.txt").unlink()
    done = head.train(STANDIN_train_face="nothing")
    assert done.returncode == 1
    assert "face ended without an error and left no new output/head/chkpnt_face_latest.pth" in done.stderr
    assert [line.split()[0] for line in head.called] == ["train_mouth", "train_face"]


@pytest.mark.parametrize(
    ("first", "lost"),
    [("fuse", ["mouth", "face"]), ("render", ["fuse"])],
)
def test_going_on_without_the_checkpoints_before_is_refused_before_anything_runs(
    head: Head, first: str, lost: list[str]
) -> None:
    done = head.train("--from", first)
    assert done.returncode == 2
    for name in lost:
        path = f"output/head/chkpnt_{name}_latest.pth"
        assert (
            f"error: {first} needs {path}, which is not there. Fix: train that step first: --from {name}" in done.stderr
        )
    assert head.called == []


def test_a_training_goes_on_where_it_stopped(head: Head) -> None:
    assert head.train("--fast").returncode == 0
    (head.root / "called.txt").unlink()
    assert head.train("--from", "render").returncode == 0
    assert [line.split()[0] for line in head.called] == ["synthesize_fuse", "metrics"]


def test_a_dry_run_says_the_commands_and_runs_none(head: Head) -> None:
    done = head.train("--dry-run")
    assert done.returncode == 0
    assert [line.split()[1] for line in done.stdout.splitlines() if ".py" in line] == list(SCRIPTS)
    assert head.called == []
    (head.data / "bc.jpg").unlink()
    assert head.train("--dry-run").returncode == 2


def _remove(name: str) -> Callable[[Head], None]:
    return lambda head: (head.root / name).unlink()


def _write(name: str, text: str) -> Callable[[Head], None]:
    def change(head: Head) -> None:
        (head.root / name).write_text(text)

    return change


def _put(name: str, content: Callable[[], bytes]) -> Callable[[Head], None]:
    def change(head: Head) -> None:
        (head.root / name).write_bytes(content())

    return change


def _folder(name: str) -> Callable[[Head], None]:
    return lambda head: (head.root / name).mkdir()


def _transforms(numbers: Iterable[int]) -> str:
    """What data_utils/process.py writes of frames of 512 by 512 pixels."""
    frames = [{"img_id": number} for number in numbers]
    return json.dumps({"focal_len": 1200.0, "cx": 256.0, "cy": 256.0, "frames": frames})


def _features(*shape: int) -> bytes:
    """The head of a file of numpy.save, which is all that is read of it."""
    head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (63 - (10 + len(head)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (_remove("data/head/aud_ds.npy"), 2, "aud_ds.npy is not there. Fix: make the deepspeech features"),
        (_remove("data/head/transforms_val.json"), 2, "transforms_val.json is not there"),
        (_write("data/head/transforms_train.json", "{"), 2, "transforms_train.json cannot be read"),
        (_write("data/head/transforms_train.json", '{"frames": []}'), 2, "it names no frames"),
        (_write("data/head/transforms_train.json", '{"frames": [{"img_id": 1}]}'), 2, "cannot be read: 'cy'"),
        (_write("data/head/aud_ds.npy", "text"), 2, "aud_ds.npy cannot be read: it is no file of numpy.save"),
        (_put("data/head/aud_ds.npy", lambda: _features(75, 464)), 2, "it has 2 dimensions, and features have three"),
        (
            _put("data/head/aud_ds.npy", lambda: _features(73, 16, 29)),
            2,
            "has features for 73 frames, and the video has 75",
        ),
        (_folder("data/head/points3d.ply"), 2, "points3d.ply cannot be written: Is a directory"),
        (_write("data/head/ori_imgs/3.lms", "1 2\n"), 2, "ori_imgs/3.lms cannot be read: it has not 68 points"),
        (lambda head: head.faces(lips=30), 2, "less than 31 pixels in 50 of 50 frames, frame 0 first: 30 by 30 of 512"),
        (lambda head: head.faces(left=-12), 2, "less than 31 pixels in 50 of 50 frames, frame 0 first: 40 by 0 of 512"),
        (
            lambda head: head.faces(mouth=lambda number: 20 * (number % 2)),
            2,
            "a training frame with a mouth open by 0.8 to 7.2 pixels at iteration 15, and without an end",
        ),
        (
            lambda head: head.faces(blink=lambda number: 0.9 * (number % 2)),
            2,
            "a training frame with AU45_r (a blink) of 0.90 to 1.80 at iteration 24015, and without an end",
        ),
        (
            lambda head: head.faces(parted=lambda number: float(number >= FIRST)),
            2,
            "train_mouth.py looks for a training frame with AU25_r of 1 or more, and the largest is 0",
        ),
        (_remove("data/head/teeth_mask/3.npy"), 2, "1 of 75 frames lack their file, data/head/teeth_mask/3.npy first"),
        (_remove("data/head/au.csv"), 2, "au.csv is not there"),
        (_write("data/head/au.csv", "frame,AU01_r\n"), 2, "au.csv has no column AU01_r"),
        (_write("data/head/au.csv", f"frame,{','.join(COLUMNS)}\n0\n"), 2, "au.csv has 1 rows, and frame 74 is asked"),
        (_remove("data/head/aud.wav"), 2, "sound needs data/head/aud.wav, which is not there"),
        (_remove("train_face.py"), 3, "train_face.py is not in"),
        (_remove(f"torch/hub/checkpoints/{WEIGHTS[0]}"), 3, f"{WEIGHTS[0]} is not there"),
        (_write(f"torch/hub/checkpoints/{WEIGHTS[1]}", "half"), 3, "is damaged: its sha256 does not begin with"),
    ],
)
def test_what_a_training_would_stumble_on_is_told_before_it_starts(
    head: Head, change: Callable[[Head], None], code: int, said: str
) -> None:
    change(head)
    done = head.train()
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert head.called == []


def test_the_features_that_upstream_leaves_are_named_where_a_training_lacks_its_own(head: Head) -> None:
    (head.data / "aud_ds.npy").rename(head.data / "aud.npy")
    said = head.train().stderr
    assert "aud_ds.npy is not there. Fix: rename data/head/aud.npy, which is what upstream's process.py leaves" in said
    (head.data / "aud.npy").unlink()
    assert "features of the video's sound: run `features data/head/aud.wav`" in head.train().stderr
    assert head.start("features", "data/head/aud.wav").returncode == 0, "the fix leads to what is asked for"
    assert (head.data / "aud_ds.npy").is_file()


def test_without_ffmpeg_nothing_starts(head: Head) -> None:
    empty = head.root / "empty"
    empty.mkdir()
    done = head.train(PATH=str(empty))
    assert done.returncode == 3
    assert "ffmpeg is not on PATH" in done.stderr


def test_another_sound_needs_its_features_and_gets_its_own_track(head: Head, ffmpeg: Path) -> None:
    assert head.train("--fast").returncode == 0
    assert head.start("speak", "data/head", "output/head", "--wav", "data/head/aud.wav").returncode == 2
    (head.root / "new.npy").touch()
    (head.data / "aud_ds.npy").unlink()  # the training sound's features are not asked for
    words = ("--features", "new.npy", "--wav", "data/head/aud.wav", "--fast")
    done = head.start("speak", "data/head", "output/head", *words)
    assert done.returncode == 0, done.stderr
    place = "-s data/head -m output/head --use_train --audio new.npy --audio_extractor deepspeech --fast"
    assert head.called[-1] == f"synthesize_fuse - {place}"
    assert "Audio: aac" in _probe(ffmpeg, head.output / "train" / "ours_None" / "renders" / "out_with_sound.mp4")
    (head.data / "au.csv").unlink()
    assert head.start("speak", "data/head", "output/head", *words).returncode == 2


def test_a_deepspeech_graph_of_another_version_is_refused_before_tensorflow_reads_it(head: Head) -> None:
    assert head.start("features", "data/head/aud.wav").returncode == 0
    assert (head.data / "aud_ds.npy").read_bytes() == b"features", "where a training reads it"
    shutil.copy(head.data / "aud.wav", head.root / "new.wav")
    assert head.start("features", "new.wav").returncode == 0
    assert (head.root / "new.npy").is_file()
    (head.root / "called.txt").unlink()
    (head.root / DEEPSPEECH).write_bytes(b"DeepSpeech 0.9.3")
    done = head.start("features", "data/head/aud.wav")
    assert done.returncode == 3
    assert "is not DeepSpeech v0.1.0 (sha1 " in done.stderr
    assert head.called == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_step_that_runs(head: Head, number: signal.Signals, code: int) -> None:
    environment = {**head.environment, "STANDIN_train_mouth": "hang"}
    command = [sys.executable, "start.py", "train", "data/head", "output/head"]
    process = subprocess.Popen(command, cwd=head.root, env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not head.called:
        assert time.monotonic() < deadline, "the first step was not started"
        time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(30) == code
    step = "train_mouth.py -s data/head -m output/head"
    running = [path for path in Path("/proc").glob("[0-9]*/cmdline") if _in(path, head, step)]
    assert running == []


def _in(cmdline: Path, head: Head, step: str) -> bool:
    try:
        same = step in cmdline.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return same and (cmdline.parent / "cwd").resolve() == head.root.resolve()
    except OSError:
        return False


def test_the_program_is_python_3_8_with_the_standard_library_alone() -> None:
    for path in sorted(FILES.rglob("*.py")):
        tree = ast.parse(path.read_text(), feature_version=(3, 8))
        for node in ast.walk(tree):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                top = name.partition(".")[0]
                assert top in sys.stdlib_module_names or top == "talkinggaussian_start", f"{path}: {name}"
    # what 3.9 and newer added, as methods, is no syntax
    text = "".join(path.read_text() for path in FILES.rglob("*.py"))
    assert not re.search(r"removeprefix|removesuffix|is_relative_to|strict=", text)


def _stack(name: str) -> Any:
    return load_stack(name, site.load(environ={}))


@pytest.mark.parametrize("name", NAMES)
def test_every_finding_has_its_reason(name: str) -> None:
    assert [one.text for one in check(_stack(name), None) if one.level != "accepted"] == []


@pytest.mark.parametrize(
    ("said", "instead", "rules"),
    [
        ("protobuf==3.20.3", "protobuf==5.29.6", {"protobuf"}),
        ("pillow==9.5.0", "pillow==10.4.0", {"pillow"}),
        ("torch==1.12.1+cu113", "torch==2.6.0+cu124", {"torch_release", "torch_cuda", "torch_wheels"}),
        ("numpy==1.23.5", "numpy==2.2.6", {"numpy_abi"}),
    ],
)
def test_check_refuses_what_the_note_ran_into(said: str, instead: str, rules: set[str]) -> None:
    stack = _stack("talkinggaussian")
    assert said in stack.packages
    packages = tuple(instead if one == said else one for one in stack.packages)
    found = check(stack.model_copy(update={"packages": packages}), None)
    assert rules <= {one.rule for one in found if one.level == "error"}


def test_check_refuses_gpus_that_torch_1_12_has_no_code_for() -> None:
    found = check(_stack("talkinggaussian").model_copy(update={"gpus": ("9.0",)}), None)
    assert {"torch_gpus", "nvcc_gpus"} <= {one.rule for one in found if one.level == "error"}


@pytest.mark.parametrize("name", NAMES)
def test_what_upstream_imports_and_does_not_list_for_pip_is_asked_for(name: str) -> None:
    asked = {re.split(r"[=<>]", one)[0].lower() for one in _stack(name).packages}
    assert {"plyfile", "transformers", "librosa", "prettytable", "requests", "imageio"} <= asked
    assert all("==" in one for one in _stack(name).packages), "an open requirement resolves to something else next year"


@pytest.mark.heavy
@pytest.mark.parametrize("name", NAMES)
def test_what_comes_from_the_default_index_resolves_for_the_stacks_python(name: str) -> None:
    settings, stack = site.load(), _stack(name)
    elsewhere = {item for index in stack.indexes.values() for item in index.packages}
    packages = tuple(one for one in stack.packages if re.split("[=<>]", one)[0] not in elsewhere)
    part = stack.model_copy(update={"packages": packages, "indexes": {}})
    with Session(settings) as session:
        found = resolve(part, routes(part, session), settings, session, ()).found
    pins = {(canonicalize_name(name), version) for name, version in (one.split("==") for one in packages)}
    assert pins <= {(one.project, one.version) for one in found}
    assert {one.project for one in found if one.kind == "sdist"} == set(stack.from_source)


@pytest.mark.parametrize("name", NAMES)
def test_what_derives_from_the_basel_face_model_is_mounted(name: str) -> None:
    stack = _stack(name)
    inside = "/workspace/data_utils/face_tracking/3DMM"
    assert [one.filename for one in stack.baked if one.into == inside] == []
    mounted = {one.filename for one in stack.mounted}
    derived = {"exp_info.npy", "keys_info.npy", "sub_mesh.obj", "topology_info.npy"}
    assert mounted == {"01_MorphableModel.mat", "3DMM_info.npy", *derived}


@pytest.mark.parametrize("name", NAMES)
def test_weights_lie_where_upstream_and_the_program_look(name: str) -> None:
    stack = _stack(name)
    there = {f"{one.into}/{one.filename}" for one in stack.baked}
    assert stack.env["TORCH_HOME"] == "/workspace/.cache/torch"
    source = (FILES / "talkinggaussian_start" / "weights.py").read_text()
    for file in re.findall(r'"([\w-]+-[0-9a-f]{8,}\.(?:pth|zip))"', source):
        assert f"{stack.env['TORCH_HOME']}/hub/checkpoints/{file}" in there
    assert f"{stack.env['HOME']}/{DEEPSPEECH}" in there


def _histogram_edit(name: str) -> Any:
    return next(one for one in _stack(name).sources[0].edits if one.file == "train_face.py")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("broken", [False, True])
def test_a_histogram_that_cannot_be_logged_is_a_warning_and_no_end(
    name: str, broken: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """The declared edit, run: the tensor and the writer are stand-ins that record what they are asked."""
    logged: list[object] = []

    class Tensor:
        calls: ClassVar[list[str]] = []

        def __getattr__(self, word: str) -> Callable[..., object]:
            self.calls.append(word)
            return lambda *_: "numbers" if word == "numpy" else self

    class Writer:
        def add_histogram(self, tag: str, values: object, step: int) -> None:
            if broken:
                raise TypeError("ufunc 'isfinite' not supported for the input types")
            logged.append((tag, values, step))

    class Gaussians:
        get_opacity = Tensor()

    class Scene:
        gaussians = Gaussians()

    code = "if True:\n" + _histogram_edit(name).new
    exec(compile(code, "train_face.py", "exec"), {"tb_writer": Writer(), "scene": Scene, "iteration": 2000})
    assert Tensor.calls[-5:] == ["detach", "cpu", "view", "float", "numpy"]
    if broken:
        assert "warning: the opacity histogram of iteration 2000 is not logged: ufunc" in capsys.readouterr().out
    else:
        assert logged == [("scene/opacity_histogram", "numbers", 2000)]


def _probe(ffmpeg: Path, file: Path) -> str:
    words = [str(ffmpeg / "ffmpeg"), "-hide_banner", "-i", str(file)]
    return subprocess.run(words, text=True, capture_output=True, check=False).stderr


def _loudness(ffmpeg: Path, file: Path, *words: str) -> float:
    """The mean level of the sound, in dB below full scale."""
    command = [
        str(ffmpeg / "ffmpeg"),
        "-hide_banner",
        "-i",
        str(file),
        *words,
        "-af",
        "volumedetect",
        "-f",
        "null",
        "-",
    ]
    said = subprocess.run(command, text=True, capture_output=True, check=True).stderr
    found = re.search(r"mean_volume: (-?[0-9.]+) dB", said)
    assert found, said
    return float(found[1])
