"""Whom the clients in a container trust: none without a store, and each reads its own variables."""

from __future__ import annotations

from collections.abc import Iterator

from builder.check import packaged_facts
from builder.check.rows import TrustStore
from builder.check.spans import within
from builder.doctor.container.model import ContainerFinding, Evidence, Interpreter

_GENERAL = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # PIP_CERT is pip's alone


def find(evidence: Evidence) -> Iterator[ContainerFinding]:
    """An error for a client that trusts nobody, and for a variable that names nothing; a warning where one client is
    told of certificates by a variable and another does not read it."""
    for python in evidence.interpreters:
        clients = list(_clients(python))
        gone = sorted(name for name, value in python.trusted.items() if value[1:])
        for name in gone:
            yield ContainerFinding(
                rule="trust_variable",
                level="error",
                where=python.python,
                problem=f"{name} names {python.trusted[name][0]}, which is not there",
                why="who reads it trusts no server, or ends with an error",
                fix=f"mount that file, or unset {name}",
            )
        yield from _nobody(python, clients)
        told = [name for name in _GENERAL if name in python.trusted and name not in gone]
        deaf = [(name, row) for name, row in clients if told and not set(row["variables"]) & set(told)]
        if deaf:
            yield _deaf(python, told, deaf)
        else:
            yield from _strange(python, clients)


def _clients(python: Interpreter) -> Iterator[tuple[str, TrustStore]]:
    """The installed packages that are clients or bring one, each with its row."""
    for row in packaged_facts()["trust_stores"]:
        found = python.distribution(row["package"])
        if found and found.release and within(found.release, row["versions"]):
            yield str(found), row


def _nobody(python: Interpreter, clients: list[tuple[str, TrustStore]]) -> Iterator[ContainerFinding]:
    alone = [(name, row) for name, row in clients if not row.get("roots", True)]
    if alone and python.roots == 0:
        yield ContainerFinding(
            rule="trust_nobody",
            level="error",
            where=python.python,
            problem=f"{', '.join(name for name, _ in alone)} trusts no server: the system's store has no certificate",
            why="its client reads that store alone, and brings no public roots as requests and httpx do",
            fix="install ca-certificates",
            image=("RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates",),
            source=alone[0][1]["source"],
        )


def _strange(python: Interpreter, clients: list[tuple[str, TrustStore]]) -> Iterator[ContainerFinding]:
    """A warning where none of the certificates that this site's settings name is where a client reads."""
    deaf = [(name, row) for name, row in clients if _read(python, row) is False]
    if deaf:
        wanted = list(dict.fromkeys(row["variables"][0] for _, row in deaf))
        yield ContainerFinding(
            rule="trust_site",
            level="warning",
            where=python.python,
            problem=f"{', '.join(name for name, _ in deaf)} does not trust this site's certificates (CA_BUNDLE)",
            why="none of them is in the certificates that it reads: behind the site's proxy it refuses every server",
            fix=f"mount the site's file with the public roots, and set {' and '.join(wanted)} to it",
            source=deaf[0][1]["source"],
        )


def _read(python: Interpreter, row: TrustStore) -> bool | None:
    """Whether one of the site's certificates is where a client reads; None where that is not known."""
    seen = python.site_roots
    named = [name for name in row["variables"] if name in python.trusted]
    if named:
        return seen.get(named[0])
    places = ["system"] * row["store"] + ["certifi"] * (row.get("roots", False) is True)
    known = [seen[place] for place in places if place in seen]
    return any(known) if known else None


def _deaf(python: Interpreter, told: list[str], deaf: list[tuple[str, TrustStore]]) -> ContainerFinding:
    wanted = list(dict.fromkeys(row["variables"][0] for _, row in deaf))
    value = python.trusted[told[0]][0]
    return ContainerFinding(
        rule="trust_variable",
        level="warning",
        where=python.python,
        problem=f"{' and '.join(told)} set, and {', '.join(name for name, _ in deaf)} read{'s' * (len(deaf) == 1)} "
        f"{' and '.join(wanted)}",
        why="each client has variables of its own; one that is not told of the site's certificates refuses its servers",
        fix=f"set {' and '.join(wanted)} to a file of the public roots and the site's own",
        image=tuple(f"ENV {name}={value}" for name in wanted),
        source=deaf[0][1]["source"],
    )
