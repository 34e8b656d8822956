"""Whether a service is ready, asked by gRPC (the standard health service) and by HTTP (GET /v1/health/ready)."""

from __future__ import annotations

import ssl
import threading
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

import grpc

from a2f_client import wire
from a2f_client.channel import Address, is_loopback
from a2f_client.errors import InputError, plain

HTTP_PORT = 8000
READY = "/v1/health/ready"
_SECONDS = 5.0
_BETWEEN = 2.0


@dataclass(frozen=True)
class Answer:
    """What one side says. answered: whether anything was there at all."""

    address: str
    ready: bool
    answered: bool
    said: str


@dataclass(frozen=True)
class Health:
    """Both answers; http is None where it was not asked."""

    grpc: Answer
    http: Answer | None

    @property
    def answers(self) -> list[Answer]:
        """Those that were asked for."""
        return [self.grpc, *([self.http] if self.http else [])]

    @property
    def ready(self) -> bool:
        """Whether every side that was asked is."""
        return all(one.ready for one in self.answers)

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {"ready": self.ready, **asdict(self)}


def check(address: Address, http: str, stop: threading.Event, *, wait: float = 0.0) -> Health:
    """Ask until it is ready, or `wait` seconds have passed. http: an address such as http://HOST:8000, "" to not ask.

    Raises InputError for an address that is none.
    """
    end = time.monotonic() + wait
    while True:
        found = Health(by_grpc(address), by_http(http, address) if http else None)
        if found.ready or time.monotonic() >= end or stop.wait(min(_BETWEEN, max(end - time.monotonic(), 0))):
            return found


def by_grpc(address: Address) -> Answer:
    """grpc.health.v1.Health/Check of the whole server."""
    with address.channel() as channel:
        call = channel.unary_unary(
            wire.HEALTH_CHECK,
            request_serializer=wire.HealthCheckRequest.SerializeToString,
            response_deserializer=wire.HealthCheckResponse.FromString,
        )
        try:
            status = call(wire.HealthCheckRequest(), timeout=_SECONDS).status
        except grpc.RpcError as error:
            silent = error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
            said = f"{error.code().name}: {plain(error.details() or '')}"
            return Answer(address.target, False, not silent, said)
    serving = status == wire.SERVING
    return Answer(address.target, serving, True, "SERVING" if serving else f"not serving (status {status})")


def by_http(root: str, address: Address) -> Answer:
    """GET /v1/health/ready; 200 is ready."""
    parts = urlsplit(root)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"{root!r} is not an http address", f"write it like http://127.0.0.1:{HTTP_PORT}")
    url = f"{root.rstrip('/')}{READY}"
    handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPSHandler(context=_trust(address))]
    if is_loopback(parts.netloc):  # a site's http_proxy is not meant for this machine itself
        handlers.append(urllib.request.ProxyHandler({}))
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=_SECONDS) as answer:
            return Answer(url, answer.status == 200, True, f"HTTP {answer.status}")
    except urllib.error.HTTPError as error:
        with error:
            return Answer(url, False, True, f"HTTP {error.code}")
    except (OSError, HTTPException, ValueError) as error:
        return Answer(url, False, False, plain(str(getattr(error, "reason", error))))


def _trust(address: Address) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if address.ca:
        roots = address.roots()
        context.load_verify_locations(cadata=roots.decode("ascii", "ignore") if roots else None)
    return context
