"""What the doctor says of the chains that real servers present, and of the hosts it cannot reach."""

from __future__ import annotations

import datetime
import socket
import ssl

import pytest
import trustme

from builder.errors import InputError
from tests.doctor.conftest import of, serving

NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)


def _pem(authority, path):
    authority.cert_pem.write_to_path(str(path))
    return path


def _index(server) -> str:
    return f"https://localhost:{server.port}/simple"


def _host(server) -> str:
    return f"localhost:{server.port}"


def test_a_private_ca_is_untrusted_until_ca_bundle_names_it(site, ask, authority, tmp_path, monkeypatch):
    with site() as server:
        before = of(ask(_index(server)), "certificate", _host(server))
        monkeypatch.setenv("CA_BUNDLE", str(_pem(authority, tmp_path / "root.pem")))
        report = ask(_index(server))
    root = before.figures["chain"][0]["issuer"]
    assert before.state == "bad"
    assert before.figures["trusted"] is False
    assert "export CA_BUNDLE=FILE" in before.fix
    assert root in before.fix, "a CA without a common name is named whole"
    after = of(report, "certificate", _host(server))
    assert after.state == "good"
    assert after.figures["root_files"] == [str(tmp_path / "root.pem")]
    assert after.figures["public"] is False
    assert f"CA_BUNDLE ({tmp_path / 'root.pem'})" in after.message
    assert [one.message for one in report.diagnoses if one.check == "answer" and one.subject == _host(server)] == [
        "the default index: 200 OK",
        "files of the default index: 200 OK",
    ]
    assert not report.bad


def test_what_follows_an_untrusted_certificate_is_unknown_and_not_asked(site, ask):
    with site() as server:
        report = ask(_index(server))
        assert of(report, "answer", _host(server)).state == "unknown"
        assert server.asked == [], "no request goes to a server that is not trusted"


def test_an_expired_certificate_is_not_blamed_on_its_issuer(site, ask, authority, tmp_path, monkeypatch):
    monkeypatch.setenv("CA_BUNDLE", str(_pem(authority, tmp_path / "root.pem")))
    with site(authority.issue_cert("localhost", not_before=NOW - 9 * DAY, not_after=NOW - DAY)) as server:
        found = of(ask(_index(server)), "certificate", _host(server))
    assert found.state == "bad"
    assert "expired" in found.message
    assert "renew" in found.fix
    assert "CA_BUNDLE" not in found.fix


def test_a_certificate_of_tomorrow_is_blamed_on_the_clock(site, ask, authority, tmp_path, monkeypatch):
    monkeypatch.setenv("CA_BUNDLE", str(_pem(authority, tmp_path / "root.pem")))
    with site(authority.issue_cert("localhost", not_before=NOW + DAY, not_after=NOW + 9 * DAY)) as server:
        found = of(ask(_index(server)), "certificate", _host(server))
    assert found.state == "bad"
    assert found.fix.startswith("set this machine's clock: it says 2")


def test_a_certificate_for_another_name_names_both(site, ask, authority, tmp_path, monkeypatch):
    monkeypatch.setenv("CA_BUNDLE", str(_pem(authority, tmp_path / "root.pem")))
    with site(authority.issue_cert("other.example")) as server:
        found = of(ask(_index(server)), "certificate", _host(server))
    assert found.state == "bad"
    assert "other.example" in found.message
    assert "the name localhost" in found.fix
    assert "CA_BUNDLE" not in found.fix


def test_a_missing_intermediate_is_named(site, ask, authority, tmp_path, monkeypatch):
    monkeypatch.setenv("CA_BUNDLE", str(_pem(authority, tmp_path / "root.pem")))
    leaf = authority.create_child_ca().issue_cert("localhost")
    with site(leaf) as server:
        assert of(ask(_index(server)), "certificate", _host(server)).state == "good", "with its intermediate"
    with site(leaf, above=[]) as server:
        found = of(ask(_index(server)), "certificate", _host(server))
    assert found.state == "bad"
    assert len(found.figures["chain"]) == 1
    assert "have the server send its intermediate certificate" in found.fix
    assert found.figures["interceptor"] is None, "nobody can tell from one certificate"


def test_a_refused_connection_says_so(ask):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    found = of(ask(f"https://localhost:{port}/simple"), "certificate", f"localhost:{port}")
    assert found.state == "bad"
    assert "refuses the connection" in found.message


def test_a_server_without_tls_on_the_port_says_so(ask):
    with serving(None) as server:
        found = of(ask(_index(server)), "certificate", _host(server))
    assert found.state == "bad"
    assert "handshake" in found.message


def test_a_name_that_does_not_resolve_ends_the_looking(ask):
    report = ask("https://nowhere.invalid/simple")
    found = of(report, "name", "nowhere.invalid")
    assert found.state == "bad"
    assert "nowhere.invalid" in found.message
    assert "name servers" in found.fix
    assert of(report, "certificate", "nowhere.invalid").state == "unknown"
    assert of(report, "answer", "nowhere.invalid").state == "unknown"


def test_save_root_saves_what_was_presented_and_trusts_nothing(site, ask, authority, tmp_path, monkeypatch):
    target = tmp_path / "presented.pem"
    with site(above=[authority.cert_pem]) as server:
        report = ask(_index(server), save_root=target)
        assert report.saved == target
        text = target.read_text()
        again = of(ask(_index(server)), "certificate", _host(server))
        with pytest.raises(InputError, match="there already"):
            ask(_index(server), save_root=target)
        assert target.read_text() == text
        monkeypatch.setenv("CA_BUNDLE", str(target))
        shown = of(ask(_index(server)), "certificate", _host(server))
    assert again.state == "bad", "saving trusts nothing"
    assert ssl.PEM_cert_to_DER_cert(text[text.index("-----BEGIN") :]) == ssl.PEM_cert_to_DER_cert(
        authority.cert_pem.bytes().decode()
    )
    assert f"presented by {_host(server)}; not trusted" in text
    assert shown.state == "good", "what was saved is what CA_BUNDLE needs, once a user decides so"


def test_save_root_writes_nothing_where_all_is_trusted_or_only_expired(site, ask, authority, tmp_path, monkeypatch):
    monkeypatch.setenv("CA_BUNDLE", str(_pem(authority, tmp_path / "root.pem")))
    target = tmp_path / "presented.pem"
    with site(authority.issue_cert("localhost", not_before=NOW - 9 * DAY, not_after=NOW - DAY)) as server:
        assert ask(_index(server), save_root=target).saved is None
    assert not target.exists()
    assert [item.name for item in tmp_path.iterdir() if "presented" in item.name] == []


def test_two_chains_are_both_told_of_and_saved(site, ask, authority, tmp_path):
    other = trustme.CA()
    with site() as one, site(other.issue_cert("localhost")) as two:
        extra = f"sources: [{{git: 'https://localhost:{two.port}/a', commit: {'a' * 40}, into: /workspace}}]"
        report = ask(_index(one), extra=extra, save_root=tmp_path / "presented.pem")
    assert {diagnosis.subject for diagnosis in report.bad} == {_host(one), _host(two)}
    text = (tmp_path / "presented.pem").read_text()
    assert text.count("BEGIN CERTIFICATE") == 2
    assert text.count("note: its root was not presented") == 2, "these servers send their own certificate alone"
