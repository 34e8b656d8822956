"""Descriptors of the OCI image specification, and references to what a registry holds. No IO here."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from builder.errors import InputError

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?"
_NAME = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_ADDRESS = re.compile(rf"(?P<host>{_HOST})(?P<name>(?:/{_NAME})*)")


def digest_of(data: bytes) -> str:
    """sha256:… of these bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass(frozen=True)
class Descriptor:
    """What one manifest says of another thing. size: bytes."""

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    artifact_type: str = ""

    @classmethod
    def of(cls, media_type: str, data: bytes, annotations: Mapping[str, str] | None = None) -> Descriptor:
        """That of these bytes."""
        return cls(media_type, digest_of(data), len(data), annotations or {})

    @classmethod
    def parse(cls, row: Any) -> Descriptor:  # noqa: ANN401 - of a registry's JSON
        """Raises ValueError for what is no descriptor with a sha256."""
        row = row if isinstance(row, dict) else {}
        digest, size, notes = row.get("digest"), row.get("size"), row.get("annotations") or {}
        if not DIGEST.fullmatch(str(digest)) or not isinstance(size, int) or size < 0 or not isinstance(notes, dict):
            raise ValueError("it is no descriptor with a sha256 and a size")
        kinds = (str(row.get("mediaType") or ""), str(row.get("artifactType") or ""))
        annotations = {str(key): str(value) for key, value in notes.items()}
        return cls(kinds[0], str(digest), size, annotations, kinds[1])

    def document(self) -> dict[str, Any]:
        """As a manifest has it."""
        row: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.artifact_type:
            row["artifactType"] = self.artifact_type
        return row | ({"annotations": dict(self.annotations)} if self.annotations else {})


def address(text: str) -> tuple[str, str]:
    """Host and name of HOST[:PORT][/NAME…]. Raises InputError for another."""
    found = _ADDRESS.fullmatch(text.rstrip("/"))
    host = found["host"] if found else ""
    if found is None or not ("." in host or ":" in host or host == "localhost"):
        fix = "write HOST[:PORT]/NAME, without https://, a login or a tag, such as registry.example.org/team"
        raise InputError("this is no registry's address", where=_shown(text), fix=fix)
    return host, found["name"].lstrip("/")


def reference(text: str) -> tuple[str, str, str]:
    """Host, name, and the tag or digest, of HOST/NAME[:TAG][@DIGEST]; the digest where both are there.

    Raises InputError for another.
    """
    place, at, digest = text.partition("@")
    head, slash, last = place.rpartition("/")
    name, _, tag = last.partition(":")
    host, path = address(f"{head}{slash}{name}")
    wanted = digest or tag or "latest"
    if not path or not slash or not (DIGEST if at else TAG).fullmatch(wanted):
        fix = "write HOST/NAME:TAG or HOST/NAME@sha256:…"
        raise InputError("this is no reference of an image in a registry", where=_shown(text), fix=fix)
    return host, path, wanted


def _shown(text: str) -> str:
    return text.rpartition("@")[2] if "@" in text and not DIGEST.search(text) else text
