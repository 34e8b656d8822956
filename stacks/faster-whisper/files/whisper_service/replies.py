"""The forms in which a transcript is told: json, text, verbose_json, srt, vtt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Transcript:
    """task: transcribe or translate. duration: seconds of audio. segments: rows of id, start, end, text and more."""

    task: str
    language: str
    duration: float
    segments: Sequence[dict[str, Any]]

    @property
    def text(self) -> str:
        """All that was said, on one line."""
        return "".join(one["text"] for one in self.segments).strip()


def srt(said: Transcript) -> str:
    """Subtitles as SubRip has them."""
    rows = (
        f"{number}\n{_clock(one['start'], ',')} --> {_clock(one['end'], ',')}\n{one['text'].strip()}\n"
        for number, one in enumerate(said.segments, 1)
    )
    return "\n".join(rows)


def vtt(said: Transcript) -> str:
    """Subtitles as WebVTT has them."""
    rows = (
        f"{_clock(one['start'], '.')} --> {_clock(one['end'], '.')}\n{_cue(one['text'])}\n" for one in said.segments
    )
    return "\n".join(["WEBVTT\n", *rows])


def verbose(said: Transcript) -> str:
    """JSON with language, duration and every segment."""
    about = {"task": said.task, "language": said.language, "duration": round(said.duration, 3), "text": said.text}
    return json.dumps({**about, "segments": list(said.segments)}, ensure_ascii=False)


FORMS = {
    "json": ("application/json", lambda said: json.dumps({"text": said.text}, ensure_ascii=False)),
    "verbose_json": ("application/json", verbose),
    "text": ("text/plain", lambda said: said.text + "\n"),
    "srt": ("application/x-subrip", srt),
    "vtt": ("text/vtt", vtt),
}


def _clock(seconds: float, point: str) -> str:
    whole = round(seconds * 1000)
    return f"{whole // 3_600_000:02}:{whole // 60_000 % 60:02}:{whole // 1000 % 60:02}{point}{whole % 1000:03}"


def _cue(text: str) -> str:
    """A cue's text: WebVTT reads & and < as the beginning of markup."""
    return text.strip().replace("&", "&amp;").replace("<", "&lt;")
