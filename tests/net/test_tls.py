"""The merged CA bundle: a private CA adds to the public roots and never replaces them."""

from __future__ import annotations

import ssl
from pathlib import Path

import certifi
import pytest
import trustme

from builder.errors import InputError
from builder.net.tls import ca_bundle
from builder.settings import Settings


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def _settings(*named: Path) -> Settings:
    return Settings(home=Path("/nonexistent"), stacks=(), ca_bundle=named)


def _certificates(path) -> set[bytes]:
    context = ssl.create_default_context(cafile=str(path))
    return set(context.get_ca_certs(binary_form=True))


def test_a_private_ca_adds_to_public_roots_and_environment(tmp_path, monkeypatch):
    site, environment, folder = trustme.CA(), trustme.CA(), tmp_path / "folder"
    folder.mkdir()
    site.cert_pem.write_to_path(str(tmp_path / "site.pem"))
    trustme.CA().cert_pem.write_to_path(str(folder / "other.crt"))
    (folder / "README").write_text("not a certificate, and not taken for one")
    environment.cert_pem.write_to_path(str(tmp_path / "environment.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "environment.pem"))
    before = _certificates(ca_bundle(_settings()))
    merged = ca_bundle(_settings(tmp_path / "site.pem", folder))
    after = _certificates(merged)
    assert before < after
    assert len(after - before) == 2
    assert _certificates(certifi.where()) <= before
    assert ssl.PEM_cert_to_DER_cert(environment.cert_pem.bytes().decode()) in before
    text = merged.read_text()
    assert text.count("BEGIN CERTIFICATE") == len(set(text.split("-----BEGIN CERTIFICATE-----")[1:])), "no doubles"


def test_the_same_content_is_the_same_file_and_damage_is_mended(tmp_path):
    first = ca_bundle(_settings())
    assert first.parent == tmp_path / "cache" / "modelstacks" / "ca"
    assert ca_bundle(_settings()) == first
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    assert ca_bundle(_settings(tmp_path / "ca.pem")) != first
    assert len(list(first.parent.iterdir())) == 2


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read"),
        ("", "holds no whole PEM certificate"),
        ("\x30\x82 DER", "holds no whole PEM certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA", "holds no whole PEM certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "certificate 1 of the file"),
        ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "certificate 1 of the file"),
    ],
)
def test_a_bad_ca_bundle_is_named(tmp_path, content, says):
    path = tmp_path / "bad.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=says) as caught:
        ca_bundle(_settings(path))
    assert caught.value.where == str(path)


def test_an_empty_folder_is_named(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(InputError, match="holds no"):
        ca_bundle(_settings(folder))
