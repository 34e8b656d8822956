"""Images of others as locks and `fetch` need them: which blobs one is made of, and where each is read, through mirrors.

Source: OCI Distribution Specification 1.1.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from builder.errors import InputError, JobError
from builder.net.session import Body, Cut, Session
from builder.plain import json_object
from builder.registry.hosts import scheme
from builder.registry.tokens import Challenge, Token, challenge, token

_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
_MANIFEST_LIMIT = 4 << 20  # bytes, as the specification asks clients to allow
_UNASKED = 2880.0  # seconds after which a registry that wanted no token is asked again
_TRIES = 4  # of a manifest that ends early


@dataclass(frozen=True)
class Blob:
    """One part of an image. what: manifest, config or layer. digest: sha256:…. size: bytes."""

    what: str
    digest: str
    size: int


def split(reference: str) -> tuple[str, str, str]:
    """Registry, repository, and tag or digest of an image reference, completed as Docker does."""
    name, _, digest = reference.partition("@")
    first, slash, rest = name.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        first, rest = "docker.io", name if slash else f"library/{name}"
    rest, _, tag = rest.partition(":")
    return first, rest, digest or tag or "latest"


class Repository:
    """One repository of a registry, which signs in where the registry asks for it; any thread may use it.

    address: HOST/NAME. Logins come from the site's tokens and ~/.netrc, for the registry and for the
    server of its tokens; without one the token is an anonymous one.
    """

    def __init__(self, address: str, session: Session) -> None:
        self.host, self.name, _ = split(address)
        self.stopping, self._session = session.stopping, session
        self._root = ""
        self._bearer, self._until = "", 0.0

    def pause(self, attempt: int, retry_after: str = "") -> None:
        """As Session.pause."""
        self._session.pause(attempt, retry_after)

    def url(self, blob: Blob) -> str:
        """The address of a part of an image."""
        kind = "manifests" if blob.what == "manifest" else "blobs"
        return f"{self._base()}/{self.name}/{kind}/{blob.digest}"

    def image(self, reference: str) -> tuple[str, list[Blob]]:
        """Digest of what a tag or digest names, and the blobs of its linux/amd64 image: manifest, config, layers.

        Raises InputError where it has no such image, JobError where the answer is not what its digest
        says, and what Session raises.
        """
        digest, document, size = self._manifest(reference)
        found = digest
        if "manifests" in document:
            found, document, size = self._manifest(self._platform(document, reference))
        if not isinstance(document.get("config"), dict) or not isinstance(document.get("layers"), list):
            raise self._refused(reference, "is of a kind that is not understood", str(document.get("mediaType"))[:80])
        parts = [Blob("manifest", found, size), self._blob("config", document["config"], reference)]
        parts += [self._blob("layer", row, reference) for row in document["layers"]]
        return digest, list(dict.fromkeys(parts))

    @contextmanager
    def stream(self, url: str, start: int = 0) -> Iterator[Body]:
        """As Session.stream, signed in."""
        headers = {"Accept": ", ".join((*_INDEXES, *_MANIFESTS))} if "/manifests/" in url else {}
        with self._session.stream(url, start, headers={**headers, **self._login()}) as body:
            yield body

    def _platform(self, index: Mapping[str, Any], reference: str) -> str:
        for row in index["manifests"]:
            platform = row.get("platform") or {}
            if (platform.get("os"), platform.get("architecture")) == ("linux", "amd64"):
                return str(row["digest"])
        raise self._refused(reference, "has no image for linux/amd64", "")

    def _manifest(self, reference: str) -> tuple[str, dict[str, Any], int]:
        """Digest, content and size of a manifest or index, held to the digest it was asked by."""
        if not re.fullmatch(r"sha256:[0-9a-f]{64}|[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", reference):
            raise self._refused(reference, "is named by a tag or digest that is none", "")
        data = self._read(f"{self._base()}/{self.name}/manifests/{reference}")
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        if reference.startswith("sha256:") and digest != reference:
            raise JobError(
                "the registry serves another manifest than it was asked for",
                where=f"{self.host}/{self.name}@{reference}",
                why=f"its digest is {digest}",
                fix="do not use this registry or mirror",
            )
        try:
            document = json.loads(data)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise self._refused(reference, "has a manifest that is not JSON", "")
        return digest, document, len(data)

    def _read(self, url: str) -> bytes:
        for attempt in range(_TRIES):
            data = b""
            try:
                with self.stream(url) as body:
                    for piece in body.chunks:
                        data += piece
                        if len(data) > _MANIFEST_LIMIT:
                            raise JobError(f"the manifest is longer than {_MANIFEST_LIMIT} bytes", where=url)
                return data
            except Cut:
                self.pause(attempt)
        raise JobError("the manifest ends early each time", where=url, fix="run again later, or name a mirror")

    def _blob(self, what: str, row: Any, reference: str) -> Blob:  # noqa: ANN401
        digest, size, kind = (row.get(key) for key in ("digest", "size", "mediaType"))
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", str(digest)) or not isinstance(size, int) or size < 0:
            raise self._refused(reference, f"has a {what} without a sha256 and a size", "")
        if "foreign" in str(kind) or "nondistributable" in str(kind):
            raise self._refused(reference, "has a layer that its registry may not serve", str(kind)[:80])
        return Blob(what, str(digest), size)

    def _refused(self, reference: str, problem: str, why: str) -> InputError:
        where = f"{self.host}/{self.name}"
        return InputError(f"the image {reference} {problem}", where=where, why=why, fix="choose another image")

    def _base(self) -> str:
        if not self._root:
            host = "registry-1.docker.io" if self.host == "docker.io" else self.host
            self._root = f"{scheme(host, self._session)}://{host}/v2"
        return self._root

    def _login(self) -> dict[str, str]:
        """The Authorization header, if a token is needed; a login by name and password is the session's matter."""
        if time.monotonic() >= self._until:
            with self._session.open("GET", f"{self._base()}/", {}, accepted={401, 404}) as answer:
                header = answer.headers.get("WWW-Authenticate", "") if answer.status_code == 401 else ""
            asked = challenge(header, self._base())
            given = self._token(asked) if asked else Token("", _UNASKED)
            self._bearer, self._until = given.value, time.monotonic() + given.seconds
        return {"Authorization": f"Bearer {self._bearer}"} if self._bearer else {}

    def _token(self, asked: Challenge) -> Token:
        """A token to pull with."""
        text, _, _ = self._session.get_text(asked.url([f"repository:{self.name}:pull"]), "application/json")
        return token(json_object(text), asked.realm)
