"""Proxies, answers, redirects, mirrors, the settings in force; and no secret in anything that is said."""

from __future__ import annotations

import json
import socket
import threading

import pytest

from builder.doctor import parallel
from builder.errors import InputError
from tests.conftest import cli, document, write_stack
from tests.doctor.conftest import of


@pytest.fixture(autouse=True)
def trusted(authority, tmp_path, monkeypatch, ask):
    """Set after `ask` has cleared the environment."""
    authority.cert_pem.write_to_path(str(tmp_path / "root.pem"))
    monkeypatch.setenv("CA_BUNDLE", str(tmp_path / "root.pem"))


def _index(server) -> str:
    return f"https://localhost:{server.port}/simple"


def _weight(url: str) -> str:
    return f"weights: [{{url: '{url}', sha256: {'ab' * 32}, into: /workspace/weights}}]"


def _host(server) -> str:
    return f"localhost:{server.port}"


def test_a_proxy_is_used_and_named_without_its_login(site, ask, proxy, monkeypatch, authority):
    monkeypatch.setenv("https_proxy", f"http://user:PROXY-s3cret@127.0.0.1:{proxy.port}")
    with site(authority.issue_cert("far.invalid")) as server:
        report = ask(f"https://far.invalid:{server.port}/simple")
    named = of(report, "name", f"far.invalid:{server.port}")
    assert named.state == "good", "the proxy resolves the name, not this machine"
    assert named.figures["proxy"] == f"127.0.0.1:{proxy.port}"
    assert of(report, "certificate", f"far.invalid:{server.port}").figures["trusted"] is True
    assert not report.bad
    assert set(proxy.through) == {f"far.invalid:{server.port}"}
    assert "s3cret" not in json.dumps(report.document())


def test_a_proxy_that_wants_a_login_is_the_one_to_blame(site, ask, proxy, monkeypatch):
    monkeypatch.setenv("https_proxy", f"http://user:LOGIN-s3cret@127.0.0.1:{proxy.port}")
    with site() as server:
        report = ask(f"https://far.invalid:{server.port}/simple")
    found = of(report, "certificate", f"far.invalid:{server.port}")
    assert found.state == "bad"
    assert f"the proxy 127.0.0.1:{proxy.port} does not let us through: 407" in found.message
    assert "https_proxy" in found.fix
    assert "s3cret" not in json.dumps(report.document())


def test_what_an_extension_downloads_is_asked_for_too(site, ask):
    with site() as server:
        server.statuses["/parts/zlib.zip"] = 404
        url = f"https://localhost:{server.port}/parts/zlib.zip"
        extension = (
            f"git: https://localhost:{server.port}/x, commit: {'a' * 40}, downloads: [{{url: '{url}', into: parts}}]"
        )
        report = ask(_index(server), extra=f"extensions: [{{name: x, compiled: [x], {extension}}}]")
    assert [one.message for one in report.bad] == ["download: 404 Not Found"]


def test_a_mirror_stands_for_the_address_and_its_status_is_told(site, ask, tmp_path):
    with site() as server:
        server.statuses["/hub/resolve/model.bin"] = 404
        rule = f'"https://hub.invalid" = "https://localhost:{server.port}/hub"'
        (tmp_path / "modelstacks.toml").write_text(f"[rewrites]\n{rule}\n")
        weight = _weight("https://hub.invalid/resolve/model.bin")
        report = ask(_index(server), extra=weight)
    assert {one.subject for one in report.diagnoses if one.check == "answer"} >= {_host(server)}
    (found,) = report.bad
    assert found.message == "weights: 404 Not Found"
    assert found.figures["url"].endswith("/hub/resolve/model.bin")
    assert ("HEAD", "/hub/resolve/model.bin", "") in server.asked
    setting = next(one for one in report.settings if one.name == "rewrites.https://hub.invalid")
    assert setting.value == f"https://localhost:{server.port}/hub"
    assert setting.source == f"{tmp_path / 'modelstacks.toml'}:2"


def test_a_redirect_to_another_host_has_that_host_looked_at_too(site, ask, authority):
    with site() as server, site() as behind:
        signed = f"https://localhost:{behind.port}/blob?sig=QUERY-s3cret"
        server.leads_to["/weights/model.bin"] = signed
        weight = _weight(f"https://localhost:{server.port}/weights/model.bin")
        report = ask(_index(server), extra=weight)
    assert of(report, "answer", _host(behind)).message == "weights: 200 OK"
    assert of(report, "certificate", _host(behind)).state == "good"
    assert "s3cret" not in json.dumps(report.document())


def test_a_redirect_to_plain_http_is_bad(site, ask):
    with site() as server:
        server.leads_to["/weights/model.bin"] = "http://localhost/model.bin"
        weight = _weight(f"https://localhost:{server.port}/weights/model.bin")
        report = ask(_index(server), extra=weight)
    (found,) = report.bad
    assert "without TLS" in found.message


def test_plain_http_is_told_apart_from_tls(ask, archive, site):
    with site() as server:
        report = ask(_index(server))
    found = of(report, "certificate", archive.removeprefix("http://").removesuffix("/debian"))
    assert found.figures["trusted"] is None
    assert "plain http" in found.message


def test_a_token_is_sent_to_its_host_and_said_nowhere(site, ask, authority, tmp_path, monkeypatch, archive):
    secret = "TOKEN-s3cret"
    with site() as server:
        server.statuses["/simple/pip/"] = 401
        (tmp_path / "modelstacks.toml").write_text(f'[tokens]\n"localhost:{server.port}" = "SITE_TOKEN"\n')
        monkeypatch.setenv("SITE_TOKEN", secret)
        index = f"https://user:LOGIN-s3cret@localhost:{server.port}/simple"
        report = ask(index)
        assert f"Bearer {secret}" in {login for _, _, login in server.asked}
        (found,) = report.bad
        assert "check the token in $SITE_TOKEN" in found.fix
        env = {"MODELSTACKS_HOME": str(tmp_path), "https_proxy": "", "http_proxy": ""}
        done = cli("--json", "--stacks", str(tmp_path / "stacks"), "doctor", "mine", env=env)
    said = done.stdout + done.stderr
    assert document(done, code=3)["diagnoses"]
    assert {one["name"]: one["value"] for one in document(done, code=3)["settings"]}[
        f"tokens.localhost:{server.port}"
    ] == "$SITE_TOKEN, set"
    assert "s3cret" not in said
    assert "https://localhost" in said, "the index is shown, without its login"


def test_the_command_ends_with_0_where_all_is_good_and_3_where_something_is_bad(site, ask, tmp_path):
    write_stack(tmp_path / "stacks", "mine", packages=["six==1.17.0"])
    words = ("--stacks", str(tmp_path / "stacks"), "doctor", "--only", "network", "mine")
    with site() as server:
        good = cli("--json", *words, env={"MODELSTACKS_INDEX": _index(server)})
        assert {one["state"] for one in document(good)["diagnoses"]} == {"good"}
        bad = cli(*words, env={"MODELSTACKS_INDEX": _index(server), "CA_BUNDLE": ""})
    assert bad.returncode == 3
    assert f"to do (localhost:{server.port}): export CA_BUNDLE=FILE" in bad.stdout
    assert "settings in force" in bad.stdout


def test_an_existing_file_is_refused_before_anything_is_asked(site, ask, tmp_path):
    (tmp_path / "there.pem").write_text("mine")
    with site() as server, pytest.raises(InputError, match="there already"):
        ask(_index(server), save_root=tmp_path / "there.pem")
    assert server.asked == []
    assert (tmp_path / "there.pem").read_text() == "mine"


def test_a_server_that_never_answers_is_given_up(ask, tmp_path, monkeypatch):
    monkeypatch.setenv("MODELSTACKS_CONNECT_TIMEOUT", "0.3")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        found = of(ask(f"https://localhost:{port}/simple"), "certificate", f"localhost:{port}")
    assert found.state == "bad"
    assert "does not answer in time" in found.message


def test_a_registry_may_ask_for_a_login_and_its_ca_has_a_second_place(
    site, ask, proxy, monkeypatch, authority, tmp_path
):
    monkeypatch.setenv("https_proxy", f"http://user:PROXY-s3cret@127.0.0.1:{proxy.port}")
    with site(authority.issue_cert("registry.invalid", "index.invalid", "tokens.invalid")) as server:
        server.statuses["/v2/"] = 401
        server.challenge = f'Bearer realm="https://tokens.invalid:{server.port}/token",service="r"'
        host = f"registry.invalid:{server.port}"
        (tmp_path / "stacks" / "families").mkdir(parents=True)
        (tmp_path / "stacks" / "families" / "imaged.yaml").write_text(
            f'summary: an image\nbase: {{image: "{host}/base:1", glibc: "2.36"}}\npython: "3.11"\n'
        )
        (tmp_path / "stacks" / "imaged").mkdir()
        (tmp_path / "stacks" / "imaged" / "stack.yaml").write_text("summary: mine\nfamily: imaged\npackages: []\n")
        trusted = ask(f"https://index.invalid:{server.port}/simple", names=["imaged"])
        monkeypatch.delenv("CA_BUNDLE")
        untrusted = ask(f"https://index.invalid:{server.port}/simple", names=["imaged"])
    assert not trusted.bad
    assert "401" in of(trusted, "answer", host).message
    assert of(trusted, "answer", f"tokens.invalid:{server.port}").state == "good", "its token server is needed as well"
    place = f"/etc/docker/certs.d/{host}/ca.crt"
    assert place in of(trusted, "certificate", host).message, "the engine does not read CA_BUNDLE"
    assert place in of(untrusted, "certificate", host).fix
    assert place not in of(untrusted, "certificate", f"index.invalid:{server.port}").fix


def test_the_files_of_an_index_are_looked_for_where_the_mirrors_have_them(site, ask, tmp_path):
    with site() as server, site() as files:
        rules = f'"https://localhost:{server.port}/files" = "https://localhost:{files.port}/kept"'
        (tmp_path / "modelstacks.toml").write_text(f"[rewrites]\n{rules}\n")
        report = ask(_index(server))
    assert of(report, "answer", _host(files)).message == "files of the default index: 200 OK"
    assert not report.bad


def test_a_job_that_hangs_keeps_nobody_from_going_on():
    held, ended = threading.Event(), {}
    try:
        done = parallel.run(
            [lambda: 1, held.wait, lambda: 3], 0.5, lambda number, result: ended.update({number: result})
        )
    finally:
        held.set()
    assert done == [1, None, 3]
    assert ended == {0: 1, 1: None, 2: 3}


@pytest.mark.parametrize("target", ["https://a\x1bb/model.bin", "https://a\x1b[2Jb/model.bin", "https://h:70000/m"])
def test_a_redirect_to_what_cannot_be_an_address_is_not_followed(site, ask, target):
    with site() as server:
        server.leads_to["/weights/model.bin"] = target
        report = ask(_index(server), extra=_weight(f"https://localhost:{server.port}/weights/model.bin"))
    (found,) = report.bad
    assert found.message == "weights: it leads to what is no http(s) address"
    assert "\x1b" not in json.dumps(report.document(), ensure_ascii=False)


def test_a_client_certificate_of_the_settings_is_shown_and_told_of(site, ask, authority, tmp_path):
    authority.issue_cert("me.example").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "me.pem"))
    with site(clients=authority) as server:
        without = of(ask(_index(server)), "certificate", _host(server))
        table = f'[client-certificates]\n"{_host(server)}" = {{cert = "me.pem"}}\n'
        (tmp_path / "modelstacks.toml").write_text(table)
        report = ask(_index(server))
    assert without.state == "bad"
    assert "client certificate" in without.fix
    assert not report.bad
    setting = next(one for one in report.settings if one.name == f"client-certificates.{_host(server)}")
    assert (setting.value, setting.source) == (str(tmp_path / "me.pem"), f"{tmp_path / 'modelstacks.toml'}:2")
