"""Logins as `docker login` leaves them, at a real registry with tokens: in its file, by helpers on PATH, as identity
tokens; and none of it in what is said."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from builder.errors import InputError, ModelstacksError, SurroundingsError
from builder.registry import Connection, Descriptor, Repository
from builder.registry.logins import login
from builder.registry.upload import push
from builder.settings import Settings, load
from tests.registry import registry
from tests.tokens import Tokens, token_server

USER, PASSWORD, IDENTITY = "somebody", "hunter2-of-a-helper", "hunter2-an-identity-token"
BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
DATA = b"some bytes"
BLOB = Descriptor.of("application/octet-stream", DATA)
# As helpers speak: a host on standard input, JSON on standard output; what it lacks is said there too, with code 1.
HELPER = """#!/bin/sh
read host
echo "$1 $host" >> {log}
[ "$host" = "{address}" ] && cat {answer} && exit 0
echo "credentials not found in native keychain"
exit 1
"""


def _allowed(asked: BaseHTTPRequestHandler, form: dict[str, list[str]]) -> bool:
    """Nothing but the password, or the identity token as OAuth 2 has it."""
    if asked.command == "GET":
        return asked.headers.get("Authorization") == f"Basic {BASIC}"
    good = form["grant_type"] == ["refresh_token"] and form["refresh_token"] == [IDENTITY]
    return good and "Authorization" not in asked.headers


class Site:
    """A registry that wants tokens, and one's own docker folder with helpers on PATH."""

    def __init__(self, folder: Path, address: str, tokens: Tokens) -> None:
        self.folder, self.address, self.tokens = folder, address, tokens

    def config(self, **words: object) -> None:
        (self.folder / "config.json").write_text(json.dumps(words))

    def helper(self, name: str, answer: str) -> None:
        (self.folder / f"{name}.json").write_text(answer)
        script = self.folder / f"docker-credential-{name}"
        values = {"log": self.folder / "asked", "address": self.address, "answer": self.folder / f"{name}.json"}
        script.write_text(HELPER.format(**values))
        script.chmod(0o755)

    def push(self) -> str:
        """Push a blob; gives how the token was asked for."""
        with Connection(self.address, load()) as connection:
            assert push(Repository(connection, "team/x", writes=True), BLOB, DATA).outcome == "sent"
        return self.tokens.asked[-1].partition(" ")[0]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("NETRC", "/nonexistent")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    tokens = Tokens(tmp_path)
    with token_server(tokens, _allowed, field="access_token", refusal=PASSWORD) as realm:
        auth = f'{{realm: "{realm}", service: small, issuer: tokens, rootcertbundle: "{tokens.bundle}"}}'
        with registry(tmp_path, more=f"auth: {{token: {auth}}}") as address:
            yield Site(tmp_path, address, tokens)


def _known(user: str, secret: str) -> str:
    return json.dumps({"ServerURL": "x", "Username": user, "Secret": secret})


def test_a_helper_for_this_registry(site: Site) -> None:
    """It goes before the store of all and before the file, as docker has it."""
    site.helper("own", _known(USER, PASSWORD))
    site.helper("all", _known(USER, "another"))
    auths = {site.address: {"auth": base64.b64encode(b"a:b").decode()}}
    site.config(auths=auths, credsStore="all", credHelpers={site.address: "own"})
    assert site.push() == "GET"
    assert (site.folder / "asked").read_text() == f"get {site.address}\n"


def test_the_store_of_all_and_the_file_for_what_it_lacks(site: Site) -> None:
    site.helper("all", _known(USER, PASSWORD))
    site.config(auths={site.address: {}}, credsStore="all")
    assert site.push() == "GET"
    site.config(auths={"other.example": {"auth": BASIC}}, credsStore="all")
    assert login("other.example", load()).password == PASSWORD
    assert not login("third.example", load())


@pytest.mark.parametrize("shape", ["{}", "https://{}", "https://{}/v1/"])
def test_the_file_by_any_form_of_the_name(site: Site, shape: str) -> None:
    site.config(auths={shape.format(site.address): {"auth": BASIC}})
    assert site.push() == "GET"


def test_an_identity_token_of_the_file(site: Site) -> None:
    site.config(auths={site.address: {"auth": base64.b64encode(b"x:").decode(), "identitytoken": IDENTITY}})
    assert site.push() == "POST"


def test_an_identity_token_of_a_helper(site: Site) -> None:
    site.helper("own", _known("<token>", IDENTITY))
    site.config(credHelpers={site.address: "own"})
    assert site.push() == "POST"


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"credsStore": "absent"}, "docker-credential-absent is not installed"),
        ({"credsStore": "broken"}, "docker-credential-broken failed"),
        ({"credsStore": "odd"}, ""),
        ({"auths": {"ADDRESS": {"auth": "%%%"}}}, ""),
        ({"auths": {"ADDRESS": PASSWORD}}, ""),
        ({"auths": {"ADDRESS": {"auth": base64.b64encode(f"{USER}:{PASSWORD}x".encode()).decode()}}}, "401"),
        ({"auths": {"ADDRESS": {"identitytoken": f"{IDENTITY}x"}}}, "401"),
    ],
    ids=["absent", "broken", "no JSON", "no base64", "no entry", "wrong password", "wrong token"],
)
def test_what_cannot_be_used_is_told_without_a_secret(
    site: Site, config: dict[str, object], says: str, capfd: pytest.CaptureFixture[str]
) -> None:
    site.helper("odd", f"{PASSWORD} is no JSON")
    (site.folder / "docker-credential-broken").write_text(f"#!/bin/sh\necho {PASSWORD}\necho {PASSWORD} >&2\nexit 3\n")
    (site.folder / "docker-credential-broken").chmod(0o755)
    site.config(**json.loads(json.dumps(config).replace("ADDRESS", site.address)))
    with pytest.raises((InputError, SurroundingsError)) as caught:
        site.push()
    error: ModelstacksError = caught.value
    said = f"{error}{error.why}{error.fix}{capfd.readouterr()}"
    assert says in said
    assert "docker login" in error.fix
    for secret in (PASSWORD, IDENTITY, BASIC):
        assert secret not in said


def test_no_login_is_shown_where_it_is_held(site: Site) -> None:
    site.config(auths={site.address: {"auth": BASIC}})
    assert PASSWORD not in repr(login(site.address, load()))


def test_without_any_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    settings: Settings = load()
    assert not login("registry.example", settings)
    (tmp_path / "config.json").write_text('{"detachKeys": "ctrl-e", "HttpHeaders": {"A": "b"}}')
    assert not login("registry.example", settings)
