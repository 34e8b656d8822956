"""A BuildKit that buildx reaches by its `remote` driver, over TLS with a client's certificate.

No registry is reachable here, so there is no moby/buildkit image, and Debian has no buildkitd. What answers is the real
BuildKit of a second Docker Engine with containerd's store (containerd worker, its own cache): the engine hands out its
BuildKit's gRPC where a connection is upgraded at /grpc, and this passes bytes on.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import trustme

from tests.fleet.conftest import client_files

_UPGRADE = b"POST /grpc HTTP/1.1\r\nHost: buildkit\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"


async def _close(server: asyncio.Server) -> None:
    server.close()


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await source.read(1 << 16):
            target.write(piece)
            await target.drain()
    with suppress(OSError):
        target.close()


def _door(path: str, context: ssl.SSLContext) -> tuple[asyncio.AbstractEventLoop, asyncio.Server, threading.Thread]:
    """Begin to pass connections on; gives what ends it."""

    async def passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_unix_connection(path)
        outer.write(_UPGRADE)
        if b" 101 " not in await inner.readuntil(b"\r\n\r\n"):
            raise RuntimeError("the engine does not hand out its BuildKit")
        await asyncio.gather(_pump(reader, outer), _pump(inner, writer))

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(passed, "127.0.0.1", 0, ssl=context))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    return loop, server, thread


@contextmanager
def remote_builder(name: str, engine: str, folder: Path) -> Iterator[dict[str, str]]:
    """Have a builder of this name that is the BuildKit of an engine at unix://…; gives what buildx has to be told.

    The names of builders lie in a folder of the test's own.
    """
    authority = trustme.CA()
    files = client_files(authority, authority, folder / "buildkit-client")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(files / "ca.pem"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])
    authority.issue_cert("buildkit.test").configure_cert(context)
    loop, server, thread = _door(engine.removeprefix("unix://"), context)
    port = server.sockets[0].getsockname()[1]
    environment = {"BUILDX_CONFIG": str(folder / "buildx")}
    options = f"cacert={files}/ca.pem,cert={files}/cert.pem,key={files}/key.pem,servername=buildkit.test"
    words = ["docker", "buildx", "create", "--name", name, "--driver", "remote", "--driver-opt", options]
    try:
        subprocess.run(
            [*words, f"tcp://127.0.0.1:{port}"], check=True, capture_output=True, env={**os.environ, **environment}
        )
        yield environment
    finally:
        asyncio.run_coroutine_threadsafe(_close(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
