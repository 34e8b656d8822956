"""A build never makes the engine fetch anything: a server listens, and nobody comes."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from builder.build import buildx
from builder.engine.client import Engine
from builder.errors import InputError
from builder.render import Rendered
from builder.ui import Ui


@dataclass
class Listening:
    """A server on this machine. came: the first bytes of whoever connected."""

    port: int = 0
    came: list[bytes] = field(default_factory=list)


@pytest.fixture
def listening() -> Iterator[Listening]:
    found = Listening()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(5)
            found.came.append(self.request.recv(100))

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    found.port = server.server_address[1]
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    "text",
    [
        "FROM scratch\nADD http://127.0.0.1:{port}/add /x\n",
        "FROM 127.0.0.1:{port}/team/image\nLABEL a=b\n",
        "FROM scratch AS one\nCOPY --from=127.0.0.1:{port}/team/image /x /x\n",
        "# syntax=127.0.0.1:{port}/team/frontend\nFROM scratch\nLABEL a=b\n",
    ],
    ids=["add", "from", "copy", "syntax"],
)
def test_the_engine_is_never_made_to_fetch(text: str, listening: Listening, engine: Engine, tmp_path: Path) -> None:
    """As an attacker has it who reaches a line of the Dockerfile, or the build folder."""
    (tmp_path / "contexts" / "empty").mkdir(parents=True)
    (tmp_path / "Dockerfile").write_text(text.format(port=listening.port))
    build = Rendered(tmp_path, tmp_path / "Dockerfile", {})
    with pytest.raises(InputError, match="the Dockerfile holds what no template of ours makes"):
        buildx.run(build, engine, Ui(), tags=("modelstacks/never:there",), labels={}, epoch=1, use_cache=False)
    with pytest.raises(InputError, match="the Dockerfile holds what no template of ours makes"):
        buildx.extract(build, engine, Ui(), tmp_path / "out", epoch=1, arguments={})
    assert listening.came == []
    # The control: the engine itself goes there, in spite of a build without a network.
    words = ["buildx", "build", "--no-cache", "--network=none", "--file", str(tmp_path / "Dockerfile")]
    engine.run([*words, str(tmp_path / "contexts" / "empty")], check=False)
    assert listening.came != []
