"""A log's bytes without what hides its words: escape sequences, control characters, marks of who said a line."""

from __future__ import annotations

import re

_ESCAPE = re.compile(rb"\x1b(?:\[[0-?]{0,64}[ -/]{0,8}[@-~]|\][^\x07\x1b\n]{0,512}(?:\x07|\x1b\\)|[@-Z\\-_])?")
_BLANKS = bytes.maketrans(b"\t\r", b"  ")
_CONTROLS = bytes(code for code in (*range(32), 127) if code not in b"\t\n\r")
# `#12 3.456 ` of BuildKit, its bare `3.456 ` in the summary of a failure, `name-1  | ` of Compose, and the time that
# build services put before a line.
_MARKS = re.compile(
    rb"\n(?:#\d{1,6} (?:\d{1,7}\.\d{1,3} )?|\d{1,7}\.\d{1,3} (?=[ \S])|[\w.-]{1,64} {1,32}\| "
    rb"|\d{4}-\d\d-\d\dT[\d:.]{8,20}(?:Z|\+00:00) )"
)
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffd]")
# What may be a secret: of an address its login and query, of a header or a variable its value, and keys by their form.
_SECRETS = (
    (re.compile(r"://[^/@\s]{1,200}@"), "://***@"),
    (re.compile(r"://[^/@:\s]{1,64}:(?!\d{1,5}/)[^@\s'\"<>]{1,200}@"), "://***@"),  # a password with a slash
    (re.compile(r"(://[^\s'\"<>?]{1,512}\?)[^\s'\"<>]+"), r"\1***"),
    (
        re.compile(r"(?i)\b((?:authorization|x-api-key|private-token)\s?[:=]\s?(?:(?:basic|bearer|token)\s)?)\S+"),
        r"\1***",
    ),
    (re.compile(r"(?i)\b(bearer\s)[A-Za-z0-9._~+/=-]{8,}"), r"\1***"),
    (re.compile(r"\b((?:[A-Z0-9]{1,32}_){0,4}(?:KEY|APIKEY|TOKEN|SECRET|PASSWORD|PASSWD)=)[^\s'\",;]+"), r"\1***"),
    (re.compile(r"\b(?:hf_|gh[opsu]_|github_pat_|glpat-|nvapi-|AKIA)[A-Za-z0-9_-]{12,}"), "***"),
)


def clean(data: bytes) -> bytes:
    """Bytes that may be searched, line for line those of the log; UTF-16 becomes readable where it is ASCII.

    data: whole lines, but for lines longer than the reader waits for.
    """
    if b"\0" in data:
        data = data.translate(None, b"\0")
    if b"\x1b" in data:
        data = _ESCAPE.sub(b"", data)
    data = data.translate(_BLANKS, _CONTROLS)
    return _MARKS.sub(b"\n", b"\n" + data)[1:]


def shown(data: bytes) -> str:
    """Clean bytes as text that may be shown on one line: no unseen characters, nothing that may be a secret."""
    text = _UNSEEN.sub("", data.decode(errors="replace").replace("\n", " "))
    text = re.sub(r" {2,}", " ", text).strip()
    for secret, instead in _SECRETS:
        text = secret.sub(instead, text)
    return text
