"""Trust: public roots, the system store and the site's CA bundle, merged into one PEM file."""

from __future__ import annotations

import base64
import binascii
import os
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path

from builder.errors import InputError, SurroundingsError
from builder.files import sha256_text, write_atomic
from builder.settings import Settings

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_IN_FOLDER = re.compile(r"\.(pem|crt|cer|der|\d)$")
_SYSTEM_STORES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, RHEL
    "/etc/pki/tls/certs/ca-bundle.crt",  # older Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # Alpine
)
_FIX = "name a PEM or DER file, or a folder of them (.pem, .crt, .cer, .der)"


@dataclass(frozen=True)
class Trust:
    """path: the merged PEM file. warnings: certificates of the site's CA bundle that were left out, and why."""

    path: Path
    warnings: tuple[str, ...]


def ca_bundle(settings: Settings) -> Path:
    """One PEM file that holds the public roots, the system store and the site's CA bundle, without doubles.

    settings.ca_bundle adds to the rest and never replaces it. The file lies in settings.cache_folder
    under the sha256 of its content. Raises InputError for a CA bundle that cannot be read or holds
    no certificate, SurroundingsError where the cache cannot be written.
    """
    return trust(settings).path


def trust(settings: Settings) -> Trust:
    """The same with what is wrong in the site's CA bundle; raises as `ca_bundle`."""
    environ = tuple(value for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE") if (value := os.environ.get(name)))
    return _merged(settings.ca_bundle, environ, settings.cache_folder)


def engine_ca_file(registry: str) -> Path:
    """Where Docker Engine looks for the CA of a registry (`HOST` or `HOST:PORT`), on the engine's own machine.

    Our CA bundle cannot reach the engine's pulls. From https://docs.docker.com/engine/security/certificates/.
    """
    return Path("/etc/docker/certs.d", registry, "ca.crt")


def stores(settings: Settings) -> list[tuple[str, Path, list[bytes]]]:
    """Each place that trust comes from, in words, its files, and the certificates (DER) in each; only what is there."""
    import certifi  # noqa: PLC0415

    named = [
        (f"${name}", Path(value)) for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE") if (value := os.environ.get(name))
    ]
    system = [("the system store", Path(item)) for item in _SYSTEM_STORES]
    places = [("the public roots", Path(certifi.where())), *(("CA_BUNDLE", item) for item in settings.ca_bundle)]
    found = ((what, file) for what, path in (*places, *system, *named) if path.exists() for file in _files(path))
    return [(what, file, certificates) for what, file in found if (certificates := _readable(file))]


def site_certificates(settings: Settings) -> list[bytes]:
    """The certificates (DER) of the site's CA bundle that are not public roots; bundles often hold those too."""
    seen = [(what, one) for what, _, certificates in stores(settings) for one in certificates]
    public = {one for what, one in seen if what == "the public roots"}
    return [one for what, one in seen if what == "CA_BUNDLE" and one not in public]


@lru_cache(maxsize=8)
def _merged(named: tuple[Path, ...], environ: tuple[str, ...], cache: Path) -> Trust:
    import certifi  # noqa: PLC0415

    system = (ssl.get_default_verify_paths().cafile, *_SYSTEM_STORES, *environ)
    known = [Path(certifi.where()), *(Path(item) for item in dict.fromkeys(system) if item)]
    found = dict.fromkeys(certificate for path in known for certificate in _readable(path))
    site = [(one, _fault(*one)) for path in named for one in _named(path)]
    found |= dict.fromkeys(certificate for (certificate, _, _), wrong in site if not wrong)
    text = "".join(ssl.DER_cert_to_PEM_cert(certificate) for certificate in found)
    target = cache / "ca" / f"{sha256_text(text)}.pem"
    try:
        if not target.is_file() or target.read_text() != text:
            write_atomic(target, text)
    except OSError as error:
        raise SurroundingsError(
            "the merged CA bundle cannot be written",
            where=str(target),
            why=error.strerror or "",
            fix="export MODELSTACKS_CACHE=FOLDER, a folder that can be written",
        ) from None
    return Trust(target, tuple(dict.fromkeys(wrong for _, wrong in site if wrong)))


def _files(path: Path) -> list[Path]:
    """The file itself, or the certificate files of a folder by name, in order."""
    if not path.is_dir():
        return [path]
    return sorted(item for item in path.iterdir() if _IN_FOLDER.search(item.name) and item.is_file())


def _readable(path: Path) -> list[bytes]:
    """The certificates of a store that may be absent; what cannot be read in it is passed over."""
    try:
        files = [file for file in _files(path) if file.is_file() and os.access(file, os.R_OK)]
        bodies = [body for file in files for body in _bodies(file.read_bytes())]
    except OSError:
        return []
    return [certificate for body in bodies if (certificate := _decoded(body))]


def _bodies(data: bytes) -> list[bytes]:
    """The PEM bodies of a file, or the whole of it where it is DER (which begins with a long SEQUENCE)."""
    return [data] if data.startswith(b"\x30\x82") else _CERTIFICATE.findall(data)


def _decoded(body: bytes) -> bytes:
    """DER of a PEM body, or of DER itself; b"" where it is no base64."""
    try:
        return body if body.startswith(b"\x30\x82") else base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error:
        return b""


def _loads(certificate: bytes) -> bool:
    """Whether OpenSSL can read it."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=certificate)
    except ssl.SSLError:
        return False
    return True


def _named(path: Path) -> Iterator[tuple[bytes, int, Path]]:
    """Certificates of a file or folder the user named, with number and file: each file must hold some, all readable."""
    try:
        files = _files(path)
        if not files:
            raise InputError("the folder in CA_BUNDLE holds no certificate file", where=str(path), fix=_FIX)
        for file in files:
            data = file.read_bytes()
            bodies = _bodies(data)
            whole = data.startswith(b"\x30\x82") or len(bodies) == data.count(b"-----BEGIN CERTIFICATE-----")
            if not bodies or not whole:
                raise InputError("the file in CA_BUNDLE holds no whole certificate", where=str(file), fix=_FIX)
            for number, body in enumerate(bodies, 1):
                certificate = _decoded(body)
                if not certificate or not _loads(certificate):
                    raise InputError(
                        f"certificate {number} of the file in CA_BUNDLE is damaged", where=str(file), fix=_FIX
                    )
                yield certificate, number, file
    except OSError as error:
        raise InputError(
            "the path in CA_BUNDLE cannot be read", where=str(path), why=error.strerror or "", fix=_FIX
        ) from None


def _fault(certificate: bytes, number: int, file: Path) -> str:
    """Why a certificate of the site cannot serve as a root; "" where it can."""
    from builder.net.chain import facts, name  # noqa: PLC0415

    now = datetime.now(timezone.utc)
    try:
        seen = facts(certificate)
    except ValueError:
        return f"{file}: certificate {number} in CA_BUNDLE cannot be understood; it is left out"
    if seen.not_after < now:
        reason = f"expired on {seen.not_after:%Y-%m-%d}"
    elif seen.not_before > now:
        reason = f"is not valid before {seen.not_before:%Y-%m-%d %H:%M} UTC"
    elif not seen.ca:
        reason = f"is not a CA certificate (basicConstraints); its issuer is {name(seen.issuer)}"
    else:
        return ""
    return f"{file}: certificate {number} in CA_BUNDLE, {name(seen.subject)}, {reason}; it is left out"
