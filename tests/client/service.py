"""A stand-in for Audio2Face-3D (nvcr.io cannot be asked, and it needs a GPU): the same calls, 30 poses a second.

Frame n opens the jaw by the loudness of its thirtieth of a second, and its first weight is n/1000.
"""

from __future__ import annotations

import threading
import time
from array import array
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from a2f_client import wire

# Apple, ARKit documentation: ARFaceAnchor.BlendShapeLocation; written as Audio2Face-3D does.
ARKIT = (  # noqa: SIM905 - a table of names
    "EyeBlinkLeft EyeLookDownLeft EyeLookInLeft EyeLookOutLeft EyeLookUpLeft EyeSquintLeft EyeWideLeft EyeBlinkRight"
    " EyeLookDownRight EyeLookInRight EyeLookOutRight EyeLookUpRight EyeSquintRight EyeWideRight JawForward JawLeft"
    " JawRight JawOpen MouthClose MouthFunnel MouthPucker MouthLeft MouthRight MouthSmileLeft MouthSmileRight"
    " MouthFrownLeft MouthFrownRight MouthDimpleLeft MouthDimpleRight MouthStretchLeft MouthStretchRight MouthRollLower"
    " MouthRollUpper MouthShrugLower MouthShrugUpper MouthPressLeft MouthPressRight MouthLowerDownLeft"
    " MouthLowerDownRight MouthUpperUpLeft MouthUpperUpRight BrowDownLeft BrowDownRight BrowInnerUp BrowOuterUpLeft"
    " BrowOuterUpRight CheekPuff CheekSquintLeft CheekSquintRight NoseSneerLeft NoseSneerRight TongueOut"
).split()
FPS = 30


@dataclass
class Service:
    """What to do wrong, and what was seen. address: HOST:PORT.

    lose: end the server after this many frames; deaf: answer nothing; fail: an ERROR status with these words;
    flood: frames that follow the first audio at once; bad: a weight to send in place of the first.
    """

    lose: int = 0
    deaf: bool = False
    fail: str = ""
    warn: str = ""
    flood: int = 0
    bad: float | None = None
    serving: int = wire.SERVING
    names: list[str] = field(default_factory=lambda: list(ARKIT))
    address: str = ""
    rate: int = 0
    audio: bytes = b""
    times: list[float] = field(default_factory=list)
    ended: bool = False
    sent: int = 0
    over: threading.Event = field(default_factory=threading.Event)
    server: Any = None

    def process(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        header = next(requests).audio_stream_header.audio_header
        self.rate = header.samples_per_second
        assert (header.channel_count, header.bits_per_sample) == (1, 16)
        if self.deaf:
            self.over.wait(20)
            return
        answer = wire.AnimationDataStream()
        answer.animation_data_stream_header.skel_animation_header.blend_shapes.extend(self.names)
        yield answer
        for request in requests:
            if request.WhichOneof("stream_part") == "end_of_audio":
                self.ended = True
                break
            self.audio += request.audio_with_emotion.audio_buffer
            self.times.append(time.monotonic())
            yield from self.due()
        yield from self.due(whole=True)
        answer = wire.AnimationDataStream()
        answer.event.event_type = 0
        answer.event.SetInParent()
        yield answer
        code, said = (3, self.fail) if self.fail else (2, self.warn) if self.warn else (0, "sent all data")
        answer = wire.AnimationDataStream()
        answer.status.code, answer.status.message = code, said
        yield answer

    def due(self, *, whole: bool = False) -> Iterator[Any]:
        """The frames of the audio that came, and those of a flood."""
        samples = len(self.audio) // 2
        end = -(-samples * FPS // self.rate) if whole else samples * FPS // self.rate
        for number in range(self.sent, max(end, self.flood)):
            if self.lose and number >= self.lose:
                self.server.stop(None)
                self.over.wait(20)
                return
            start, stop = (at * self.rate // FPS * 2 for at in (number, number + 1))
            piece = array("h", self.audio[start:stop])
            answer = wire.AnimationDataStream()
            pose = answer.animation_data.skel_animation.blend_shape_weights.add()
            pose.time_code = number / FPS
            weights = [0.0] * len(self.names)
            weights[0] = number / 1000 if self.bad is None else self.bad
            if "JawOpen" in self.names and piece:
                weights[self.names.index("JawOpen")] = max(map(abs, piece)) / 32768
            pose.values.extend(weights)
            self.sent = number + 1
            yield answer

    def health(self, _: Any, __: Any) -> Any:
        return wire.HealthCheckResponse(status=self.serving)


@contextmanager
def served(service: Service, *, tls: tuple[bytes, bytes] | None = None, host: str = "127.0.0.1") -> Iterator[Service]:
    """The service on a free port of the loopback. tls: key and certificate, as PEM."""
    pool = ThreadPoolExecutor(4)
    server = grpc.server(pool)
    parts = {
        "nvidia_ace.services.a2f_controller.v1.A2FControllerService": {
            "ProcessAudioStream": grpc.stream_stream_rpc_method_handler(
                service.process, wire.AudioStream.FromString, wire.AnimationDataStream.SerializeToString
            )
        },
        "grpc.health.v1.Health": {
            "Check": grpc.unary_unary_rpc_method_handler(
                service.health, wire.HealthCheckRequest.FromString, wire.HealthCheckResponse.SerializeToString
            )
        },
    }
    for name, methods in parts.items():
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, methods),))
    if tls:
        port = server.add_secure_port(f"{host}:0", grpc.ssl_server_credentials([tls]))
    else:
        port = server.add_insecure_port(f"{host}:0")
    service.address, service.server = f"{host}:{port}", server
    server.start()
    try:
        yield service
    finally:
        service.over.set()
        server.stop(None).wait(5)
        pool.shutdown()
