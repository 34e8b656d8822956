"""A BuildKit that buildx reaches by its `remote` driver, over TLS with a client's certificate, or starts by its
`docker-container` driver.

No registry is reachable here, so there is no moby/buildkit image, and Debian has no buildkitd. What answers is the real
BuildKit of a second Docker Engine with containerd's store (containerd worker, its own cache): the engine hands out its
BuildKit's gRPC where a connection is upgraded at /grpc, and this passes bytes on.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
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


# dockerd and what it starts, as this machine has them.
_PROGRAMS = ("dockerd", "containerd", "containerd-shim-runc-v2", "runc")
_BOX = """FROM {base}
COPY . /
ENV PATH=/usr/local/bin:/usr/bin:/usr/sbin
ENTRYPOINT ["buildkitd"]
"""


@contextmanager
def container_builder(name: str, base: str, tag: str, folder: Path) -> Iterator[dict[str, str]]:
    """Have a builder of this name that buildx's docker-container driver starts; gives what buildx has to be told.

    base: an image of Debian with Python. tag: of the image that is made on it, which holds this machine's engine in
    place of buildkitd (box/). The container has no network.
    """
    _image(base, tag, folder / "box")
    environment = {"BUILDX_CONFIG": str(folder / "buildx")}
    every = {**os.environ, **environment}
    words = ["--driver", "docker-container", "--driver-opt", f"image={tag},network=none", "--bootstrap"]
    done = subprocess.run(
        ["docker", "buildx", "create", "--name", name, *words], env=every, capture_output=True, check=False
    )
    try:
        assert done.returncode == 0, done.stderr.decode()
        yield environment
    finally:
        subprocess.run(["docker", "buildx", "rm", name], env=every, capture_output=True, check=True)


def _image(base: str, tag: str, folder: Path) -> None:
    paths = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    for program in _PROGRAMS:
        found = shutil.which(program, path=paths)
        if not found:
            pytest.skip(f"{program} is needed for a BuildKit in a container")
        _copy(Path(found), folder / "usr/sbin" / program)
        listed = subprocess.run(["ldd", found], capture_output=True, text=True, check=False).stdout
        for library in re.findall(r"=> (/\S+) ", listed):
            if not re.search(r"/lib(c|m|dl|pthread)\.so", library):  # those are the base's own
                _copy(Path(library), folder / "usr/lib/x86_64-linux-gnu" / Path(library).name)
    for script in (Path(__file__).parent / "box").glob("*.py"):
        _copy(script, folder / "usr/local/bin" / script.stem)
    (folder / "Dockerfile").write_text(_BOX.format(base=base))
    words = ["docker", "buildx", "build", "--quiet", "--network", "none", "--tag", tag, str(folder)]
    subprocess.run(words, check=True, capture_output=True)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755)
