"""The microphone, by the optional package sounddevice (PortAudio)."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any

from a2f_client.audio import check_rate
from a2f_client.errors import InputError

_PIPE = "arecord -q -f S16_LE -c 1 -r 16000 -t raw | a2f_client stream - --rate 16000"
_HELD = 2.0  # seconds of sound kept for a service that does not take it; what is older is dropped


class Microphone:
    """Sound as it is heard, 16-bit mono. Raises InputError without sounddevice, or where the device cannot be opened.

    device: its number or a part of its name, "" for the system's own choice.
    """

    live = True

    def __init__(self, rate: int, device: str, stop: threading.Event) -> None:
        check_rate(rate, "the microphone")
        try:
            import sounddevice  # noqa: PLC0415 - optional, and it looks for PortAudio when imported
        except (ImportError, OSError) as error:
            problem = f"the microphone needs the package sounddevice and PortAudio: {error}"
            fix = f"pip install sounddevice (and the system's libportaudio2), or pipe: {_PIPE}"
            raise InputError(problem, fix) from None
        self._module: Any = sounddevice
        self.rate, self._stop, self._dropped = rate, stop, 0
        self._device = int(device) if device.isdigit() else device or None

    def pieces(self, seconds: float) -> Iterator[bytes]:
        """As Source.pieces."""
        heard: queue.Queue[bytes] = queue.Queue(maxsize=max(int(_HELD / seconds), 2))

        def hear(data: Any, *_: object) -> None:  # noqa: ANN401 - a buffer of PortAudio's
            while True:
                try:
                    return heard.put_nowait(bytes(data))
                except queue.Full:
                    self._drop(heard)

        try:
            stream = self._module.RawInputStream(
                samplerate=self.rate,
                blocksize=max(int(self.rate * seconds), 1),
                device=self._device,
                channels=1,
                dtype="int16",
                callback=hear,
            )
            with stream:
                yield from self._taken(heard)
        except (self._module.PortAudioError, ValueError) as error:
            fix = f"choose another with --device (python -m sounddevice lists them), or pipe: {_PIPE}"
            raise InputError(f"the microphone cannot be opened: {error}", fix) from None

    def _taken(self, heard: queue.Queue[bytes]) -> Iterator[bytes]:
        while not self._stop.is_set():
            try:
                yield heard.get(timeout=0.1)
            except queue.Empty:
                continue

    def _drop(self, heard: queue.Queue[bytes]) -> None:
        try:
            heard.get_nowait()
            self._dropped += 1
        except queue.Empty:
            pass

    def notes(self) -> list[str]:
        """As Source.notes."""
        lost = f"{self._dropped} pieces of sound were dropped, as the service did not take them in time"
        return [lost] if self._dropped else []
