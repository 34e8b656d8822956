"""Keys of one's own to sign with: ECDSA on P-256 in PEM, as openssl and cosign read them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from builder.errors import InputError
from builder.files import read_bounded

MOST = 65536  # bytes of a key or a signature
PREHASHED = ec.ECDSA(Prehashed(hashes.SHA256()))
# The same bytes get the same signature, so that publishing twice changes nothing (RFC 6979).
_SAME = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
_PLAIN = ec.ECDSA(hashes.SHA256())
_MAKE = "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {}.key"


def private_key(path: Path, name: str) -> ec.EllipticCurvePrivateKey:
    """A private key of PEM; the variable COSIGN_PASSWORD opens one with a password. Raises InputError for another.

    name: of the key in the command that makes one.
    """
    password = os.environ.get("COSIGN_PASSWORD", "").encode() or None
    try:
        key = load_pem_private_key(read(path), password)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        fix = _MAKE.format(name)
        raise InputError("this is no private key", where=str(path), why=str(error)[:200], fix=fix) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InputError("the key is not one of ECDSA on P-256", where=str(path), fix=_MAKE.format(name))
    return key


def public_key(path: Path, name: str) -> ec.EllipticCurvePublicKey:
    """A public key of PEM. Raises InputError for another."""
    try:
        key = load_pem_public_key(read(path))
    except (ValueError, UnsupportedAlgorithm) as error:
        fix = f"openssl pkey -in {name}.key -pubout -out {name}.pub"
        raise InputError("this is no public key", where=str(path), why=str(error)[:200], fix=fix) from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InputError("the key is not one of ECDSA on P-256", where=str(path), fix=_MAKE.format(name))
    return key


def signed(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    """The signature of these bytes, always the same one."""
    return key.sign(data, _SAME)


def require(key: ec.EllipticCurvePublicKey, signature: bytes, data: bytes) -> None:
    """Raise cryptography's InvalidSignature where the owner of the key did not sign these bytes."""
    key.verify(signature, data, _PLAIN)


def read(path: Path) -> bytes:
    """A key or a signature, as the file has it; empty where it is too large to be one."""
    try:
        return read_bounded(path, MOST)
    except OSError as error:
        if error.errno == errno.EFBIG:
            return b""
        fix = "name the file: --key, --signature"
        raise InputError("the file cannot be read", where=str(path), why=error.strerror or "", fix=fix) from None
