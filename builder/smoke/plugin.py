"""The pytest plugin of the smoke tests: fixtures on the started container, GPU rules, results as JSON.

Loaded with `-p builder.smoke.plugin --smoke-session FILE` in a pytest process of its own.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import testinfra
import testinfra.host

from builder.smoke.session import PROBE_SECONDS, Expected, Probes, Session

TEST_SECONDS = PROBE_SECONDS + 60
_SESSION = pytest.StashKey[Session]()
_PROBES = pytest.StashKey[Probes]()
_RESULTS = pytest.StashKey[list[dict[str, Any]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the one option that says what to test."""
    parser.addoption("--smoke-session", required=True, help="JSON file that the smoke verb wrote")


def pytest_configure(config: pytest.Config) -> None:
    """Read the session."""
    session = Session.read(Path(config.getoption("--smoke-session")))
    config.stash[_SESSION] = session
    config.stash[_PROBES] = Probes(session.container)
    config.stash[_RESULTS] = []


@pytest.fixture(scope="session")
def stack(pytestconfig: pytest.Config) -> Expected:
    """What the image should hold."""
    return pytestconfig.stash[_SESSION].expected


@pytest.fixture(scope="session")
def probe(pytestconfig: pytest.Config) -> Probes:
    """Run a script of probes/ in the image, once per session: `probe("numpy_scipy")` gives its JSON document."""
    return pytestconfig.stash[_PROBES]


@pytest.fixture(scope="session")
def host(pytestconfig: pytest.Config) -> testinfra.host.Host:
    """The container as a testinfra host, as the image's own user."""
    return testinfra.get_host(f"docker://{pytestconfig.stash[_SESSION].container}")


@pytest.fixture(scope="session")
def nobody(pytestconfig: pytest.Config) -> testinfra.host.Host:
    """The container as a testinfra host, as a user (65534) that the image's builder never was."""
    return testinfra.get_host(f"docker://65534@{pytestconfig.stash[_SESSION].container}")


@pytest.fixture(autouse=True)
def _deadline() -> Iterator[None]:
    def late(number: int, frame: FrameType | None) -> None:
        pytest.fail(f"no answer within {TEST_SECONDS} s", pytrace=False)

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(TEST_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test marked needs_gpu is skipped where there is no GPU."""
    session = item.config.stash[_SESSION]
    if session.no_gpu and item.get_closest_marker("needs_gpu"):
        pytest.skip(session.no_gpu)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Under `require` nothing may be skipped: a skip is turned into a failure with the same reason."""
    report = yield
    if report.skipped and item.config.stash[_SESSION].gpu_mode == "require":
        report.outcome, report.longrepr = "failed", f"GPU=require, but the test cannot run: {_reason(report)}"
    _keep(item.config.stash[_RESULTS], item, report)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write what was found, for the smoke verb to read."""
    kept = session.config.stash
    probes: dict[str, Any] = {name: {"figures": answer} for name, answer in kept[_PROBES].answers.items()}
    probes |= {name: {"error": text} for name, text in kept[_PROBES].failures.items()}
    text = json.dumps({"results": kept[_RESULTS], "probes": probes})
    kept[_SESSION].record.write_text(text, encoding="utf-8")


def _reason(report: pytest.TestReport) -> str:
    """Why a test failed or was skipped, as one text; "" for a test that passed."""
    if report.passed:
        return ""
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(crash.message if crash else report.longrepr)
    return text.removeprefix("AssertionError: ").removeprefix("Failed: ").split("\nassert ")[0]


def _keep(results: list[dict[str, Any]], item: pytest.Item, report: pytest.TestReport) -> None:
    """Add one phase of a test to the results: its call, or a set-up or tear-down that did not pass."""
    if report.when != "call" and report.passed:
        return
    results.append(
        {
            "check": item.path.stem,
            "test": item.name,
            "outcome": report.outcome,
            "reason": _reason(report),
            "seconds": round(report.duration, 3),
        }
    )
