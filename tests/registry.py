"""A real registry on this machine's loopback, for tests that pull or push.

The program is that of Debian's package docker-registry, fetched once by apt to the user's cache, never installed.
"""

from __future__ import annotations

import os
import shutil
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

from builder.files import held

_CONFIG = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: "{folder}/data"}}, delete: {{enabled: true}}}}
http: {{addr: "{address}"{tls}}}
{more}
"""


def _program() -> Path:
    """The registry's program; the test is skipped where apt cannot bring it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "modelstacks" / "tests"
    program = cache / "registry" / "usr" / "bin" / "docker-registry"
    with held(cache / "registry.lock"):
        if program.exists():
            return program
        if not shutil.which("apt-get"):
            pytest.skip("a registry is needed: the package docker-registry comes by apt, which this host lacks")
        words = ["apt-get", "download", "-o", "APT::Sandbox::User=root", "docker-registry"]
        done = subprocess.run(words, cwd=cache, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"a registry is needed: apt cannot fetch docker-registry: {done.stderr.strip()[-300:]}")
        aside = cache / "registry.new"
        shutil.rmtree(aside, ignore_errors=True)
        for deb in cache.glob("docker-registry_*.deb"):
            subprocess.run(["dpkg-deb", "--extract", str(deb), str(aside)], check=True)
            deb.unlink()
        aside.rename(cache / "registry")
    return program


@contextmanager
def registry(folder: Path, address: str = "", *, tls: str = "", more: str = "") -> Iterator[str]:
    """Serve what is in folder, an empty registry at first; ends with the block.

    tls: a PEM file with key and certificate. more: lines of its configuration, such as auth. Gives its
    address, 127.0.0.1:PORT with a free port or as given; Docker Engine takes loopback over http.
    """
    if not address:
        with socket.create_server(("127.0.0.1", 0)) as free:
            address = f"127.0.0.1:{free.getsockname()[1]}"
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
