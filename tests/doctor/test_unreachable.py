"""`stack` where hosts are missing: all of them at once, with what each is needed for, and the way that is left."""

from __future__ import annotations

import re
import socket

import pytest

from builder import spec
from builder.doctor.needs import needs
from builder.doctor.unreachable import all_of
from builder.errors import Unreachable
from builder.settings import load
from builder.ui import Ui
from tests.conftest import REPO, cli, document, write_stack

PROXIES = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "")


def _closed() -> int:
    """A port of loopback that refuses."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def _wanting(port: int) -> str:
    return f"""sources: [{{git: https://git.invalid/them/code, commit: {"c" * 40}, into: /workspace}}]
extensions: [{{name: one, git: https://git.invalid/them/one, commit: {"c" * 40}, compiled: [one]}}]
weights:
  - {{url: 'https://weights.invalid/a.pth', sha256: {"ab" * 32}, size: 3, into: /workspace}}
  - {{url: 'https://weights.invalid/b.pth', sha256: {"cd" * 32}, size: 3, into: /workspace}}
  - {{url: 'https://localhost:{port}/c.pth', into: /workspace}}"""


@pytest.mark.parametrize("verb", [("stack", "--gpu", "none"), ("lock",)])
def test_every_host_that_refuses_or_has_no_name_is_named_at_once(verb, tmp_path):
    port = _closed()
    write_stack(tmp_path / "stacks", "mine", packages=["six==1.17.0"], extra=_wanting(port))
    index = f"https://127.0.0.1:{port}/simple"
    env = {"MODELSTACKS_INDEX": index, "XDG_CACHE_HOME": str(tmp_path), "COLUMNS": "200", **PROXIES}
    done = cli("--json", "--stacks", str(tmp_path / "stacks"), *verb, "mine", env=env)
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in done.stderr.splitlines() if line.strip()}
    assert rows["git.invalid"].startswith("git source: them/code, them/one")
    assert rows["weights.invalid"].startswith("weights: a.pth, b.pth")
    assert rows[f"localhost:{port}"].startswith("weights: c.pth")
    assert rows[f"127.0.0.1:{port}"].startswith("the default index")
    assert "cannot be resolved" in rows["git.invalid"]
    assert "refuse" in rows[f"localhost:{port}"]
    error = document(done, code=3)["errors"][0]
    for host in ("git.invalid", "weights.invalid", f"localhost:{port}", f"127.0.0.1:{port}"):
        assert host in error["problem"], "one who reads the last line alone is told all too"
    assert re.search(r"name mirrors in modelstacks\.toml", error["fix"])
    assert "make rehearsal" not in error["fix"], "there is none of this stack"
    assert "locking mine" not in done.stderr, "hosts are asked before anything is resolved"


def test_weights_that_are_mounted_ask_for_no_host(tmp_path, monkeypatch):
    """Neither those of the stack file nor those of the site's mount-weights: nothing fetches them."""
    monkeypatch.setenv("MODELSTACKS_STACKS", str(tmp_path / "stacks"))
    monkeypatch.setenv("MODELSTACKS_MOUNT_WEIGHTS", "b.*")
    mounted = "{url: 'https://hers.invalid/a.pth', into: /workspace, bake: false, licence: hers}"
    taken = "{url: 'https://b.invalid/b.pth', into: /workspace}, {url: 'https://c.invalid/c.pth', into: /workspace}"
    write_stack(tmp_path / "stacks", "mine", packages=["six==1.17.0"], extra=f"weights: [{mounted}, {taken}]")
    settings = load()
    needed, _ = needs([spec.load("mine", settings)], settings)
    assert [need.name for need in needed if need.kind == "weights"] == ["c.pth"]


def test_a_shipped_stack_leads_to_its_rehearsal(monkeypatch, tmp_path):
    """Asked through a proxy that refuses: no host of it is reached, whatever this machine reaches."""
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{_closed()}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    settings = load(folder=REPO)
    first = Unreachable("first", where="https://github.com", why="of the first")
    found = all_of(first, spec.load("talkinggaussian", settings), settings, Ui())
    assert "`make rehearsal STACK=talkinggaussian`" in found.fix
    for host in ("download.pytorch.org", "registry-1.docker.io", "github.com", "raw.githubusercontent.com"):
        assert host in found.problem


def test_where_all_hosts_answer_by_now_the_first_error_stays(monkeypatch):
    monkeypatch.setattr("builder.doctor.unreachable.examine", lambda *_: [])
    settings, first = load(folder=REPO), Unreachable("first")
    assert all_of(first, spec.load("onnx-cpu", settings), settings, Ui()) is first


@pytest.mark.parametrize("name", ["talkinggaussian", "talkinggaussian-modern", "heygem", "audio2face-sdk", "gsplat"])
def test_every_address_of_a_stack_file_is_among_its_needs(name):
    text = (REPO / "stacks" / name / "stack.yaml").read_text()
    hosts = set(re.findall(r"(?:url|git): https://([^/\s,}]+)", text))
    settings = load(folder=REPO)
    asked = " ".join(one.url for one in needs([spec.load(name, settings)], settings)[0])
    assert [host for host in hosts if f"//{host}/" not in asked] == []
