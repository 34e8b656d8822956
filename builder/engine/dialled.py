"""The docker SDK on connections that the docker command opens, for an engine that is reached over ssh.

The SDK's own way over ssh wants paramiko, or starts ssh in words of its own; the command has the user's ssh settings,
agent and keys, as `docker --host ssh://…` has them, and gives what looks like a local socket.
"""

from __future__ import annotations

import socket
import subprocess
import threading
from typing import Any

from docker import DockerClient
from docker.transport.unixconn import UnixHTTPAdapter, UnixHTTPConnection, UnixHTTPConnectionPool


def command(host: str) -> list[str]:
    """The docker command that joins its standard input and output with an engine."""
    return ["docker", "--host", host, "system", "dial-stdio"]


def client(host: str, version: str, seconds: float | None) -> DockerClient:
    """A client of the engine at ssh://…. seconds: how long an answer may take. Connects at the first request."""
    limit: Any = seconds  # None is no limit, which the SDK's types do not know
    made = DockerClient(base_url="unix:///nowhere", version=version, timeout=limit)
    made.api.mount("http+docker://", _Adapter(host, limit))
    return made


class _Line(socket.socket):
    """Our end of a connection. Shut down for both directions, it ends the command too, which may wait for the other."""

    dialled: subprocess.Popen[bytes]

    def shutdown(self, how: int, /) -> None:
        try:
            super().shutdown(how)  # an OSError where the command has closed its own end
        finally:
            if how == socket.SHUT_RDWR:
                self.dialled.kill()  # SIGTERM does not end it while it waits for its streams


class _Connection(UnixHTTPConnection):
    def connect(self) -> None:
        pair, theirs = socket.socketpair()
        ours = _Line(fileno=pair.detach())
        with theirs:
            ends = theirs.fileno()
            words = command(str(self.unix_socket))
            ours.dialled = subprocess.Popen(words, stdin=ends, stdout=ends, stderr=subprocess.DEVNULL)
        # It ends with the connection; somebody has to be told of its end.
        threading.Thread(target=ours.dialled.wait, daemon=True).start()
        ours.settimeout(self.timeout)
        self.sock = ours


class _Pool(UnixHTTPConnectionPool):
    def _new_conn(self) -> Any:  # noqa: ANN401 - as the SDK has it
        limit: Any = self.timeout
        return _Connection(self.base_url, self.socket_path, limit)


class _Adapter(UnixHTTPAdapter):
    def __init__(self, host: str, seconds: Any) -> None:  # noqa: ANN401
        super().__init__("/nowhere", seconds)
        self.socket_path = host

    def get_connection(self, url: str | bytes, proxies: object = None) -> Any:  # noqa: ANN401 - as the SDK has it
        # One pool for all: the SDK has one for each URL, whose connection then waits for a second request of that URL.
        with self.pools.lock:
            if self.socket_path not in self.pools:
                pool = _Pool("http+docker://there", self.socket_path, self.timeout, maxsize=self.max_pool_size)
                self.pools[self.socket_path] = pool
            return self.pools[self.socket_path]
