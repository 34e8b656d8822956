"""Files in a registry as an artifact of the OCI image specification, each a blob by its sha256.

Source: OCI Image Specification 1.1, "Guidelines for Artifact Usage"; oras names files by the annotation `title`.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import urllib3.exceptions

from builder.errors import JobError
from builder.net import Stopped
from builder.net.headers import first_byte
from builder.net.session import Body, Cut
from builder.registry.client import Connection
from builder.registry.descriptor import EMPTY, MANIFEST, Descriptor
from builder.registry.repository import Repository
from builder.settings import Settings

ARTIFACT = "application/vnd.modelstacks.files.v1"
FILE = "application/octet-stream"
TITLE = "org.opencontainers.image.title"
_PIECE = 1 << 18
_TRIES = 2  # of a request for a file that may as well come from elsewhere


class AbsentError(JobError):
    """The registry has no such blob."""


def manifest(files: Sequence[tuple[str, Descriptor]], notes: Mapping[str, str]) -> bytes:
    """The manifest of files by the path that each has; the same files give the same bytes."""
    rows = [
        Descriptor(FILE, blob.digest, blob.size, {TITLE: path}).document()
        for path, blob in sorted(files, key=lambda item: item[0])
    ]
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": ARTIFACT,
        "config": Descriptor.of(EMPTY, b"{}").document(),
        "layers": rows,
        "annotations": dict(sorted(notes.items())),
    }
    return json.dumps(document, separators=(",", ":")).encode()


class Files:
    """The blobs of one repository as `fetch` reads files: from any thread, each with a connection of its own.

    host, name: of the repository. stopping: ends waits and reads with Stopped.
    """

    def __init__(self, host: str, name: str, settings: Settings, stopping: threading.Event) -> None:
        self.stopping = stopping
        self._host, self._name, self._settings = host, name, settings
        self._local, self._open = threading.local(), list[Connection]()

    def close(self) -> None:
        """Close the connections that all threads left open."""
        for connection in self._open:
            connection.close()

    def url(self, sha256: str) -> str:
        """The address of a file."""
        return f"{self._repository.connection.root}{self._name}/blobs/sha256:{sha256}"

    def pause(self, attempt: int, retry_after: str = "") -> None:
        """As Session.pause."""
        self._repository.connection.pause(attempt, retry_after)

    @contextmanager
    def stream(self, url: str, start: int = 0) -> Iterator[Body]:
        """As Session.stream, signed in. Raises AbsentError where there is no such blob."""
        repository = self._repository
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        accepted = {404, 416}
        answer = repository.connection.send(
            "GET", url, scope=repository.scope, headers=headers, accepted=accepted, tries=_TRIES
        )
        with answer:
            if answer.status_code in accepted or (answer.status_code == 206 and first_byte(answer) != start):
                raise AbsentError(f"the registry answers {answer.status_code} to a file", where=repository.address)
            length = answer.headers.get("Content-Length", "")
            offset = start if answer.status_code == 206 else 0
            yield Body(offset, int(length) if length.isdecimal() else None, self._chunks(answer.raw))

    def _chunks(self, raw: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
        try:
            while piece := raw.read(_PIECE, decode_content=False):
                if self.stopping.is_set():
                    raise Stopped
                yield piece
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Cut(re.sub(r"\s+", " ", str(error))[:200]) from None

    @property
    def _repository(self) -> Repository:
        """This thread's."""
        found: Repository | None = getattr(self._local, "repository", None)
        if found is None:
            connection = Connection(self._host, self._settings, stopping=self.stopping)
            self._open.append(connection)
            found = self._local.repository = Repository(connection, self._name)
        return found
