"""What a registry, or the way to it, can do wrong: a real registry behind a proxy that spoils its answers."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.errors import JobError, SurroundingsError
from builder.registry import Connection, Descriptor, Repository
from builder.registry import upload as uploads
from builder.registry.upload import push
from builder.settings import Settings, load
from tests.publish.conftest import USER
from tests.publish.faults import Fault, Front, front
from tests.registry import registry
from tests.tokens import Tokens, token_server

DATA = hashlib.sha256(b"some").digest() * 10_000
BLOB = Descriptor.of("application/octet-stream", DATA)
PIECE = 100_000


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load()


@pytest.fixture
def spoiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    """An empty registry behind the proxy, and pieces that are small."""
    monkeypatch.setattr(uploads, "CHUNK", PIECE)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with registry(tmp_path) as address, front(address) as proxy:
        yield proxy


@pytest.fixture
def repository(spoiled: Front, settings: Settings) -> Iterator[Repository]:
    with Connection(spoiled.address, settings) as connection:
        yield Repository(connection, "team/x", writes=True)


def read(repository: Repository) -> bytes:
    return b"".join(repository.read(BLOB))


def test_a_blob_goes_in_pieces_and_is_not_sent_again(repository: Repository, spoiled: Front) -> None:
    assert push(repository, BLOB, DATA).outcome == "sent"
    assert spoiled.count("PATCH") == 4
    assert read(repository) == DATA
    assert push(repository, BLOB, DATA) == uploads.Pushed(BLOB, "there", 0)
    assert spoiled.count("PATCH") == 4


def test_a_blob_of_a_neighbour_is_mounted(repository: Repository, spoiled: Front) -> None:
    push(repository, BLOB, DATA)
    other = Repository(repository.connection, "team/y", writes=True)
    assert push(other, BLOB, DATA, ("team/none", "team/x")).outcome == "mounted"
    assert read(other) == DATA
    assert spoiled.count("PATCH") == 4
    assert spoiled.count("DELETE") == 1, "the upload that it began for team/none is left"


@pytest.mark.parametrize("kind", ["status", "cut body"])
def test_a_piece_that_fails_is_sent_again_from_where_the_registry_stands(
    repository: Repository, spoiled: Front, kind: str
) -> None:
    spoiled.spoil = lambda method, _, number: Fault(kind) if method == "PATCH" and number == 2 else None  # type: ignore[arg-type]
    done = push(repository, BLOB, DATA)
    assert done.sent == len(DATA) + PIECE
    assert read(repository) == DATA


def test_the_whole_upload_begins_anew_where_the_registry_has_lost_it(repository: Repository, spoiled: Front) -> None:
    def lose(method: str, path: str, number: int) -> Fault | None:
        return Fault("status", 404) if method == "PATCH" and number == 2 else None

    spoiled.spoil = lose
    assert push(repository, BLOB, DATA).outcome == "sent"
    assert spoiled.count("PATCH") == 3 + 4
    assert read(repository) == DATA


def test_an_answer_that_breaks_off_at_the_end_is_no_failure_where_the_blob_is_there(
    repository: Repository, spoiled: Front
) -> None:
    spoiled.spoil = lambda method, _, number: Fault("cut answer") if method == "PUT" and number == 0 else None
    assert push(repository, BLOB, DATA).outcome == "sent"
    assert read(repository) == DATA


def test_429_is_waited_for_as_it_asks(repository: Repository, spoiled: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[str] = []
    monkeypatch.setattr(repository.connection._session, "pause", lambda _, asked="": waited.append(asked))
    slow = Fault("status", 429, (("Retry-After", "7"),))
    spoiled.spoil = lambda method, _, number: slow if method in ("HEAD", "POST") and number < 2 else None
    push(repository, BLOB, DATA)
    assert waited == ["7"] * 4
    assert read(repository) == DATA


def test_a_registry_that_goes_on_failing_is_told_with_what_it_says(
    repository: Repository, spoiled: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository.connection._session, "pause", lambda *_: None)
    spoiled.spoil = lambda method, *_: Fault("status", 500) if method == "PATCH" else None
    with pytest.raises(JobError, match=f"does not take the blob {BLOB.digest}") as caught:
        push(repository, BLOB, DATA)
    assert "500" in caught.value.why
    assert caught.value.fix


def test_a_read_that_breaks_off_goes_on_where_it_was(repository: Repository, spoiled: Front) -> None:
    push(repository, BLOB, DATA)
    spoiled.seen.clear()
    spoiled.spoil = lambda method, _, number: Fault("cut answer") if method == "GET" and number == 0 else None
    assert read(repository) == DATA
    assert spoiled.count("GET") == 2


def test_a_registry_that_lies_is_not_believed(repository: Repository, spoiled: Front) -> None:
    push(repository, BLOB, DATA)
    data = b'{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}'
    kind = "application/vnd.oci.image.index.v1+json"
    repository.put_manifest("good", data, kind)
    spoiled.spoil = lambda method, *_: Fault("other") if method == "GET" else None
    with pytest.raises(JobError, match=f"other bytes for the blob {BLOB.digest}"):
        read(repository)
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    with pytest.raises(JobError, match="other bytes for the manifest"):
        repository.manifest(digest)
    with pytest.raises(JobError):
        repository.put_manifest("bad", data, kind)


def test_a_token_is_asked_for_when_the_registry_says_401(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    giver = Tokens(tmp_path)
    with token_server(giver) as realm:
        auth = f'{{realm: "{realm}", service: small, issuer: tokens, rootcertbundle: "{giver.bundle}"}}'
        with (
            registry(tmp_path, more=f"auth: {{token: {auth}}}") as address,
            Connection(address, settings) as connection,
        ):
            repository = Repository(connection, "team/x", writes=True)
            assert push(repository, BLOB, DATA).outcome == "sent"
            assert giver.asked == ["GET repository:team/x:pull,push"]
            assert read(repository) == DATA


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system is mounted by root alone")
def test_a_full_disk_at_the_registry_costs_nothing_that_is_there(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "data").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(tmp_path / "data")], check=True)
    try:
        with registry(tmp_path) as address, Connection(address, settings) as connection:
            monkeypatch.setattr(connection._session, "pause", lambda *_: None)
            repository = Repository(connection, "team/x", writes=True)
            push(repository, BLOB, DATA)
            large = bytes(2 << 20)
            with pytest.raises(JobError) as caught:
                push(repository, Descriptor.of("", large), large)
            assert "500" in str(caught.value)
            assert "disk" in caught.value.fix
            assert read(repository) == DATA
    finally:
        subprocess.run(["umount", str(tmp_path / "data")], check=True)


def test_no_login_is_told_with_what_to_do(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "users").write_text(f"{USER}:x\n")
    auth = f'auth: {{htpasswd: {{realm: basic, path: "{tmp_path}/users"}}}}'
    with registry(tmp_path, more=auth) as address, Connection(address, settings) as connection:
        with pytest.raises(SurroundingsError, match="without a login") as caught:
            push(Repository(connection, "team/x", writes=True), BLOB, DATA)
        assert f"docker login {address}" in caught.value.fix
