"""The steps as upstream's scripts/train_xx.sh and README run them: what each is called with, needs and leaves."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from talkinggaussian_start.data import AUDIO, FPS, frames
from talkinggaussian_start.weights import ALEXNET, FACE_ALIGNMENT

NAMES = ("mouth", "face", "fuse", "render", "sound", "metrics")


@dataclass(frozen=True)
class Step:
    """One program. needs: files that must be there. leaves: files that it must write. weights: of torch.hub's folder.

    script: upstream's script that it runs, "" for a program of the system. aside: it writes there first.
    """

    name: str
    command: tuple[str, ...]
    needs: tuple[Path, ...]
    leaves: tuple[Path, ...]
    script: str = ""
    weights: tuple[str, ...] = ()
    aside: tuple[Path, ...] = ()


def training(data: Path, output: Path, *, extractor: str, wav: Path, fast: bool) -> list[Step]:
    """All steps in order; with fast no ground truth is rendered, and so nothing can be measured.

    Raises InputError where the frames of the data are not what upstream writes.
    """
    place, voice = ("-s", str(data), "-m", str(output)), ("--audio_extractor", extractor)
    mouth, face, fuse = (output / f"chkpnt_{name}_latest.pth" for name in ("mouth", "face", "fuse"))
    grown = ("--init_num", "2000", "--densify_grad_threshold", "0.0005")
    made = output / "test" / "ours_None"
    video, truth = made / "renders" / "out.mp4", made / "gt" / "out.mp4"
    # the test frames are the end of the video: their sound does not start at its beginning
    start = min(frames(data, "transforms_val.json")) / FPS
    steps = [
        _script("mouth", "train_mouth.py", (*place, *voice), (), (mouth,), (ALEXNET,)),
        _script("face", "train_face.py", (*place, *grown, *voice), (), (face,), (ALEXNET,)),
        _script("fuse", "train_fuse.py", (*place, "--opacity_lr", "0.001", *voice), (mouth, face), (fuse,), (ALEXNET,)),
        _render((*place, "--eval", *voice), fuse, (video,) if fast else (video, truth), fast=fast),
        _sound(video, wav, start),
    ]
    if fast:
        return steps
    weights = (ALEXNET, *FACE_ALIGNMENT)
    return [*steps, _script("metrics", "metrics.py", (str(video), str(truth)), (video, truth), (), weights)]


def speaking(data: Path, output: Path, *, extractor: str, features: Path, wav: Path, fast: bool) -> list[Step]:
    """A trained head made to speak another sound: its features and itself, both from their beginning."""
    video = output / "train" / "ours_None" / "renders" / "out.mp4"
    place, voice = ("-s", str(data), "-m", str(output)), ("--audio", str(features), "--audio_extractor", extractor)
    render = _render(
        (*place, "--use_train", *voice), output / "chkpnt_fuse_latest.pth", (video,), fast=fast, needs=(features,)
    )
    return [render, _sound(video, wav, 0)]


def deepspeech(wav: Path) -> list[Step]:
    """DeepSpeech features of a sound, beside it; those of aud.wav, the video's own, as a training reads them."""
    script = "data_utils/deepspeech_features/extract_ds_features.py"
    made = wav.with_name(AUDIO["deepspeech"]) if wav.name == "aud.wav" else wav.with_suffix(".npy")
    return [_script("features", script, ("--input", str(wav), "--output", str(made)), (wav,), (made,))]


def _script(
    name: str,
    script: str,
    words: tuple[str, ...],
    needs: tuple[Path, ...],
    leaves: tuple[Path, ...],
    weights: tuple[str, ...] = (),
) -> Step:
    return Step(name, (sys.executable, script, *words), needs, leaves, script, weights)


def _render(
    words: tuple[str, ...], model: Path, leaves: tuple[Path, ...], *, fast: bool, needs: tuple[Path, ...] = ()
) -> Step:
    words = (*words, "--fast") if fast else words
    return _script("render", "synthesize_fuse.py", words, (model, *needs), leaves)


def _sound(video: Path, wav: Path, start: float) -> Step:
    """The video that upstream writes is silent; start: seconds into the sound at which it begins."""
    made, aside = video.with_name("out_with_sound.mp4"), video.with_name(".out_with_sound.part.mp4")
    read = ["-i", str(video), "-ss", f"{start:.3f}", "-i", str(wav)]
    write = ["-map", "0:v:0", "-map", "1:a:0", "-c:v", "copy", "-c:a", "aac", "-shortest", str(aside)]
    command = ("ffmpeg", "-nostdin", "-y", "-loglevel", "error", *read, *write)
    return Step("sound", command, (video, wav), (made,), aside=(aside,))
