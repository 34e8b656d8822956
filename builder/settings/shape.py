"""What `modelstacks.toml` may hold; the environment and the command line are held to the same."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from builder.plain import UNSEEN

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)(:\d{1,5})?")
_UNSEEN = re.compile(f"[\x00-\x1f\x7f{UNSEEN}]")


def _refuse(problem: str, fix: str) -> PydanticCustomError:
    return PydanticCustomError("modelstacks", "{problem}", {"problem": problem, "fix": fix})


def _address(value: str) -> str:
    """An http(s) address; the scheme is judged where it is used."""
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:
        good = False
    if not good or _UNSEEN.search(value) or " " in value:
        raise _refuse("it is not an http(s) address", "write https://HOST/PATH")
    return value.rstrip("/")


def _protected(value: str) -> str:
    """An https address, or plain http to this machine."""
    if _address(value).startswith("http://") and urlsplit(value).hostname not in _LOOPBACK:
        raise _refuse("the address has no TLS", f"write https{value[4:].partition('@')[0].partition('?')[0]}")
    return _address(value)


def _image(value: str) -> str:
    part = "[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*"
    if not re.fullmatch(rf"[A-Za-z0-9][A-Za-z0-9.-]*(:\d{{1,5}})?(/{part})*/?", value) or not _port(value):
        raise _refuse("it is not the beginning of an image name", 'write it like "docker.io/nvidia", without https://')
    return value.rstrip("/")


def _prefix(value: str) -> str:
    component = "[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*"
    host = r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?"
    if not re.fullmatch(f"({host}/)?{component}(/{component})*", value):
        raise _refuse(
            "it is not the beginning of an image name", 'write it like "team" or "registry.example.org:5000/team"'
        )
    return value


def _repository(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.-]+[.:][A-Za-z0-9.:-]+/.+", value):
        raise _refuse("it is no repository of a registry", 'write HOST/NAME: "registry.example.org/modelstacks/files"')
    return _image(value)


def _builder(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", value):
        raise _refuse("it is not the name of a builder", "write it as `docker buildx ls` shows it")
    return value


def _host(value: str) -> str:
    if not _HOST.fullmatch(value) or not _port(value):
        raise _refuse("it is not a host", 'write it like "nexus.example.org" (port 443) or "nexus.example.org:8443"')
    return value.lower()


def _once(value: Any) -> Any:  # noqa: ANN401
    """Refuse a table that names one host twice: either could win."""
    names = [str(key).lower().removesuffix(":443") for key in value] if isinstance(value, dict) else []
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise _refuse(f"{twice[:100]} is there twice, by case or by port 443", "keep one of the two")
    return value


def _variable(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        raise _refuse(
            "it is not the name of an environment variable", "name the variable that holds the token, not the token"
        )
    return value


def _user(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", value):
        raise _refuse("it is not the name of a user", 'write it like "git"')
    return value


def _seen(value: str) -> str:
    if _UNSEEN.search(value):
        raise _refuse("it holds a character that is not seen", "write it without control characters")
    return value


def _port(value: str) -> bool:
    """Whether the number behind a host's last colon, if one is there, is that of a port."""
    port = re.search(r":(\d+)(/|$)", value)
    return not port or 0 < int(port[1]) < 65536


def _listed(value: Any) -> Any:  # noqa: ANN401
    return [value] if isinstance(value, str) else value


Address = Annotated[str, AfterValidator(_address)]
Protected = Annotated[str, AfterValidator(_protected)]
Image = Annotated[str, AfterValidator(_image)]
Prefix = Annotated[str, AfterValidator(_prefix)]
Repository = Annotated[str, AfterValidator(_repository)]
Host = Annotated[str, AfterValidator(_host)]
Text = Annotated[str, Field(min_length=1), AfterValidator(_seen)]
Texts = Annotated[list[Text], BeforeValidator(_listed)]
Addresses = Annotated[list[Address], BeforeValidator(_listed), Field(min_length=1)]
Seconds = Annotated[float, Field(gt=0, le=3600)]


class Model(BaseModel):
    # hide_input: a value may be a secret put where it does not belong.
    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        hide_input_in_errors=True,
        defer_build=True,
        alias_generator=lambda name: name.replace("_", "-"),
    )


class Mirrors(Model):
    """Mirrors of the distributions' archives, one or several each."""

    debian: Addresses | None = None
    debian_security: Addresses | None = None
    ubuntu: Addresses | None = None


class ClientFiles(Model):
    """A client certificate's PEM files."""

    cert: Text
    key: Text | None = None


class SshHost(Model):
    """How git reaches a host by ssh."""

    user: Annotated[str, AfterValidator(_user)] = "git"
    port: Annotated[int, Field(ge=1, le=65535)] = 22
    key: Text | None = None
    known_hosts: Text | None = None


class Timeouts(Model):
    """Seconds."""

    connect: Seconds | None = None
    read: Seconds | None = None


class Site(Model):
    """One level of settings; None and empty tables for what it does not say."""

    index: Protected | None = None
    home: Text | None = None
    cache: Text | None = None
    stacks: Texts = []
    jobs: Annotated[int, Field(ge=1, le=64)] | None = None
    ca_bundle: Texts = []
    mount_weights: Texts = []
    tls: Literal["verify", "hash-locked"] | None = None
    engine: Text | None = None
    built: Protected | None = None
    builder: Annotated[str, AfterValidator(_builder)] | None = None
    build_cache: Repository | None = None
    files: Repository | None = None
    image_prefix: Prefix | None = None
    security: Literal["on", "off"] | None = None
    rewrites: dict[Address, Annotated[list[Protected], BeforeValidator(_listed), Field(min_length=1)]] = {}
    images: dict[Image, Annotated[list[Image], BeforeValidator(_listed), Field(min_length=1)]] = {}
    mirrors: Mirrors = Mirrors()
    tokens: Annotated[dict[Host, Annotated[str, AfterValidator(_variable)]], BeforeValidator(_once)] = {}
    client_certificates: Annotated[dict[Host, ClientFiles], BeforeValidator(_once)] = {}
    git_ssh: Annotated[dict[Host, SshHost], BeforeValidator(_once)] = {}
    timeouts: Timeouts = Timeouts()
