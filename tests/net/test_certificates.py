"""Certificates that must not be trusted, each refused with what is wrong with it and who issued it."""

from __future__ import annotations

import ssl
from datetime import datetime, timedelta, timezone

import pytest
import trustme

from builder.errors import SurroundingsError
from builder.net.chain import presented
from builder.net.session import Session
from tests.net.conftest import server_context
from tests.net.web import web

NOW = datetime.now(timezone.utc)


def _refusal(context: ssl.SSLContext, settings) -> SurroundingsError:
    with web(context) as server, Session(settings) as session:
        with pytest.raises(SurroundingsError, match="the certificate of localhost is not trusted") as caught:
            session.get_text(f"{server.url}/", "*/*")
        assert server.seen == [], "nothing was asked before the certificate was judged"
    return caught.value


def test_without_the_ca_it_fails_and_with_it_it_passes(tls, make_settings):
    refusal = _refusal(tls, make_settings(ca_bundle=()))
    assert "OU=Testing CA" in refusal.why, "the issuer is named"
    assert "export CA_BUNDLE=FILE" in refusal.fix
    with web(tls) as server, Session(make_settings()) as session:
        server.answers["/"] = (200, {}, b"here")
        assert session.get_text(f"{server.url}/", "*/*")[0] == "here"


def test_an_expired_certificate(authority, make_settings):
    leaf = authority.issue_cert("localhost", not_before=NOW - timedelta(9), not_after=NOW - timedelta(2))
    refusal = _refusal(server_context(leaf), make_settings())
    assert "certificate has expired" in refusal.why
    assert f"expired on {NOW - timedelta(2):%Y-%m-%d}" in refusal.why
    assert "renew" in refusal.fix


def test_a_certificate_of_tomorrow(authority, make_settings):
    leaf = authority.issue_cert("localhost", not_before=NOW + timedelta(1), not_after=NOW + timedelta(2))
    refusal = _refusal(server_context(leaf), make_settings())
    assert "not yet valid" in refusal.why
    assert "clock" in refusal.fix


def test_a_certificate_for_another_host(authority, make_settings):
    refusal = _refusal(server_context(authority.issue_cert("elsewhere.example")), make_settings())
    assert "it is for elsewhere.example, not for localhost" in refusal.why
    assert "use the name" in refusal.fix


def test_a_missing_intermediate(authority, make_settings):
    child = authority.create_child_ca()
    leaf = child.issue_cert("localhost")
    whole = server_context(leaf)
    with web(whole) as server, Session(make_settings()) as session:
        server.answers["/"] = (200, {}, b"here")
        assert session.get_text(f"{server.url}/", "*/*")[0] == "here", "with the intermediate it is trusted"
    alone = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with leaf.private_key_pem.tempfile() as key, leaf.cert_chain_pems[0].tempfile() as certificate:
        alone.load_cert_chain(certificate, key)
    refusal = _refusal(alone, make_settings())
    assert "unable to get local issuer certificate" in refusal.why
    assert "the chain ends below" in refusal.why
    assert "send its intermediate certificates" in refusal.fix


def test_an_interceptor_whose_ca_is_absent(make_settings):
    interceptor = trustme.CA(organization_name="Corporate Inspection", organization_unit_name="Proxy Root")
    refusal = _refusal(server_context(interceptor.issue_cert("localhost")), make_settings())
    assert "O=Corporate Inspection" in refusal.why
    assert "Proxy Root" in refusal.fix, "the certificate to ask the administrator for is named"


def test_a_self_signed_certificate(make_settings, tmp_path):
    own = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with own.cert_pem.tempfile() as certificate, own.private_key_pem.tempfile() as key:
        context.load_cert_chain(certificate, key)
    refusal = _refusal(context, make_settings())
    assert "self-signed certificate" in refusal.why


def test_the_presented_chain_is_read_without_a_request(authority, make_settings):
    leaf = authority.create_child_ca().issue_cert("localhost")
    with web(server_context(leaf)) as server:
        chain = presented("localhost", int(server.host.rpartition(":")[2]), make_settings(ca_bundle=()))
        assert server.seen == []
    assert [one.der for one in chain[:2]] == [
        ssl.PEM_cert_to_DER_cert(pem.bytes().decode()) for pem in leaf.cert_chain_pems
    ]
    assert chain[0].names == ("localhost",)
    assert [one.ca for one in chain[:2]] == [False, True]


def test_a_port_without_tls_is_said_to_show_none(make_settings):
    with web() as server, pytest.raises(SurroundingsError, match="shows no certificate"):
        presented("localhost", int(server.host.rpartition(":")[2]), make_settings())
