"""One `modelstacks.toml`: its values, the line of each key, and what is wrong with them in words."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.errors import InputError, InputErrors
from builder.files import read_bounded

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

_LIMIT = 1 << 20  # bytes


def read(path: Path) -> tuple[dict[str, Any], dict[tuple[str, ...], int]]:
    """The values of a file and the line of each of its keys.

    Raises InputError for a file of another user, as it may name what to trust and where tokens go, and
    for one that cannot be read or is no TOML.
    """
    import tomli  # noqa: PLC0415

    try:
        owner = path.stat().st_uid
        if owner not in (0, os.geteuid()):
            raise InputError(
                "the settings belong to another user",
                where=str(path),
                why=f"its owner is user {owner}",
                fix="look into the file, then make it your own with chown, or work in another folder",
            )
        text = read_bounded(path, _LIMIT).decode()
        values: dict[str, Any] = tomli.loads(text)
    except OSError as error:
        fix = "put a file of a page or two there, or remove it"
        raise InputError("the settings cannot be read", where=str(path), why=error.strerror or "", fix=fix) from None
    except UnicodeDecodeError:
        raise InputError("the settings are not UTF-8", where=str(path), fix="save the file as UTF-8") from None
    except tomli.TOMLDecodeError as error:
        raise InputError(
            "the settings are not TOML", where=f"{path}:{error.lineno}", why=error.msg, fix="correct the line"
        ) from None
    except (RecursionError, ValueError):
        fix = "write it flat, with numbers of a few digits"
        raise InputError("the settings are nested too deep, or hold a giant number", where=str(path), fix=fix) from None
    return values, _lines(text)


def _lines(text: str) -> dict[tuple[str, ...], int]:
    """The line of every `key =` and `[table]`, found line by line; those inside of longer values do no harm."""
    import tomli  # noqa: PLC0415

    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        head = re.match(r"\s*(\[.+?\])\s*(#.*)?$", line)
        key = re.match(
            r"""\s*((?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+))*)\s*=""", line
        )
        try:
            if head:
                table = _path(tomli.loads(head[1]))
                found.setdefault(table, number)
            elif key:
                found.setdefault((*table, *_path(tomli.loads(f"{key[1]} = 0"))), number)
        except (tomli.TOMLDecodeError, RecursionError):
            continue
    return found


def _path(document: Mapping[str, Any]) -> tuple[str, ...]:
    keys: list[str] = []
    inner: Any = document
    while isinstance(inner, dict) and inner:
        keys.append(next(iter(inner)))
        inner = inner[keys[-1]]
    return tuple(keys)


def explained(error: ValidationError, values: Mapping[str, Any], where: Callable[[Sequence[str]], str]) -> InputError:
    """What pydantic found, one error per key, in our words and with its place."""
    found: dict[str, InputError] = {}
    for detail in error.errors(include_url=False, include_input=False, include_context=True):
        keys = [str(item) for item in detail["loc"] if isinstance(item, str) and item != "[key]"]
        found.setdefault(".".join(keys), _one(detail, keys, where(keys)))
    return InputErrors(list(found.values()))


def _one(detail: ErrorDetails, keys: Sequence[str], where: str) -> InputError:
    key = ".".join(keys)
    if detail["type"] == "extra_forbidden":
        if fix := _renamed(keys):
            return InputError(f"there is no setting `{key}`", where=where, fix=fix)
        allowed = _allowed(keys[:-1])
        import difflib  # noqa: PLC0415 - of a mistake alone

        close = difflib.get_close_matches(keys[-1].lower().replace("_", "-"), allowed, n=1)
        fix = f"did you mean `{close[0]}`?" if close else f"the keys here are {', '.join(allowed)}"
        return InputError(f"there is no setting `{key}`", where=where, fix=fix)
    context = detail.get("ctx", {})
    if detail["type"] == "modelstacks":
        return InputError(f"`{key}`: {context['problem']}", where=where, fix=str(context["fix"]))
    fix = {
        "jobs": "write a number from 1 to 64",
        "tls": 'write "verify" or "hash-locked"',
        "timeouts": "write seconds, such as 60",
    }.get(keys[0] if keys else "", "see docs/settings.md")
    return InputError(f"`{key}`: {detail['msg'][:1].lower()}{detail['msg'][1:]}", where=where, fix=fix)


def _renamed(keys: Sequence[str]) -> str:
    """What a key of earlier versions is called now; "" for any other."""
    if keys[0] == "archives":
        return "the addresses of distributions' archives stand under [mirrors] now"
    if keys[0] == "mirrors" and len(keys) > 1 and "://" in keys[1]:
        return "what stands for an address prefix stands under [rewrites] now"
    return ""


def _allowed(keys: Sequence[str]) -> list[str]:
    from builder.settings import shape  # noqa: PLC0415

    tables: dict[str, type[shape.Model]] = {
        "mirrors": shape.Mirrors,
        "client-certificates": shape.ClientFiles,
        "git-ssh": shape.SshHost,
        "timeouts": shape.Timeouts,
    }
    model = tables.get(keys[0], shape.Site) if keys else shape.Site
    return [str(field.alias) for field in model.model_fields.values()]
