"""Signatures of bundles with a key of one's own, in the form of `cosign sign-blob --key` and `verify-blob --key`.

That is ECDSA on P-256 over the sha256 of the file, in DER, as base64 in a file beside it. Of a bundle in parts, the
list is signed: it names every part by sha256.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec

from builder.bundle.parts import whole
from builder.errors import InputError
from builder.files import sha256_of, write_atomic
from builder.keys import PREHASHED, private_key, public_key, read

ENDING = ".sig"
_NAME = "bundle"


def signing_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """A private key of PEM; the variable COSIGN_PASSWORD opens one with a password. Raises InputError for another."""
    return private_key(path, _NAME)


def signature_place(file: Path, key: Path, out: Path | None) -> Path:
    """Where the signature of a bundle's file, or of its list of parts, goes: out, else beside it.

    Raises InputError where the bundle or its signature would take the place of the key, or one that of the other.
    """
    place = out or file.with_name(f"{file.name}{ENDING}")
    if same := [one for one in (file, place) if one.resolve() == key.resolve()]:
        raise InputError("the key's own file cannot be written to", where=str(same[0]), fix="give another --signature")
    if place.resolve() == file.resolve():
        raise InputError("the signature would replace the bundle", where=str(place), fix="give another --signature")
    return place


def sign(file: Path, key: ec.EllipticCurvePrivateKey, out: Path | None) -> Path:
    """Sign a bundle's file, or its list of parts; gives where the signature is, default beside the file."""
    place = out or file.with_name(f"{file.name}{ENDING}")
    made = key.sign(bytes.fromhex(sha256_of(file)), PREHASHED)
    write_atomic(place, base64.b64encode(made))
    return place


def require_signed(bundle: Path, public: Path, signature: Path | None) -> str:
    """Hold a bundle against its signature, before a byte of it is believed; gives the sha256 that was signed.

    Raises InputError where the key or signature is none, or the bundle is not what the owner of the key signed.
    """
    file = whole(bundle)
    place = signature or file.with_name(f"{file.name}{ENDING}")
    key = public_key(public, _NAME)
    sha256 = sha256_of(file)
    try:
        key.verify(base64.b64decode(read(place).strip(), validate=True), bytes.fromhex(sha256), PREHASHED)
    except (InvalidSignature, binascii.Error):
        why = f"{place.name} is not a signature of it by the owner of {public.name}"
        fix = "do not import it: bring bundle and signature anew from who made them"
        raise InputError("the bundle is not what was signed", where=str(file), why=why, fix=fix) from None
    return sha256
