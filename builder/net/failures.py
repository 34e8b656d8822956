"""From what requests and urllib3 raise to errors that say what to do, without any credential."""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

import requests
import urllib3.exceptions

from builder.errors import JobError, ModelstacksError, SurroundingsError, Unreachable
from builder.net.untrusted import untrusted
from builder.net.urls import clean_url
from builder.settings import Settings


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything it was raised from or wraps, outermost first."""
    queue, seen = [error], set[int]()
    while queue:
        one = queue.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
        queue.extend(item for item in inner if isinstance(item, BaseException))


def is_untrusted(error: BaseException) -> bool:
    """Whether the server's certificate was refused."""
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes(error))


def may_pass(error: BaseException) -> bool:
    """Whether a second try may go better."""
    hopeless = (ssl.SSLCertVerificationError, requests.exceptions.InvalidURL, requests.exceptions.TooManyRedirects)
    return not any(isinstance(cause, hopeless) or _tunnel(cause) or _anonymous(cause) for cause in causes(error))


def _anonymous(error: BaseException) -> bool:
    """Whether the server hung up because it was shown no client certificate."""
    return isinstance(error, ssl.SSLError) and "CERTIFICATE_REQUIRED" in str(error.reason)


def _tunnel(error: BaseException) -> str:
    """What a proxy answered that refused to connect us, "" where this is not about one."""
    found = re.search(r"Tunnel connection failed: (\d{3}[\w -]{0,60})", str(error)) if type(error) is OSError else None
    return found[1].strip() if found else ""


def reason(error: BaseException, settings: Settings) -> str:
    """The innermost reason, without the addresses that the outer texts carry."""
    if isinstance(error, requests.ConnectTimeout):
        return f"no connection within {settings.connect_timeout:g} s"
    if isinstance(error, (requests.Timeout, urllib3.exceptions.ReadTimeoutError)):
        return f"no byte came within {settings.read_timeout:g} s"
    for cause in reversed(list(causes(error))):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
        if answer := _tunnel(cause):
            return f"the proxy answers {answer}"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    return type(error).__name__


def unreachable(
    url: str, error: requests.RequestException | urllib3.exceptions.HTTPError, settings: Settings
) -> ModelstacksError:
    """The error for an address that could not be reached, trusted or followed."""
    found = list(causes(error))
    host = urlsplit(url).hostname or ""

    def seen(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in found)

    if seen(requests.exceptions.InvalidURL, requests.exceptions.TooManyRedirects):
        return JobError("the address cannot be followed", where=clean_url(url), why=type(error).__name__)
    if seen(ssl.SSLCertVerificationError):
        request = getattr(error, "request", None)
        return untrusted(url, reason(error, settings), settings, at=getattr(request, "url", None) or "")
    if any(_anonymous(cause) for cause in found):
        problem, fix = f"{host} wants a client certificate", "name one under [client-certificates] of modelstacks.toml"
        return SurroundingsError(problem, where=clean_url(url), why=reason(error, settings), fix=fix)
    if seen(requests.exceptions.ProxyError, urllib3.exceptions.ProxyError):
        problem, fix = f"the proxy on the way to {host} cannot be used", "check http_proxy, https_proxy and no_proxy"
    elif seen(socket.gaierror, urllib3.exceptions.NameResolutionError):
        problem, fix = f"the name {host} cannot be resolved", "check the network, or name a mirror this host can reach"
    elif seen(ConnectionRefusedError):
        problem, fix = f"{host} refuses the connection", "check the address, or name a mirror this host can reach"
    elif seen(requests.Timeout, urllib3.exceptions.TimeoutError):
        problem, fix = f"{host} does not answer in time", "check the network or the proxy, then run again"
    else:
        problem, fix = f"the connection to {host} breaks", "check the network or the proxy, then run again"
    return Unreachable(problem, where=clean_url(url), why=reason(error, settings), fix=fix)


def refused(url: str, response: requests.Response, settings: Settings) -> JobError:
    """The error for an answer of status 400 or more."""
    status = response.status_code
    fix = {
        401: "put the user and password for this host into ~/.netrc, or name its token under [tokens]",
        403: "check that this host may read it (~/.netrc and [tokens] of modelstacks.toml sign in)",
        404: "check the address, or name a mirror that has it",
        407: "put the user and password of the proxy into https_proxy",
    }.get(status, "try again later, or name another mirror")
    variable = settings.token_variable(url)
    if status in (401, 403) and variable:
        fix = "check the token in" if os.environ.get(variable) else "set"
        fix += f" ${variable}, which [tokens] of modelstacks.toml names for this host"
    why = f"after redirects: {clean_url(response.url)}" if clean_url(response.url) != clean_url(url) else ""
    said = re.sub(r"[\x00-\x1f\x7f-\x9f]", "?", response.reason or "")[:80]
    return JobError(f"the server answers {status} {said}".rstrip(), where=clean_url(url), why=why, fix=fix)
