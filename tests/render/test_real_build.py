"""A stack with system packages, a source, weights and paths: locked, fetched, built twice the same, and looked into."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import subprocess
from pathlib import Path

import pytest
import trustme

from builder import settings as site_settings
from builder.build import build
from builder.engine.client import Engine
from builder.errors import JobError
from builder.fetch import fetch
from builder.files import same_file
from builder.lock import resolve
from builder.origin import Origin
from builder.render.dockerfile import CLAMP
from builder.settings import Settings
from builder.spec.stacks import load_stack
from builder.ui import Ui
from tests.conftest import FAMILY, IMAGES
from tests.fetch.conftest import Site, authority, site

__all__ = ["authority", "site"]  # fixtures: a TLS server of our own with files and git repositories

WEIGHTS = b"weights of a test" * 1000
LOOK = """
import hashlib, json, os, subprocess, sys
from pathlib import Path
import code_of_a_test, six
net = Path("/root/.cache/net/net.bin")
print(json.dumps({
    "code": [code_of_a_test.__file__, oct(os.stat("/workspace/run.sh").st_mode & 0o777)],
    "weights": hashlib.sha256(net.read_bytes()).hexdigest(),
    "modes": [oct(os.stat(path).st_mode & 0o7777) for path in ("/root", "/tmp", "/workspace")],
    "dates": sorted({int(os.lstat(path).st_mtime) for path in (net, "/workspace/run.sh", "/etc/ld.so.cache", "/var/lib/dpkg/status")}),
    "file": subprocess.run(["file", "-b", "/bin/true"], capture_output=True, text=True).stdout.split(",")[0],
    "env": [os.environ["MY_HOME"], os.environ["PATH"].split(":")[0], sys.prefix],
    "left": [str(path) for path in Path("/").glob("*/*") if path.match("/mnt/*") or path.match("/layer/*") or path.match("/tmp/*")],
    "lists": [path.name for path in Path("/var/lib/apt/lists").rglob("*") if path.is_file() and path.stat().st_size],
}))
"""  # noqa: E501


def repository(root: Path) -> str:
    """A git repository root/demo of one commit, which is returned."""
    folder = root / "demo"
    folder.mkdir(parents=True)
    (folder / "code_of_a_test.py").write_text("value = 1\n")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    who = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "one"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True)
    return head.stdout.strip()


@pytest.fixture
def settings(site: Site, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home of its own, beginning with the .deb files of the checkout, and a site that trusts the server."""
    monkeypatch.setenv("no_proxy", "localhost")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    debs = site_settings.load().assets / "debs"
    if debs.is_dir():
        shutil.copytree(
            debs,
            tmp_path / "home" / "assets" / "debs",
            copy_function=lambda source, target: same_file(Path(source), Path(target)),
            ignore=shutil.ignore_patterns(".partial"),
        )
    return Settings(home=tmp_path / "home", stacks=(tmp_path / "stacks",), ca_bundle=(tmp_path / "ca.pem",), jobs=4)


def test_every_part_of_a_stack_is_in_the_image_and_the_same_twice(
    site: Site, settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    site.git_root = tmp_path / "repositories"
    site.files["net.bin"] = WEIGHTS
    sha256 = hashlib.sha256(WEIGHTS).hexdigest()
    (tmp_path / "stacks" / "families").mkdir(parents=True)
    (tmp_path / "stacks" / "families" / "plain.yaml").write_text(FAMILY)
    source = {"git": f"{site.url}/git/demo/.git", "commit": repository(site.git_root), "into": "/workspace"}
    weight = {"url": f"{site.url}/files/net.bin", "sha256": sha256, "into": "/root/.cache/net"}
    keys = {"system": ["file"], "libraries": ["six-test"], "paths": ["/workspace"], "env": {"MY_HOME": "/workspace"}}
    text = {
        "summary": "Whole",
        "family": "plain",
        "packages": ["six==1.17.0"],
        "sources": [source],
        "weights": [weight],
    }
    (tmp_path / "stacks" / "whole").mkdir()
    (tmp_path / "stacks" / "whole" / "stack.yaml").write_text(json.dumps(text | keys))
    stack = load_stack("whole", settings)
    lock = resolve.lock(stack, tmp_path / "stacks" / "whole", settings, Ui()).lock
    assert lock.sources[0].origin == Origin.parse(f"git+{source['git']}@{source['commit']}")
    shutil.rmtree(settings.assets / "sources")  # fetch makes the archive anew, to the same hash
    fetch(lock.artifacts(), lock.indexes, settings, Ui())

    tags = [f"{IMAGES}/made:{secrets.token_hex(6)}" for _ in range(2)]
    try:
        ids = [build(stack, lock, settings, engine, Ui(), tag=tag, use_cache=False).id for tag in tags]
        run = ["run", "--rm", "--network", "none", tags[0], "python", "-c", LOOK]
        seen = json.loads(engine.run(run).stdout)
        assert seen == {
            "code": ["/workspace/code_of_a_test.py", "0o755"],
            "weights": sha256,
            "modes": ["0o700", "0o1777", "0o755"],
            "dates": [int(CLAMP[1:])],
            "file": "ELF 64-bit LSB pie executable",
            "env": ["/workspace", "/opt/venv/bin", "/opt/venv"],
            "left": [],
            "lists": [],
        }
        assert ids[0] == ids[1]
    finally:
        for tag in tags:
            engine.remove(tag)

    deb = settings.home / lock.debs[0].folder / lock.debs[0].filename
    data = bytearray(deb.read_bytes())
    data[-1] ^= 1
    deb.unlink()
    deb.write_bytes(data)
    with pytest.raises(JobError):
        build(stack, lock, settings, engine, Ui(), tag=tags[0], use_cache=False)
    assert "Hash Sum mismatch" in (settings.build / "whole" / "build.log").read_text()
