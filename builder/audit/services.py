"""Services that know of vulnerabilities, asked by pip-audit's own classes over our sessions.

Two are: the JSON API of the default index (or of the mirror that stands for it), and OSV.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import unquote

import requests
from packaging.version import InvalidVersion, Version
from pip_audit._service import (
    OsvService,
    PyPIService,
    ResolvedDependency,
    ServiceError,
    SkippedDependency,
    VulnerabilityService,
)

from builder.audit.model import Advisory, Answer, Package, Unasked, Unknown
from builder.errors import JobError, ModelstacksError
from builder.net.index import default_index
from builder.net.session import Session
from builder.net.urls import clean_url
from builder.settings import Settings

Service = Literal["auto", "index", "osv"]
_JSON = {"Accept": "application/json"}
_PAGES = 20  # of one package's answer from OSV; the longest seen has one


@dataclass
class _Answer:
    """What pip-audit's classes read of an answer of requests."""

    status_code: int
    value: Any

    def raise_for_status(self) -> None:
        """What they tell an unknown package by; our session has raised for every other bad status."""
        if self.status_code >= HTTPStatus.BAD_REQUEST:
            raise requests.HTTPError(self.status_code)

    def json(self) -> Any:  # noqa: ANN401 - as requests has it
        """The document."""
        return self.value


class _Index:
    """In the place of the session of pip-audit's PyPIService: asks the index that the site uses."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session = session
        self._root = re.sub(r"/simple$", "", default_index(settings))

    def get(self, url: str, timeout: object = None) -> _Answer:
        """The document of one release. Raises JobError where the index does not tell of it, though it has it."""
        del timeout  # the session's own
        name, version = (unquote(part) for part in url.split("/")[-3:-1])
        found = self._page(f"{self._root}/pypi/{name}/{version}/json")
        return self._of_project(name, version) if found.status_code == HTTPStatus.NOT_FOUND else found

    def _of_project(self, name: str, version: str) -> _Answer:
        """That of the project, which speaks of its latest release: some mirrors have no other."""
        url = f"{self._root}/pypi/{name}/json"
        found = self._page(url)
        if found.status_code == HTTPStatus.NOT_FOUND:
            return found
        if _same(found.value["info"]["version"], version):
            return found
        if any(_same(one, version) for one in found.value.get("releases", {})):
            problem = "this index tells of the vulnerabilities of each project's latest release alone"
            raise JobError(problem, where=clean_url(url), fix="ask OSV, or give a file of advisories")
        return _Answer(HTTPStatus.NOT_FOUND, {})

    def _page(self, url: str) -> _Answer:
        response, data = self._session.read("GET", url, _JSON, accepted={HTTPStatus.NOT_FOUND})
        missing = response.status_code == HTTPStatus.NOT_FOUND
        return _Answer(response.status_code, {} if missing else json.loads(data))


class _Osv:
    """In the place of the session of pip-audit's OsvService: all pages of an answer as one."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def post(self, url: str, data: str, timeout: object = None) -> _Answer:
        """What is known of one version of a package."""
        del timeout
        query, found = json.loads(data), []
        for _ in range(_PAGES):
            sent = json.dumps(query).encode()
            _, body = self._session.read("POST", url, {**_JSON, "Content-Type": "application/json"}, body=sent)
            value = json.loads(body)
            found += value.get("vulns", [])
            if not (token := value.get("next_page_token")):
                return _Answer(HTTPStatus.OK, {"vulns": found})
            query["page_token"] = token
        raise JobError(f"the answer has more than {_PAGES} pages", where=clean_url(url))


def ask(
    packages: Iterable[Package], service: Service, settings: Settings, warn: Callable[[str], None]
) -> tuple[dict[Package, Answer], list[str]]:
    """What is known of each package, and the names of the services that answered.

    "auto" asks the index, and OSV for what the index could not be asked about.
    """
    answers: dict[Package, Answer] = {one: Unasked("") for one in packages}
    answered = []
    with Session(settings, warn=warn) as session:
        for name in ("index", "osv") if service == "auto" else (service,):
            waiting = [one for one, answer in answers.items() if isinstance(answer, Unasked)]
            said = _asked(waiting, name, session, settings)
            for package, answer in said.items():
                before = answers[package]
                if isinstance(answer, Unasked) and isinstance(before, Unasked) and before.why:
                    answer = Unasked(f"{before.why}; {answer.why}")  # noqa: PLW2901 - the same in more words
                answers[package] = answer
            if any(not isinstance(answer, Unasked) for answer in said.values()):
                answered.append(name)
    return answers, answered


def _asked(packages: list[Package], name: str, session: Session, settings: Settings) -> dict[Package, Answer]:
    """Ask one service about each; once it cannot be asked at all, it is not asked about the others."""
    try:
        service = _service(name, session, settings)
    except ModelstacksError as error:
        return dict.fromkeys(packages, _unasked(name, error))
    down: list[ModelstacksError] = []

    def one(package: Package) -> Answer:
        if down:
            return _unasked(name, down[0])
        try:
            return _query(service, package)
        except ModelstacksError as error:
            if error.exit_code == 3:  # the service's own surroundings, not this package
                down.append(error)
            return _unasked(name, error)

    first = {package: one(package) for package in packages[:1]}  # alone: who is not there is not asked by eight at once
    with ThreadPoolExecutor(settings.jobs) as pool:
        return first | dict(zip(packages[1:], pool.map(one, packages[1:]), strict=True))


def _service(name: str, session: Session, settings: Settings) -> VulnerabilityService:
    # The folder is none that anything is written to: the session that would is replaced.
    folder = settings.cache_folder
    if name == "osv":
        osv = OsvService(cache_dir=folder)
        osv.session = _Osv(session)
        return osv
    index = PyPIService(cache_dir=folder)
    index.session = _Index(session, settings)
    return index


def _query(service: VulnerabilityService, package: Package) -> Answer:
    if package.public is None:
        return Unasked(f"{package.version} is no version of Python's (PEP 440)")
    try:
        known, found = service.query(ResolvedDependency(package.name, package.public))
        if isinstance(known, SkippedDependency):
            return Unknown()
        return [
            Advisory.of({one.id, *one.aliases}, one.description, [str(version) for version in one.fix_versions])
            for one in found
        ]
    except (ServiceError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        problem = "the service answers with what is no list of vulnerabilities"
        raise JobError(f"{problem} of {package.name}", why=f"{type(error).__name__}: {error}"[:200]) from None


def _unasked(name: str, error: ModelstacksError) -> Unasked:
    return Unasked(f"{name}: {error.problem}" + (f" ({error.why})" if error.why else ""))


def _same(one: str, other: str) -> bool:
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return one == other
