"""Pydantic's errors in plain English, with the line of the file and the fix."""

from __future__ import annotations

import difflib
import typing

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from builder.errors import InputError, InputErrors
from builder.spec.yamldoc import Document, Keys, Spot, readable

_EXAMPLES = {
    "summary": "summary: one line that says what the stack is for",
    "family": "family: debian12-py311",
    "base": "base: {bootstrap: {distribution: debian, suites: [bookworm]}, glibc: ...}",
    "python": 'python: "3.11"',
    "glibc": 'glibc: "2.36"',
    "distribution": "distribution: debian",
    "suites": "suites: [bookworm]",
    "packages": "packages: [NAME]",
    "git": "git: https://HOST/PROJECT",
    "commit": "commit: 40 hex digits",
    "into": "into: /workspace",
    "url": "url: https://HOST/FILE",
    "sha256": "sha256: 64 hex digits",
}

_KEYS = "the keys here are"
# What others call our keys: Dockerfiles, compose, conda, cog, repo2docker, pip and uv.
_SYNONYMS = {
    "system": ("apt", "apt-packages", "system-packages", "debian", "apk", "apt-get"),
    "packages": ("pip", "python-packages", "dependencies", "requires", "pypi", "install"),
    "requirements": ("python-requirements", "requirements-file", "requirements-txt"),
    "env": ("environment", "variables", "env-vars"),
    "run": ("commands", "post-install", "post-build", "postbuild", "script"),
    "entrypoint": ("command", "start", "program", "predict"),
    "cmd": ("args", "arguments"),
    "sources": ("git", "repos", "repositories", "clone", "submodules"),
    "weights": ("models", "checkpoints", "downloads", "data"),
    "files": ("copy", "add", "scripts"),
    "workdir": ("working-dir", "working-directory", "cwd"),
    "healthcheck": ("health", "probe", "liveness"),
    "overrides": ("override-dependencies", "constraints", "constraint-dependencies"),
    "without": ("exclude", "excludes", "exclude-dependencies", "ignore", "remove"),
    "accept-advisories": ("ignore-vulns", "ignore-advisories", "accept-vulnerabilities", "ignored-cves"),
    "exclude-newer": ("before", "as-of", "snapshot"),
    "indexes": ("channels", "extra-index-url", "index-url", "find-links"),
    "from-source": ("no-binary", "build", "compile"),
    "apt-archives": ("apt-sources", "apt-repositories", "apt-repos", "deb", "archives", "sources-list"),
    "user": ("uid", "username", "runas", "run-as", "home"),
    "projects": ("project", "local", "local-packages", "wheels", "develop"),
    "extensions": ("cuda-extensions", "setup-py", "editable"),
    "libraries": ("ld-library-path", "library-path"),
    "paths": ("pythonpath", "sys-path"),
    "gpus": ("capabilities", "arch", "cuda-arch", "torch-cuda-arch-list"),
    "family": ("base", "from", "image", "extends", "python", "python-version", "cuda", "torch"),
    "smoke": ("test", "tests", "checks"),
    "ports": ("expose",),
    "labels": ("metadata",),
    "summary": ("description", "title", "name"),
}


def input_errors(error: ValidationError, document: Document, model: type[BaseModel]) -> InputErrors:
    """Every error of one file, in file order. model: what the whole file was read as."""
    details = error.errors(include_url=False)
    # A list whose entries are all wrong counts as empty too, which would only confuse.
    details = [one for one in details if not (one["type"] == "too_short" and one["input"])]
    found = sorted((_input_error(one, document, model) for one in details), key=lambda pair: pair[0])
    said: set[str] = set()
    for _, one in found:  # a list of keys is read once
        if one.fix.startswith(_KEYS) and one.fix in said:
            one.fix = "write one of the keys listed above"
        said.add(one.fix)
    return InputErrors([one for _, one in found])


def spoken(keys: Keys) -> str:
    """Keys and positions as people write them: indexes.openmmlab.packages[0]."""
    text = ""
    for key in keys:
        text += f"[{key}]" if isinstance(key, int) else f".{key}"
    return text.lstrip(".")


def _input_error(details: ErrorDetails, document: Document, model: type[BaseModel]) -> tuple[int, InputError]:
    keys = tuple(key for key in details["loc"] if key != "[key]")
    missing = details["type"] == "missing"
    place = keys[:-1] if missing else keys
    problem, why, fix = _words(details, keys, document, model)
    name = spoken(place)
    text = f"{name}: {problem}" if name else problem
    spot = document.spots.get(place, Spot(line=1, text=""))
    return spot.line, InputError(text, where=document.where(place), why=why, fix=fix)


def _words(  # noqa: PLR0911 - one return per kind of error reads best
    details: ErrorDetails, keys: Keys, document: Document, model: type[BaseModel]
) -> tuple[str, str, str]:
    """The problem, the reason and the fix of one error."""
    kind, context, last = details["type"], details.get("ctx", {}), str(keys[-1]) if keys else ""
    if kind == "modelstacks":
        return context["problem"], "", context["fix"]
    if kind == "missing":
        return f"`{last}` is missing", "", f"add `{_EXAMPLES.get(last, last + ': ...')}`"
    if kind == "extra_forbidden":
        return _unknown_key(last, _model_at(model, keys[:-1]))
    if kind == "string_type":
        return _not_text(details["input"], document.spots.get(keys, Spot(line=1, text="")).text)
    if kind == "tuple_type":
        return (
            f"it is {readable(details['input'])} where a list belongs",
            "",
            "write `[ONE, TWO]`, or leave the key out",
        )
    if kind in ("dict_type", "model_type", "model_attributes_type"):
        return f"it is {readable(details['input'])} where `key: value` pairs belong", "", "indent the pairs below it"
    if kind in ("bool_type", "int_type"):
        wanted = "true or false" if kind == "bool_type" else "a whole number"
        return f"it is {readable(details['input'])} where {wanted} belongs", "", f"write {wanted}, without quotes"
    if kind == "literal_error":
        return f"{details['input']!r} is not known", "", f"write {context['expected']}"
    if kind == "too_short":
        return "it is an empty list", "at least one entry is needed", "name one, or leave out what it belongs to"
    if kind in ("greater_than_equal", "less_than_equal"):
        limit = "at least" if kind == "greater_than_equal" else "at most"
        bound = context.get("ge", context.get("le"))
        return f"{details['input']} is out of range", "", f"write a number of {limit} {bound}"
    return details["msg"], "", "see the JSON schema named at the top of the shipped stacks"


def _not_text(value: object, text: str) -> tuple[str, str, str]:
    if value is None:
        return "it has no value", "", "give it one, or leave the key out"
    if isinstance(value, bool):
        return (
            f"{text} is a YAML truth value and reads as {readable(value)}",
            "text belongs here",
            f'write "{text}" in quotes',
        )
    if isinstance(value, (int, float)):
        reads = f" and reads as {value}" if str(value) != text else ""
        return f"{text} is a YAML number{reads}", "text belongs here", f'write "{text}" in quotes'
    if isinstance(value, (dict, tuple)):
        return (
            f"it is {readable(value)} where one text belongs",
            "",
            "write one text; put it in quotes if it holds ': '",
        )
    return f"{text} is a YAML date", "text belongs here", f'write "{text}" in quotes'


def _unknown_key(key: str, model: type[BaseModel]) -> tuple[str, str, str]:
    """The nearest key, one that means the same elsewhere, or all there are."""
    allowed = [field.alias or name for name, field in model.model_fields.items()]
    plain = key.lower().replace("_", "-")
    meant = next((ours for ours, words in _SYNONYMS.items() if plain in words and ours in allowed), "")
    near = difflib.get_close_matches(plain, allowed, n=1)
    if meant:
        return "there is no such key", f"what others call `{key}` is `{meant}` here", f"write `{meant}`"
    if near:
        return "there is no such key", "", f"did you mean `{near[0]}`?"
    return "there is no such key", "", f"{_KEYS} {', '.join(allowed)}"


def _model_at(model: type[BaseModel], keys: Keys) -> type[BaseModel]:
    """The model that a part of the file is read as."""
    for key in keys:
        for name, field in model.model_fields.items():
            if key == (field.alias or name):
                model = _model_within(field.annotation) or model
                break
    return model


def _model_within(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in typing.get_args(annotation) if (found := _model_within(part))), None)
