"""The client against a service of the same protocol in this process: health, and a second of sound for its frames."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import a2f_client
import grpc
from a2f_client import cli, wire

NAMES = [f"Shape{number}" for number in range(52)]


def process(requests: Iterator[Any], context: object) -> Iterator[Any]:
    """A pose for every thirtieth of a second of audio that came."""
    rate = next(requests).audio_stream_header.audio_header.samples_per_second
    answer = wire.AnimationDataStream()
    answer.animation_data_stream_header.skel_animation_header.blend_shapes.extend(NAMES)
    yield answer
    size = sum(len(request.audio_with_emotion.audio_buffer) for request in requests)
    for number in range(size * 30 // (2 * rate)):
        answer = wire.AnimationDataStream()
        pose = answer.animation_data.skel_animation.blend_shape_weights.add(time_code=number / 30)
        pose.values.extend([number / 64] * len(NAMES))
        yield answer


def serving(request: object, context: object) -> object:
    """The standard health service."""
    return wire.HealthCheckResponse(status=wire.SERVING)


def run(*words: str) -> dict[str, object]:
    """The program's exit code, and what it printed."""
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        code = cli.main(words)
    return {"code": code, "stdout": out.getvalue(), "stderr": errors.getvalue()[-2000:]}


PARTS = (
    (wire.PROCESS_AUDIO_STREAM, grpc.stream_stream_rpc_method_handler, process, wire.AudioStream),
    (wire.HEALTH_CHECK, grpc.unary_unary_rpc_method_handler, serving, wire.HealthCheckRequest),
)
server = grpc.server(ThreadPoolExecutor(2))
for path, kind, work, request in PARTS:
    service, method = path[1:].split("/")
    handler = kind(work, request.FromString, lambda message: message.SerializeToString())
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
url = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
server.start()
with tempfile.TemporaryDirectory() as folder:
    sound, frames = Path(folder, "sound.pcm"), Path(folder, "frames.jsonl")
    sound.write_bytes(bytes(32000))
    health = run("health_check", "--url", url, "--http", "none")
    stream = run("stream", str(sound), "--rate", "16000", "--speed", "0", "--url", url, "--out", str(frames))
    lines = [json.loads(line) for line in frames.read_text().splitlines()]
server.stop(None)
document = {
    "file": str(a2f_client.__file__),
    "grpc": grpc.__version__,
    "health": health,
    "stream": stream,
    "frames": len(lines),
    "names": sorted({len(line["blendshapes"]) for line in lines}),
    "last": lines[-1] if lines else None,
}
print(json.dumps(document))
