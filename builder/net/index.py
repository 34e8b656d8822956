"""Where files are found: the default index, simple API pages (PEP 503, PEP 691), pages of links."""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from packaging.utils import canonicalize_name

from builder.errors import JobError, SurroundingsError
from builder.net.anchors import LONGEST, tags
from builder.net.session import Session, clean_url
from builder.settings import Settings
from builder.settings.program import expanded

_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_INDEX_FIX = "export MODELSTACKS_INDEX=https://HOST/simple"
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Link:
    """One file of an index page. url: without fragment. size: bytes. sha256, size: None where not told."""

    filename: str
    url: str
    sha256: str | None
    size: int | None
    yanked: bool


def default_index(settings: Settings) -> str:
    """The simple API address of the default index, without a slash at its end.

    In this order: settings.index; UV_DEFAULT_INDEX, UV_INDEX_URL, PIP_INDEX_URL of the environment;
    pip's configuration files; the address that uv's own help names. Raises SurroundingsError if none.
    """
    names = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
    given = [settings.index, *(os.environ.get(name, "") for name in names)]
    return (next((item for item in given if item), "") or _pip_configured() or uv_default()).rstrip("/")


def _pip_configured() -> str:
    """index-url of pip's configuration files, the most specific one winning as in pip; "" if none."""
    config = expanded(os.environ.get("XDG_CONFIG_HOME") or "~/.config")
    folders = (os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
    files = [*(Path(folder, "pip", "pip.conf") for folder in reversed(folders)), Path("/etc/pip.conf")]
    files += [expanded("~/.pip/pip.conf"), config / "pip" / "pip.conf", Path(sys.prefix, "pip.conf")]
    if named := os.environ.get("PIP_CONFIG_FILE"):
        files = [] if named == os.devnull else [*files, Path(named)]
    parser = configparser.RawConfigParser(strict=False)
    for file in files:
        try:
            parser.read(file, encoding="utf-8")
        except (OSError, configparser.Error, UnicodeDecodeError):
            continue  # pip itself complains about it; here the next file may do
    return parser.get("global", "index-url", fallback="").strip()


@lru_cache(maxsize=1)
def uv_default() -> str:
    """The default index as uv documents it in its help; our own code names no host."""
    from uv import find_uv_bin  # noqa: PLC0415

    command = [find_uv_bin(), "pip", "compile", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout
    found = re.search(r"--default-index.*?\(by default: <(https://[^>\s]+)>\)", " ".join(text.split()))
    if not found:
        raise SurroundingsError("no default index is configured, and uv's help names none", fix=_INDEX_FIX)
    return found[1]


def links(session: Session, index_url: str, project: str, *, starting: str = "") -> dict[str, Link]:
    """The files of a project on a simple API index, by file name; JSON (PEP 691) or HTML (PEP 503).

    starting: how their names begin; some projects have thousands. Left out: names that are not a plain wheel or
    archive name, and links that are not http(s) or that lead from an https page to plain http. Raises JobError for a
    page that cannot be understood.
    """
    url = f"{index_url.rstrip('/')}/{canonicalize_name(project)}/"
    text, kind, final = session.get_text(url, _ACCEPT)
    if kind.endswith("json") or (not kind.endswith("html") and text.lstrip()[:1] == "{"):
        return _from_json(text, final, starting)
    return {name: link for name, link in _from_html(text, final).items() if name.startswith(starting)}


def find_links(session: Session, page_url: str) -> dict[str, Link]:
    """The files a plain page links to, by file name; left out and raised as in `links`."""
    text, _, final = session.get_text(page_url, "text/html")
    return _from_html(text, final)


def _link(base: str, href: str, filename: str, sha256: object, size: object, *, yanked: bool) -> Link | None:
    if len(href) > LONGEST or len(filename) > LONGEST:
        return None
    try:
        url = urljoin(base, href.strip()).partition("#")[0]
        parts = urlsplit(url)
    except ValueError:
        return None
    name = filename or unquote(parts.path.rpartition("/")[2])
    plain = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+!-]*\.(whl|zip|tar\.gz|tar\.bz2|tgz)", name) and ".." not in name
    allowed = ("https",) if base.startswith("https:") else ("https", "http")
    if not plain or parts.scheme not in allowed or not parts.netloc:
        return None
    known = sha256.lower() if isinstance(sha256, str) and _SHA256.fullmatch(sha256.lower()) else None
    length = size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None
    return Link(filename=name, url=url, sha256=known, size=length, yanked=yanked)


def _from_json(text: str, page: str, starting: str) -> dict[str, Link]:
    try:
        document = json.loads(text)
        version = str(document["meta"]["api-version"])
        files = [
            _link(
                page, str(file["url"]), str(file["filename"]), file["hashes"].get("sha256"), file.get("size"),
                yanked=file.get("yanked", False) is not False,
            )
            for file in document["files"]
            if str(file["filename"]).startswith(starting)
        ]  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise JobError("the index page is not PEP 691 JSON", where=clean_url(page), why=type(error).__name__) from None
    if version.partition(".")[0] != "1":
        raise JobError(f"the index speaks version {version[:20]} of the simple API, not 1", where=clean_url(page))
    return _by_name(files)


def _from_html(text: str, page: str) -> dict[str, Link]:
    found: list[Link | None] = []
    base = ""
    for tag, attributes in tags(text):
        href = attributes.get("href", "")
        if tag == "base" and href:
            base = base or _rebased(page, href)
        elif href:
            digest = re.search(r"[#&]sha256=([0-9A-Fa-f]{64})(?:&|$)", href)
            hashed = digest[1] if digest else None
            found.append(_link(base or page, href, "", hashed, None, yanked="data-yanked" in attributes))
    return _by_name(found)


def _rebased(page: str, href: str) -> str:
    """What a page's <base> makes of its address; "" where it may not: it is none, or leads from https to plain http."""
    try:
        base = urljoin(page, href.strip())
    except ValueError:
        return ""
    return "" if page.startswith("https:") and not base.startswith("https:") else base


def _by_name(found: list[Link | None]) -> dict[str, Link]:
    result: dict[str, Link] = {}
    for link in found:
        if link is not None:
            result.setdefault(link.filename, link)
    return result
