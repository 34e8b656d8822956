"""The network part: every host that stacks need, asked in parallel, and the hosts that their answers lead to."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from builder.doctor import parallel
from builder.doctor.checks import answer, certificate, name, ssh
from builder.doctor.model import Diagnosis, Kind, Need, Server, host_of
from builder.doctor.needs import file_hosts
from builder.doctor.proxy import proxy_of
from builder.doctor.roots import Roots
from builder.errors import ModelstacksError
from builder.net.session import Session
from builder.settings import Settings
from builder.ui import Ui

if TYPE_CHECKING:
    from builder.net.client import Client

_ROUNDS = 5  # index page, file host, and redirects between hosts

Key = tuple[str, str, int]
Seen = tuple[list[Diagnosis], list[Need]]


def examine(needs: Iterable[Need], settings: Settings, ui: Ui) -> list[Diagnosis]:
    """What is so of every host of the needs, and of those they lead to, host by host.

    Per host: its name, its certificate and one answer per kind of need; what cannot be looked at
    because of something before it is "unknown". Raises InputError for a CA bundle or client
    certificate of the settings that cannot be used.
    """
    looking = _Looking(settings, ui)
    waiting = list(needs)
    for _ in range(_ROUNDS):
        waiting = looking.round(waiting)
        if not waiting:
            break
    return looking.found()


class _Looking:
    """One run over several rounds of needs."""

    def __init__(self, settings: Settings, ui: Ui) -> None:
        self._settings, self._ui = settings, ui
        self._roots = Roots(settings)
        self._session = Session(settings)
        self._local = threading.local()
        self._diagnoses: dict[Key, list[Diagnosis]] = {}
        self._asked: set[tuple[Key, str]] = set()
        for text in self._roots.warnings:
            ui.warn(text)

    def found(self) -> list[Diagnosis]:
        """All diagnoses, host by host."""
        return [one for several in self._diagnoses.values() for one in several]

    def round(self, needs: Sequence[Need]) -> list[Need]:
        """Look at what is new in the needs; gives back what the answers lead to."""
        jobs = self._jobs(needs)
        if not jobs:
            return []
        self._ui.step(f"asking {len(jobs)} host{'s' if len(jobs) > 1 else ''}")
        # Name, handshake twice, HEAD and GET, and two pages of an index, each with its own time-out.
        seconds = 4 * self._settings.connect_timeout + 2 * self._settings.read_timeout
        hosts = list(jobs)
        counted = iter(range(1, len(hosts) + 1))

        def done(number: int, seen: Seen | None) -> None:
            states = [one.state for one in seen[0]] if seen else ["bad"]
            worst = next((state for state in ("bad", "unknown") if state in states), "good")
            self._ui.sub(f"{next(counted)} of {len(hosts)}", f"{hosts[number].subject}: {worst}")

        work = [partial(self._host, host, wanted) for host, wanted in jobs.items()]
        following: list[Need] = []
        for host, seen in zip(hosts, parallel.run(work, seconds, done), strict=True):
            diagnoses, more = seen or ([_overdue(host, seconds)], [])
            self._diagnoses.setdefault(_key(host), []).extend(diagnoses)
            following += more
        return following

    def _jobs(self, needs: Sequence[Need]) -> dict[Server, list[Need]]:
        """The needs by host, one of a kind for each, without those that were looked at before."""
        hosts: dict[Key, Server] = {}
        jobs: dict[Server, list[Need]] = {}
        for need in needs:
            host = host_of(need)
            if host is None or (_key(host), need.label) in self._asked:
                continue
            self._asked.add((_key(host), need.label))
            jobs.setdefault(hosts.setdefault(_key(host), host), []).append(need)
        return jobs

    def _host(self, host: Server, needs: Sequence[Need]) -> Seen:
        """The checks of one host, each only where the one before it was good."""
        before = self._diagnoses.get(_key(host))
        diagnoses = [] if before else self._way(host, {need.kind for need in needs})
        if any(one.state != "good" and one.check != answer.NAME for one in before or diagnoses):
            return [*diagnoses, *(_not_asked(host, need) for need in needs)], []
        if host.scheme == "ssh":
            return diagnoses, []
        following: list[Need] = []
        for need in needs:
            started = time.monotonic()
            seen, more = answer.judge(host, need, self._client(), self._settings, str(self._roots.path))
            if seen.state == "good" and need.kind in ("index", "page") and not more:
                seen, more = self._files(seen, need)
            diagnoses.append(_with_seconds(seen, started))
            following += more
        return diagnoses, following

    def _way(self, host: Server, kinds: set[Kind]) -> list[Diagnosis]:
        """Whether a host can be reached and trusted at all."""
        proxy = proxy_of(host.url) if host.scheme != "ssh" else None  # ssh goes through none
        started = time.monotonic()
        named = _with_seconds(name.judge(host, proxy), started)
        if host.scheme == "ssh":
            return [named, *([ssh.judge(host, self._settings.connect_timeout)] if named.state == "good" else [])]
        if named.state != "good":
            return [named, _unknown(host, certificate.NAME, "not looked at, as the name is not resolved")]
        started = time.monotonic()
        shown = certificate.judge(host, proxy, self._roots, self._settings, kinds)
        return [named, _with_seconds(shown, started)]

    def _files(self, seen: Diagnosis, page: Need) -> tuple[Diagnosis, list[Need]]:
        """Read an index page for the hosts of its files."""
        try:
            hosts = file_hosts(page, self._session, self._settings)
        except ModelstacksError as error:
            return replace(seen, state="bad", message=f"{page.label}: {error.problem}", fix=error.fix), []
        if not hosts:
            fix = f"{page.label}: check the address, or name another mirror"
            return replace(seen, state="bad", message=f"{page.label}: the page lists no files", fix=fix), []
        return seen, hosts

    def _client(self) -> Client:
        """This thread's client."""
        from builder.net.client import Client  # noqa: PLC0415

        if not hasattr(self._local, "client"):
            self._local.client = Client(self._settings, str(self._roots.path))
        client: Client = self._local.client
        return client


def _key(host: Server) -> Key:
    return host.scheme, host.name, host.port


def _with_seconds(seen: Diagnosis, started: float) -> Diagnosis:
    return replace(seen, figures={**seen.figures, "seconds": round(time.monotonic() - started, 3)})


def _not_asked(host: Server, need: Need) -> Diagnosis:
    also = ", so the hosts of its files are not known" if need.kind in ("index", "page") else ""
    return _unknown(host, answer.NAME, f"{need.label}: not asked{also}")


def _unknown(host: Server, check: str, message: str) -> Diagnosis:
    return Diagnosis(check=check, subject=host.subject, state="unknown", message=message)


def _overdue(host: Server, seconds: float) -> Diagnosis:
    return Diagnosis(
        check="host",
        subject=host.subject,
        state="bad",
        message=f"no end after {seconds:.0f} s",
        fix="check the firewall, the name servers and the proxy",
    )
