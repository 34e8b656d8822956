"""Against the real network: where it is intercepted, the doctor says so, and by which root it is trusted."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import certifi
import pytest

from builder.doctor.proxy import proxy_of
from builder.errors import SurroundingsError
from builder.net.index import uv_default
from tests.conftest import REPO, cli, document
from tests.doctor.conftest import NO_TRUST

DOCTOR = ("--json", "doctor", "--only", "network", "onnx-cpu")


def _reachable(host: str, cafile: str | None) -> bool:
    """Whether a host's chain is trusted by a file of roots (None: what Python trusts by default)."""
    context = ssl.create_default_context(cafile=cafile)
    with socket.create_connection((host, 443), timeout=15) as plain:
        try:
            context.wrap_socket(plain, server_hostname=host).close()
        except ssl.SSLCertVerificationError:
            return False
    return True


@pytest.fixture(scope="module")
def intercepted() -> str:
    """The host of uv's own default index, where a private CA that this machine trusts stands in for it."""
    try:
        host = urlsplit(uv_default()).hostname or ""
        if proxy_of(f"https://{host}/"):
            pytest.skip("a proxy leads to the default index; the test looks at direct connections")
        if _reachable(host, certifi.where()):
            pytest.skip("the network is not intercepted: the public roots trust the default index")
        if not _reachable(host, None):
            pytest.skip("the network is intercepted by a CA that this machine does not trust either")
    except (OSError, SurroundingsError) as error:
        pytest.skip(f"the default index cannot be reached: {error}")
    return host


def _sha256s(file: Path) -> set[str]:
    """Of the certificates that a PEM file makes Python trust."""
    trusted = ssl.create_default_context(cafile=str(file)).get_ca_certs(binary_form=True)
    return {hashlib.sha256(der).hexdigest() for der in trusted}


def _certificate(found: dict[str, list[dict[str, Any]]], host: str) -> dict[str, Any]:
    (one,) = [one for one in found["diagnoses"] if one["check"] == "certificate" and one["subject"] == host]
    return one


def test_the_interceptor_is_named_with_the_root_that_makes_it_trusted(intercepted):
    found = document(cli(*DOCTOR, env={"MODELSTACKS_INDEX": f"https://{intercepted}/simple"}))
    one = _certificate(found, intercepted)
    assert one["state"] == "good"
    assert one["figures"]["interceptor"] is True
    assert one["figures"]["public"] is False
    assert "an interceptor sits in between" in one["message"]
    assert one["figures"]["root"]["sha256"] in _sha256s(Path(one["figures"]["root_files"][0])), (
        "the file holds the root"
    )
    subjects = [one["subject"] for one in found["diagnoses"] if one["check"] == "answer"]
    assert len(subjects) == 3, "the index, the host of its files, and the archive"


def test_with_the_trust_store_hidden_the_issuer_and_the_remedy_are_named(intercepted, tmp_path):
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("hiding the trust store takes root and unshare (mount namespace)")
    (tmp_path / "empty").mkdir()
    known = document(cli(*DOCTOR, env={"MODELSTACKS_INDEX": f"https://{intercepted}/simple"}))
    issuer = _certificate(known, intercepted)["figures"]["issuer"]
    saved = tmp_path / "presented.pem"
    words = [sys.executable, "-m", "builder", *DOCTOR]
    hide = f'mount --bind "{tmp_path}/empty" /etc/ssl/certs && exec "$@"'

    def hidden(*more: str, **env: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if name not in NO_TRUST}
        return subprocess.run(
            ["unshare", "--mount", "sh", "-c", hide, "sh", *words, *more],
            cwd=REPO,
            env={**kept, "XDG_CACHE_HOME": str(tmp_path), "MODELSTACKS_INDEX": f"https://{intercepted}/simple", **env},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    done = hidden("--save-root", str(saved))
    if "mount" in done.stderr and not done.stdout:
        pytest.skip(f"no mount namespace here: {done.stderr.strip()[-200:]}")
    one = _certificate(document(done, code=3), intercepted)
    assert one["state"] == "bad"
    assert one["figures"]["trusted"] is False
    assert "export CA_BUNDLE=FILE" in one["fix"]
    assert f"the issuer is {issuer}" in one["fix"]
    assert f"{intercepted}): export CA_BUNDLE=FILE" in done.stderr, "the talk says it too"
    assert json.loads(done.stdout)["saved"] == str(saved)
    after = hidden()
    assert _certificate(document(after, code=3), intercepted)["state"] == "bad", "saving trusts nothing"
    cured = _certificate(document(hidden(CA_BUNDLE=str(saved))), intercepted)
    assert cured["figures"]["root_files"] == [str(saved)], "the user may still decide to trust it"
