"""The pytest plugin of the smoke tests: fixtures on the target, rules on what may be skipped, results as JSON.

Loaded with `-p builder.smoke.plugin --smoke-brief FILE` in a pytest process of its own.
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

from builder.smoke.brief import PROBE_SECONDS, UNKNOWN_UID, Brief, Expected, Probes, Promised

TEST_SECONDS = PROBE_SECONDS + 60
_BRIEF = pytest.StashKey[Brief]()
_PROBES = pytest.StashKey[Probes]()
_RESULTS = pytest.StashKey[list[dict[str, Any]]]()
_STDERR = 20_000  # characters of a probe's stderr, its end, that go into the JUnit XML of a failed test
_KINDS = {"image": "an image", "container": "a container", "local": "the machine itself"}


class NotApplicable(Exception):
    """The test asks what this target never promised: it is skipped, and GPU=require lets that pass."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the one option that says what to test."""
    parser.addoption("--smoke-brief", required=True, help="JSON file that the smoke verb wrote")


def pytest_configure(config: pytest.Config) -> None:
    """Read the session."""
    session = Brief.read(Path(config.getoption("--smoke-brief")))
    config.stash[_BRIEF] = session
    config.stash[_PROBES] = Probes(session.place)
    config.stash[_RESULTS] = []


@pytest.fixture(scope="session")
def stack(pytestconfig: pytest.Config) -> Expected:
    """What the target should hold; a test that asks for it is skipped where no stack is named."""
    expected = pytestconfig.stash[_BRIEF].expected
    if expected is None:
        raise NotApplicable("no stack is named, so there is nothing to compare with")
    return expected


@pytest.fixture(scope="session")
def service(pytestconfig: pytest.Config) -> Promised:
    """What the service promises that is judged."""
    promised = pytestconfig.stash[_BRIEF].service
    if promised is None:
        raise NotApplicable("no service is judged")
    return promised


@pytest.fixture(scope="session")
def mounted(pytestconfig: pytest.Config) -> frozenset[str]:
    """Paths of the weights that the stack leaves to be mounted; none where no stack is named."""
    expected = pytestconfig.stash[_BRIEF].expected
    return frozenset(expected.mounted if expected else ())


@pytest.fixture(scope="session")
def probe(pytestconfig: pytest.Config) -> Probes:
    """Run a script of probes/ on the target, once per session: `probe("numpy_scipy")` gives its JSON document."""
    return pytestconfig.stash[_PROBES]


@pytest.fixture(scope="session")
def host(pytestconfig: pytest.Config) -> testinfra.host.Host:
    """The target as a testinfra host, as its own user."""
    return testinfra.get_host(pytestconfig.stash[_BRIEF].place.backend)


@pytest.fixture(scope="session")
def stranger(pytestconfig: pytest.Config) -> testinfra.host.Host:
    """A container as a testinfra host, as a user that is not in its passwd."""
    return testinfra.get_host(f"docker://{UNKNOWN_UID}@{pytestconfig.stash[_BRIEF].place.container}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `imported` or `own` is one for each thing to import, or check of the stack's own."""
    expected = metafunc.config.stash[_BRIEF].expected
    for name, there in (
        ("imported", expected.imported if expected else []),
        ("own", sorted(expected.own) if expected else []),
    ):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, there or [""])


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
    """A test marked `targets` is skipped on other kinds of target, one marked `needs_gpu` where there is no GPU."""
    session = item.config.stash[_BRIEF]
    item.config.stash[_PROBES].asked.clear()
    kind, mark = session.kind, item.get_closest_marker("targets")
    if mark and kind not in mark.args:
        named = " or ".join(_KINDS[one] for one in mark.args)
        raise NotApplicable(f"{named} promises this, {_KINDS[kind]} does not")
    if session.no_gpu and _needs_gpu(item):
        pytest.skip(session.no_gpu)


def _needs_gpu(item: pytest.Item) -> bool:
    return item.get_closest_marker("needs_gpu") is not None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Under `require`, run nothing where nothing needs a GPU; the smoke verb then says so."""
    if config.stash[_BRIEF].gpu_mode == "require" and not any(map(_needs_gpu, items)):
        items.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what the probes of a failed test said on stderr. Under `require` a skip is a failure with the same reason,
    unless the target never promised what the test asks.
    """
    error = call.excinfo.value if call.excinfo else None
    if error and not isinstance(error, (pytest.skip.Exception, NotApplicable)):
        probes = item.config.stash[_PROBES]
        for key in dict.fromkeys(probes.asked):
            if said := probes.stderr.get(key):
                item.add_report_section(call.when, "stderr", f"probe {key}:\n{said[-_STDERR:]}")
    report = yield
    if isinstance(error, NotApplicable):
        report.outcome, report.longrepr = "skipped", (str(item.path), 0, f"Skipped: {error}")
    elif report.skipped and item.config.stash[_BRIEF].gpu_mode == "require":
        report.outcome, report.longrepr = "failed", f"GPU=require, but the test cannot run: {_reason(report)}"
    _keep(item.config.stash[_RESULTS], item, report)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write what was found, for the smoke verb to read."""
    kept, ran = session.config.stash, session.config.stash[_PROBES]
    probes: dict[str, Any] = {name: {"figures": answer} for name, answer in ran.answers.items()}
    probes |= {name: {"error": text} for name, text in ran.failures.items()}
    for name, document in probes.items():
        document["seconds"] = ran.seconds[name]
    text = json.dumps({"results": kept[_RESULTS], "probes": probes})
    kept[_BRIEF].record.write_text(text, encoding="utf-8")


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
            "needs_gpu": _needs_gpu(item),
        }
    )
