"""ffmpeg is there and codes picture and sound as the stacks' programs ask it to. Needs nothing."""

from __future__ import annotations

from typing import Any

import pytest

from builder.smoke.brief import Probes


@pytest.fixture
def figures(probe: Probes) -> dict[str, Any]:
    """What the ffmpeg probe found, where there is an ffmpeg."""
    figures = probe("ffmpeg")
    assert figures["found"]["ffmpeg"], "no ffmpeg on PATH"
    return figures


def test_ffmpeg_and_ffprobe_are_on_path(probe: Probes) -> None:
    lost = [name for name, path in probe("ffmpeg")["found"].items() if not path]
    assert not lost, f"not on PATH: {', '.join(lost)}"


@pytest.mark.parametrize("encoder", ["libx264", "aac"])
def test_ffmpeg_has_the_encoder(encoder: str, figures: dict[str, Any]) -> None:
    assert encoder in figures["encoders"], f"{figures['version']} has no encoder {encoder}"


def test_one_second_of_picture_comes_back(figures: dict[str, Any]) -> None:
    one = figures["one"]
    assert not one["error"], f"ffmpeg said: {one['error']}"
    assert one["frames"] == 25, f"{one['frames']} frames of 25"
    # H.264 at ffmpeg's usual quality is within a few of 256 steps on average; halved colour on a test chart adds some
    assert one["apart"] <= 16, f"the first frame is {one['apart']:.1f} steps of 256 apart on average"


def test_one_second_of_sound_comes_back(figures: dict[str, Any]) -> None:
    one = figures["one"]
    assert not one["error"], f"ffmpeg said: {one['error']}"
    # AAC works in blocks of 1024 samples and starts with a block of silence, 0.064 s each at 16000 Hz
    assert 1 <= one["seconds_of_sound"] <= 1.2, f"{one['seconds_of_sound']} s of sound"
