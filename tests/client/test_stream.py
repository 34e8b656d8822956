"""Audio out, blendshape weights back: by the real program over real gRPC, from a stand-in service."""

from __future__ import annotations

import csv
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
import trustme
from a2f_client import wire

from tests.client.kit import COMMAND, ENVIRONMENT, client, frames, tone, wav
from tests.client.service import ARKIT, FPS, Service, served


def test_52_named_weights_come_for_each_frame_in_order_at_the_pace_of_speech(tmp_path: Path) -> None:
    file = wav(tmp_path / "in.wav", tone(1.5))
    with served(Service()) as service:
        started = time.monotonic()
        done = client("stream", file, "--url", service.address)
        took = time.monotonic() - started
    assert done.returncode == 0, done.stderr
    found = frames(done.stdout)
    assert len(ARKIT) == len(set(ARKIT)) == 52
    assert [list(one["blendshapes"]) for one in found] == [ARKIT] * 45
    assert [one["frame"] for one in found] == list(range(45))
    assert [one["time_code"] for one in found] == [round(number / FPS, 6) for number in range(45)]
    assert [one["blendshapes"]["EyeBlinkLeft"] for one in found] == [number / 1000 for number in range(45)]
    assert all(abs(one["blendshapes"]["JawOpen"] - 0.5) < 0.01 for one in found)
    assert service.audio == tone(1.5)
    assert service.ended
    # sent as it would be heard: neither in a burst nor late; the program's own start is not counted
    sending = service.times[-1] - service.times[0]
    assert 0.9 <= sending / (1.5 - 0.04) <= 2
    assert took < 15
    assert "45 frames of 1.50 s of audio" in done.stderr


def test_a_speed_of_zero_sends_as_fast_as_it_is_taken(tmp_path: Path) -> None:
    file = wav(tmp_path / "in.wav", tone(20))
    with served(Service()) as service:
        done = client("stream", file, "--url", service.address, "--speed", "0")
    assert len(frames(done.stdout)) == 600
    assert service.times[-1] - service.times[0] < 10


def test_silence_gives_frames_too(tmp_path: Path) -> None:
    file = wav(tmp_path / "in.wav", bytes(32000))
    with served(Service()) as service:
        done = client("stream", file, "--url", service.address, "--speed", "0")
    assert done.returncode == 0
    found = frames(done.stdout)
    assert len(found) == 30
    assert {one["blendshapes"]["JawOpen"] for one in found} == {0.0}


def test_csv_has_a_header_and_a_row_a_frame(tmp_path: Path) -> None:
    file, out = wav(tmp_path / "in.wav", tone(0.5)), tmp_path / "out.csv"
    with served(Service(names=["a,b", *ARKIT[1:]])) as service:
        done = client("stream", file, "--url", service.address, "--speed", "0", "--out", out)
    assert (done.returncode, done.stdout) == (0, "")
    with out.open(newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows[0] == ["frame", "time_code", "a,b", *ARKIT[1:]]
    assert {len(row) for row in rows} == {54}
    assert [int(row[0]) for row in rows[1:]] == list(range(len(rows) - 1))
    assert len(rows) == 16


def test_raw_samples_come_by_a_pipe(tmp_path: Path) -> None:
    with served(Service()) as service:
        words = ["stream", "-", "--rate", "48000", "--url", service.address, "--speed", "0"]
        done = client(*words, stdin=tone(1, 48000) + b"\0")
    assert done.returncode == 0
    assert len(frames(done.stdout)) == 30
    assert service.rate == 48000
    assert service.audio == tone(1, 48000)
    assert "its last byte was left out" in done.stderr


def test_a_service_that_is_lost_leaves_whole_lines_and_says_so(tmp_path: Path) -> None:
    file, out = wav(tmp_path / "in.wav", tone(3)), tmp_path / "out.jsonl"
    with served(Service(lose=20)) as service:
        done = client("stream", file, "--url", service.address, "--out", out)
    assert done.returncode == 1
    assert "error: the service was lost after 20 frames" in done.stderr
    assert len(frames(out.read_text())) == 20


def settled(service: Service, seconds: float) -> int:
    """How many frames the service has sent once it sent none for so long, however slow the machine is until then."""
    sent, since = service.sent, time.monotonic()
    while time.monotonic() - since < seconds:
        time.sleep(0.1)
        if service.sent != sent:
            sent, since = service.sent, time.monotonic()
    return sent


def test_a_slow_reader_holds_the_service_back_and_memory_stays_bounded(tmp_path: Path) -> None:
    file = wav(tmp_path / "in.wav", tone(1))
    many = 50_000  # some 13 MB on the wire, 60 MB as lines: more than every buffer between the two
    with served(Service(flood=many)) as service:
        words = [*COMMAND, "stream", str(file), "--url", service.address, "--patience", "4"]
        with subprocess.Popen(words, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout
            assert process.stderr
            process.stdout.readline()
            held_at = settled(service, 5)  # longer than its patience, which is with the service alone
            assert held_at < 30_000
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
            assert peak < 150, f"{peak} MiB"
            rest = process.stdout.read()
            assert process.wait(30) == 0, process.stderr.read()
    assert rest.count(b"\n") == many - 1


def test_ctrl_c_ends_the_audio_and_takes_the_frames_still_owed(tmp_path: Path) -> None:
    file, out = wav(tmp_path / "in.wav", tone(30)), tmp_path / "out.jsonl"
    with served(Service()) as service:
        words = [*COMMAND, "stream", str(file), "--url", service.address, "--out", str(out)]
        with subprocess.Popen(words, env=ENVIRONMENT, stderr=subprocess.PIPE) as process:
            while len(service.times) < 10:
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 130
        assert service.ended
    assert len(frames(out.read_text())) == service.sent > 5


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_pipe_in_which_nothing_comes_can_be_stopped(number: signal.Signals, code: int) -> None:
    with served(Service()) as service:
        words = [*COMMAND, "stream", "-", "--rate", "16000", "--live", "--url", service.address, "--patience", "3"]
        pipe = subprocess.PIPE
        with subprocess.Popen(words, env=ENVIRONMENT, stdin=pipe, stdout=pipe, stderr=pipe) as process:
            assert process.stdin
            assert process.stdout
            process.stdin.write(tone(0.2))
            process.stdin.flush()
            process.stdout.readline()
            time.sleep(3.5)  # no audio, so no answer is owed: patience does not run out
            process.send_signal(number)
            assert process.wait(30) == code


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    file = wav(tmp_path / "in.wav", tone(5))
    with served(Service(flood=1000)) as service:
        words = [*COMMAND, "stream", str(file), "--url", service.address]
        with subprocess.Popen(words, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout
            assert process.stderr
            process.stdout.readline()
            process.stdout.close()
            assert process.wait(30) == 1
            assert process.stderr.read() == b""


def test_a_service_that_never_answers_is_given_up(tmp_path: Path) -> None:
    file = wav(tmp_path / "in.wav", tone(1))
    with served(Service(deaf=True)) as service:
        done = client("stream", file, "--url", service.address, "--patience", "1")
    assert done.returncode == 1
    assert "error: the service did not answer for 1 s, before it answered" in done.stderr


def test_what_the_service_says_is_told(tmp_path: Path) -> None:
    file = wav(tmp_path / "in.wav", tone(0.2))
    with served(Service(fail="audio too long\x1b[2J")) as service:
        done = client("stream", file, "--url", service.address)
    assert (done.returncode, done.stderr) == (
        1,
        "error: the service says: audio too long [2J. Fix: look at the service's log\n",
    )
    assert len(frames(done.stdout)) == 6
    with served(Service(warn="slow GPU")) as service:
        done = client("stream", file, "--url", service.address)
    assert done.returncode == 0
    assert "warning: the service warns: slow GPU" in done.stderr


def test_a_weight_that_is_no_number_is_refused_and_the_lines_stay_json(tmp_path: Path) -> None:
    file = wav(tmp_path / "in.wav", tone(0.2))
    with served(Service(bad=float("nan"))) as service:
        done = client("stream", file, "--url", service.address)
    assert (done.returncode, done.stdout) == (1, "")
    assert "a weight that is no number" in done.stderr


@pytest.mark.parametrize("names", [[], ["A", "A"], ["A\n"], ["A" * 200], [f"n{number}" for number in range(1025)]])
def test_a_header_without_usable_names_is_refused(names: list[str], tmp_path: Path) -> None:
    file = wav(tmp_path / "in.wav", tone(0.1))
    with served(Service(names=names)) as service:
        done = client("stream", file, "--url", service.address)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no usable names" in done.stderr


def test_another_number_of_blendshapes_is_taken_with_a_warning(tmp_path: Path) -> None:
    file = wav(tmp_path / "in.wav", tone(0.1))
    with served(Service(names=[*ARKIT, "TongueTipUp"])) as service:
        done = client("stream", file, "--url", service.address)
    assert done.returncode == 0
    assert "warning: the service has 53 blendshapes, ARKit has 52" in done.stderr
    assert len(frames(done.stdout)[0]["blendshapes"]) == 53


def test_a_private_ca_is_needed_named_and_enough(tmp_path: Path) -> None:
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost")
    pem = b"".join(part.bytes() for part in leaf.cert_chain_pems)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    file = wav(tmp_path / "in.wav", tone(0.1))
    with served(Service(), tls=(leaf.private_key_pem.bytes(), pem), host="localhost") as service:
        words: list[str | Path] = ["stream", file, "--url", service.address]
        without = client(*words, "--tls")
        plain = client(*words)
        done = client(*words, "--tls", "--ca", tmp_path / "ca.pem")
    assert without.returncode == 3
    assert "name the CA that signed its certificate: --ca FILE" in without.stderr
    assert plain.returncode == 3
    assert done.returncode == 0, done.stderr
    assert len(frames(done.stdout)) == 3


def test_nothing_there_is_told_with_the_way_to_find_out(tmp_path: Path) -> None:
    file = wav(tmp_path / "in.wav", tone(0.1))
    done = client("stream", file, "--url", "127.0.0.1:1")
    assert done.returncode == 3
    assert "the service at 127.0.0.1:1 cannot be reached" in done.stderr
    assert "a2f_client health_check --url 127.0.0.1:1" in done.stderr


def test_a_proxy_of_the_site_is_not_asked_for_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENVIRONMENT, "http_proxy", "http://127.0.0.1:1")
    monkeypatch.setitem(ENVIRONMENT, "no_proxy", "")
    file = wav(tmp_path / "in.wav", tone(0.1))
    with served(Service()) as service:
        assert client("stream", file, "--url", service.address).returncode == 0


def test_the_messages_have_the_bytes_that_the_published_numbers_give() -> None:
    header = wire.AudioStream()
    about = header.audio_stream_header.audio_header
    about.channel_count, about.samples_per_second, about.bits_per_sample = 1, 16000, 16
    assert header.SerializeToString() == bytes.fromhex("0a090a071001 18807d 2010")
    piece = wire.AudioStream()
    piece.audio_with_emotion.audio_buffer = b"\1\2"
    assert piece.SerializeToString() == bytes.fromhex("12040a020102")
    end = wire.AudioStream()
    end.end_of_audio.SetInParent()
    assert end.SerializeToString() == bytes.fromhex("1a00")
    names = wire.AnimationDataStream.FromString(bytes.fromhex("0a0812060a01410a0142"))  # header 1, skeleton 2, names 1
    assert list(names.animation_data_stream_header.skel_animation_header.blend_shapes) == ["A", "B"]
    pose = bytes.fromhex(
        "12130a110a0f09000000000000e03f12040000803e"
    )  # data 2, skeleton 1, weights 1, time 1, values 2
    found = wire.AnimationDataStream.FromString(pose).animation_data.skel_animation.blend_shape_weights[0]
    assert (found.time_code, list(found.values)) == (0.5, [0.25])
    status = wire.AnimationDataStream.FromString(bytes.fromhex("22050803120142"))  # status 4: code 1, message 2
    assert (status.status.code, status.status.message) == (3, "B")


def test_threads_of_a_stream_end_with_it(tmp_path: Path) -> None:
    from a2f_client.audio import Bytes, Wav
    from a2f_client.channel import Address
    from a2f_client.session import Stream

    class Kept:
        def __init__(self) -> None:
            self.count = 0

        def begin(self, names: object) -> None: ...

        def frame(self, frame: object) -> None:
            self.count += 1

    before, kept = threading.active_count(), Kept()
    path = wav(tmp_path / "in.wav", tone(0.2))
    with path.open("rb") as file, served(Service()) as service, Address(service.address).channel() as channel:
        stop = threading.Event()
        source = Wav(Bytes(file.fileno(), stop), "in.wav")
        figures = Stream(channel, service.address, source, kept, stop, speed=0).run()
    assert figures.frames == kept.count == 6
    end = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.05)
    assert threading.active_count() == before
