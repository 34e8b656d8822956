"""TLS=hash-locked: what is held to a locked hash may come unverified, and no credential goes along."""

from __future__ import annotations

import re
import ssl

import pytest
import trustme

from builder.errors import SurroundingsError
from builder.net.session import Session
from builder.settings import ClientCertificate
from tests.conftest import REPO
from tests.net.conftest import server_context
from tests.net.web import proxy, web


def test_no_code_switches_verification_off():
    words = r"verify\s*=\s*False|curl\s+(-\w*k|--insecure)|--trusted-host|PYTHONHTTPSVERIFY|_create_unverified_context"
    files = [path for folder in ("builder", "templates", "tools") for path in (REPO / folder).rglob("*")]
    texts = {path: path.read_text() for path in files if path.is_file() and path.suffix != ".pyc"}
    assert len(texts) > 50
    assert [str(path) for path, text in texts.items() if re.search(words, text)] == []


@pytest.fixture
def stranger():
    """A server's context that nobody trusts; takes a client certificate if one is shown."""
    return server_context(trustme.CA().issue_cert("localhost"))


@pytest.fixture
def said():
    return []


def test_it_is_off_by_default_and_off_for_all_that_is_not_locked(stranger, make_settings):
    with web(stranger) as server:
        for settings, locked in ((make_settings(), True), (make_settings(tls="hash-locked"), False)):
            with Session(settings, locked=locked) as session:
                with pytest.raises(SurroundingsError, match="not trusted"):
                    session.get_text(f"{server.url}/", "*/*")
                with pytest.raises(SurroundingsError, match="not trusted"), session.stream(f"{server.url}/"):
                    pass
        assert server.seen == []


def test_a_locked_file_comes_without_any_credential(authority, stranger, make_settings, monkeypatch, tmp_path, said):
    leaf = authority.issue_cert("client.example")
    leaf.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "client.pem"))
    files = ClientCertificate(cert=tmp_path / "client.pem", key=tmp_path / "client.pem")
    monkeypatch.setenv("SITE_TOKEN", "hunter2")
    stranger.verify_mode = ssl.CERT_OPTIONAL
    authority.configure_trust(stranger)
    with web(stranger) as server, proxy() as tunnel:
        settings = make_settings(
            tls="hash-locked", tokens={server.host: "SITE_TOKEN"}, client_certificates={server.host: files}
        )
        (tmp_path / "netrc").write_text("machine localhost login user password hunter2\n")
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{tunnel.port}")
        server.answers["/"] = (200, {"Set-Cookie": "id=1; Path=/"}, b"here")
        server.answers["/away"] = (302, {"Location": "/", "Set-Cookie": "id=2; Path=/"}, b"")
        with Session(settings, locked=True, warn=said.append) as session:
            for path in ("/", "/away"):
                with session.stream(f"https://user:hunter2@{server.host}{path}") as body:
                    assert b"".join(body.chunks) == b"here"
        assert [target for target, _ in tunnel.seen if target != server.host] == [], "proxies are still used"
        assert tunnel.seen
        assert len(server.seen) == 3
        names = {name.lower() for _, headers in server.seen for name in headers}
        assert names <= {"host", "user-agent", "accept-encoding", "accept", "connection"}
        assert "hunter2" not in str(server.seen)
        assert server.certificates == [None] * 3
    assert len(said) == 1
    assert "is not trusted" in said[0]
    assert "hunter2" not in said[0]


def test_a_trusted_server_is_verified_and_signed_in_to_as_ever(tls, make_settings, monkeypatch, said):
    monkeypatch.setenv("SITE_TOKEN", "hunter2")
    with web(tls) as server:
        server.answers["/"] = (200, {}, b"here")
        settings = make_settings(tls="hash-locked", tokens={server.host: "SITE_TOKEN"})
        with Session(settings, locked=True, warn=said.append) as session, session.stream(f"{server.url}/") as body:
            assert b"".join(body.chunks) == b"here"
        assert server.logins() == ["Bearer hunter2"]
    assert said == []
