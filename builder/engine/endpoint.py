"""Where an engine answers, and the docker SDK's client for it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import docker

_FIRST = "1.41"  # the API as which the engine is asked for the newest that it speaks


_SPOKEN: dict[Endpoint, str] = {}  # the newest API of each engine, asked once


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """host: `unix://`, `tcp://` or `ssh://`. ca, cert, key: TLS files, "" where there is none."""

    host: str
    ca: str = ""
    cert: str = ""
    key: str = ""

    def client(self, seconds: float | None = None) -> docker.DockerClient:
        """The SDK's client, one per process. seconds: how long an answer may take; None: as long as it does.

        Raises docker.errors.DockerException, requests.RequestException or OSError where the engine does not answer.
        """
        return _client(self, seconds)

    def close(self) -> None:
        """End the connections of the client; the next call opens new ones."""
        _client(self, None).close()


@functools.lru_cache(maxsize=32)
def _client(endpoint: Endpoint, seconds: float | None) -> docker.DockerClient:
    import docker  # noqa: PLC0415 - 0.1 s, which only what asks an engine has to pay
    from requests.utils import get_environ_proxies  # noqa: PLC0415 - comes with it

    tls: docker.tls.TLSConfig | bool = False
    if endpoint.ca or endpoint.cert:
        pair = (endpoint.cert, endpoint.key) if endpoint.cert else None
        tls = docker.tls.TLSConfig(client_cert=pair, ca_cert=endpoint.ca or None, verify=True)
    if endpoint.host.startswith("ssh://"):
        from builder.engine import dialled  # noqa: PLC0415 - loads the SDK

        client = dialled.client(endpoint.host, _FIRST, seconds)
    else:
        limit: Any = seconds  # None is no limit, which the SDK's types do not know
        client = docker.DockerClient(base_url=endpoint.host, tls=tls, version=_FIRST, timeout=limit)
    if tls:
        # requests would hold the engine's certificate against REQUESTS_CA_BUNDLE in place of the engine's own root
        client.api.proxies = get_environ_proxies(client.api.base_url)
        client.api.trust_env = False
    api: Any = client.api
    if endpoint not in _SPOKEN:
        _SPOKEN[endpoint] = api.version(api_version=False)["ApiVersion"]
    api._version = _SPOKEN[endpoint]
    return client


def words(error: Exception) -> str:
    """What an engine, or the way to it, says of a failure."""
    said = getattr(error, "explanation", None)
    if isinstance(said, bytes):
        said = said.decode(errors="replace")
    return str(said or error).strip()
