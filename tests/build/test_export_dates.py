"""What SOURCE_DATE_EPOCH does to the dates of files, by way of export and image store; the pages speak by this."""

import gzip
import io
import os
import subprocess
import tarfile
from pathlib import Path

import docker
import pytest

from tests.private_engine import Store, private_engine

OLD, EPOCH, NEW = 1_000_000_000, 1_700_000_000, 1_750_000_000


def export(host: str, folder: Path, output: str) -> None:
    """Build a copy of two files, one older and one newer than the epoch, to an output."""
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY old new /copied/\n")
    for name, date in (("old", OLD), ("new", NEW)):
        (folder / name).write_text(name)
        os.utime(folder / name, (date, date))
    command = ["docker", "buildx", "build", "--quiet", "--provenance=false", "--output", output, str(folder)]
    environment = {**os.environ, "DOCKER_HOST": host, "SOURCE_DATE_EPOCH": str(EPOCH)}
    subprocess.run(command, env=environment, check=True, capture_output=True, text=True)


def refused(host: str, folder: Path, output: str) -> str:
    """What buildx says of an output that it does not make."""
    with pytest.raises(subprocess.CalledProcessError) as error:
        export(host, folder, output)
    return str(error.value.stderr)


def archived(data: bytes) -> dict[str, int]:
    """The dates of the two files in a tar archive."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {Path(one.name).name: int(one.mtime) for one in archive if one.isfile()}


def in_image(host: str) -> dict[str, int]:
    """The dates of the two files in the image own:1."""
    client = docker.DockerClient(base_url=host)
    try:
        stream, _ = client.containers.create("own:1", "none").get_archive("/copied")
        return archived(b"".join(stream))
    finally:
        client.close()


def in_archive(path: Path) -> dict[str, int]:
    """The dates of the two files in the layers of an image that was written as an archive."""
    found: dict[str, int] = {}
    with tarfile.open(path) as archive:
        for one in archive:
            data = archive.extractfile(one).read() if one.isfile() else b""  # type: ignore[union-attr]
            if data[:2] == b"\x1f\x8b" or data[257:262] == b"ustar":
                found |= archived(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
    return found


@pytest.mark.parametrize("store", ["overlay2", "containerd"])
def test_dates_of_files_by_way_of_export(store: Store, tmp_path: Path) -> None:
    context, archive = tmp_path / "context", tmp_path / "archive"
    context.mkdir()
    rewrite = "type=image,name=own:1,rewrite-timestamp=true"
    with private_engine(store) as engine:
        export(engine.host, context, f"type=local,dest={tmp_path / 'local'}")
        export(engine.host, context, f"type=tar,dest={tmp_path / 'tar'}")
        export(engine.host, context, "type=image,name=own:1")
        left_alone = {"old": OLD, "new": NEW}
        assert in_image(engine.host) == left_alone
        to_archive = f"type=docker,dest={archive},rewrite-timestamp=true"
        if store == "overlay2":  # it takes the option and does nothing, without a word
            export(engine.host, context, rewrite)
            assert in_image(engine.host) == left_alone
            assert "Docker exporter is not supported" in refused(engine.host, context, to_archive)
        else:
            conflict = 'exporter option "rewrite-timestamp" conflicts with "unpack"'
            assert conflict in refused(engine.host, context, rewrite)
            export(engine.host, context, to_archive)
            assert in_archive(archive) == {"old": OLD, "new": EPOCH}
    # These two set every date, that of an older file too. A compiled wheel is brought out by the first.
    local = {path.name: int(path.stat().st_mtime) for path in (tmp_path / "local" / "copied").iterdir()}
    assert local == archived((tmp_path / "tar").read_bytes()) == {"old": EPOCH, "new": EPOCH}
