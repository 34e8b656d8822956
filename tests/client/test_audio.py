"""What is taken as audio, what is refused and what is converted."""

from __future__ import annotations

import os
import struct
import sys
import threading
import types
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from a2f_client.audio import Bytes, Layout, Wav, check_rate, to_pcm16
from a2f_client.errors import InputError
from a2f_client.microphone import Microphone

from tests.client.kit import client, frames, tone, wav
from tests.client.service import Service, served


def opened(path: Path, *, convert: bool = False) -> Wav:
    return Wav(Bytes(os.open(path, os.O_RDONLY), threading.Event()), path.name, convert=convert)


@pytest.mark.parametrize("rate", [16000, 22050, 44100, 48000, 144000])
def test_rates_that_the_service_takes_go_out_as_they_are(rate: int, tmp_path: Path) -> None:
    path = wav(tmp_path / "in.wav", tone(0.2, rate), rate=rate)
    with served(Service()) as service:
        done = client("stream", path, "--url", service.address, "--speed", "0")
    assert done.returncode == 0, done.stderr
    assert (service.rate, service.audio) == (rate, tone(0.2, rate))
    assert len(frames(done.stdout)) == 6


@pytest.mark.parametrize("rate", [0, 8000, 15999, 144001, 192000])
def test_other_rates_are_refused_with_the_command_that_resamples(rate: int, tmp_path: Path) -> None:
    done = client("stream", wav(tmp_path / "in.wav", tone(0.1), rate=rate))
    assert done.returncode == 2
    assert f"in.wav has {rate} samples a second; the service takes 16000 to 144000" in done.stderr
    assert "ffmpeg -i IN -ac 1 -ar 16000" in done.stderr
    with pytest.raises(InputError):
        check_rate(rate)


@pytest.mark.parametrize(
    ("said", "keys"),
    [
        ("8-bit integer, 1 channel, 16000 Hz", {"bits": 8}),
        ("16-bit integer, 2 channels, 16000 Hz", {"channels": 2}),
        ("32-bit floating point, 1 channel, 16000 Hz", {"bits": 32, "tag": 3}),
    ],
)
def test_other_layouts_are_refused_by_name_and_converted_when_asked(
    said: str, keys: dict[str, int], tmp_path: Path
) -> None:
    path = wav(tmp_path / "in.wav", bytes(6400), **keys)
    done = client("stream", path)
    assert done.returncode == 2
    assert f"in.wav is {said}; the service takes 16-bit mono PCM" in done.stderr
    assert "add --convert" in done.stderr
    with served(Service()) as service:
        done = client("stream", path, "--convert", "--url", service.address, "--speed", "0")
    assert done.returncode == 0
    assert f"converted from {said} to 16-bit mono PCM" in done.stderr


def test_conversion_keeps_the_sound() -> None:
    def as_16(data: bytes, bits: int, *, channels: int = 1, floating: bool = False) -> list[int]:
        return list(array("h", to_pcm16(data, Layout(16000, channels, bits, floating))))

    assert as_16(bytes([0, 128, 255]), 8) == [-32768, 0, 32512]
    assert as_16(struct.pack("<4h", 100, 300, -5, -5), 16, channels=2) == [200, -5]
    assert as_16(b"\xff\x34\x12" + b"\0\0\x80", 24) == [0x1234, -32768]
    assert as_16(struct.pack("<2i", 0x12345678, -(1 << 31)), 32) == [0x1234, -32768]
    values = [0.0, 0.5, -1.0, 2.0, float("nan"), float("-inf")]
    for kind, bits in (("f", 32), ("d", 64)):
        assert as_16(struct.pack(f"<6{kind}", *values), bits, floating=True) == [0, 16383, -32767, 32767, 0, -32767]


def test_an_extensible_header_is_read_by_its_own_kind(tmp_path: Path) -> None:
    path = tmp_path / "in.wav"
    tail = struct.pack("<HHI", 22, 16, 4) + struct.pack("<H", 1) + bytes(14)
    fmt = struct.pack("<HHIIHH", 0xFFFE, 1, 16000, 32000, 2, 16) + tail
    body = b"fmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", 0xFFFFFFFF) + tone(0.1)
    path.write_bytes(b"RIFF\xff\xff\xff\xffWAVE" + body)
    source = opened(path)
    assert source.layout == Layout(16000, 1, 16, False)
    assert b"".join(source.pieces(0.03)) == tone(0.1)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is not a WAV file"),
        (b"ID3\x04 and so on, an mp3", "is not a WAV file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS, not audio"),
        (b"RIFF\0\0\0\0WAVE", "is a WAV file without samples"),
        (b"RIFF\0\0\0\0WAVEfmt \x04\0\0\0abcd", "its format is cut off"),
        (b"RIFF\0\0\0\0WAVEdata\x04\0\0\0abcd", "is a WAV file without samples"),
        (b"RIFF\0\0\0\0WAVEjunk\xff\xff\xff\xff", "is a WAV file without samples"),
    ],
)
def test_what_is_no_sound_is_refused_by_name(data: bytes, problem: str, tmp_path: Path) -> None:
    (tmp_path / "in.wav").write_bytes(data)
    with pytest.raises(InputError, match=problem):
        opened(tmp_path / "in.wav")


def test_samples_of_an_unknown_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"format 85, 16 bits"):
        opened(wav(tmp_path / "in.wav", bytes(100), tag=85))


def test_a_file_that_is_cut_off_is_sent_with_a_warning(tmp_path: Path) -> None:
    path = wav(tmp_path / "in.wav", tone(0.5))
    path.write_bytes(path.read_bytes()[:-8000])
    with served(Service()) as service:
        done = client("stream", path, "--url", service.address, "--speed", "0")
    assert done.returncode == 0
    assert "warning: the file ends before its header says" in done.stderr
    assert len(service.audio) == 8000


def test_a_source_is_needed_and_one_alone(tmp_path: Path) -> None:
    for words in ([], ["--mic", str(tmp_path / "in.wav")]):
        done = client("stream", *words)
        assert done.returncode == 2
        assert "one source of audio is needed" in done.stderr
    assert "cannot be read: No such file" in client("stream", tmp_path / "none.wav").stderr


class FakeSounddevice(types.ModuleType):
    """A stand-in for the package sounddevice, as there is no microphone: it calls back with what it is given."""

    class PortAudioError(Exception):
        pass

    def __init__(self, heard: Callable[[], Iterator[bytes]]) -> None:
        super().__init__("sounddevice")
        self.opened: list[dict[str, Any]] = []
        outer = self

        class RawInputStream:
            def __init__(self, **given: Any) -> None:
                outer.opened.append(given)
                if given["device"] == "none":
                    raise outer.PortAudioError("No such device")

            def __enter__(self) -> None:
                for piece in heard():
                    outer.opened[0]["callback"](memoryview(piece), len(piece) // 2, None, None)

            def __exit__(self, *_: object) -> None: ...

        self.RawInputStream = RawInputStream


def test_the_microphone_is_16_bit_mono_and_drops_the_oldest_sound_when_nobody_takes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = FakeSounddevice(lambda: iter([bytes([number, 0]) * 640 for number in range(60)]))
    monkeypatch.setitem(sys.modules, "sounddevice", said)
    stop = threading.Event()
    source = Microphone(16000, "3", stop)
    pieces = source.pieces(0.04)
    got = [next(pieces)[0] for _ in range(50)]
    stop.set()
    assert list(pieces) == []
    assert got == list(range(10, 60))
    assert source.notes() == ["10 pieces of sound were dropped, as the service did not take them in time"]
    given = said.opened[0]
    assert (given["samplerate"], given["blocksize"], given["device"]) == (16000, 640, 3)
    assert (given["channels"], given["dtype"]) == (1, "int16")


def test_a_microphone_that_cannot_be_had_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", FakeSounddevice(lambda: iter([])))
    with pytest.raises(InputError, match="cannot be opened: No such device"):
        next(Microphone(16000, "none", threading.Event()).pieces(0.04))
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(InputError, match="needs the package sounddevice"):
        Microphone(16000, "", threading.Event())
