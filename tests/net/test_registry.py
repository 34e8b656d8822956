"""The registry client against Debian's docker-registry: over http on loopback, over TLS, with logins and tokens."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from builder.build import base as bases
from builder.engine.client import Engine
from builder.errors import InputError, JobError, ModelstacksError, SurroundingsError
from builder.fetch import fetch
from builder.lock.model import Artifact, LockedBase
from builder.net.session import Session
from builder.origin import Origin
from builder.registry import hosts, pulls
from builder.registry.pulls import Repository, split
from builder.registry.tokens import challenge
from builder.render import base_tag
from builder.settings import Settings
from builder.ui import Ui
from tests.private_engine import Store, private_engine
from tests.registry import registry
from tests.tokens import Tokens, token_server

NAME = "team/small"
OCI = "application/vnd.oci.image"
HASHED = "$2y$05$abcdefghijklmnopqrstuuRKNLYzBA4JxdsvRfeJDQ.VYjlD1qqz."  # bcrypt of "of-a-test"


def sha(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def described(kind: str, data: bytes, **more: object) -> dict[str, object]:
    return {"mediaType": f"{OCI}.{kind}", "digest": sha(data), "size": len(data), **more}


def _put(url: str, data: bytes, kind: str, method: str = "PUT") -> str:
    asked = urllib.request.Request(url, data=data, method=method, headers={"Content-Type": kind})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return str(answer.headers["Location"])


def push(address: str) -> str:
    """Push an index with an image for arm64 and one for linux/amd64 (one file, /hello); gives the index's digest."""
    root = f"http://{address}/v2/{NAME}"

    def blob(data: bytes) -> None:
        place = _put(f"{root}/blobs/uploads/", b"", "application/octet-stream", "POST")
        _put(f"{place}&digest={sha(data)}", data, "application/octet-stream")

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        entry = tarfile.TarInfo("hello")
        entry.size = 5
        tar.addfile(entry, io.BytesIO(b"world"))
    layer = gzip.compress(out.getvalue(), mtime=0)
    rows = []
    for architecture in ("arm64", "amd64"):
        config = json.dumps(
            {
                "architecture": architecture,
                "os": "linux",
                "config": {"Env": ["A=1"], "Cmd": ["/hello"]},
                "rootfs": {"type": "layers", "diff_ids": [sha(out.getvalue())]},
            }
        ).encode()
        # The same layer twice, as images with empty steps have it, would need its diff_id twice; once is enough here.
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": f"{OCI}.manifest.v1+json",
                "config": described("config.v1+json", config),
                "layers": [described("layer.v1.tar+gzip", layer)],
            }
        ).encode()
        blob(layer)
        blob(config)
        _put(f"{root}/manifests/{sha(manifest)}", manifest, f"{OCI}.manifest.v1+json")
        rows.append(described("manifest.v1+json", manifest, platform={"os": "linux", "architecture": architecture}))
    index = json.dumps({"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": rows}).encode()
    _put(f"{root}/manifests/1", index, f"{OCI}.index.v1+json")
    return sha(index)


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a registry that holds the image, and its digest."""
    folder = tmp_path_factory.mktemp("registry")
    with registry(folder) as address:
        return folder, push(address)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    return Settings(home=tmp_path / "home", stacks=())


def locked(address: str, settings: Settings, digest: str) -> LockedBase:
    """The lock of the image at an address."""
    with Session(settings) as session:
        found, parts = Repository(f"{address}/{NAME}", session).image("1")
    assert found == digest
    blobs = tuple(
        Artifact(
            kind="blob",
            filename=blob.digest[7:],
            size=blob.size,
            sha256=blob.digest[7:],
            origin=Origin.parse(f"registry:{address}/{NAME}"),
            project=blob.what,
            version="1",
        )
        for blob in parts
    )
    return LockedBase(kind="image", reference=f"{address}/{NAME}@{digest}", digest=digest, blobs=blobs)


def test_names_are_completed_as_docker_does() -> None:
    assert split("debian") == ("docker.io", "library/debian", "latest")
    assert split("nvidia/cuda:12.9") == ("docker.io", "nvidia/cuda", "12.9")
    assert split("localhost:5000/a/b:1") == ("localhost:5000", "a/b", "1")
    assert split(f"registry.example/a:1@sha256:{'0' * 64}") == ("registry.example", "a", f"sha256:{'0' * 64}")


@pytest.mark.parametrize("store", ["overlay2", "containerd"])
def test_an_image_comes_over_http_on_loopback_and_loads_with_the_registry_gone(
    content: tuple[Path, str], settings: Settings, engine: Engine, tmp_path: Path, store: Store
) -> None:
    folder, digest = content
    with registry(folder) as address:
        base = locked(address, settings, digest)
        assert [blob.project for blob in base.blobs] == ["manifest", "config", "layer"]
        done = fetch(base.blobs, {}, settings, Ui())
        assert len(done.fetched) == 3
    assert fetch(base.blobs, {}, settings, Ui()).kept == 3
    if engine.info.store == store:
        _loads(base, settings, engine)
    else:
        with private_engine(store, tmp_path) as other:
            _loads(base, settings, Engine.connect(other.host))
    (settings.home / base.blobs[2].folder / base.blobs[2].filename).unlink()
    if engine.info.store == store:
        with pytest.raises(JobError, match="is in the lock but not fetched"):
            bases.ensure(base, settings, engine, Ui())


def _loads(base: LockedBase, settings: Settings, engine: Engine) -> None:
    """Hold that the engine takes the image from its blobs alone, and has its file."""
    tag = bases.ensure(base, settings, engine, Ui())
    try:
        assert tag == base_tag(base)
        container = engine.run(["create", "--network", "none", tag]).stdout.strip()
        copied = settings.home / "hello"
        engine.run(["cp", f"{container}:/hello", str(copied)])
        engine.run(["rm", "--force", container])
        assert copied.read_bytes() == b"world"
    finally:
        engine.remove(tag)


def test_a_registry_is_trusted_through_the_ca_bundle_only(
    content: tuple[Path, str], settings: Settings, tmp_path: Path
) -> None:
    authority = trustme.CA()
    authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "s.pem"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    folder, digest = content
    with registry(folder, tls=str(tmp_path / "s.pem")) as address:
        with pytest.raises(SurroundingsError, match="is not trusted"):
            locked(address, settings, digest)
        trusting = replace(settings, ca_bundle=(tmp_path / "ca.pem",))
        base = locked(address, trusting, digest)
        with pytest.raises(SurroundingsError, match="is not trusted"):
            fetch(base.blobs, {}, settings, Ui())
        assert len(fetch(base.blobs, {}, trusting, Ui()).fetched) == 3


def test_a_login_comes_from_netrc(content: tuple[Path, str], settings: Settings, tmp_path: Path) -> None:
    folder, digest = content
    users = tmp_path / "htpasswd"
    users.write_text(f"me:{HASHED}\n")
    with registry(folder, more=f'auth: {{htpasswd: {{realm: basic, path: "{users}"}}}}') as address:
        with pytest.raises(ModelstacksError, match="401") as caught:
            locked(address, settings, digest)
        assert "netrc" in caught.value.fix
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password of-a-test\n")
        (tmp_path / "netrc").chmod(0o600)
        base = locked(address, settings, digest)
        assert len(fetch(base.blobs, {}, settings, Ui()).fetched) == 3


def test_an_anonymous_token_is_taken_where_the_registry_asks_for_one(
    content: tuple[Path, str], settings: Settings, tmp_path: Path
) -> None:
    folder, digest = content
    tokens = Tokens(tmp_path)
    # A login for the host must not stand in the way of the token.
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password other\n")
    (tmp_path / "netrc").chmod(0o600)
    with token_server(tokens) as realm:
        token = f'{{realm: "{realm}", service: small, issuer: tokens, rootcertbundle: "{tokens.bundle}"}}'
        with registry(folder, more=f"auth: {{token: {token}}}") as address:
            base = locked(address, settings, digest)
            assert tokens.asked == [f"GET repository:{NAME}:pull"]
            assert len(fetch(base.blobs, {}, settings, Ui()).fetched) == 3


def test_a_mirror_serves_the_blobs_of_a_registry_that_is_gone(content: tuple[Path, str], settings: Settings) -> None:
    folder, digest = content
    with registry(folder) as address:
        base = locked(address, settings, digest)
        elsewhere = tuple(
            replace(blob, origin=Origin.parse("registry:registry.example/x/small")) for blob in base.blobs
        )
        mirrored = replace(settings, images={"registry.example/x": (f"{address}/none", f"{address}/team")})
        assert len(fetch(elsewhere, {}, mirrored, Ui()).fetched) == 3


def test_an_image_that_is_not_there_or_not_what_it_should_be_is_refused(
    content: tuple[Path, str], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, digest = content
    with registry(folder) as address, Session(settings) as session:
        repository = Repository(f"{address}/{NAME}", session)
        with pytest.raises(JobError, match="404"):
            repository.image("2")
        with pytest.raises(InputError, match="is named by a tag or digest that is none"):
            repository.image("../../x")
        stored = next((folder / "data").rglob(f"blobs/sha256/{digest[7:9]}/{digest[7:]}/data"))
        good = stored.read_bytes()
        stored.write_bytes(good.replace(b"arm64", b"arm63"))
        try:
            with pytest.raises(ModelstacksError):
                repository.image(digest)
        finally:
            stored.write_bytes(good)
        monkeypatch.setattr(pulls, "_MANIFEST_LIMIT", 100)
        with pytest.raises(JobError, match="longer than"):
            repository.image(digest)


def test_only_loopback_is_asked_over_http(settings: Settings) -> None:
    with Session(settings) as session:
        for host, scheme in (("registry.example:5000", "https"), ("10.0.0.1:5000", "https"), ("127.0.0.1:1", "https")):
            assert hosts.scheme(host, session) == scheme


@pytest.mark.parametrize("root", ["https://registry.example/v2", "http://127.0.0.1:1/v2"])
def test_a_token_server_without_tls_is_refused(root: str) -> None:
    with pytest.raises(JobError, match="token server is not at an https address"):
        challenge('Bearer realm="http://registry.example/token",service="x"', root)
