"""The HTTP side: GET /health, GET /v1/models, POST /v1/audio/transcriptions and /v1/audio/translations."""

from __future__ import annotations

import threading
from dataclasses import asdict
from typing import Any

import av.error
from anyio import to_thread
from faster_whisper import WhisperModel, decode_audio
from faster_whisper.tokenizer import _LANGUAGE_CODES as LANGUAGES
from faster_whisper.transcribe import Segment
from numpy import float32
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from whisper_service.options import Options
from whisper_service.replies import FORMS, Transcript


class Service:
    """One model, asked by one request at a time: CTranslate2 has all cores, or the GPU, for it."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.model = WhisperModel(
            str(options.model), device=options.device, compute_type=options.compute, local_files_only=True
        )
        self._turn = threading.Lock()

    def heard(self, audio: NDArray[float32], task: str, wanted: dict[str, Any]) -> Transcript:
        """Transcribe samples of 16 kHz."""
        with self._turn:
            segments, about = self.model.transcribe(audio, task=task, **wanted)
            rows = [_row(one) for one in segments]  # it computes while it is read
        return Transcript(task, about.language, about.duration, rows)

    async def health(self, _: Request) -> Response:
        """200: the model is loaded, as nothing listens before."""
        return JSONResponse({"status": "ok", "model": self.options.name, "device": self.model.model.device})

    async def models(self, _: Request) -> Response:
        """The one model, as clients of OpenAI's interface list them."""
        row = {"id": self.options.name, "object": "model", "owned_by": "local"}
        return JSONResponse({"object": "list", "data": [row]})

    async def transcriptions(self, request: Request) -> Response:
        """Speech to text in its own language."""
        return await self._answer(request, "transcribe")

    async def translations(self, request: Request) -> Response:
        """Speech to English text."""
        return await self._answer(request, "translate")

    async def _answer(self, request: Request, task: str) -> Response:
        async with request.form(max_files=1, max_fields=20) as form:
            kind, form_of = _form(form)
            wanted = _wanted(form)
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise HTTPException(400, "no audio: send a file as the field `file` of multipart/form-data")
            try:
                audio = await to_thread.run_sync(decode_audio, file.file)
            except (av.error.FFmpegError, IndexError) as error:  # IndexError: a container without sound
                raise HTTPException(400, f"the file is no audio that FFmpeg reads: {error}") from error
        said = await to_thread.run_sync(self.heard, audio, task, wanted)
        return Response(form_of(said), media_type=kind)


def app(options: Options) -> ASGIApp:
    """The program that uvicorn serves; loads the model first."""
    service = Service(options)
    routes = [
        Route("/health", service.health),
        Route("/v1/models", service.models),
        Route("/v1/audio/transcriptions", service.transcriptions, methods=["POST"]),
        Route("/v1/audio/translations", service.translations, methods=["POST"]),
    ]
    return _Limited(Starlette(routes=routes, exception_handlers={HTTPException: _said}), options.largest)


class _Limited:
    """Refuses a request's body beyond so many bytes, whatever its Content-Length says or does not say."""

    def __init__(self, inner: ASGIApp, largest: int) -> None:
        self.inner, self.largest = inner, largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and count what comes."""
        left = self.largest

        async def counted() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(413, f"more than {self.largest >> 20} MB: send less, or raise WHISPER_MAX_MB")
            return message

        await self.inner(scope, counted, send)


async def _said(_: Request, error: Exception) -> Response:
    """An error as clients of OpenAI's interface read it."""
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    return JSONResponse({"error": {"message": error.detail, "code": error.status_code}}, status_code=error.status_code)


def _form(form: FormData) -> tuple[str, Any]:
    name = str(form.get("response_format", "json"))
    if name not in FORMS:
        raise HTTPException(400, f"response_format is {name[:40]!r}: one of {', '.join(FORMS)}")
    return FORMS[name]


def _wanted(form: FormData) -> dict[str, Any]:
    """What a request says of how it is heard, in the words of WhisperModel.transcribe."""
    language, prompt = str(form.get("language", "")), str(form.get("prompt", ""))
    if language and language not in LANGUAGES:
        raise HTTPException(400, f"language is {language[:40]!r}: a code of Whisper's such as en, or leave it out")
    wanted: dict[str, Any] = {"language": language or None, "initial_prompt": prompt or None}
    wanted["vad_filter"] = str(form.get("vad_filter", "false")).lower() in ("true", "1")
    wanted["word_timestamps"] = "word" in form.getlist("timestamp_granularities[]")
    if temperature := form.get("temperature"):
        try:
            wanted["temperature"] = min(max(float(str(temperature)), 0.0), 1.0)
        except ValueError as error:
            raise HTTPException(400, "temperature is no number: one from 0 to 1") from error
    return wanted


def _row(segment: Segment) -> dict[str, Any]:
    """A segment as JSON has it."""
    row = {key: getattr(segment, key) for key in ("id", "start", "end", "text", "avg_logprob", "no_speech_prob")}
    return row | {"words": [asdict(word) for word in segment.words]} if segment.words else row
