"""One repository of a registry: manifests, tags, referrers and blobs, each believed by its digest alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import requests
import urllib3.exceptions

from builder.errors import JobError
from builder.registry.client import Connection
from builder.registry.descriptor import DIGEST, INDEX, MANIFEST, Descriptor, digest_of

_LARGEST = 4 << 20  # bytes of a manifest, as the specification asks clients to allow
_PIECE = 1 << 20
_TRIES = 5
_DOCKER = "application/vnd.docker.distribution.manifest"
_ACCEPT = ", ".join((MANIFEST, INDEX, f"{_DOCKER}.v2+json", f"{_DOCKER}.list.v2+json"))
_PULL = "pull"


@dataclass(frozen=True)
class Found:
    """A manifest: its bytes as the registry sent them, their digest, their kind.

    told: the digest that it says they have, "" where it says none.
    """

    data: bytes
    digest: str
    media_type: str
    document: dict[str, Any]
    told: str = ""


@dataclass(frozen=True)
class Repository:
    """A repository. name: without the host. writes: whether it is signed in to for pushing too."""

    connection: Connection
    name: str
    writes: bool = False

    @property
    def address(self) -> str:
        """HOST/NAME, as it is shown."""
        return f"{self.connection.host}/{self.name}"

    @property
    def scope(self) -> str:
        """What a token is asked for."""
        return f"repository:{self.name}:{'pull,push' if self.writes else _PULL}"

    def manifest(self, reference: str) -> Found | None:
        """What a tag or digest names, None for nothing.

        Raises JobError where a digest was asked for and other bytes came, or what came is no manifest.
        """
        where = f"{self.name}/manifests/{reference}"
        answer = self.connection.send("GET", where, scope=self.scope, accepted={404}, headers={"Accept": _ACCEPT})
        with answer:
            if answer.status_code == 404:
                return None
            data = self._whole(answer, _LARGEST)
            told = answer.headers.get("Docker-Content-Digest", "")
        digest = digest_of(data)
        if DIGEST.fullmatch(reference) and digest != reference:
            raise self.lie(f"the manifest {reference}", digest)
        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise JobError("what the registry has there is no manifest", where=f"{self.address}:{reference}")
        kind = document.get("mediaType") or answer.headers.get("Content-Type", "").partition(";")[0]
        return Found(data, digest, str(kind), document, told)

    def put_manifest(self, reference: str, data: bytes, media_type: str) -> bool:
        """Store a manifest under a tag or its digest; gives whether the registry lists its referrers itself.

        Raises JobError where it cannot be read back as it is.
        """
        answer = self.connection.send(
            "PUT",
            f"{self.name}/manifests/{reference}",
            scope=self.scope,
            headers={"Content-Type": media_type},
            body=data,
        )
        with answer:
            listed = bool(answer.headers.get("OCI-Subject"))
        back = self.manifest(reference)
        if back is None or back.data != data:
            raise self.lie(f"the manifest {reference}", back.digest if back else "nothing")
        return listed

    def has(self, blob: Descriptor) -> bool:
        """Whether the registry says that it has a blob of this digest and size."""
        answer = self.connection.send("HEAD", f"{self.name}/blobs/{blob.digest}", scope=self.scope, accepted={404})
        with answer:
            if answer.status_code == 404:
                return False
            size = answer.headers.get("Content-Length", "")
        return not size.isdecimal() or int(size) == blob.size

    def read(self, blob: Descriptor) -> Iterator[bytes]:
        """A blob's bytes in pieces, continued where the connection breaks.

        Raises JobError at its end where they are not those of its digest, and where there is no such blob.
        """
        hashed, offset = hashlib.sha256(), 0
        for attempt in range(_TRIES):
            headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={offset}-"} if offset else {})
            path = f"{self.name}/blobs/{blob.digest}"
            with self.connection.send("GET", path, scope=self.scope, headers=headers, accepted={404}) as answer:
                if answer.status_code == 404:
                    raise JobError(f"the registry has no blob {blob.digest}", where=self.address, fix="publish it anew")
                skip = offset if answer.status_code != 206 else 0
                for piece in self._pieces(answer):
                    piece, skip = piece[skip:], max(skip - len(piece), 0)  # noqa: PLW2901 - the part that is new
                    offset += len(piece)
                    hashed.update(piece)
                    yield piece
                    if offset > blob.size:
                        break
            if offset >= blob.size:
                break
            self.connection.pause(attempt)
        if (found := f"sha256:{hashed.hexdigest()}") != blob.digest:
            raise self.lie(f"the blob {blob.digest}", found)

    def content(self, blob: Descriptor, most: int) -> bytes:
        """A small blob. Raises JobError where it is larger than most."""
        if blob.size > most:
            raise JobError(f"the blob {blob.digest} is larger than {most} bytes", where=self.address)
        return b"".join(self.read(blob))

    def referrers(self, digest: str) -> tuple[Descriptor, ...]:
        """What refers to a manifest: as the registry lists it, else as the tag sha256-… does."""
        path = f"{self.name}/referrers/{digest}"
        with self.connection.send("GET", path, scope=self.scope, accepted={400, 404, 405}) as answer:
            if answer.status_code == 200 and "image.index" in answer.headers.get("Content-Type", ""):
                return self._listed(json.loads(self._whole(answer, _LARGEST)))
        found = self.manifest(fallback_tag(digest))
        return self._listed(found.document) if found else ()

    def list_referrer(self, subject: str, one: Descriptor) -> None:
        """Name a referrer under the tag sha256-…, for registries that list none themselves."""
        found = self.manifest(fallback_tag(subject))
        rows = {row.digest: row for row in self._listed(found.document)} if found else {}
        rows[one.digest] = one
        index = {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [rows[digest].document() for digest in sorted(rows)],
        }
        data = json.dumps(index, separators=(",", ":")).encode()
        if not found or found.data != data:
            self.put_manifest(fallback_tag(subject), data, INDEX)

    def _listed(self, document: dict[str, Any]) -> tuple[Descriptor, ...]:
        rows = document.get("manifests")
        try:
            return tuple(Descriptor.parse(row) for row in rows) if isinstance(rows, list) else ()
        except ValueError as error:
            raise JobError(
                "the registry's list of referrers cannot be read", where=self.address, why=str(error)
            ) from None

    def _whole(self, answer: requests.Response, most: int) -> bytes:
        data = b""
        for piece in self._pieces(answer):
            data += piece
            if len(data) > most:
                raise JobError(f"the registry's answer is longer than {most} bytes", where=self.address)
        return data

    def _pieces(self, answer: requests.Response) -> Iterator[bytes]:
        """What comes until the end, or until the connection breaks; who reads sees by length and digest."""
        try:
            while piece := answer.raw.read(_PIECE, decode_content=False):
                yield piece
        except (urllib3.exceptions.HTTPError, OSError):
            return

    def lie(self, what: str, found: str) -> JobError:
        """The error where a registry serves other bytes than it was asked for."""
        problem = f"the registry serves other bytes for {what}"
        fix = "do not use what it serves; find out what happened to it, then publish anew"
        return JobError(problem, where=self.address, why=f"they are {found}", fix=fix)


def fallback_tag(digest: str) -> str:
    """The tag under which the referrers of a manifest are listed where the registry does not, as the specification has
    it."""
    return digest.replace(":", "-")
