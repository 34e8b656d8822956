"""The service as it runs, asked over HTTP, with a Whisper model of random weights and one layer that is made here.

On the CPU, and where the container has a GPU on that too. What it hears means nothing; that it answers shows FFmpeg,
the voice detector (onnxruntime), CTranslate2, the tokenizer and every form of an answer at work.
"""

import contextlib
import http.client
import io
import json
import math
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
import wave

import ctranslate2
import numpy
from ctranslate2.specs import model_spec
from ctranslate2.specs.whisper_spec import WhisperSpec
from faster_whisper.tokenizer import _LANGUAGE_CODES
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

WIDE, MELS = 64, 80
SHAPES = {
    "conv1/weight": (WIDE, MELS, 3), "conv2/weight": (WIDE, WIDE, 3),
    "encoder/position_encodings/encodings": (1500, WIDE), "decoder/position_encodings/encodings": (448, WIDE),
    "gamma": (WIDE,), "beta": (WIDE,),
    "self_attention/linear_0/weight": (3 * WIDE, WIDE), "/attention/linear_1/weight": (2 * WIDE, WIDE),
    "ffn/linear_0/weight": (4 * WIDE, WIDE), "ffn/linear_1/weight": (WIDE, 4 * WIDE),
    "linear_0/weight": (WIDE, WIDE), "linear_1/weight": (WIDE, WIDE), "linear_2/weight": (WIDE, WIDE),
}  # fmt: skip
BOUNDARY = "a-line-of-no-audio"


def vocabulary():
    """A tokenizer of Whisper's form: 256 bytes, the special tokens, the time stamps."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: place for place, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["endoftext", "startoftranscript", *_LANGUAGE_CODES, "translate", "transcribe", "startoflm"]
    special += ["startofprev", "nospeech", "notimestamps", *(f"{step * 0.02:.2f}" for step in range(1501))]
    tokenizer.add_special_tokens([AddedToken(f"<|{word}|>", special=True) for word in special])
    return tokenizer


def model(folder):
    """Write a model of CTranslate2 into a folder."""
    tokenizer, chance = vocabulary(), numpy.random.default_rng(7)
    tokenizer.save(os.path.join(folder, "tokenizer.json"))
    tokens = [tokenizer.id_to_token(place) for place in range(tokenizer.get_vocab_size())]
    shapes = {**SHAPES, "embeddings/weight": (len(tokens), WIDE), "projection/weight": (len(tokens), WIDE)}

    def fill(layer, name, _value):
        wide = next((wide for end, wide in shapes.items() if name.endswith(end)), None)
        if wide:
            value = numpy.ones(wide) if name.endswith("gamma") else chance.normal(0, 0.1, wide)
            setattr(layer, name.rpartition("/")[2], value.astype(numpy.float32))

    spec = WhisperSpec(1, 1, 1, 1)
    model_spec.visit_spec(spec, fill)
    spec.register_vocabulary(tokens)
    spec.config.suppress_ids, spec.config.suppress_ids_begin = [], []
    spec.config.lang_ids = [tokens.index(f"<|{code}|>") for code in _LANGUAGE_CODES]
    spec.config.alignment_heads = [(0, 0)]
    spec.validate()
    spec.save(folder)


def sound():
    """Three seconds of a tone that comes and goes, as a WAV file."""
    rate, made = 16000, io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        samples = (math.sin(place / 11) * math.sin(place / 4000) * 20000 for place in range(3 * rate))
        file.writeframes(b"".join(struct.pack("<h", int(sample)) for sample in samples))
    return made.getvalue()


def ask(port, method, path, fields=(), file=None):
    """Status, content type and body of one request."""
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name="
    body = "".join(f'{head}"{name}"\r\n\r\n{text}\r\n' for name, text in fields).encode()
    if file is not None:
        body += f'{head}"file"; filename="a.wav"\r\n\r\n'.encode() + file + b"\r\n"
    body += f"--{BOUNDARY}--\r\n".encode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        form = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"} if method == "POST" else {}
        connection.request(method, path, body if method == "POST" else None, form)
        answer = connection.getresponse()
        return answer.status, answer.headers.get_content_type(), answer.read().decode()


@contextlib.contextmanager
def serving(**told):
    """The service with a model of ours; gives its port, once it is healthy, and the environment it has."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        model(folder)
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        environment = {**os.environ, "WHISPER_MODEL": folder, "WHISPER_PORT": str(port), **told}
        free.close()
        words = [sys.executable, "-m", "whisper_service"]
        with subprocess.Popen(words, env=environment, stderr=subprocess.PIPE) as one:
            try:
                until = time.monotonic() + 60
                while not healthy(environment):
                    assert one.poll() is None, one.stderr.read().decode()[-2000:]
                    assert time.monotonic() < until, "not healthy after 60 s"
                    time.sleep(0.2)
                yield port, environment
            finally:
                one.terminate()


def healthy(environment):
    """What the image's healthcheck says."""
    words = [sys.executable, "-m", "whisper_service", "health"]
    return subprocess.run(words, env=environment, capture_output=True, check=False).returncode == 0


def said(port, form, path="transcriptions", **fields):
    """The answer for our sound in one form."""
    rows = [("language", "en"), ("temperature", "0"), ("response_format", form), *fields.items()]
    status, kind, text = ask(port, "POST", f"/v1/audio/{path}", rows, sound())
    assert status == 200, (status, text)
    return kind, text


def test_it_answers_in_every_form():
    devices = ["cpu", *(["cuda"] if ctranslate2.get_cuda_device_count() else [])]
    for device in devices:
        with serving(WHISPER_DEVICE=device) as (port, _):
            status, _, text = ask(port, "GET", "/health")
            assert (status, json.loads(text)["device"]) == (200, device), text
            assert json.loads(ask(port, "GET", "/v1/models")[2])["data"][0]["object"] == "model"
            kind, text = said(port, "json")
            assert kind == "application/json"
            assert json.loads(text)["text"]
            full = json.loads(said(port, "verbose_json")[1])
            assert abs(full["duration"] - 3) < 0.1, full
            assert full["segments"], full
            assert said(port, "vtt")[1].startswith("WEBVTT\n")
            assert " --> " in said(port, "srt", path="translations")[1]
            assert json.loads(said(port, "verbose_json", vad_filter="true")[1])["duration"] > 2.9


def test_it_says_what_is_wrong_and_goes_on():
    with serving(WHISPER_DEVICE="cpu", WHISPER_MAX_MB="1") as (port, environment):
        where = "/v1/audio/transcriptions"
        assert ask(port, "POST", where)[0] == 400
        assert ask(port, "POST", where, file=b"no audio at all")[0] == 400
        assert ask(port, "POST", where, [("language", "klingon")], sound())[0] == 400
        assert ask(port, "POST", where, [("response_format", "pdf")], sound())[0] == 400
        assert ask(port, "POST", where, file=b"0" * (1 << 20))[0] == 413
        assert ask(port, "GET", "/elsewhere")[0] == 404
        assert healthy(environment)


def test_a_model_that_is_none_is_said():
    environment = {**os.environ, "WHISPER_MODEL": tempfile.gettempdir()}
    done = subprocess.run([sys.executable, "-m", "whisper_service"], env=environment, capture_output=True, check=False)
    assert done.returncode == 2
    assert b"has no model.bin, config.json" in done.stderr, done.stderr
    assert not healthy(environment)
