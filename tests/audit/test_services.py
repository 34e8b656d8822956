"""The two services: over real TLS with a private CA, and the index that is reached from here as it is."""

from __future__ import annotations

import json
import ssl
import threading
from email.message import Message
from pathlib import Path

import pytest
import trustme

from builder.audit.model import Advisory, Package, Unasked, Unknown, merged
from builder.audit.services import ask
from builder.errors import ModelstacksError
from builder.net.index import default_index
from builder.net.session import Session
from builder.settings import load
from tests.audit.conftest import ALPHA, BETA, advisory
from tests.bundle.conftest import Site
from tests.conftest import cli
from tests.net.conftest import MakeSettings
from tests.net.web import Answer, Web, web

OSV = "https://api.osv.dev"
ALPHA1, BETA1, GAMMA1 = Package("alpha", "1.0+cu128"), Package("beta", "2"), Package("gamma", "3")
SECRET = "hunter2-of-the-index"


def quiet(_: str) -> None:
    pass


def page(value: object, status: int = 200) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


def known(*rows: dict[str, object]) -> Answer:
    return page({"info": {}, "vulnerabilities": list(rows)})


def row(one: str, *aliases: str, **more: object) -> dict[str, object]:
    usual = {"id": one, "aliases": list(aliases), "fixed_in": ["2.0", "1.5"], "summary": None, "details": "odd"}
    return {**usual, "withdrawn": None, **more}


def osv(served: Web, by_name: dict[str, list[dict[str, object]]]) -> None:
    """Have a server answer as OSV's query API, of which a client asks one thing at a time."""

    def answer(_: Message) -> Answer:
        return page({"vulns": by_name[json.loads(served.posted[-1])["package"]["name"]]})

    served.answers["/v1/query"] = answer


def test_the_index_is_asked_for_the_public_version(make_settings: MakeSettings, tls: ssl.SSLContext) -> None:
    with web(tls) as served:
        served.answers["/pypi/alpha/1.0/json"] = known(
            row(ALPHA, "CVE-2026-1"), row(BETA, "CVE-2026-1"), row("PYSEC-2026-9", withdrawn="2026-01-01T00:00:00Z")
        )
        served.answers["/pypi/beta/2/json"] = known()
        settings = make_settings(index=f"{served.url}/simple")
        answers, asked = ask([ALPHA1, BETA1, GAMMA1], "index", settings, quiet)
    assert asked == ["index"]
    found = answers[ALPHA1]
    assert isinstance(found, list)
    assert merged(found) == [Advisory(ids=("CVE-2026-1", BETA, ALPHA), summary="odd", fixed=("1.5", "2.0"))]
    assert answers[BETA1] == []
    assert answers[GAMMA1] == Unknown()


def test_a_mirror_that_knows_the_latest_release_alone_is_not_taken_for_good_news(
    make_settings: MakeSettings, tls: ssl.SSLContext
) -> None:
    with web(tls) as served:
        project = {"info": {"version": "3.0"}, "releases": {"2.0": [], "3.0": []}, "vulnerabilities": [row(BETA)]}
        served.answers["/pypi/beta/json"] = served.answers["/pypi/gamma/json"] = page(project)
        answers, _ = ask([BETA1, GAMMA1], "index", make_settings(index=f"{served.url}/simple"), quiet)
    unasked = answers[BETA1]
    assert isinstance(unasked, Unasked)
    assert "latest release alone" in unasked.why
    assert answers[GAMMA1] == [Advisory.of([BETA], "odd", ["1.5", "2.0"])]


def test_osv_is_asked_over_tls_page_by_page(make_settings: MakeSettings, tls: ssl.SSLContext) -> None:
    with web(tls) as served:

        def answer(_: Message) -> Answer:
            query = json.loads(served.posted[-1])
            assert query["package"] == {"name": "alpha", "ecosystem": "PyPI"}
            assert query["version"] == "1.0"
            if "page_token" in query:
                gone = advisory("alpha", "GHSA-gone-gone-gone", withdrawn="2026-01-01T00:00:00Z")
                return page({"vulns": [advisory("alpha", BETA, "CVE-2026-2", fixed="1.5"), gone]})
            return page({"vulns": [advisory("alpha", ALPHA)], "next_page_token": "more"})

        served.answers["/v1/query"] = answer
        answers, asked = ask([ALPHA1], "osv", make_settings(rewrites={OSV: (served.url,)}), quiet)
    assert asked == ["osv"]
    assert [one.ids for one in answers[ALPHA1]] == [(ALPHA,), ("CVE-2026-2", BETA)]  # type: ignore[union-attr]
    assert len(served.posted) == 2


def test_osv_is_asked_for_what_the_index_cannot_tell(make_settings: MakeSettings, tls: ssl.SSLContext) -> None:
    with web(tls) as index, web(tls) as served:
        index.answers["/pypi/alpha/1.0/json"] = known()
        index.answers["/pypi/beta/json"] = page({"info": {"version": "3"}, "releases": {"2": []}})
        osv(served, {"beta": [advisory("beta", BETA, fixed="3")]})
        settings = make_settings(index=f"{index.url}/simple", rewrites={OSV: (served.url,)}, jobs=1)
        answers, asked = ask([ALPHA1, BETA1], "auto", settings, quiet)
    assert asked == ["index", "osv"]
    assert answers[ALPHA1] == []
    assert [one.ids for one in answers[BETA1]] == [(BETA,)]  # type: ignore[union-attr]
    assert len(served.posted) == 1  # what the index answered is asked of no one else


@pytest.mark.parametrize(
    "value",
    [
        [],
        {"vulnerabilities": 3},
        {"vulnerabilities": [{"id": "X-1"}]},
        {"vulnerabilities": [row("X", fixed_in=["odd one"])]},
    ],
    ids=["list", "number", "no-aliases", "no-version"],
)
def test_an_answer_that_is_none_is_never_good_news(
    value: object, make_settings: MakeSettings, tls: ssl.SSLContext
) -> None:
    with web(tls) as served:
        served.answers["/pypi/beta/2/json"] = page(value)
        answers, asked = ask([BETA1], "index", make_settings(index=f"{served.url}/simple"), quiet)
    assert asked == []
    assert isinstance(answers[BETA1], Unasked)


def test_a_server_that_is_not_trusted_is_asked_once_and_told(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    with web(context) as served:
        many = [Package(f"p{number}", "1") for number in range(50)]
        answers, asked = ask(many, "index", make_settings(index=f"{served.url}/simple"), quiet)
    assert (asked, served.seen) == ([], [])
    assert all(isinstance(one, Unasked) and "not trusted" in one.why for one in answers.values())


def test_secrets_stay_out_of_all_that_is_said(
    here: Site, authority: trustme.CA, tls: ssl.SSLContext, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with web(tls) as served:
        host = served.host
        (tmp_path / "netrc").write_text(f"machine localhost login me password {SECRET}\n")
        (here.home / "modelstacks.toml").parent.mkdir(exist_ok=True)
        environment = {
            **here.environment,
            "CA_BUNDLE": str(tmp_path / "ca.pem"),
            "NETRC": str(tmp_path / "netrc"),
            "MODELSTACKS_INDEX": f"https://me:{SECRET}@{host}/simple",
            "MODELSTACKS_TEST_TOKEN": SECRET,
            "no_proxy": "localhost",
        }
        served.answers["/pypi/alpha/1/json"] = known(row(ALPHA))
        served.answers["/pypi/beta/1/json"] = page({}, status=403)
        done = cli("--json", "audit", "mini", "--service", "index", env=environment)
        logins = served.logins()
    assert done.returncode == 1, done.stderr
    assert "answers 403" in done.stderr
    assert any(logins)  # it was signed in with, and
    assert SECRET not in done.stdout + done.stderr
    assert logins[0].split()[1] not in done.stdout + done.stderr


def test_the_index_that_is_reached_from_here_knows_a_release_that_has_vulnerabilities() -> None:
    settings = load()
    try:
        with Session(settings, stopping=threading.Event()) as session:
            session.read("GET", default_index(settings).removesuffix("/simple") + "/pypi/pycrypto/json", {})
    except ModelstacksError as error:
        pytest.skip(f"the default index's JSON API is not reached: {error}")
    answers, _ = ask([Package("pycrypto", "2.6.1"), Package("six", "1.17.0")], "index", settings, quiet)
    found = answers[Package("pycrypto", "2.6.1")]
    assert isinstance(found, list)
    assert len(found) >= 4
    ids = [one.ids for one in merged(found)]
    assert ("CVE-2018-6594", "PYSEC-2018-97", "GHSA-6528-wvf6-f6qg") in ids
    assert len(ids) < len(found)  # each under PYSEC's name and GitHub's
    assert answers[Package("six", "1.17.0")] == []
