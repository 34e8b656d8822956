"""Locking through what a site has: mirrors, tokens, a proxy, client certificates; uv and apt alike, always verified."""

from __future__ import annotations

import base64
import gzip
import hashlib
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest
import trustme

from builder.engine.client import Engine
from builder.errors import InputError, JobError, SurroundingsError
from builder.lock import apt, base, wheels
from builder.lock.routes import routes
from builder.net.session import Session
from builder.settings import ClientCertificate, Settings
from tests.lock.conftest import Index, MakeStack, wheel
from tests.net.web import Web, proxy, web

SECRET = "hunter2-secret"


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def site(tls: ssl.SSLContext) -> Iterator[Web]:
    """A second server, with the wheel alpha on its index /py/."""
    with web(tls) as server:
        name, data = wheel("alpha", "1.0")
        link = f'<a href="{name}#sha256={hashlib.sha256(data).hexdigest()}">{name}</a>'
        server.answers["/py/alpha/"] = (200, {"Content-Type": "text/html"}, link.encode())
        server.answers[f"/py/alpha/{name}"] = (200, {}, data)
        yield server


@pytest.fixture(autouse=True)
def one_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """uv would ask a server that does not answer four times, with pauses."""
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")


def _locked(make_stack: MakeStack, settings: Settings, **keys: object) -> list[tuple[str, str]]:
    stack = make_stack("alpha", **keys)
    with Session(settings) as session:
        return [
            (item.project, str(item.origin))
            for item in wheels.resolve(stack, routes(stack, session), settings, session, ()).found
        ]


def test_uv_asks_the_mirrors_of_default_and_named_indexes(
    site: Web, index: Index, make_stack: MakeStack, settings: Settings
) -> None:
    far = "https://index.example"
    settings = replace(settings, index=f"{far}/simple", rewrites={far: (f"{site.url}/absent",)})
    with pytest.raises(InputError):
        _locked(make_stack, settings)
    settings = replace(settings, rewrites={f"{far}/simple": ("https://localhost:1/none", f"{site.url}/py")})
    assert _locked(make_stack, settings) == [("alpha", "index:default")], "past a mirror that does not answer"
    own = {"own": {"url": "https://named.example/simple", "packages": ["alpha"]}}
    settings = replace(settings, index=index.url(), rewrites={"https://named.example/simple": (f"{site.url}/py",)})
    assert _locked(make_stack, settings, indexes=own) == [("alpha", "index:own")]


@pytest.mark.parametrize("named", [False, True], ids=["default", "named"])
@pytest.mark.parametrize(("value", "login"), [(f"user:{SECRET}", f"user:{SECRET}"), (SECRET, f"__token__:{SECRET}")])
def test_uv_signs_in_with_the_token_of_the_host(
    site: Web,
    index: Index,
    make_stack: MakeStack,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    value: str,
    login: str,
    named: bool,
) -> None:
    wanted = f"Basic {base64.b64encode(login.encode()).decode()}"
    page = site.answers["/py/alpha/"]
    assert isinstance(page, tuple)
    site.answers["/py/alpha/"] = lambda headers: page if headers.get("Authorization") == wanted else (401, {}, b"")
    keys = {"indexes": {"own": {"url": f"{site.url}/py", "packages": ["alpha"]}}} if named else {}
    settings = settings if named else replace(settings, index=f"{site.url}/py")
    with pytest.raises((InputError, SurroundingsError)):
        _locked(make_stack, settings, **keys)
    monkeypatch.setenv("SITE_TOKEN", value)
    settings = replace(settings, tokens={site.host: "SITE_TOKEN"})
    assert len(_locked(make_stack, settings, **keys)) == 1
    site.answers["/py/alpha/"] = (403, {}, b"")
    with pytest.raises((InputError, SurroundingsError)) as caught:
        _locked(make_stack, settings, **keys)
    assert SECRET not in str(caught.value.document())


def test_uv_goes_through_the_proxy_and_shows_the_client_certificate(
    site: Web,
    authority: trustme.CA,
    tls: ssl.SSLContext,
    make_stack: MakeStack,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tls.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(tls)
    settings = replace(settings, index=f"{site.url}/py")
    leaf = authority.issue_cert("client.example")
    leaf.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    leaf.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    files = ClientCertificate(cert=tmp_path / "cert.pem", key=tmp_path / "key.pem")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with proxy(f"user:{SECRET}") as tunnel:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:{SECRET}@127.0.0.1:{tunnel.port}")
        with pytest.raises(SurroundingsError):
            _locked(make_stack, settings)
        assert _locked(make_stack, replace(settings, client_certificates={site.host: files}))
        assert {target for target, _ in tunnel.seen} == {site.host}


def test_locking_verifies_whatever_the_settings_say(site: Web, make_stack: MakeStack, settings: Settings) -> None:
    settings = replace(settings, index=f"{site.url}/py", ca_bundle=(), tls="hash-locked")
    with pytest.raises(SurroundingsError, match="not trusted"):
        _locked(make_stack, settings)
    assert site.seen == []


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A gpg home with one key, and its public part in keyring.gpg."""
    home = tmp_path_factory.mktemp("gpg")
    home.chmod(0o700)
    words = ["gpg", "--homedir", str(home), "--batch", "--quiet"]
    made = [*words, "--passphrase", "", "--quick-generate-key", "archive@example.org", "ed25519", "sign"]
    subprocess.run(made, check=True, capture_output=True)
    subprocess.run([*words, "--output", str(home / "keyring.gpg"), "--export"], check=True, capture_output=True)
    yield home / "keyring.gpg"
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False, capture_output=True)


@pytest.fixture
def debian(site: Web, keyring: Path) -> Web:
    """The server again, with a signed archive of one package at /debian."""
    return signed_archive(site, keyring)


def signed_archive(site: Web, keyring: Path, *, date: str = "", until: str = "", version: str = "1") -> Web:
    """Put an archive of one package at /debian of a server. date, until: of its Release file, default now and none."""
    fields = (
        *("Package: tool", f"Version: {version}", "Architecture: amd64"),
        *("Maintainer: A <a@example.org>", "Description: x"),
    )
    file = (f"Filename: pool/tool_{version}_amd64.deb", "Size: 3", f"SHA256: {'a' * 64}")
    plain = ("\n".join((*fields, *file)) + "\n\n").encode()
    packed = gzip.compress(plain, mtime=0)
    name = "main/binary-amd64/Packages"
    files = {name: plain, f"{name}.gz": packed}
    last = f"Valid-Until: {until}\n" if until else ""
    release = (
        f"Origin: Test\nSuite: test\nCodename: test\nDate: {date or formatdate(usegmt=True)}\nArchitectures: amd64\n"
        f"Components: main\n{last}SHA256:\n"
    )
    release += "".join(f" {hashlib.sha256(data).hexdigest()} {len(data)} {path}\n" for path, data in files.items())
    words = ["gpg", "--homedir", str(keyring.parent), "--batch", "--clearsign"]
    signed = subprocess.run(words, input=release.encode(), check=True, capture_output=True).stdout
    site.answers["/debian/dists/test/InRelease"] = (200, {}, signed)
    site.answers |= {f"/debian/dists/test/{path}": (200, {}, data) for path, data in files.items()}
    return site


def _packages(settings: Settings, keyring: Path) -> list[str]:
    with apt.opened("debian", ("test",), settings, keyrings=[keyring]) as private:
        return [str(item.origin) for item in private.install(["tool"])]


def test_apt_trusts_a_mirror_through_the_ca_bundle_only(debian: Web, keyring: Path, settings: Settings) -> None:
    settings = replace(settings, mirrors={"debian": f"{debian.url}/debian"})
    with pytest.raises(SurroundingsError, match="the certificate of localhost is not trusted") as caught:
        _packages(replace(settings, ca_bundle=(), tls="hash-locked"), keyring)
    assert "OU=Testing CA" in caught.value.why
    assert debian.seen == []
    assert _packages(settings, keyring) == ["archive:debian/pool/tool_1_amd64.deb"]


def test_package_lists_are_kept_and_asked_for_again_only_where_they_changed(
    debian: Web, keyring: Path, settings: Settings
) -> None:
    settings = replace(settings, mirrors={"debian": f"{debian.url}/debian"})
    first = _packages(settings, keyring)
    assert any("Packages" in path for path, _ in debian.seen)
    debian.seen.clear()
    assert _packages(settings, keyring) == first
    assert [path.rpartition("/")[2] for path, _ in debian.seen] == ["InRelease"]
    signed_archive(debian, keyring, date=formatdate(time.time() + 5, usegmt=True), version="2")
    assert _packages(settings, keyring) == ["archive:debian/pool/tool_2_amd64.deb"]


def test_package_lists_that_another_run_has_keep_nobody_waiting(debian: Web, keyring: Path, settings: Settings) -> None:
    settings = replace(settings, mirrors={"debian": f"{debian.url}/debian"})
    with apt.opened("debian", ("test",), settings, keyrings=[keyring]):
        assert _packages(settings, keyring) == ["archive:debian/pool/tool_1_amd64.deb"]


def test_kept_package_lists_that_are_damaged_are_dropped(debian: Web, keyring: Path, settings: Settings) -> None:
    settings = replace(settings, mirrors={"debian": f"{debian.url}/debian"})
    first = _packages(settings, keyring)
    (folder,) = (settings.cache_folder / "apt").iterdir()
    for path in [*folder.glob("lists/*Packages"), *folder.glob("cache/*.bin")]:
        path.write_bytes(b"\0damaged" * 999)
    with suppress(JobError, SurroundingsError):
        assert _packages(settings, keyring) == first
    assert _packages(settings, keyring) == first


def test_apt_takes_the_next_mirror_and_signs_in(
    debian: Web, keyring: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SITE_TOKEN", f"user:{SECRET}")
    mirror = f"{debian.url}/debian"
    settings = replace(
        settings,
        mirrors={"debian": "https://far.example/debian"},
        rewrites={"https://far.example/debian": ("https://localhost:1/debian", mirror)},
        tokens={debian.host: "SITE_TOKEN"},
    )
    assert _packages(settings, keyring) == ["archive:debian/pool/tool_1_amd64.deb"]
    assert set(debian.logins()) == {f"Basic {base64.b64encode(f'user:{SECRET}'.encode()).decode()}"}


def test_the_engine_is_told_where_the_ca_of_a_registry_goes(engine: Engine, authority: trustme.CA) -> None:
    host = _own_address()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    with web(context, address=host, name=host) as server:
        with pytest.raises(SurroundingsError, match="is not trusted") as caught:
            base._pulled_first(engine, [f"{server.host}/team/base:1"])
        assert server.seen == []
    assert "x509" in caught.value.why
    assert f"/etc/docker/certs.d/{server.host}/ca.crt" in caught.value.fix


def _own_address() -> str:
    """An address of this machine that is not loopback, where Docker Engine does not verify; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        found: str = probe.getsockname()[0]
    return found
