"""LivePortrait in passes: the same frames as the whole video at once, whatever happens on the way.

The checkout is a double (standins/liveportrait_double): upstream's names and interface, numpy in the place of torch.
Its real source at the pin, with real networks, is test_liveportrait_real.py.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import json
import os
import pty
import random
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from uv import find_uv_bin

from tests.conftest import REPO

START = REPO / "stacks" / "liveportrait" / "files"
DOUBLE = Path(__file__).parent / "standins" / "liveportrait_double" / "make.py"
NEEDED = ("numpy", "scipy", "opencv-python-headless", "imageio", "imageio-ffmpeg", "pykalman")
VIDEOS = {
    "square": ("d.mp4", "40", "64x64"),
    "wide": ("wide.mp4", "40", "96x64", "dark=3"),
    "source": ("s.mp4", "35", "80x64"),
    "late": ("late.mp4", "35", "80x64", "dark=2"),
    "image": ("s.png", "1", "80x64"),
    "dark": ("dark.png", "1", "80x64", "dark=1"),
    "night": ("night.mp4", "12", "96x64", "dark=12"),
}
BATCH = 8


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with what the stack has for video and filter, at its versions, of the default index."""
    stack = yaml.safe_load((START.parent / "stack.yaml").read_text())
    wanted = [one for one in stack["packages"] if one.partition("==")[0] in NEEDED]
    assert len(wanted) == len(NEEDED)
    folder = tmp_path_factory.mktemp("passes") / "venv"
    subprocess.run([find_uv_bin(), "venv", "--quiet", "--python", sys.executable, folder], check=True)
    more = ["setuptools<80"]  # imageio-ffmpeg 0.5.1 wants it
    install = [find_uv_bin(), "pip", "install", "--quiet", "--python", folder, *wanted, *more]
    subprocess.run(install, check=True)
    return folder / "bin" / "python"


class Place:
    """A checkout of the double with videos, and runs in it."""

    def __init__(self, python: Path, folder: Path) -> None:
        self.python, self.folder = python, folder

    def words(self, source: str, driving: str, out: str, *more: str) -> list[str]:
        program = [str(self.python), "-m", "liveportrait_start.run", "inference.py"]
        return [*program, "-s", source, "-d", driving, "-o", out, *more]

    def environment(self, **more: str) -> dict[str, str]:
        own = {"PYTHONPATH": f"{START}:{self.folder}", "LIVE_PORTRAIT_BATCH_SIZE": str(BATCH), **more}
        return {**os.environ, **own}

    def run(self, source: str, driving: str, out: str, *more: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.words(source, driving, out, *more),
            cwd=self.folder,
            env=self.environment(**env),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def start(self, source: str, driving: str, out: str, *more: str, **env: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.words(source, driving, out, *more),
            cwd=self.folder,
            env=self.environment(**env),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def frames(self, log: str) -> dict[str, list[str]]:
        """The hashes of the frames handed to the encoders, in order, of both videos."""
        rows = [json.loads(line) for line in (self.folder / log).read_text().splitlines()]
        found: dict[str, dict[int, str]] = {"concat": {}, "result": {}}
        for name, place, digest in rows:
            part = re.search(r"-(\d{8})-\d{8}\.mp4$", name)
            found["concat" if "concat" in name else "result"][place + (int(part[1]) if part else 0)] = digest
        return {kind: [one for _, one in sorted(hashes.items())] for kind, hashes in found.items()}

    def both(self, source: str, driving: str, name: str) -> dict[str, list[str]]:
        """The frames of the whole video at once and those of the passes, which are the same."""
        whole = self.run(source, driving, f"{name}-whole", "--whole", FRAMES=f"{name}-whole.log")
        assert whole.returncode == 0, whole.stderr
        done = self.run(source, driving, f"{name}-passes", FRAMES=f"{name}-passes.log")
        assert done.returncode == 0, done.stderr
        frames = self.frames(f"{name}-whole.log")
        assert self.frames(f"{name}-passes.log") == frames
        left = sorted(path.name for path in (self.folder / f"{name}-passes").iterdir())
        assert left == sorted(path.name for path in (self.folder / f"{name}-whole").iterdir())
        return frames

    def decoded(self, out: str) -> list[str]:
        """The hash and time of each frame of the finished video."""
        code = "import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())"
        ffmpeg = subprocess.run([self.python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        path = next(one for one in (self.folder / out).glob("*.mp4") if "concat" not in one.name)
        words = [ffmpeg, "-v", "error", "-i", str(path), "-f", "framemd5", "-"]
        text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        return [line for line in text.splitlines() if not line.startswith("#")]


@pytest.fixture(scope="session")
def place(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("double")
    subprocess.run([python, DOUBLE, folder], check=True)
    for words in VIDEOS.values():
        subprocess.run([python, DOUBLE, "video", *words], cwd=folder, check=True)
    return Place(python, folder)


@pytest.fixture(scope="session")
def newest_ffmpeg(python: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The ffmpeg 7 of a newer wheel than the stack's."""
    folder = tmp_path_factory.mktemp("ffmpeg")
    into = ["--python", str(python), "--target", str(folder), "--no-deps"]
    subprocess.run([find_uv_bin(), "pip", "install", "--quiet", *into, "imageio-ffmpeg==0.6.0"], check=True)
    return str(next((folder / "imageio_ffmpeg" / "binaries").glob("ffmpeg-*")))


@pytest.fixture
def out(request: pytest.FixtureRequest) -> str:
    """A folder of this test's own."""
    return re.sub(r"\W+", "-", request.node.name)


@pytest.mark.parametrize(
    ("source", "driving", "frames"),
    [
        ("s.png", "d.mp4", 40),
        ("s.mp4", "d.mp4", 35),  # the source is shorter
        ("late.mp4", "wide.mp4", 30),  # no face in the first frames of both, and the driving is cropped
    ],
)
def test_the_frames_are_those_of_the_whole_video_at_once(
    place: Place, out: str, source: str, driving: str, frames: int
) -> None:
    found = place.both(source, driving, out)
    assert [len(one) for one in found.values()] == [frames, frames]
    times = [line.split(",")[2].strip() for line in place.decoded(f"{out}-passes")]
    assert [int(one) for one in times] == list(range(frames))


def damaged(place: Place, name: str, how: str) -> str:
    """A video of 40 frames that is not as it should be."""
    whole, bad = place.folder / "wide.mp4", place.folder / f"{name}.mp4"
    data = bytearray(whole.read_bytes())
    if how == "corrupt":
        middle = data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 3
        data[middle : middle + 300] = random.Random(1).randbytes(300)
    elif how == "lying":
        for box, at in ((b"mvhd", 20), (b"mdhd", 20)):
            start = data.index(box) + at
            data[start : start + 4] = (int.from_bytes(data[start : start + 4], "big") * 10).to_bytes(4, "big")
    bad.write_bytes(data)
    if how == "uneven":
        code = "import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())"
        ffmpeg = subprocess.run([place.python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        pick = ["-vf", "select='not(mod(n,3))+lt(n,9)'", "-vsync", "vfr", str(bad)]
        subprocess.run([ffmpeg, "-y", "-v", "error", "-i", str(whole), *pick], check=True)
    return bad.name


@pytest.mark.parametrize("how", ["corrupt", "lying", "uneven"])
def test_a_video_that_is_not_as_it_should_be_ends_as_upstreams_own_way(place: Place, out: str, how: str) -> None:
    assert len(place.both("s.png", damaged(place, f"{how}-d", how), out)["result"]) > 9


@pytest.mark.parametrize(
    ("source", "driving", "said"),
    [
        ("dark.png", "d.mp4", "no face was found in dark.png"),
        ("s.png", "night.mp4", "no face was found in night.mp4"),
        ("night.mp4", "d.mp4", "no face was found in any frame of night.mp4"),
    ],
)
def test_no_face_is_said_plainly(place: Place, out: str, source: str, driving: str, said: str) -> None:
    done = place.run(source, driving, out)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, f"liveportrait: {said}")
    assert not list((place.folder / out).glob("*.mp4"))


def lines(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


def killed(place: Place, out: str, times: int, seed: int) -> None:
    """Kill a run as often, at random moments; what is finished stays, and at most a batch beyond it was begun."""
    chance = random.Random(seed)
    state = place.folder / out / "s--d.state"
    for _ in range(times):
        log = f"{out}-{chance.random()}.log"
        process = place.start("s.mp4", "d.mp4", out, PACE="0.03", FRAMES=log)
        wanted, end = chance.randint(0, 9), time.monotonic() + 60
        while process.poll() is None and time.monotonic() < end and lines(place.folder / log) < wanted:
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.1))
        assert process.poll() is None, "it ended before it could be killed"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        whole = sorted(state.glob("result-*.mp4"))
        finished = int(whole[-1].stem.split("-")[2]) if whole else 0
        if lines(place.folder / log):
            rows = [json.loads(line) for line in (place.folder / log).read_text().splitlines()]
            furthest = max(int(name.split("-")[-2]) + at + 1 for name, at, _ in rows)
            assert furthest - finished <= BATCH


@pytest.mark.parametrize("times", [3, pytest.param(10, marks=pytest.mark.heavy)])
def test_a_killed_run_goes_on_and_ends_as_an_unbroken_one(place: Place, out: str, times: int) -> None:
    assert place.run("s.mp4", "d.mp4", f"{out}-unbroken").returncode == 0
    killed(place, out, times, seed=times)
    done = place.run("s.mp4", "d.mp4", out)
    assert done.returncode == 0, done.stderr
    assert re.search(r"going on: \d+ of 35 frames are finished", done.stderr)
    assert place.decoded(out) == place.decoded(f"{out}-unbroken")
    assert sorted(one.name for one in (place.folder / out).iterdir()) == ["s--d.mp4", "s--d_concat.mp4"]


@pytest.fixture
def begun(place: Place, out: str) -> str:
    """A folder with the state of a run that failed after some frames."""
    done = place.run("s.png", "d.mp4", out, FAILS="15")
    assert (done.returncode, "a network failed" in done.stderr) == (1, True)
    assert (place.folder / out / "s--d.state").is_dir()
    assert not list((place.folder / out).glob("*.mp4"))
    return out


def test_another_argument_is_refused_and_restart_begins_anew(place: Place, begun: str) -> None:
    done = place.run("s.png", "d.mp4", begun, "--driving-multiplier", "1.5")
    assert done.returncode == 1
    assert "holds what a run with other inputs did: --driving-multiplier (then 1.0, now 1.5). " in done.stderr
    assert "--restart to begin anew" in done.stderr
    done = place.run("s.png", "d.mp4", begun, "--driving-multiplier", "1.5", "--restart")
    assert (done.returncode, "going on" in done.stderr) == (0, False), done.stderr


def test_another_input_of_the_same_name_is_refused(place: Place, begun: str) -> None:
    image = place.folder / "s.png"
    kept = image.read_bytes()
    try:
        image.write_bytes((place.folder / "dark.png").read_bytes())
        done = place.run("s.png", "d.mp4", begun)
    finally:
        image.write_bytes(kept)
    assert (done.returncode, "other inputs did: the source. " in done.stderr) == (1, True)
    assert place.run("s.png", "d.mp4", begun).returncode == 0


def test_the_second_run_of_two_on_one_output_is_refused(place: Place, out: str) -> None:
    first = place.start("s.png", "d.mp4", out, PACE="0.1")
    try:
        lock = place.folder / out / "s--d.state" / "made_from.json"
        end = time.monotonic() + 30
        while not lock.exists() and time.monotonic() < end:
            time.sleep(0.02)
        done = place.run("s.png", "d.mp4", out)
        assert (done.returncode, "another run is making this video" in done.stderr) == (1, True)
    finally:
        assert first.wait() == 0
    assert len(place.decoded(out)) == 40


def test_a_gpu_without_memory_halves_the_batch_and_loses_nothing(place: Place, out: str) -> None:
    assert place.run("s.png", "d.mp4", "memory", FRAMES="memory.log").returncode == 0
    done = place.run("s.png", "d.mp4", out, FRAMES=f"{out}.log", OOM="3,9", FITS="2", LIVE_PORTRAIT_FRAMES_AT_ONCE="4")
    assert done.returncode == 0, done.stderr
    assert place.frames(f"{out}.log") == place.frames("memory.log")
    done = place.run("s.png", "d.mp4", f"{out}-none", FITS="0")
    assert (done.returncode, "the GPU has no memory for a single frame" in done.stderr) == (1, True)


def test_an_encoder_that_cannot_write_leaves_nothing_under_the_final_name(place: Place, out: str) -> None:
    words = ["sh", "-c", 'ulimit -f 8; exec "$0" "$@"', *place.words("s.png", "d.mp4", out)]  # blocks of 512 bytes
    environment = place.environment()
    done = subprocess.run(words, cwd=place.folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "give the same command: it goes on where it was" in done.stderr.splitlines()[-1]
    assert not list((place.folder / out).glob("*.mp4"))
    done = place.run("s.png", "d.mp4", out)
    assert (done.returncode, len(place.decoded(out))) == (0, 40)


def test_sound_that_cannot_be_added_keeps_every_frame(place: Place, out: str) -> None:
    done = place.run("s.png", "d.mp4", out, SOUND="broken")
    assert (done.returncode, "the sound of d.mp4 could not be added" in done.stderr) == (1, True)
    assert not list((place.folder / out).glob("*.mp4"))
    done = place.run("s.png", "d.mp4", out, SOUND="good")
    assert (done.returncode, "going on: 40 of 40 frames are finished" in done.stderr) == (0, True), done.stderr


def test_a_person_sees_how_it_goes(place: Place, out: str) -> None:
    done = place.run("s.png", "d.mp4", out)
    lines = [line.removeprefix("liveportrait: ") for line in done.stderr.splitlines()]
    assert re.match(r"about 40 frames .* batches of 8, memory .* GB; disk: at most some .* GB of .* free", lines[0])
    assert any(re.match(r"making frames: 40 of 40 frames, [\d.]+/s, 0:00 left, batch 8, memory", one) for one in lines)
    assert re.match(rf"40 frames in {out}/s--d.mp4; peak memory [\d.]+ GB in this process", lines[-1])


def test_a_name_that_upstream_does_not_have_stops_it(place: Place, out: str, python: Path, tmp_path: Path) -> None:
    subprocess.run([python, DOUBLE, tmp_path], check=True)
    crop = tmp_path / "src" / "utils" / "crop.py"
    crop.write_text(crop.read_text().replace("def paste_back", "def put_back"))
    done = Place(python, tmp_path).run(str(place.folder / "s.png"), str(place.folder / "d.mp4"), out)
    assert done.returncode == 1
    assert "src.utils.crop has no paste_back; its commit is not the one" in done.stderr


def told(python: Path, code: str, folder: Path) -> Any:
    """What a script prints last, as JSON."""
    environment = {**os.environ, "PYTHONPATH": str(START)}
    done = subprocess.run(
        [python, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_smoothing_is_pykalmans_to_the_bit(python: Path, tmp_path: Path) -> None:
    code = """
import json, numpy as np
from pykalman import KalmanFilter, standard
from liveportrait_start.passes.smoothing import smoothed
found = []
for frames, size, variance in ((2, 9, 3e-7), (150, 9, 3e-7), (60, 63, 1e-3)):
    rows = np.cumsum(np.random.default_rng(1).normal(size=(frames, size)) / 90, axis=0).astype(np.float32)
    whole = KalmanFilter(initial_state_mean=rows[0], n_dim_obs=size, transition_covariance=1e-5 * np.eye(size),
                         observation_covariance=variance * np.eye(size)).smooth(rows)[0]
    found.append(bool((smoothed(rows, variance, 1e-5, standard) == whole).all()))
print(json.dumps(found))
"""
    assert told(python, code, tmp_path) == [True, True, True]


def test_a_table_keeps_whole_rows_and_their_layout(python: Path, tmp_path: Path) -> None:
    code = """
import json, numpy as np
from pathlib import Path
from liveportrait_start.passes.table import Table
row = lambda n: {"R": np.full((1, 3, 3), n, dtype=np.float32).transpose(0, 2, 1), "lmk": np.full((5, 2), n)}
table = Table(Path("."), "source")
table.append([row(0), row(1)])
table.append([row(2)])
with open("source.rows", "ab") as out: out.write(b"half a row")
again = Table(Path("."), "source")
back = again.row(2)
try:
    again.append([{"R": np.zeros(3), "lmk": np.zeros(1)}])
    other = False
except ValueError:
    other = True
same = bool((back["R"] == 2).all()) and back["R"].flags.f_contiguous and again.column("lmk").shape == (3, 5, 2)
print(json.dumps([len(again), same, other]))
"""
    assert told(python, code, tmp_path) == [3, True, True]


@pytest.fixture(scope="module")
def batches() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(START))
        yield importlib.import_module("liveportrait_start.passes.batches")


def test_a_batch_is_halved_under_pressure_and_grows_after_two_calm_ones(batches: Any) -> None:
    memory = importlib.import_module("liveportrait_start.memory")
    free = [8, 8, 1, 1, 8, 8, 8, 8, 8, 8, 8]
    made = batches.Batches(25, lambda: memory.Memory(16 * memory.GB, free.pop(0) * memory.GB, "test"))
    assert [made.next() for _ in range(11)] == [25, 25, 12, 6, 6, 12, 12, 24, 24, 25, 25]


def test_a_gpu_without_memory_halves_and_one_frame_is_the_end(batches: Any) -> None:
    made = batches.Batches(25)
    assert [made.refused(25), made.refused(12), made.refused(6), made.refused(3)] == [12, 6, 3, 1]
    with pytest.raises(SystemExit, match="for a single frame"):
        made.refused(1)


def test_our_options_never_reach_upstream(batches: Any) -> None:
    split = importlib.import_module("liveportrait_start.passes.options").split
    options, rest = split(["-s", "a.png", "--whole", "-d", "d.mp4", "--", "--restart"])
    assert (options.whole, options.restart) == (True, False)
    assert rest == ["-s", "a.png", "-d", "d.mp4", "--", "--restart"]


def test_an_ffmpeg_that_counts_nothing_it_copies_will_do(place: Place, newest_ffmpeg: str, out: str) -> None:
    done = place.run("s.png", "d.mp4", out, IMAGEIO_FFMPEG_EXE=newest_ffmpeg)
    assert done.returncode == 0, done.stderr
    assert len(place.decoded(out)) == 40


@pytest.mark.parametrize("columns", [60, 100])
def test_in_a_terminal_the_line_of_progress_never_wraps(place: Place, out: str, columns: int) -> None:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    words = place.words("s.png", "d.mp4", out)
    program = subprocess.Popen(words, cwd=place.folder, env=place.environment(), stdout=slave, stderr=slave)
    os.close(slave)
    said = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while part := os.read(master, 1 << 16):
            said += part
    os.close(master)
    assert program.wait() == 0
    states = re.findall(r"\r\x1b\[K([^\r\n]*)", said.decode())
    assert any(one.startswith("liveportrait: making frames: 40 of 40 frames") for one in states)
    assert [one for one in states if len(one) >= columns] == []
    assert any("memory" in one for one in states) == (columns == 100)
