"""The command line: `a2f_client stream` and `a2f_client health_check`. Frames go to stdout, talk to stderr.

Exit codes: 0 done, 1 the service failed, 2 the input is wrong, 3 the service cannot be reached, 130 Ctrl-C,
143 SIGTERM.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # we say ourselves what went wrong

from a2f_client import health
from a2f_client.audio import Bytes, Raw, Source, Wav
from a2f_client.channel import PORT, Address
from a2f_client.errors import ClientError, InputError
from a2f_client.microphone import Microphone
from a2f_client.output import Csv, JsonLines, Sink
from a2f_client.session import ARKIT, Figures, Stream


def main(words: Sequence[str] | None = None) -> int:
    """Run the program; gives its exit code."""
    asked = _parser().parse_args(words)
    stop = threading.Event()
    with _stopping(stop) as told:
        try:
            code: int = asked.run(asked, stop)
        except ClientError as error:
            _say(f"error: {error}")
            code = error.exit_code
        except BrokenPipeError:  # whoever read the frames has gone
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            code = 1
        except OSError as error:
            _say(f"error: {error}. Fix: make room, or write elsewhere")
            code = 1
    return 128 + told[0] if told else code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="a2f_client", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="stream|health_check")
    stream = verbs.add_parser("stream", help="send audio, write blendshape weights")
    stream.set_defaults(run=_stream)
    stream.add_argument("input", nargs="?", help="a WAV file; - for stdin (WAV, or raw samples with --rate)")
    stream.add_argument("--mic", action="store_true", help="the microphone in place of a file (needs sounddevice)")
    stream.add_argument("--device", default="", help="of --mic: its number, or a part of its name")
    stream.add_argument("--rate", type=int, help="samples a second of raw 16-bit mono PCM, or of --mic (then 16000)")
    stream.add_argument("--live", action="store_true", help="raw samples come in their own time: do not pace them")
    stream.add_argument("--convert", action="store_true", help="take WAV files of other bit depths and channels")
    stream.add_argument("--out", type=Path, metavar="FILE", help="default: stdout")
    stream.add_argument("--format", choices=["jsonl", "csv"], help="default: csv for FILE.csv, else jsonl")
    stream.add_argument("--speed", type=_positive, default=1.0, help="of sending a file; 0: as fast as it is taken")
    stream.add_argument("--piece", type=_milliseconds, default=0.04, metavar="MS", help="audio a message; default 40")
    stream.add_argument("--patience", type=_positive, default=30.0, metavar="SECONDS", help="without an answer")
    check = verbs.add_parser("health_check", help="say whether the service is ready, by gRPC and HTTP")
    check.set_defaults(run=_check)
    check.add_argument("--http", metavar="URL", help=f"default: http://HOST:{health.HTTP_PORT}; none: do not ask")
    check.add_argument("--wait", type=_positive, default=0.0, metavar="SECONDS", help="until it is ready")
    for one in (stream, check):
        one.add_argument(
            "--url", default=f"127.0.0.1:{PORT}", metavar="HOST:PORT", help="of gRPC; default: %(default)s"
        )
        one.add_argument("--tls", action="store_true", help="speak TLS")
        one.add_argument("--ca", type=Path, metavar="FILE", help="PEM: trusted beside the system's roots")
        one.add_argument("--cert", type=Path, metavar="FILE", help="PEM: shown to a service that asks for one")
        one.add_argument("--key", type=Path, metavar="FILE", help="PEM: of --cert")
    return parser


def _stream(asked: argparse.Namespace, stop: threading.Event) -> int:
    address = _address(asked)
    with _source(asked, stop) as source, _sink(asked) as sink, address.channel() as channel:
        stream = Stream(
            channel, address.target, source, sink, stop, speed=asked.speed, piece=asked.piece, patience=asked.patience
        )
        try:
            _summary(stream.run())
        finally:
            for note in [*source.notes(), *(f"the service warns: {one}" for one in stream.figures.warnings)]:
                _say(f"warning: {note}")
    return 0


def _check(asked: argparse.Namespace, stop: threading.Event) -> int:
    address = _address(asked)
    http = asked.http or f"http://{address.host}:{health.HTTP_PORT}"
    found = health.check(address, "" if http == "none" else http, stop, wait=asked.wait)
    sys.stdout.write(f"{json.dumps(found.document())}\n")
    if not found.ready:
        for one in found.answers:
            _say(f"{'ready' if one.ready else 'not ready'}: {one.address}: {one.said}")
    return 0 if found.ready else 1 if all(one.answered for one in found.answers) else 3


def _address(asked: argparse.Namespace) -> Address:
    return Address(asked.url, asked.tls, asked.ca, asked.cert, asked.key)


@contextmanager
def _source(asked: argparse.Namespace, stop: threading.Event) -> Iterator[Source]:
    if asked.mic == bool(asked.input):
        raise InputError("one source of audio is needed", "name a WAV file, - for stdin, or --mic")
    if asked.mic:
        yield Microphone(asked.rate or 16000, asked.device, stop)
        return
    try:
        descriptor = os.dup(0) if asked.input == "-" else os.open(asked.input, os.O_RDONLY)
    except OSError as error:
        raise InputError(f"{asked.input} cannot be read: {error.strerror}", "name a file that is there") from None
    try:
        if asked.rate:
            yield Raw(Bytes(descriptor, stop), asked.rate, live=asked.live)
        else:
            yield Wav(Bytes(descriptor, stop), asked.input, convert=asked.convert)
    finally:
        os.close(descriptor)


@contextmanager
def _sink(asked: argparse.Namespace) -> Iterator[Sink]:
    kind = asked.format or ("csv" if asked.out and asked.out.suffix == ".csv" else "jsonl")
    made = Csv if kind == "csv" else JsonLines
    if asked.out is None:
        yield made(1)
        return
    try:
        descriptor = os.open(asked.out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    except OSError as error:
        raise InputError(f"{asked.out} cannot be written: {error.strerror}", "name another file") from None
    try:
        yield made(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _stopping(stop: threading.Event) -> Iterator[list[int]]:
    """SIGINT and SIGTERM end the audio, a second one the program. Gives the signals that came."""
    told: list[int] = []

    def asked(number: int, _: object) -> None:
        if told:
            os._exit(128 + number)
        told.append(number)
        stop.set()

    before = {one: signal.signal(one, asked) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield told
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _summary(figures: Figures) -> None:
    if figures.names != ARKIT:
        _say(f"warning: the service has {figures.names} blendshapes, ARKit has {ARKIT}")
    _say(
        f"{figures.frames} frames of {figures.audio:.2f} s of audio in {figures.wall:.2f} s;"
        f" the first after {figures.first:.3f} s, at most {figures.lag:.3f} s behind the sound"
    )


def _positive(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1e6:
        raise argparse.ArgumentTypeError("is not a number from 0")
    return value


def _milliseconds(text: str) -> float:
    value = float(text)
    if not 5 <= value <= 1000:
        raise argparse.ArgumentTypeError("is not from 5 to 1000 ms")
    return value / 1000


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
