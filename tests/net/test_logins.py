"""Proxies, netrc, tokens and client certificates: each reaches its own host and no message."""

from __future__ import annotations

import base64
import ssl
from dataclasses import replace

import pytest

from builder.errors import InputError, JobError, SurroundingsError
from builder.net.session import Session
from builder.settings import ClientCertificate
from tests.net.web import proxy, web

SECRET = "hunter2-secret"
REFUSED = r"wants a client certificate|connection to localhost breaks"  # the server's word may be lost as it hangs up


def _basic(login: str) -> str:
    return f"Basic {base64.b64encode(login.encode()).decode()}"


def _secretless(error) -> bool:
    return SECRET not in str(error.document()) and _basic(f"user:{SECRET}").split()[1] not in str(error.document())


def test_https_goes_through_the_proxy_unless_no_proxy_names_the_host(tls, make_settings, monkeypatch):
    settings = make_settings()
    with web(tls) as server, proxy(f"user:{SECRET}") as tunnel:
        server.answers["/"] = (200, {}, b"here")
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:{SECRET}@127.0.0.1:{tunnel.port}")
        with Session(settings) as session:
            assert session.get_text(f"{server.url}/", "*/*")[0] == "here"
        assert tunnel.seen == [(server.host, f"user:{SECRET}")]
        monkeypatch.setenv("NO_PROXY", "localhost")
        with Session(settings) as session:
            session.get_text(f"{server.url}/", "*/*")
        assert len(tunnel.seen) == 1, "not asked for a host of NO_PROXY"


def test_a_proxy_that_wants_another_login_is_named_without_it(tls, make_settings, monkeypatch):
    with web(tls) as server, proxy("user:right") as tunnel:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:{SECRET}@127.0.0.1:{tunnel.port}")
        with Session(make_settings()) as session, pytest.raises(SurroundingsError, match="the proxy") as caught:
            session.get_text(f"{server.url}/", "*/*")
        assert len(tunnel.seen) == 1, "a refusal is not asked again"
    assert "407" in caught.value.why
    assert _secretless(caught.value)


def test_a_certificate_behind_a_proxy_is_diagnosed_through_it(tls, make_settings, monkeypatch):
    with web(tls) as server, proxy() as tunnel:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{tunnel.port}")
        with Session(make_settings(ca_bundle=())) as session, pytest.raises(SurroundingsError) as caught:
            session.get_text(f"{server.url}/", "*/*")
        assert [target for target, _ in tunnel.seen] == [server.host] * 2
    assert "OU=Testing CA" in caught.value.why


def test_netrc_signs_in(tls, make_settings, tmp_path):
    settings = make_settings()
    (tmp_path / "netrc").write_text(f"machine localhost login user password {SECRET}\n")
    with web(tls) as server, Session(settings) as session:
        server.answers["/"] = (200, {}, b"here")
        session.get_text(f"{server.url}/", "*/*")
        with pytest.raises(JobError, match="404") as caught:
            session.get_text(f"{server.url}/absent", "*/*")
        assert set(server.logins()) == {_basic(f"user:{SECRET}")}
    assert _secretless(caught.value)


@pytest.mark.parametrize(
    ("value", "header"), [(SECRET, f"Bearer {SECRET}"), (f"user:{SECRET}", _basic(f"user:{SECRET}"))]
)
def test_a_token_reaches_its_host_and_is_dropped_on_the_way_to_another(
    tls, make_settings, monkeypatch, tmp_path, value, header
):
    monkeypatch.setenv("SITE_TOKEN", value)
    with web(tls) as server, web(tls) as other, web(tls, name="other.localhost") as named, web() as plain:
        settings = make_settings(tokens={server.host: "SITE_TOKEN", plain.host: "SITE_TOKEN"})
        for one in (server, other, plain):
            one.answers["/"] = (200, {}, b"here")
        server.answers["/same"] = (302, {"Location": "/"}, b"")
        server.answers["/away"] = (302, {"Location": f"{other.url}/"}, b"")
        server.answers["/back"] = (302, {"Location": f"{other.url}/back"}, b"")
        other.answers["/back"] = (302, {"Location": f"{server.url}/"}, b"")
        with Session(settings) as session:
            session.get_text(f"{server.url}/same", "*/*")
            session.get_text(f"{server.url}/away", "*/*")
            session.get_text(f"{server.url}/back", "*/*")
            session.get_text(f"{plain.url}/", "*/*")
        assert server.logins() == [header] * 5
        assert other.logins() == ["", ""]
        assert plain.logins() == [""], "never without TLS"
        assert named.seen == []


def test_a_missing_or_damaged_token_is_told_by_its_variable(tls, make_settings, monkeypatch):
    with web(tls) as server:
        server.answers["/"] = (401, {}, b"")
        settings = make_settings(tokens={server.host: "SITE_TOKEN"})
        monkeypatch.delenv("SITE_TOKEN", raising=False)
        with Session(settings) as session, pytest.raises(JobError, match="401") as caught:
            session.get_text(f"{server.url}/", "*/*")
        assert caught.value.fix.startswith("set $SITE_TOKEN")
        monkeypatch.setenv("SITE_TOKEN", f"{SECRET}\nX-Evil: 1")
        with Session(settings) as session, pytest.raises(InputError, match=r"\$SITE_TOKEN") as bad:
            session.get_text(f"{server.url}/", "*/*")
        assert _secretless(bad.value)


@pytest.fixture
def client_files(authority, tmp_path):
    leaf = authority.issue_cert("client.example")
    leaf.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "client.pem"))
    return ClientCertificate(cert=tmp_path / "client.pem", key=tmp_path / "client.pem")


def test_a_client_certificate_is_shown_to_its_host_alone(authority, tls, make_settings, client_files):
    tls.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(tls)
    with web(tls) as server, web(tls) as other:
        server.answers["/"] = (200, {}, b"here")
        server.answers["/away"] = (302, {"Location": f"{other.url}/"}, b"")
        without = make_settings(read_timeout=5)
        with (
            Session(without) as session,
            pytest.raises(SurroundingsError, match=REFUSED),
        ):
            session.get_text(f"{server.url}/", "*/*")
        settings = replace(without, client_certificates={server.host: client_files})
        with Session(settings) as session:
            assert session.get_text(f"{server.url}/", "*/*")[0] == "here"
            assert server.certificates[0]
            with pytest.raises(SurroundingsError, match=REFUSED):
                session.get_text(f"{server.url}/away", "*/*")
        assert other.seen == []


def test_a_client_certificate_that_cannot_be_used_is_named(make_settings, tmp_path):
    files = ClientCertificate(cert=tmp_path / "none.pem", key=tmp_path / "none.pem")
    settings = make_settings(client_certificates={"a.example": files})
    with Session(settings) as session, pytest.raises(InputError, match=r"client certificate for a\.example") as caught:
        session.get_text("https://a.example/", "*/*")
    assert caught.value.where == str(files.cert)
