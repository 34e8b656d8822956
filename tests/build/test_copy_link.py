"""What `COPY --link` does in each of the engine's image stores, by which the pages speak."""

import io
import os
import subprocess
import tarfile
from pathlib import Path

import docker
import pytest

from tests.private_engine import Store, private_engine


def base(folder: Path, word: str) -> None:
    """A context whose Dockerfile makes a base with the link /lib -> usr/lib, as Debian has it, and one file."""
    with tarfile.open(folder / "base.tar", "w") as archive:
        for name, kind in (("usr/lib", tarfile.DIRTYPE), ("lib", tarfile.SYMTYPE), ("word", tarfile.REGTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "usr/lib" if kind == tarfile.SYMTYPE else ""
            member.size = len(word) if kind == tarfile.REGTYPE else 0
            archive.addfile(member, io.BytesIO(word.encode()))
    (folder / "Dockerfile").write_text("FROM scratch AS base\nADD base.tar /\n")


def build(host: str, folder: Path, into: str) -> tuple[int, str]:
    """Build on that base with a linked copy; the exit status and what buildx says."""
    text = f"FROM scratch AS base\nADD base.tar /\nFROM base\nCOPY --link copied/ {into}\n"
    (folder / "Dockerfile").write_text(text)
    done = subprocess.run(
        ["docker", "buildx", "build", "--progress", "plain", "--tag", "own:1", str(folder)],
        env={**os.environ, "DOCKER_HOST": host},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("store", ["overlay2", "containerd"])
def test_a_folder_over_a_link_of_the_base_fails_or_replaces_it(store: Store, tmp_path: Path) -> None:
    (tmp_path / "copied" / "lib").mkdir(parents=True)
    (tmp_path / "copied" / "lib" / "file").write_text("x")
    base(tmp_path, "first")
    with private_engine(store) as engine:
        status, said = build(engine.host, tmp_path, "/")
        if store == "overlay2":
            assert status != 0
            assert "cannot copy to non-directory" in said
            return
        assert status == 0, said
        client = docker.DockerClient(base_url=engine.host)
        try:
            made = client.containers.create("own:1", "none")
            stream, _ = made.get_archive("/lib")
            with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as found:
                assert found.getmember("lib").isdir(), "the base's link is replaced"
        finally:
            client.close()
