"""This machine's own network, where a private CA that the host trusts stands in between; skipped where none does."""

from __future__ import annotations

import os
import re
import shutil
import ssl
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import certifi
import pytest

from builder.net.chain import Certificate, facts, name, presented
from builder.net.index import default_index
from builder.net.tls import stores
from builder.settings import load
from tests.conftest import REPO

_PROGRAM = """
import sys
from pathlib import Path
from builder.errors import ModelstacksError
from builder.fetch import fetch
from builder.lock.model import Artifact
from builder.origin import Origin
from builder.settings import load
from builder.ui import Ui
from dataclasses import replace
# six 1.17.0, the wheel that the default index has had since December 2024
wheel = Artifact(
    kind="wheel", filename="six-1.17.0-py2.py3-none-any.whl", size=11050, project="six",
    origin=Origin("index", "default"),
    sha256="4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274",
)
ui = Ui()
try:
    fetch([wheel], {}, replace(load(), home=Path(sys.argv[1])), ui)
except ModelstacksError as error:
    ui.error(error)
    sys.exit(error.exit_code)
"""


@pytest.fixture(scope="module")
def root() -> Certificate:
    """The interceptor's root, out of the host's store."""
    host = urlsplit(default_index(load())).hostname or ""
    chain = presented(host, 443, load())
    own = certifi.where()
    public = {facts(der).subject for _, path, found in stores(load()) if str(path) == own for der in found}
    if chain[-1].issuer in public or chain[0].issuer in public:
        pytest.skip(f"no interceptor: {host} presents a certificate of {name(chain[0].issuer)}, a public issuer")
    everywhere = [der for _, path, found in stores(load()) if str(path) != own for der in found]
    roots = [one for der in everywhere if (one := facts(der)).subject == chain[-1].issuer and one.self_issued]
    if not roots:
        pytest.skip(f"the host's store has no root {chain[-1].issuer}")
    return roots[0]


def _fetch(tmp_path: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Fetch a small wheel in a mount namespace in which the host's store is empty and the public roots are there."""
    if os.geteuid() or not shutil.which("unshare"):
        pytest.skip("hiding the host's store needs root and unshare")
    (tmp_path / "empty").mkdir(exist_ok=True)
    kept = {key: os.environ[key] for key in os.environ if not re.search(r"CERT|_CA_|CA_BUNDLE|CAINFO", key)}
    hide = "for folder in /etc/ssl/certs /etc/pki; do test ! -d $folder || mount --bind $0 $folder || exit 99; done"
    command = ["unshare", "--mount", "sh", "-c", f'{hide}; exec "$@"', str(tmp_path / "empty")]
    return subprocess.run(
        [*command, sys.executable, "-c", _PROGRAM, str(tmp_path / "home")],
        cwd=REPO,
        env={**kept, "XDG_CACHE_HOME": str(tmp_path / "cache"), **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_with_the_hosts_store_hidden_the_interceptor_is_named_and_its_root_mends_it(root, tmp_path):
    failed = _fetch(tmp_path)
    assert failed.returncode == 3, failed.stderr
    assert "is not trusted" in failed.stderr
    assert name(root.subject) in failed.stderr
    assert "export CA_BUNDLE=FILE" in failed.stderr
    assert not list(tmp_path.glob("home/wheels/*.whl"))
    (tmp_path / "root.pem").write_text(ssl.DER_cert_to_PEM_cert(root.der))
    passed = _fetch(tmp_path, CA_BUNDLE=str(tmp_path / "root.pem"))
    assert passed.returncode == 0, passed.stderr
    assert list(tmp_path.glob("home/wheels/six-1.17.0-*.whl"))


def test_hash_locked_brings_the_wheel_where_the_root_cannot_be_had(root, tmp_path):
    done = _fetch(tmp_path, MODELSTACKS_TLS="hash-locked")
    assert done.returncode == 0, done.stderr
    assert "TLS=hash-locked" in done.stderr
    assert list(tmp_path.glob("home/wheels/six-1.17.0-*.whl"))
