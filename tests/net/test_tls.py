"""The merged CA bundle: a private CA adds to the public roots and never replaces them."""

from __future__ import annotations

import ssl
from datetime import datetime, timedelta, timezone
from pathlib import Path

import certifi
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from builder.errors import InputError
from builder.net.tls import ca_bundle, engine_ca_file, site_certificates, trust
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


def test_the_sites_own_are_those_of_its_bundle_that_are_no_public_roots(tmp_path):
    site = trustme.CA()
    (tmp_path / "all.pem").write_bytes(Path(certifi.where()).read_bytes() + site.cert_pem.bytes())
    assert [ssl.DER_cert_to_PEM_cert(one) for one in site_certificates(_settings(tmp_path / "all.pem"))] == [
        site.cert_pem.bytes().decode()
    ]
    assert site_certificates(_settings()) == []


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
        ("", "holds no whole certificate"),
        ("0\x82 DER", "holds no whole certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA", "holds no whole certificate"),
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


def test_damaged_der_is_named(tmp_path):
    (tmp_path / "bad.der").write_bytes(b"\x30\x82\x03\x00 and so on")
    with pytest.raises(InputError, match="certificate 1 of the file in CA_BUNDLE is damaged"):
        ca_bundle(_settings(tmp_path / "bad.der"))


def test_files_and_folders_of_pem_and_der_are_all_trusted(tmp_path):
    one, two, three, folder = trustme.CA(), trustme.CA(), trustme.CA(), tmp_path / "folder"
    folder.mkdir()
    der = [ssl.PEM_cert_to_DER_cert(ca.cert_pem.bytes().decode()) for ca in (one, two, three)]
    (tmp_path / "one.der").write_bytes(der[0])
    (folder / "two.cer").write_bytes(der[1])
    three.cert_pem.write_to_path(str(folder / "three.pem"))
    found = trust(_settings(tmp_path / "one.der", folder))
    assert set(der) <= _certificates(found.path)
    assert found.warnings == ()


def test_a_store_of_the_environment_may_be_a_folder_or_absent(tmp_path, monkeypatch):
    ca, folder = trustme.CA(), tmp_path / "folder"
    folder.mkdir()
    ca.cert_pem.write_to_path(str(folder / "0a1b2c3d.0"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(folder))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent.pem"))
    found = _certificates(ca_bundle(_settings()))
    assert ssl.PEM_cert_to_DER_cert(ca.cert_pem.bytes().decode()) in found
    assert _certificates(certifi.where()) <= found


def _root(days: tuple[int, int] = (-9, 9), *, ca: bool | None = True) -> bytes:
    """A self-signed certificate in PEM, valid from and to so many days from now; ca None: without basicConstraints."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Site Root")])
    first, last = (datetime.now(timezone.utc) + timedelta(day) for day in days)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, first, last)
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (_root((-9, -2)), "expired on"),
        (_root((2, 9)), "is not valid before"),
        (_root(ca=False), "is not a CA certificate (basicConstraints)"),
        (_root(ca=None), "is not a CA certificate (basicConstraints)"),
    ],
    ids=["expired", "not-yet", "not-ca", "no-constraints"],
)
def test_a_certificate_that_cannot_be_a_root_is_named_and_left_out(tmp_path, made, says):
    good = _root()
    (tmp_path / "site.pem").write_bytes(good + made)
    found = trust(_settings(tmp_path / "site.pem"))
    (warning,) = found.warnings
    assert warning.startswith(f"{tmp_path / 'site.pem'}: certificate 2 in CA_BUNDLE, CN=Site Root, {says}")
    text = found.path.read_text()
    assert good.decode() in text
    assert made.decode() not in text


def test_where_an_engine_looks_for_a_registrys_ca():
    assert str(engine_ca_file("harbor.example:8443")) == "/etc/docker/certs.d/harbor.example:8443/ca.crt"


def test_an_empty_folder_is_named(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(InputError, match="holds no"):
        ca_bundle(_settings(folder))
