"""Trust: public roots, the system store and the site's CA bundle, merged into one PEM file."""

from __future__ import annotations

import base64
import binascii
import os
import re
import ssl
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from builder.errors import InputError, SurroundingsError
from builder.files import sha256_text, write_atomic
from builder.settings import Settings

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_IN_FOLDER = re.compile(r"\.(pem|crt|cer|\d)$")
_SYSTEM_STORES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, RHEL
    "/etc/pki/tls/certs/ca-bundle.crt",  # older Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # Alpine
)
_PEM_FIX = "name a PEM file (-----BEGIN CERTIFICATE-----); DER turns into PEM by `openssl x509 -inform der -in FILE`"


def ca_bundle(settings: Settings) -> Path:
    """One PEM file that holds the public roots, the system store and the site's CA bundle, without doubles.

    settings.ca_bundle adds to the rest and never replaces it. The file lies in the user's cache folder
    (XDG_CACHE_HOME or ~/.cache) under the sha256 of its content. Raises InputError for a CA bundle that
    cannot be read or holds no valid certificate, SurroundingsError where the cache cannot be written.
    """
    environ = tuple(value for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE") if (value := os.environ.get(name)))
    return _merged(settings.ca_bundle, environ, os.environ.get("XDG_CACHE_HOME") or "~/.cache")


@lru_cache(maxsize=8)
def _merged(named: tuple[Path, ...], environ: tuple[str, ...], cache: str) -> Path:
    import certifi  # noqa: PLC0415

    system = (ssl.get_default_verify_paths().cafile, *_SYSTEM_STORES, *environ)
    known = [Path(certifi.where()), *(Path(item) for item in dict.fromkeys(system) if item)]
    found = dict.fromkeys(
        certificate
        for path in known
        for file in _files(path)
        if file.is_file() and os.access(file, os.R_OK)
        for certificate in _certificates(file)
    )
    found |= dict.fromkeys(certificate for path in named for certificate in _named(path))
    text = "".join(ssl.DER_cert_to_PEM_cert(certificate) for certificate in found)
    target = Path(cache).expanduser() / "modelstacks" / "ca" / f"{sha256_text(text)}.pem"
    try:
        if not target.is_file() or target.read_text() != text:
            write_atomic(target, text)
    except OSError as error:
        raise SurroundingsError(
            "the merged CA bundle cannot be written",
            where=str(target),
            why=error.strerror or "",
            fix="export XDG_CACHE_HOME=FOLDER, a folder that can be written",
        ) from None
    return target


def _files(path: Path) -> list[Path]:
    """The file itself, or the certificate files of a folder by name, in order."""
    if not path.is_dir():
        return [path]
    return sorted(item for item in path.iterdir() if _IN_FOLDER.search(item.name) and item.is_file())


def _certificates(path: Path) -> Iterator[bytes]:
    for body in _CERTIFICATE.findall(path.read_text(encoding="latin-1")):
        try:
            yield base64.b64decode("".join(body.split()), validate=True)
        except binascii.Error:
            continue


def _named(path: Path) -> Iterator[bytes]:
    """Certificates of a file or folder the user named: each file must hold some, and all must be valid."""
    try:
        files = _files(path)
        if not files:
            raise InputError("the folder in CA_BUNDLE holds no .pem, .crt or .cer file", where=str(path), fix=_PEM_FIX)
        for file in files:
            text = file.read_text(encoding="latin-1")
            bodies = _CERTIFICATE.findall(text)
            if not bodies or len(bodies) != text.count("-----BEGIN CERTIFICATE-----"):
                raise InputError("the file in CA_BUNDLE holds no whole PEM certificate", where=str(file), fix=_PEM_FIX)
            for number, body in enumerate(bodies, 1):
                yield _checked(body, number, file)
    except OSError as error:
        raise InputError(
            "the path in CA_BUNDLE cannot be read", where=str(path), why=error.strerror or "", fix=_PEM_FIX
        ) from None


def _checked(body: str, number: int, file: Path) -> bytes:
    try:
        certificate = base64.b64decode("".join(body.split()), validate=True)
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=certificate)
    except (binascii.Error, ssl.SSLError):
        raise InputError(
            f"certificate {number} of the file in CA_BUNDLE is damaged", where=str(file), fix=_PEM_FIX
        ) from None
    return certificate
