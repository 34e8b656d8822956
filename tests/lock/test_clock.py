"""A clock that is wrong: whoever is asked while locking says so, and a lock of any time is a lock."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path

import pytest
import trustme

from builder.errors import InputError, SurroundingsError
from builder.lock import store
from builder.lock.resolve import made_at
from builder.lock.schema import LAST_EPOCH
from builder.net.git import archive_commit
from builder.settings import Settings
from tests.lock.conftest import MakeStack
from tests.lock.test_site import _locked, _packages, keyring, signed_archive
from tests.lock.test_store import everything
from tests.net.web import web

__all__ = ["keyring"]  # a fixture
DAY = timedelta(1)


@pytest.fixture(params=["tomorrow", "yesterday"])
def off(request: pytest.FixtureRequest, authority: trustme.CA) -> ssl.SSLContext:
    """A server's certificate that is valid from tomorrow on, or until yesterday: as to a clock that is wrong."""
    now = datetime.now(timezone.utc)
    times = {"tomorrow": (now + DAY, now + 2 * DAY), "yesterday": (now - 9 * DAY, now - DAY)}[request.param]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", not_before=times[0], not_after=times[1]).configure_cert(context)
    return context


def by_uv(make_stack: MakeStack, settings: Settings, url: str, keys: Path) -> None:
    _locked(make_stack, replace(settings, index=f"{url}/py"))


def by_apt(make_stack: MakeStack, settings: Settings, url: str, keys: Path) -> None:
    _packages(replace(settings, mirrors={"debian": f"{url}/debian"}), keys)


def by_git(make_stack: MakeStack, settings: Settings, url: str, keys: Path) -> None:
    archive_commit(f"{url}/demo", "1" * 40, settings.home / "demo.tar", settings)


@pytest.mark.parametrize("ask", [by_uv, by_apt, by_git])
def test_a_certificate_outside_its_dates_names_the_clock(
    off: ssl.SSLContext, make_stack: MakeStack, settings: Settings, keyring: Path, monkeypatch: pytest.MonkeyPatch,
    ask: Callable[[MakeStack, Settings, str, Path], None],
) -> None:  # fmt: skip
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with web(off) as server:
        with pytest.raises(SurroundingsError, match="is not trusted") as caught:
            ask(make_stack, settings, server.url, keyring)
        assert server.seen == []
    assert "clock" in caught.value.fix, caught.value
    assert "CA_BUNDLE" not in caught.value.fix


@pytest.mark.parametrize(("date", "until"), [(DAY, None), (-9 * DAY, -DAY)], ids=["of tomorrow", "until yesterday"])
def test_package_lists_outside_their_dates_name_the_clock(
    authority: trustme.CA, settings: Settings, keyring: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    date: timedelta, until: timedelta | None,
) -> None:  # fmt: skip
    # Some machines tell apt not to look at dates, and ours obeys them.
    (tmp_path / "apt.conf").write_text('Dir::Etc::parts "/nonexistent"; Dir::Etc::main "/nonexistent";')
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    now = datetime.now(timezone.utc)
    with web(context) as server:
        signed_archive(
            server, keyring, date=format_datetime(now + date, usegmt=True),
            until=format_datetime(now + until, usegmt=True) if until else "",
        )  # fmt: skip
        with pytest.raises(SurroundingsError, match="the archive cannot be read") as caught:
            _packages(replace(settings, mirrors={"debian": f"{server.url}/debian"}), keyring)
    assert "clock" in caught.value.fix, caught.value


@pytest.mark.parametrize("now", [-86400.0, -0.5 - 1, float(LAST_EPOCH) + 86400])
def test_a_clock_that_no_lock_can_hold_is_refused(now: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    monkeypatch.setattr(time, "time", lambda: now)
    with pytest.raises((InputError, SurroundingsError)) as caught:
        made_at()
    assert "clock" in caught.value.fix


@pytest.mark.parametrize("epoch", [0, 1, 2**31 - 1, 2**31, 2**32, LAST_EPOCH])
def test_a_lock_of_any_year_is_read_back(epoch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    monkeypatch.setattr(time, "time", lambda: float(epoch))
    assert made_at() == epoch
    assert store.write(tmp_path / "one", replace(everything(), epoch=epoch)).epoch == epoch
