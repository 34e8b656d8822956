"""The ffmpeg check on a real ffmpeg, which imageio-ffmpeg carries, and on one that was changed.

That wheel has no ffprobe, so an image with it alone is the one in which exactly that is missing.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from uv import find_uv_bin

from builder.smoke import SmokeReport
from tests.smoke.conftest import Variant

CHANGED = """#!/bin/sh
case "$*" in
*-encoders*) /opt/ffmpeg "$@" | grep -v libx264 ;;
*0:v*) /opt/ffmpeg "$@" 2> /dev/null | head -c 92160 ;;
*0:a*) /opt/ffmpeg "$@" 2> /dev/null | head -c 16000 ;;
*) exec /opt/ffmpeg "$@" ;;
esac
"""


def failures(report: SmokeReport) -> dict[str, str]:
    return {one.test.removeprefix("test_"): one.reason for one in report.results if one.outcome == "failed"}


@pytest.fixture(scope="module")
def real(variant: Variant, tmp_path_factory) -> str:
    """An image with a real ffmpeg at /opt/ffmpeg, linked to on the PATH."""
    context: Path = tmp_path_factory.mktemp("ffmpeg")
    install = [find_uv_bin(), "pip", "install", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*install, "--target", context / "wheel", "imageio-ffmpeg==0.6.0"], check=True)
    (binary,) = (context / "wheel").glob("imageio_ffmpeg/binaries/ffmpeg-linux-x86_64-*")
    shutil.move(binary, context / "ffmpeg")
    shutil.rmtree(context / "wheel")
    (context / "changed").write_text(CHANGED)
    lines = "COPY --chmod=755 ffmpeg changed /opt/\nRUN ln -s /opt/ffmpeg /usr/local/bin/ffmpeg"
    return variant(lines, context=context)


def test_a_real_ffmpeg_passes_and_a_missing_ffprobe_is_named(judge, real) -> None:
    report = judge(real, smoke=("ffmpeg",))
    assert failures(report) == {"ffmpeg_and_ffprobe_are_on_path": "not on PATH: ffprobe"}
    assert report.passed == 4


def test_an_ffmpeg_without_h264_that_loses_frames_and_sound_is_found(judge, variant, real) -> None:
    lines = "RUN ln -sf /opt/changed /usr/local/bin/ffmpeg && ln -s /opt/ffmpeg /usr/local/bin/ffprobe"
    found = failures(judge(variant(lines, base=real), smoke=("ffmpeg",)))
    assert found.pop("ffmpeg_has_the_encoder[libx264]").endswith("has no encoder libx264")
    assert found == {
        "one_second_of_picture_comes_back": "10.0 frames of 25",
        "one_second_of_sound_comes_back": "0.5 s of sound",
    }


def test_no_ffmpeg_at_all_is_said(judge, image) -> None:
    found = failures(judge(image, smoke=("ffmpeg",)))
    assert found.pop("ffmpeg_and_ffprobe_are_on_path") == "not on PATH: ffmpeg, ffprobe"
    assert len(found) == 4
    assert set(found.values()) == {"no ffmpeg on PATH"}
