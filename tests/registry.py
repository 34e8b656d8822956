"""A real registry on this machine's loopback, for tests that pull or push.

The program is that of Debian's package docker-registry, fetched once by apt to the user's cache, never installed.
"""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.debs import unpacked

_CONFIG = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: "{folder}/data"}}, delete: {{enabled: true}}}}
http: {{addr: "{address}"{tls}}}
{more}
"""


def _program() -> Path:
    """The registry's program; the test is skipped where apt cannot bring it."""
    return unpacked("registry", ["docker-registry"]) / "usr" / "bin" / "docker-registry"


@contextmanager
def registry(folder: Path, address: str = "", *, tls: str = "", more: str = "") -> Iterator[str]:
    """Serve what is in folder, an empty registry at first; ends with the block.

    tls: a PEM file with key and certificate. more: lines of its configuration, such as auth. Gives its
    address, 127.0.0.1:PORT with a free port or as given; Docker Engine takes loopback over http.
    """
    address = address or free("127.0.0.1")
    config = folder / "registry.yml"
    config.write_text(_CONFIG.format(folder=folder, address=address, more=more, tls=_tls(tls)))
    environment = {"PATH": os.environ["PATH"], "OTEL_TRACES_EXPORTER": "none"}
    with (folder / "registry.log").open("w") as log:
        server = subprocess.Popen([_program(), "serve", config], stdout=log, stderr=log, env=environment)
    try:
        _wait(address, server, folder / "registry.log", tls)
        yield address
    finally:
        server.terminate()
        server.wait()


def free(host: str) -> str:
    """HOST:PORT with a port that nobody listens on."""
    with socket.create_server((host, 0)) as server:
        return f"{host}:{server.getsockname()[1]}"


def _tls(file: str) -> str:
    return f', tls: {{certificate: "{file}", key: "{file}"}}' if file else ""


def _wait(address: str, server: subprocess.Popen[bytes], log: Path, tls: str) -> None:
    end = time.monotonic() + 30
    context = ssl.create_default_context(cafile=tls) if tls else None
    while server.poll() is None and time.monotonic() < end:
        try:
            urllib.request.urlopen(f"{'https' if tls else 'http'}://{address}/v2/", timeout=5, context=context).close()
        except (urllib.error.HTTPError, ssl.SSLError):
            return  # it answers
        except OSError as error:
            if isinstance(getattr(error, "reason", None), ssl.SSLError):
                return
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"the registry does not answer: {log.read_text()[-500:]}")
