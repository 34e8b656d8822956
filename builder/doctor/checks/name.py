"""Whether the name of a host, or of the proxy that leads to it, resolves."""

from __future__ import annotations

import socket

from builder.doctor.model import Diagnosis, Server
from builder.doctor.proxy import Proxy

NAME = "name"
_FIX = (
    "check the name and this machine's name servers; where only a proxy leads out, export "
    "https_proxy=http://HOST:PORT; or name a mirror in modelstacks.toml"
)
_PROXY_FIX = "correct https_proxy (and http_proxy); list hosts that need no proxy in no_proxy"


def judge(host: Server, proxy: Proxy | None) -> Diagnosis:
    """The addresses of the host; of its proxy where one is in use, as that one resolves the host's name itself."""
    name, port = (proxy.host, proxy.port) if proxy else (host.name, host.port)
    way = f"through the proxy {proxy}" if proxy else "no proxy"
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "it is not a host name"
        return Diagnosis(
            check=NAME,
            subject=host.subject,
            state="bad",
            message=f"the name {name} {'of the proxy ' if proxy else ''}cannot be resolved: {why}",
            fix=_PROXY_FIX if proxy else _FIX,
            figures={"proxy": str(proxy) if proxy else None, "addresses": []},
        )
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    more = f" and {len(addresses) - 2} more" if len(addresses) > 2 else ""
    return Diagnosis(
        check=NAME,
        subject=host.subject,
        state="good",
        message=f"{', '.join(addresses[:2])}{more}; {way}",
        figures={"proxy": str(proxy) if proxy else None, "addresses": addresses},
    )
