"""Whom the clients in a container trust: an empty store, a variable that names nothing, one that some do not read."""

from __future__ import annotations

from typing import Any

import pytest

from builder.doctor.container.rules import trust
from tests.doctor.container.conftest import SITE
from tests.doctor.container.test_rules import dist, evidence


def found(*packages: str, **python: Any) -> list[tuple[str, str, str]]:
    """Rule, level and problem of each finding, for packages such as httpx==0.28.1."""
    installed = [dist(*one.split("==")) for one in packages]
    return [(one.rule, one.level, one.problem) for one in trust.find(evidence(distributions=installed, **python))]


@pytest.mark.parametrize(
    ("package", "roots", "rules"),
    [
        ("huggingface-hub==2.4.0", 0, ["trust_nobody"]),
        ("huggingface-hub==2.4.0", 140, []),
        ("huggingface-hub==2.4.0", -1, []),
        ("huggingface-hub==1.0.0", 0, []),
        ("requests==2.34.2", 0, []),
        ("hf-xet==1.8.0", 0, []),
    ],
)
def test_who_reads_the_store_alone_trusts_nobody_without_it(package: str, roots: int, rules: list[str]) -> None:
    assert [rule for rule, _, _ in found(package, roots=roots)] == rules


@pytest.mark.parametrize(
    ("package", "variable", "deaf"),
    [
        ("httpx==0.28.1", "REQUESTS_CA_BUNDLE", True),
        ("huggingface-hub==1.0.0", "REQUESTS_CA_BUNDLE", True),
        ("huggingface-hub==0.36.2", "REQUESTS_CA_BUNDLE", False),
        ("huggingface-hub==2.4.0", "SSL_CERT_FILE", False),
        ("requests==2.34.2", "SSL_CERT_FILE", True),
        ("requests==2.34.2", "CURL_CA_BUNDLE", False),
        ("requests==2.34.2", "PIP_CERT", False),
    ],
)
def test_a_variable_that_a_client_does_not_read_is_a_warning(package: str, variable: str, deaf: bool) -> None:
    said = found(package, trusted={variable: ["/site.pem"]})
    assert [(rule, level) for rule, level, _ in said] == ([("trust_variable", "warning")] if deaf else [])


def test_both_variables_reach_all() -> None:
    both = {"SSL_CERT_FILE": ["/site.pem"], "REQUESTS_CA_BUNDLE": ["/site.pem"]}
    assert found("requests==2.34.2", "httpx==0.28.1", "hf-xet==1.8.0", trusted=both) == []


def test_a_variable_that_names_nothing_is_an_error() -> None:
    ((rule, level, problem),) = found("requests==2.34.2", trusted={"SSL_CERT_FILE": ["/gone.pem", "gone"]})
    assert (rule, level, problem) == ("trust_variable", "error", "SSL_CERT_FILE names /gone.pem, which is not there")


def test_in_a_container_with_an_empty_store(start, diagnose, site, tmp_path) -> None:
    """A Debian whose store is empty, and the real httpx2."""
    mounts = {SITE: site("httpx2==2.16.2"), "/etc/ssl/certs": tmp_path}
    report = diagnose(start(mounts=mounts, env={"PYTHONPATH": SITE, "REQUESTS_CA_BUNDLE": "/nowhere.pem"}))
    said = {one.rule: one.problem for one in report.findings}
    assert said["trust_nobody"].startswith("httpx2 2.16.2 trusts no server")
    assert said["trust_variable"] == "REQUESTS_CA_BUNDLE names /nowhere.pem, which is not there"
    assert report.evidence.interpreters[0].roots == 0
