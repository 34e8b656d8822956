"""Where audio comes from, as pieces of 16-bit mono PCM, little-endian: a WAV file or raw samples, of a file or pipe.

The service takes 16-bit mono PCM of 16000 to 144000 samples a second (NVIDIA, Audio2Face-3D documentation). Other WAV
files are refused; `convert` takes 8, 24 and 32 bits, floating point and several channels. No rate is converted.
"""

from __future__ import annotations

import os
import select
import struct
import threading
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from a2f_client.errors import InputError

LOWEST, HIGHEST = 16000, 144000  # samples a second
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE  # wFormatTag of RIFF WAVE
_OPEN_END = (0, 0xFFFFFFFF)  # sizes that programs write which cannot go back to the header
_PIECE = 65536
_POLL = 0.1  # seconds between two looks at whether to stop


class Source(Protocol):
    """Audio as the service takes it. rate: samples a second. live: it comes in its own time and must not be paced."""

    rate: int
    live: bool

    def pieces(self, seconds: float) -> Iterator[bytes]:
        """Whole samples, in pieces of this length; the last may be shorter. Ends where it was told to stop."""

    def notes(self) -> list[str]:
        """What the user should know of it, at the end."""


class Bytes:
    """The bytes of a file descriptor, read as they come; a read ends early where the stream ends or `stop` is set."""

    def __init__(self, descriptor: int, stop: threading.Event) -> None:
        self._descriptor, self._stop = descriptor, stop

    def read(self, size: int) -> bytes:
        """This many bytes, or those there are up to the end."""
        parts: list[bytes] = []
        while size and not self._stop.is_set():
            # never a blocking read: a thread that waits in one cannot be told to stop
            if not select.select([self._descriptor], [], [], _POLL)[0]:
                continue
            part = os.read(self._descriptor, min(size, _PIECE))
            if not part:
                break
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def skip(self, size: int) -> bool:
        """Read over this many bytes; false where the stream ends before."""
        while size:
            if not (part := self.read(min(size, _PIECE))):
                return False
            size -= len(part)
        return True


@dataclass(frozen=True)
class Layout:
    """What a WAV file says of its samples. floating: of IEEE 754, not integers."""

    rate: int
    channels: int
    bits: int
    floating: bool

    @property
    def block(self) -> int:
        """Bytes of one sample of all channels."""
        return self.channels * self.bits // 8

    def __str__(self) -> str:
        """As people say it."""
        kind = "floating point" if self.floating else "integer"
        return f"{self.bits}-bit {kind}, {self.channels} channel{'s' * (self.channels > 1)}, {self.rate} Hz"


class Raw:
    """16-bit mono PCM without a header."""

    live = False

    def __init__(self, stream: Bytes, rate: int, *, live: bool = False) -> None:
        check_rate(rate)
        self.rate, self.live, self._stream = rate, live, stream
        self._odd = False

    def pieces(self, seconds: float) -> Iterator[bytes]:
        """As Source.pieces."""
        size = max(int(self.rate * seconds), 1) * 2
        while part := self._stream.read(size):
            self._odd = len(part) % 2 == 1
            if whole := part[: len(part) & ~1]:
                yield whole

    def notes(self) -> list[str]:
        """As Source.notes."""
        return ["the audio ended in the middle of a sample; its last byte was left out"] if self._odd else []


class Wav:
    """A WAV file, read as it is needed. convert: take layouts that the service does not.

    Raises InputError for what is not WAV, or of a layout that cannot be taken.
    """

    live = False

    def __init__(self, stream: Bytes, name: str, *, convert: bool = False) -> None:
        self._stream = stream
        self.layout, self._left = _header(stream, name)
        self.rate = self.layout.rate
        check_rate(self.rate, name)
        self.converted = (self.layout.bits, self.layout.channels, self.layout.floating) != (16, 1, False)
        if self.converted and not convert:
            fix = f"add --convert, or: ffmpeg -i {name} -ac 1 -c:a pcm_s16le OUT.wav"
            raise InputError(f"{name} is {self.layout}; the service takes 16-bit mono PCM", fix)
        self._short = False

    def pieces(self, seconds: float) -> Iterator[bytes]:
        """As Source.pieces."""
        size = max(int(self.rate * seconds), 1) * self.layout.block
        while self._left is None or self._left:
            part = self._stream.read(size if self._left is None else min(size, self._left))
            if self._left is not None:
                self._left -= len(part)
                self._short = not part
            whole = part[: len(part) - len(part) % self.layout.block]
            if not whole:
                return
            yield to_pcm16(whole, self.layout) if self.converted else whole

    def notes(self) -> list[str]:
        """As Source.notes."""
        told = [f"converted from {self.layout} to 16-bit mono PCM"] if self.converted else []
        return told + (["the file ends before its header says; it may be cut off"] if self._short else [])


def check_rate(rate: int, name: str = "the audio") -> None:
    """Raise InputError for samples a second that the service does not take."""
    if not LOWEST <= rate <= HIGHEST:
        fix = f"resample it: ffmpeg -i IN -ac 1 -ar {LOWEST} -c:a pcm_s16le OUT.wav"
        problem = f"{name} has {rate} samples a second; the service takes {LOWEST} to {HIGHEST}"
        raise InputError(problem, fix)


def to_pcm16(data: bytes, layout: Layout) -> bytes:
    """Whole samples of another layout as 16-bit mono: the upper bits, floats cut at full scale, channels averaged."""
    if layout.floating:
        values = array("f" if layout.bits == 32 else "d", data)
        # a float that is no number becomes silence
        full = [int(max(-1.0, min(1.0, one)) * 32767) if one == one else 0 for one in values]  # noqa: PLR0124
    elif layout.bits == 8:
        full = [(one - 128) << 8 for one in data]
    else:
        step = layout.bits // 8
        upper = bytearray(len(data) // step * 2)
        upper[0::2], upper[1::2] = data[step - 2 :: step], data[step - 1 :: step]
        full = list(array("h", bytes(upper)))
    count = layout.channels
    if count > 1:
        full = [sum(full[at : at + count]) // count for at in range(0, len(full), count)]
    return array("h", full).tobytes()


def _header(stream: Bytes, name: str) -> tuple[Layout, int | None]:
    """The layout of a WAV file, and the bytes of samples that follow; None for as many as come."""
    first = stream.read(12)
    if first.startswith(b"version http"):
        raise InputError(f"{name} is a pointer of Git LFS, not audio", "run `git lfs pull` where it came from")
    if len(first) < 12 or first[:4] != b"RIFF" or first[8:] != b"WAVE":
        fix = f"convert it: ffmpeg -i {name} -ac 1 -ar {LOWEST} -c:a pcm_s16le OUT.wav; for raw samples give --rate"
        raise InputError(f"{name} is not a WAV file", fix)
    layout: Layout | None = None
    while len(head := stream.read(8)) == 8:
        kind, size = head[:4], struct.unpack("<I", head[4:])[0]
        if kind == b"data":
            if layout is None:
                break
            return layout, None if size in _OPEN_END else size
        if kind == b"fmt ":
            layout = _layout(stream.read(min(size, 40)), name)
            size -= min(size, 40)
        if not stream.skip(size + size % 2 if kind != b"fmt " else size):
            break
    raise InputError(f"{name} is a WAV file without samples", "record it again, or fetch it again")


def _layout(data: bytes, name: str) -> Layout:
    if len(data) < 16:
        raise InputError(f"{name} is a damaged WAV file: its format is cut off", "fetch it again")
    tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", data[:16])
    if tag == _EXTENSIBLE and len(data) >= 26:
        tag = struct.unpack("<H", data[24:26])[0]
    known = {_PCM: (8, 16, 24, 32), _FLOAT: (32, 64)}.get(tag, ())
    if bits not in known or not 1 <= channels <= 32:
        fix = f"convert it: ffmpeg -i {name} -ac 1 -c:a pcm_s16le OUT.wav"
        raise InputError(f"{name} holds samples of a kind not understood (format {tag}, {bits} bits)", fix)
    return Layout(rate=rate, channels=channels, bits=bits, floating=tag == _FLOAT)
