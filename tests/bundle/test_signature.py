"""Bundles signed with a key of one's own: what openssl and cosign read, and what is refused."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.bundle.conftest import Site
from tests.conftest import cli
from tests.publish.conftest import tool


def _openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def _keys(folder: Path, name: str, *algorithm: str) -> tuple[Path, Path]:
    private, public = folder / f"{name}.key", folder / f"{name}.pub"
    how = algorithm or ("EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    _openssl("genpkey", "-algorithm", *how, "-out", str(private))
    _openssl("pkey", "-in", str(private), "-pubout", "-out", str(public))
    return private, public


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return _keys(tmp_path_factory.mktemp("keys"), "own")


@pytest.fixture
def signed(exporting: Site, keys: tuple[Path, Path], tmp_path: Path) -> Path:
    """A signed bundle; its signature lies beside it."""
    return _export(exporting, tmp_path / "mini.bundle.tar", keys[0])


def _export(site: Site, out: Path, key: Path, *more: str) -> Path:
    done = cli("export", "mini", "--out", str(out), "--key", str(key), *more, env=site.environment)
    assert done.returncode == 0, done.stderr
    return out


def _import(there: Site, bundle: Path, key: Path, *more: str) -> tuple[int, str]:
    done = cli("import", str(bundle), "--key", str(key), *more, env=there.environment)
    return done.returncode, done.stderr


def _refused(there: Site, bundle: Path, key: Path, says: str, more: Sequence[str] = ()) -> None:
    before = there.tree()
    code, said = _import(there, bundle, key, *more)
    assert code == 2 and says in said and "fix:" in said, said
    assert there.tree() == before


def test_a_signed_bundle_is_imported_and_openssl_agrees(
    signed: Path, keys: tuple[Path, Path], there: Site, tmp_path: Path
) -> None:
    (tmp_path / "raw").write_bytes(base64.b64decode(signed.with_name(f"{signed.name}.sig").read_bytes(), validate=True))
    _openssl("dgst", "-sha256", "-verify", str(keys[1]), "-signature", str(tmp_path / "raw"), str(signed))
    assert _import(there, signed, keys[1])[0] == 0
    assert (there.stacks / "mini" / "stack.lock").is_file()


def test_cosign_agrees(signed: Path, keys: tuple[Path, Path]) -> None:
    signature = ["--signature", f"{signed}.sig", "--insecure-ignore-tlog=true"]
    subprocess.run(
        [tool("cosign"), "verify-blob", "--key", keys[1], *signature, signed], check=True, capture_output=True
    )


@pytest.mark.parametrize("what", ["a byte", "another key", "no signature", "an empty signature", "a signature of else"])
def test_what_was_not_signed_is_refused_before_anything_is_placed(
    what: str, signed: Path, keys: tuple[Path, Path], there: Site, tmp_path: Path
) -> None:
    signature, key, says = signed.with_name(f"{signed.name}.sig"), keys[1], "is not what was signed"
    if what == "a byte":
        data = bytearray(signed.read_bytes())
        data[-1] ^= 1
        signed.write_bytes(data)
    elif what == "another key":
        key = _keys(tmp_path, "other")[1]
    elif what == "no signature":
        signature.unlink()
        says = "cannot be read"
    elif what == "an empty signature":
        signature.write_bytes(b"")
    else:
        signature.write_bytes(base64.b64encode(b"0" * 70))
    _refused(there, signed, key, says)


def test_of_a_bundle_in_parts_the_list_is_signed(
    exporting: Site, keys: tuple[Path, Path], there: Site, tmp_path: Path
) -> None:
    out = _export(exporting, tmp_path / "mini.bundle.tar", keys[0], "--split", "10M")
    (signature,) = tmp_path.glob("*.sig")
    part = out.with_name(f"{out.name}.000")
    data = part.read_bytes()
    part.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    _refused(there, part, keys[1], "damaged")
    part.write_bytes(data)
    moved = tmp_path / "elsewhere.sig"
    signature.rename(moved)
    _refused(there, part, keys[1], "cannot be read")
    assert _import(there, part, keys[1], "--signature", str(moved))[0] == 0


@pytest.mark.parametrize("algorithm", [("ED25519",), ("EC", "-pkeyopt", "ec_paramgen_curve:P-384")])
def test_keys_of_another_kind_are_named(
    algorithm: tuple[str, ...], signed: Path, there: Site, tmp_path: Path, exporting: Site
) -> None:
    private, public = _keys(tmp_path, "odd", *algorithm)
    _refused(there, signed, public, "not one of ECDSA on P-256")
    done = cli(
        "export", "mini", "--out", str(tmp_path / "x.bundle.tar"), "--key", str(private), env=exporting.environment
    )
    assert done.returncode == 2 and not (tmp_path / "x.bundle.tar").exists()


def test_what_is_no_key_is_named(signed: Path, keys: tuple[Path, Path], there: Site) -> None:
    _refused(there, signed, keys[0], "this is no public key")
    _refused(there, signed, signed, "this is no public key")


def test_without_a_key_nothing_is_asked_and_a_signature_alone_is_wrong(signed: Path, there: Site) -> None:
    done = cli("import", str(signed), "--signature", f"{signed}.sig", env=there.environment)
    assert done.returncode == 2 and "goes with --key" in done.stderr
    assert cli("import", str(signed), env=there.environment).returncode == 0


@pytest.mark.parametrize("kind", ["fifo", "device"])
@pytest.mark.parametrize("what", ["key", "signature"])
def test_a_key_or_signature_that_is_no_file_holds_nobody_up(
    what: str, kind: str, signed: Path, keys: tuple[Path, Path], there: Site, tmp_path: Path
) -> None:
    odd = tmp_path / "odd"
    os.mkfifo(odd) if kind == "fifo" else odd.symlink_to("/dev/zero")
    if what == "key":
        _refused(there, signed, odd, "cannot be read")
    else:
        _refused(there, signed, keys[1], "cannot be read", ["--signature", str(odd)])


def test_neither_a_key_nor_a_bundle_is_written_over(
    exporting: Site, keys: tuple[Path, Path], there: Site, tmp_path: Path
) -> None:
    key, out = tmp_path / "own.bundle.tar", tmp_path / "mini.bundle.tar"
    shutil.copy(keys[0], key)
    for path, signature in ((out, key), (out, out), (key, tmp_path / "sig")):
        words = ["--out", str(path), "--key", str(key), "--signature", str(signature)]
        done = cli("export", "mini", *words, env=exporting.environment)
        assert done.returncode == 2 and "--signature" in done.stderr, done.stderr
        assert key.read_bytes() == keys[0].read_bytes() and not out.exists()
    _export(exporting, out, key, "--signature", str(tmp_path / "sig"))
    assert _import(there, out, keys[1], "--signature", str(tmp_path / "sig"))[0] == 0
