"""What a host answers to one harmless request, and which hosts the answer leads to."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from builder.doctor.model import Diagnosis, Need, Server, host_of
from builder.errors import JobError
from builder.net.urls import clean_url

if TYPE_CHECKING:
    import requests

    from builder.net.client import Client
    from builder.settings import Settings

NAME = "answer"
_HOPS = 5  # redirects followed on one host
_NO_HEAD = {400, 403, 404, 405, 501}  # some servers give these to HEAD alone, for addresses signed for GET


def judge(host: Server, need: Need, client: Client, settings: Settings, bundle: str) -> tuple[Diagnosis, list[Need]]:
    """The HTTP status of the need's address, and a need for the other host where it redirects to one.

    HEAD, or the first byte by GET where HEAD is refused. A token, netrc login or client certificate of
    the settings is used as in a fetch, for its own host only.
    """
    import requests  # noqa: PLC0415

    url = need.url
    for _ in range(_HOPS):
        try:
            status, reason, following = _ask(url, need, client, settings, bundle)
            elsewhere = _elsewhere(host, need, following) if following else ""
        except JobError as error:
            return _diagnosis(host, need, None, ": ".join(filter(None, (error.problem, error.why))), error.fix), []
        except requests.RequestException as error:
            return _broken(host, need, error, settings), []
        except ValueError:  # urllib's, and ours, of a target that is no address
            return _diagnosis(host, need, None, "it leads to what is no http(s) address", "name another mirror"), []
        if following is None:
            return _answered(host, need, status, reason, settings), []
        if elsewhere:
            return _diagnosis(host, need, status, f"{status} {reason}, leads to {elsewhere}"), [following]
        url = following.url
    return _diagnosis(host, need, status, f"it redirects more than {_HOPS} times", "name another mirror"), []


def _elsewhere(host: Server, need: Need, following: Need) -> str:
    """The server that what follows is for, "" where one more request to this one tells. Raises ValueError for none."""
    where = host_of(following)
    if where is None:
        raise ValueError
    same = (where.scheme, where.subject) == (host.scheme, host.subject) and following.kind == need.kind
    return "" if same else where.subject


def _ask(url: str, need: Need, client: Client, settings: Settings, bundle: str) -> tuple[int, str, Need | None]:
    """Status, reason and the need that the answer leads to, if any."""
    response = _once("GET" if need.kind in ("git", "registry", "tokens") else "HEAD", url, client, settings, bundle)
    if response.status_code in _NO_HEAD and response.request.method == "HEAD":
        response = _once("GET", url, client, settings, bundle)
    reason = re.sub(r"[\x00-\x1f\x7f-\x9f]", "?", response.reason or "")[:80]
    following = None
    if target := client.get_redirect_target(response):
        following = replace(need, url=urljoin(url, target))
    elif response.status_code == 401 and need.kind == "registry":
        challenge = response.headers.get("WWW-Authenticate", "")
        if realm := re.match(r'bearer\b.*\brealm="([^"]+)"', challenge, re.IGNORECASE):
            following = replace(need, url=realm[1], kind="tokens", label="token server of the image registry")
    return response.status_code, reason, following


def _once(method: str, url: str, client: Client, settings: Settings, bundle: str) -> requests.Response:
    """One request, whose body is not read."""
    from builder.net.client import token  # noqa: PLC0415

    headers = {"Range": "bytes=0-0"} if method == "GET" else {}
    response = client.request(
        method,
        url,
        headers={**headers, "Accept-Encoding": "identity"},
        stream=True,
        allow_redirects=False,
        timeout=(settings.connect_timeout, settings.read_timeout),
        verify=bundle,
        auth=token(url, settings),
    )
    response.close()
    return response


def _answered(host: Server, need: Need, status: int, reason: str, settings: Settings) -> Diagnosis:
    text = f"{status} {reason}".rstrip()
    if need.kind == "registry" and status == 401:
        return _diagnosis(host, need, status, f"{text}: registries ask for a login or a token before anything else")
    if status < 400 or status == 416 or (need.kind == "tokens" and status < 500 and status != 407):
        return _diagnosis(host, need, status, text)
    variable = settings.token_variable(need.url)
    if status in (401, 403) and variable:
        doing = "check the token in" if os.environ.get(variable) else "set"
        fix = f"{doing} ${variable}, which [tokens] of modelstacks.toml names for this host"
    else:
        fix = {
            401: "put the user and password for this host into ~/.netrc, or name its token under [tokens]",
            403: "have this machine allowed there, or name another mirror in modelstacks.toml",
            404: "check the address, or name a mirror that has it",
            407: "put the user and password of the proxy into http_proxy and https_proxy",
        }.get(status, "try again later, or name another mirror")
    return _diagnosis(host, need, status, text, fix)


def _broken(host: Server, need: Need, error: requests.RequestException, settings: Settings) -> Diagnosis:
    from builder.net.failures import reason  # noqa: PLC0415

    why = reason(error, settings)
    fix = "check the firewall and the proxy between here and there, then run again"
    return _diagnosis(host, need, None, f"no answer: {why}", fix)


def _diagnosis(host: Server, need: Need, status: int | None, message: str, fix: str = "") -> Diagnosis:
    """Good where there is nothing to do."""
    parts = urlsplit(need.url)
    return Diagnosis(
        check=NAME,
        subject=host.subject,
        state="bad" if fix else "good",
        message=f"{need.label}: {message}",
        fix=f"{parts.hostname}: {fix}" if fix else "",
        figures={"url": clean_url(need.url), "status": status, "for": need.label},
    )
