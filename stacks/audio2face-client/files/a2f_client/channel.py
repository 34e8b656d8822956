"""The way to the service: its address, plain or over TLS."""

from __future__ import annotations

import ipaddress
import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import grpc

from a2f_client.errors import InputError

PORT = 52000  # NVIDIA/Audio2Face-3D-Samples@a2d01500:configs/deployment_config.yaml
_LARGEST = 16 << 20  # bytes of one message; a second of audio and of frames is below 1 MiB


@dataclass(frozen=True)
class Address:
    """HOST:PORT of the gRPC service, and how TLS is spoken to it. ca: trusted beside the system's roots.

    certificate and key: PEM files by which the client shows itself (mutual TLS). Without tls the rest is unused.
    """

    target: str
    tls: bool = False
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9_.-]+):[0-9]{1,5}", self.target):
            raise InputError(f"{self.target!r} is not HOST:PORT", f"write it like 127.0.0.1:{PORT}")
        if (self.certificate is None) != (self.key is None):
            raise InputError("--cert and --key belong together", "give both")
        if not self.tls and (self.ca or self.certificate):
            raise InputError("--ca, --cert and --key are of TLS", "add --tls")

    @property
    def host(self) -> str:
        """The host alone; an IPv6 address in its brackets."""
        return self.target.rpartition(":")[0]

    def channel(self) -> grpc.Channel:
        """A channel to the service, which is not asked yet. Raises InputError for a file that cannot be used."""
        options = [("grpc.max_receive_message_length", _LARGEST)]
        if is_loopback(self.host):  # a site's http_proxy is not meant for this machine itself
            options.append(("grpc.enable_http_proxy", 0))
        if not self.tls:
            return grpc.insecure_channel(self.target, options)
        given = (_read(self.key), _read(self.certificate)) if self.key and self.certificate else (None, None)
        credentials = grpc.ssl_channel_credentials(self.roots(), *given)
        return grpc.secure_channel(self.target, credentials, options)

    def roots(self) -> bytes | None:
        """The system's roots and --ca, as PEM; None for gRPC's own, where neither is there."""
        system = ssl.get_default_verify_paths().cafile
        files = ([Path(system)] if system and Path(system).is_file() else []) + ([self.ca] if self.ca else [])
        return b"\n".join(_read(file) for file in files) or None


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its name or address."""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _read(file: Path) -> bytes:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}", "name a PEM file") from None
    if b"-----BEGIN" not in data:
        raise InputError(f"{file} is not a PEM file", "convert it: openssl x509 -inform der -in FILE -out FILE.pem")
    return data
