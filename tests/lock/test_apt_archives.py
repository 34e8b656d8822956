"""Archives of a stack's own: a real one, signed by gpg, over TLS under a private CA; resolved, fetched, built, run."""

from __future__ import annotations

import gzip
import hashlib
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest
import trustme

from builder import settings as site_settings
from builder.engine.client import Engine
from builder.errors import InputError
from builder.lock import apt, base, inputs_digest, read, require_fresh
from builder.settings import Settings
from builder.spec.stacks import load_stack
from tests.conftest import IMAGES, cli, document, remove_images, write_stack
from tests.lock.test_site import keyring  # noqa: F401 - a fixture
from tests.net.web import Web, web


def package(folder: Path, name: str, version: str) -> bytes:
    """A .deb file with the program NAME."""
    top = folder / name
    for path, text in {
        "DEBIAN/control": f"Package: {name}\nVersion: {version}\nArchitecture: amd64\n"
        "Maintainer: A <a@example.org>\nDescription: made for a test\n",
        f"usr/bin/{name}": "#!/bin/sh\necho own\n",
    }.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text(text)
    (top / f"usr/bin/{name}").chmod(0o755)
    out = folder / f"{name}.deb"
    words = ["dpkg-deb", "--build", "--root-owner-group", str(top), str(out)]
    subprocess.run(words, check=True, capture_output=True)
    return out.read_bytes()


def archive(site: Web, keyring: Path, place: str, suite: str, debs: dict[tuple[str, str], bytes]) -> None:  # noqa: F811
    """Put a signed archive of these packages at /PLACE of a server."""
    stanzas = []
    for (name, version), data in debs.items():
        fields = f"Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: A <a@example.org>\n"
        file = f"Filename: pool/{name}_1_amd64.deb\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"
        stanzas.append(f"{fields}Description: made for a test\n{file}")
        site.answers[f"/{place}/pool/{name}_1_amd64.deb"] = (200, {}, data)
    plain = "\n".join(stanzas).encode()
    files = {"main/binary-amd64/Packages": plain, "main/binary-amd64/Packages.gz": gzip.compress(plain, mtime=0)}
    release = f"Origin: Own\nSuite: {suite}\nCodename: {suite}\nDate: {formatdate(usegmt=True)}\nArchitectures: amd64\n"
    release += "Components: main\nSHA256:\n"
    release += "".join(f" {hashlib.sha256(data).hexdigest()} {len(data)} {path}\n" for path, data in files.items())
    words = ["gpg", "--homedir", str(keyring.parent), "--batch", "--clearsign"]
    signed = subprocess.run(words, input=release.encode(), check=True, capture_output=True).stdout
    site.answers[f"/{place}/dists/{suite}/InRelease"] = (200, {}, signed)
    site.answers |= {f"/{place}/dists/{suite}/{path}": (200, {}, data) for path, data in files.items()}


@pytest.fixture
def own(authority: trustme.CA, keyring: Path, tmp_path: Path) -> Iterator[Web]:  # noqa: F811
    """An archive at /own of a server: owntool, and a newer `file` than Debian's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with web(context) as site:
        debs = {one: package(tmp_path / "debs", *one) for one in (("owntool", "1.0"), ("file", "99:1"))}
        archive(site, keyring, "own", "test", debs)
        yield site


@pytest.fixture
def stacks(own: Web, keyring: Path, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    """The stack `mine`, which takes owntool and file; the CA and the settings are in the environment."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    for name, value in {"CA_BUNDLE": str(tmp_path / "ca.pem"), "no_proxy": "localhost"}.items():
        monkeypatch.setenv(name, value)
    write(tmp_path / "stacks", own)
    (tmp_path / "stacks" / "mine" / "own.gpg").write_bytes(keyring.read_bytes())
    monkeypatch.setenv("MODELSTACKS_STACKS", str(tmp_path / "stacks"))
    return tmp_path / "stacks"


def write(folder: Path, own: Web, more: str = "") -> None:
    folder.mkdir(exist_ok=True)
    archive = f"apt-archives: [{{url: '{own.url}/own', suite: test, key: own.gpg{more}}}]"
    write_stack(folder, "mine", packages=["six==1.17.0"], extra=f"{archive}\nsystem: [owntool, file]")


def test_a_signed_archive_serves_what_the_distribution_lacks(engine: Engine, own: Web, stacks: Path) -> None:
    try:
        document(cli("--json", "stack", "mine", "--gpu", "none"))
        assert engine.run(["run", "--rm", f"{IMAGES}/mine", "owntool"]).stdout == "own\n"
        stack, lock = load_stack("mine", site_settings.load()), read(stacks / "mine")
        origins = {item.project: str(item.origin) for item in lock.debs}
        assert origins["owntool"] == f"{own.url}/own/pool/owntool_1_amd64.deb"
        assert origins["file"].startswith("archive:debian/"), "the distribution's own, though older"
        assert all(item.origin.scheme == "archive" for item in lock.base.debs)
        require_fresh(stack, lock, stacks / "mine")

        write(stacks, own, ", packages: [file]")
        document(cli("--json", "lock", "mine"))
        found = {item.project: str(item.origin) for item in read(stacks / "mine").debs}
        assert found["file"] == f"{own.url}/own/pool/file_1_amd64.deb"
        path = stacks / "mine" / "stack.lock"
        path.write_text(path.read_text().replace(f"{own.url}/own/pool", "https://evil.example/pool"))
        with pytest.raises(InputError, match="is not of this stack") as caught:
            require_fresh(load_stack("mine", site_settings.load()), read(stacks / "mine"), stacks / "mine")
        assert "is in no archive of the stack" in caught.value.why
    finally:
        remove_images(engine, "mine")


def test_another_key_is_refused_and_makes_a_lock_stale(engine: Engine, stacks: Path, tmp_path: Path) -> None:
    first = inputs_digest(load_stack("mine", site_settings.load()))
    home = tmp_path / "other"
    home.mkdir(mode=0o700)
    words = ["gpg", "--homedir", str(home), "--batch", "--quiet"]
    made = [*words, "--passphrase", "", "--quick-generate-key", "other@example.org", "ed25519", "sign"]
    subprocess.run(made, check=True, capture_output=True)
    exported = subprocess.run([*words, "--export"], check=True, capture_output=True).stdout
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False, capture_output=True)
    (stacks / "mine" / "own.gpg").write_bytes(exported)
    assert inputs_digest(load_stack("mine", site_settings.load())) != first
    done = cli("lock", "mine")
    assert done.returncode == 3, done.stderr
    assert "NO_PUBKEY" in done.stderr
    assert not (stacks / "mine" / "stack.lock").exists()


def test_a_key_is_a_file_beside_the_stack(stacks: Path) -> None:
    key = stacks / "mine" / "own.gpg"
    key.rename(stacks / "kept.gpg")
    with pytest.raises(InputError, match="a key cannot be read"):
        load_stack("mine", site_settings.load())
    key.symlink_to(stacks / "kept.gpg")
    with pytest.raises(InputError, match=r"own\.gpg is a link"):
        load_stack("mine", site_settings.load())


def test_a_site_that_wants_security_takes_the_security_suites(
    own: Web,
    keyring: Path,  # noqa: F811
    settings: Settings,
) -> None:
    archive(own, keyring, "debian", "test", {("tool", "1"): b"one"})
    archive(own, keyring, "debian-security", "test-security", {("tool", "2"): b"two"})
    mirrors = {name: f"{own.url}/{name}" for name in ("debian", "debian-security")}
    for security, wanted in ((False, "archive:debian/"), (True, "archive:debian-security/")):
        site = replace(settings, mirrors=mirrors, security=security)
        with apt.opened("debian", base.with_security(("test",), site), site, keyrings=[keyring]) as private:
            assert [str(item.origin) for item in private.install(["tool"])] == [f"{wanted}pool/tool_1_amd64.deb"]
    assert base.with_security(("a", "a-security", "b-updates"), site) == ("a", "a-security", "b-updates")
