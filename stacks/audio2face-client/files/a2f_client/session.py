"""One call of ProcessAudioStream: audio goes out in its own time, frames come back and are handed on as they come.

Nothing is kept: the next frame is read from the connection when the last one is written, and the next piece of audio
when the connection took the last one, so that a slow reader or a slow service holds back the other side.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc

from a2f_client import wire
from a2f_client.audio import Source
from a2f_client.channel import PORT
from a2f_client.errors import ClientError, UnreachableError, plain
from a2f_client.output import Frame, Sink

ARKIT = 52  # blendshapes of Apple's ARKit
_MOST_NAMES, _LONGEST_NAME = 1024, 128
_LOOK = 0.1  # seconds between two looks of the watch


@dataclass
class Figures:
    """What a stream came to, in seconds. audio: sent; wall: it took. first: until the first frame.

    lag: the longest that a frame came after the sound it belongs to. warnings: what the service warned of.
    """

    frames: int = 0
    audio: float = 0.0
    wall: float = 0.0
    first: float = 0.0
    lag: float = 0.0
    names: int = 0
    warnings: list[str] = field(default_factory=list)


class Stream:
    """One stream of audio to a service.

    speed: 1.0 sends as fast as one speaks, 2.0 twice so, 0 as fast as the service takes it; live sources have their
    own pace. piece: seconds of audio in a message. patience: seconds without an answer to audio that was sent.
    stop: ends the audio; what the service still owes is taken for `grace` seconds.
    """

    def __init__(
        self,
        channel: grpc.Channel,
        target: str,
        source: Source,
        sink: Sink,
        stop: threading.Event,
        *,
        speed: float = 1.0,
        piece: float = 0.04,
        patience: float = 30.0,
        grace: float = 5.0,
    ) -> None:
        self.figures = Figures()
        self._channel, self._target, self._source, self._sink, self._stop = channel, target, source, sink, stop
        self._speed, self._piece = (0.0 if source.live else speed), piece
        self._patience, self._grace = patience, grace
        self._names: tuple[str, ...] = ()
        self._started = 0.0
        self._failure: BaseException | None = None  # of the audio, which is read in gRPC's own thread
        self._owed = 0.0  # since when audio waits for an answer; 0.0 where none does
        self._busy = False  # the sink is at work, and no answer is looked for
        self._all_sent = False
        self._cancelled = ""  # why we ended the call ourselves
        self._ended = threading.Event()

    def run(self) -> Figures:
        """Send all audio and hand on all frames. Raises ClientError, or what the source or the sink raises."""
        call = self._channel.stream_stream(
            wire.PROCESS_AUDIO_STREAM,
            request_serializer=wire.AudioStream.SerializeToString,
            response_deserializer=wire.AnimationDataStream.FromString,
        )
        self._started = time.monotonic()
        answers = call(self._requests())
        threading.Thread(target=self._watch, args=(answers,), daemon=True).start()
        try:
            for answer in answers:
                self._busy, self._owed = True, 0.0
                self._take(answer)
                # what was sent while the sink was at work waits from now on
                self._owed = time.monotonic() if self._owed or self._all_sent else 0.0
                self._busy = False
        except grpc.RpcError as error:
            raise self._explained(error) from None
        finally:
            self._ended.set()
            self._stop.set()
            answers.cancel()
        if self._failure:
            raise self._failure
        if not self.figures.frames:
            problem = "the service ended the stream without a frame"
            raise ClientError(problem, "send more audio than a part of a second, and look at the service's log")
        self.figures.wall = time.monotonic() - self._started
        return self.figures

    def _requests(self) -> Iterator[Any]:
        """Runs in gRPC's thread, which asks for a message when the connection took the one before."""
        try:
            header = wire.AudioStream()
            about = header.audio_stream_header.audio_header
            about.channel_count, about.bits_per_sample, about.samples_per_second = 1, 16, self._source.rate
            yield header
            for piece in self._source.pieces(self._piece):
                self._wait_until(self.figures.audio)
                self._owed = self._owed or time.monotonic()
                message = wire.AudioStream()
                message.audio_with_emotion.audio_buffer = piece
                self.figures.audio += len(piece) / 2 / self._source.rate
                yield message
            self._all_sent, self._owed = True, self._owed or time.monotonic()
            end = wire.AudioStream()
            end.end_of_audio.SetInParent()
            yield end
        except Exception as error:  # told by `run`; gRPC would only log it
            self._failure = error
            self._ended.set()

    def _wait_until(self, position: float) -> None:
        """Until the sound at this second would be heard."""
        if self._speed:
            self._stop.wait(max(self._started + position / self._speed - time.monotonic(), 0))

    def _watch(self, answers: Any) -> None:  # noqa: ANN401 - gRPC has no types
        """Ends the call where the service does not answer, or where it goes on after we asked it to end."""
        stopped = 0.0
        while not self._ended.wait(_LOOK):
            now, owed = time.monotonic(), self._owed
            stopped = stopped or (now if self._stop.is_set() else 0.0)
            if owed and not self._busy and now - owed > self._patience:
                self._cancelled = f"the service did not answer for {self._patience:g} s"
            if stopped and now - stopped > self._grace:
                self._cancelled = "stopped"
            if self._cancelled:
                break
        answers.cancel()

    def _take(self, answer: Any) -> None:  # noqa: ANN401 - a class that protobuf makes
        part = answer.WhichOneof("part")
        if part == "animation_data_stream_header":
            self._begin(answer.animation_data_stream_header.skel_animation_header.blend_shapes)
        elif part == "animation_data":
            for pose in answer.animation_data.skel_animation.blend_shape_weights:
                self._frame(pose.time_code, tuple(pose.values))
        elif part == "status" and answer.status.code >= wire.STATUS_WARNING:
            said = plain(answer.status.message) or f"status {answer.status.code}"
            if answer.status.code >= wire.STATUS_ERROR:
                raise ClientError(f"the service says: {said}", "look at the service's log")
            self.figures.warnings.append(said)

    def _begin(self, names: Sequence[str]) -> None:
        if self._names:
            raise ClientError("the service sent two headers", "look at the service's version")
        wrong = [name for name in names[:_MOST_NAMES] if not name.isprintable() or len(name) > _LONGEST_NAME]
        if not names or len(names) > _MOST_NAMES or wrong or len(set(names)) != len(names):
            raise ClientError("the service's header has no usable names of blendshapes", "look at its version")
        self._names = tuple(names)
        self.figures.names = len(self._names)
        self._sink.begin(self._names)

    def _frame(self, time_code: float, weights: tuple[float, ...]) -> None:
        if len(weights) != len(self._names):
            problem = f"the service sent {len(weights)} weights for {len(self._names)} names"
            raise ClientError(problem, "look at the service's version")
        if not all(map(math.isfinite, (time_code, *weights))):
            raise ClientError(f"the service sent a weight that is no number, at {time_code} s", "look at its log")
        figures, waited = self.figures, time.monotonic() - self._started
        figures.first = figures.first or waited
        if self._speed:
            figures.lag = max(figures.lag, waited - time_code / self._speed)
        self._sink.frame(Frame(figures.frames, time_code, weights))
        figures.frames += 1

    def _explained(self, error: grpc.RpcError) -> BaseException:
        """A failed call in plain words."""
        if self._failure:
            return self._failure
        code, said = error.code(), plain(error.details() or "")
        done = f"after {self.figures.frames} frames" if self._names else "before it answered"
        if self._cancelled == "stopped":
            return ClientError(f"the service did not end in {self._grace:g} s, {done}", "look at the service's log")
        if self._cancelled:
            fix = "look at the service's log, or wait longer: --patience SECONDS"
            return ClientError(f"{self._cancelled}, {done}", fix)
        if code == grpc.StatusCode.UNIMPLEMENTED:
            fix = f"give the gRPC port of Audio2Face-3D, which is {PORT} if not changed"
            return UnreachableError(f"what answers at {self._target} is not Audio2Face-3D", fix)
        if code == grpc.StatusCode.UNAVAILABLE:
            return self._unavailable(said, done)
        fix = "look at the service's log"
        return ClientError(f"the service failed {done}: {code.name}: {said}", fix)

    def _unavailable(self, said: str, done: str) -> ClientError:
        if self._names:
            return ClientError(f"the service was lost {done}: {said}", "see whether it runs: a2f_client health_check")
        return unreachable(self._target, said)


def unreachable(target: str, said: str) -> UnreachableError:
    """Why a service cannot be reached, told from gRPC's words."""
    fix = f"start the service and wait until it is ready: a2f_client health_check --url {target} --wait 600"
    if "CERTIFICATE_VERIFY_FAILED" in said.upper().replace(" ", "_"):
        fix = "name the CA that signed its certificate: --ca FILE, or use the host name that the certificate has"
    elif "handshake" in said or "WRONG_VERSION" in said:
        fix = "leave --tls out if the service speaks plain gRPC; give --cert and --key if it wants a certificate"
    return UnreachableError(f"the service at {target} cannot be reached: {said}", fix)
