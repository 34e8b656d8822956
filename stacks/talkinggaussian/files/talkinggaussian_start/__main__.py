"""The command line: `train`, `speak` and `features`.

Exit codes: 0 done, 1 a step failed, 2 what was given is wrong, 3 the container lacks something, 130 Ctrl-C,
143 SIGTERM.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from talkinggaussian_start import data, steps
from talkinggaussian_start.errors import InputError, StartError
from talkinggaussian_start.run import missing, run, say
from talkinggaussian_start.steps import Step
from talkinggaussian_start.weights import check_deepspeech


class _Stopped(BaseException):
    """SIGTERM came: a container is being stopped."""


def main(words: Sequence[str] | None = None) -> int:
    """Run the program; gives its exit code."""
    asked = _parser().parse_args(words)
    signal.signal(signal.SIGTERM, _stop)
    try:
        code: int = asked.run(asked)
    except StartError as error:
        say(f"error: {error}")
        code = error.exit_code
    except KeyboardInterrupt:
        code = 130
    except _Stopped:
        code = 143
    return code


def _stop(number: int, frame: FrameType | None) -> None:
    raise _Stopped


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="talkinggaussian", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="train|speak|features")
    train = verbs.add_parser("train", help="mouth, face, fuse, render, sound, metrics")
    train.set_defaults(run=_train)
    train.add_argument(
        "--from", dest="first", choices=steps.NAMES, default=steps.NAMES[0], help="the step to begin with"
    )
    train.add_argument("--wav", type=Path, help="the video's sound (default: DATA/aud.wav)")
    speak = verbs.add_parser("speak", help="render a trained head with another sound")
    speak.set_defaults(run=_speak)
    # without features upstream renders the training sound again and does not say so
    speak.add_argument("--features", type=Path, required=True, help="features of the sound, .npy")
    speak.add_argument("--wav", type=Path, required=True, help="the sound itself")
    for verb in (train, speak):
        verb.add_argument("data", type=Path, metavar="DATA", help="the folder that data_utils/process.py filled")
        verb.add_argument("output", type=Path, metavar="OUTPUT", help="the folder of the model")
        verb.add_argument("--audio-extractor", choices=list(data.AUDIO), default="deepspeech")
        verb.add_argument("--fast", action="store_true", help="render the video alone, without ground truth and parts")
    features = verbs.add_parser("features", help="DeepSpeech features of a WAV file, beside it")
    features.set_defaults(run=_features)
    features.add_argument("wav", type=Path, metavar="WAV")
    for verb in (train, speak, features):
        verb.add_argument("--gpu", metavar="N", help="the GPU to use (default: CUDA_VISIBLE_DEVICES as it is)")
        verb.add_argument("--dry-run", action="store_true", help="say what would run and what is missing")
    return parser


def _train(asked: argparse.Namespace) -> int:
    wav = asked.wav or asked.data / "aud.wav"
    every = steps.training(asked.data, asked.output, extractor=asked.audio_extractor, wav=wav, fast=asked.fast)
    wanted = [one for one in every if steps.NAMES.index(one.name) >= steps.NAMES.index(asked.first)]
    if not wanted:
        raise InputError("--fast renders no ground truth, so there are no metrics", "leave --fast or --from out")
    reads = any(one.name in ("mouth", "face", "fuse", "render") for one in wanted)
    return _go(asked, wanted, data.check(asked.data, asked.audio_extractor) if reads else [])


def _speak(asked: argparse.Namespace) -> int:
    given = {"extractor": asked.audio_extractor, "features": asked.features, "wav": asked.wav, "fast": asked.fast}
    return _go(asked, steps.speaking(asked.data, asked.output, **given), data.check(asked.data, None))


def _features(asked: argparse.Namespace) -> int:
    return _go(asked, steps.deepspeech(asked.wav), check_deepspeech())


def _go(asked: argparse.Namespace, wanted: list[Step], found: Sequence[StartError]) -> int:
    """Run the steps, or with --dry-run say them; first every reason why they cannot run."""
    reasons = [*found, *missing(wanted)]
    for reason in reasons:
        say(f"error: {reason}")
    if asked.dry_run:
        for step in wanted:
            sys.stdout.write(f"{shlex.join(step.command)}\n")
    if reasons or asked.dry_run:
        return max((reason.exit_code for reason in reasons), default=0)
    if asked.gpu is not None and not asked.gpu.replace(",", "").isalnum():
        raise InputError(f"--gpu {asked.gpu} is not the number of a GPU", "write --gpu 0")
    run(wanted, asked.gpu, resumes=asked.run is _train)
    return 0


if __name__ == "__main__":
    sys.exit(main())
