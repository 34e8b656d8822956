"""SBOMs of a small locked stack: both formats by their own validators, their bytes, and what they refuse to guess."""

from __future__ import annotations

import io
import json
import lzma
import shutil
import tarfile
import zipfile
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from referencing import Registry, Resource
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from builder.sbom import licences
from tests.bundle.conftest import Site, add_stack, site
from tests.conftest import cli, document

SECRET = "hunter2-in-no-document"
COPYRIGHT = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: GPL-2+\n"


def licensed(name: str, *headers: str) -> bytes:
    """A wheel whose METADATA has these lines."""
    data = io.BytesIO()
    lines = ["Metadata-Version: 2.4", f"Name: {name}", "Version: 1", *headers]
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(zipfile.ZipInfo(f"{name}-1.dist-info/METADATA"), "\n".join(lines) + "\n")
        archive.writestr(zipfile.ZipInfo(f"{name}-1.dist-info/WHEEL"), "Wheel-Version: 1.0\n")
        archive.writestr(zipfile.ZipInfo(f"{name}-1.dist-info/RECORD"), "")
    return data.getvalue()


def deb(path: Path, text: str, *, packing: str = "xz") -> Path:
    """A .deb with this copyright file."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        entry = tarfile.TarInfo("./usr/share/doc/x/copyright")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text.encode()))
    members = {
        "debian-binary": b"2.0\n",
        "control.tar.xz": b"odd",
        f"data.tar.{packing}": lzma.compress(tar.getvalue()),
    }
    data = b"!<arch>\n"
    for name, content in members.items():
        data += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
        data += content + b"\n" * (len(content) % 2)
    path.write_bytes(data)
    return path


@pytest.fixture
def here(tmp_path: Path) -> Site:
    made = site(tmp_path / "here")
    wheels = {
        "alpha": licensed("alpha", "License-Expression: MIT OR Apache-2.0"),
        "beta": licensed("beta", "License: 3-Clause BSD", "Classifier: License :: OSI Approved :: BSD License"),
        "gamma": licensed("gamma", "License: UNKNOWN"),
    }
    add_stack(made, "mini", wheels)
    return made


def listed(made: Site, out: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    done = cli("sbom", "mini", "--out", str(out), env={**made.environment, "MODELSTACKS_TEST_TOKEN": SECRET})
    assert done.returncode == 0, done.stderr
    assert SECRET not in done.stdout + done.stderr
    return json.loads((out / "mini.cdx.json").read_text()), json.loads((out / "mini.spdx.json").read_text())


def official() -> Draft7Validator:
    """The schema of CycloneDX 1.6, as the library carries it, with those that it refers to."""
    folder = resources.files("cyclonedx.schema") / "_res"
    main = json.loads((folder / "bom-1.6.SNAPSHOT.schema.json").read_text())
    others = {
        f"http://cyclonedx.org/schema/{name}.schema.json": json.loads(
            (folder / f"{name}.SNAPSHOT.schema.json").read_text()
        )
        for name in ("spdx", "jsf-0.82")
    }
    registry: Registry[Any] = Registry().with_resources(
        (address, Resource.from_contents(content)) for address, content in others.items()
    )
    return Draft7Validator(main, registry=registry)


def test_both_forms_hold_to_their_official_models(here: Site, tmp_path: Path) -> None:
    bom, _ = listed(here, tmp_path)
    assert bom["specVersion"] == "1.6"
    schema = official()
    assert list(schema.iter_errors(bom)) == []
    bom["components"][0]["hashes"][0]["content"] = "none"
    assert list(schema.iter_errors(bom)), "the schema refuses nothing"
    path = tmp_path / "mini.spdx.json"
    assert validate_full_spdx_document(parse_file(str(path))) == []
    path.write_text(
        path.read_text().replace('"BUILD_TOOL_OF"', '"CONTAINS"').replace("SPDXRef-Part-1", "SPDXRef-None", 1)
    )
    assert validate_full_spdx_document(parse_file(str(path))), "the validator refuses nothing"


def test_every_part_has_its_package_address_hash_and_licence(here: Site, tmp_path: Path) -> None:
    bom, spdx = listed(here, tmp_path)
    found = {row["name"]: row for row in bom["components"]}
    assert found.keys() == {"alpha", "beta", "gamma", "base", "uv"}
    assert found["alpha"]["purl"] == "pkg:pypi/alpha@1?file_name=alpha-1-py3-none-any.whl"
    assert found["base"]["purl"] == "pkg:deb/debian/base@1?arch=amd64"
    assert found["alpha"]["licenses"] == [{"expression": "MIT OR Apache-2.0"}]
    assert found["beta"]["licenses"] == [{"license": {"name": "BSD License"}}]
    assert "licenses" not in found["gamma"]
    assert {row["scope"] for name, row in found.items() if name != "uv"} == {"required"}
    assert found["uv"]["scope"] == "excluded"
    packages = {row["name"]: row for row in spdx["packages"]}
    assert packages["alpha"]["licenseDeclared"] == "MIT OR Apache-2.0"
    assert packages["beta"]["licenseComments"] == "stated as: BSD License"
    for name, row in found.items():
        assert row["hashes"][0]["content"] == packages[name]["checksums"][0]["checksumValue"]
        assert row["purl"] == packages[name]["externalRefs"][0]["referenceLocator"]


def test_the_same_lock_gives_the_same_bytes_in_another_home(here: Site, tmp_path: Path) -> None:
    listed(here, tmp_path / "one")
    shutil.copytree(here.root, tmp_path / "there")
    listed(Site(tmp_path / "there"), tmp_path / "two")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
        assert str(tmp_path) not in path.read_text()


def test_what_is_not_fetched_is_named_and_not_guessed(here: Site, tmp_path: Path) -> None:
    (here.home / "wheels" / "beta-1-py3-none-any.whl").unlink()
    found = document(cli("--json", "sbom", "mini", "--out", str(tmp_path / "out"), env=here.environment), code=2)
    (error,) = found["errors"]
    assert "beta-1-py3-none-any.whl is not fetched" in error["problem"]
    assert error["fix"] == "make fetch STACK=mini"
    assert not (tmp_path / "out").exists()


def test_a_deb_states_its_licences_in_the_machine_readable_form_alone(tmp_path: Path) -> None:
    assert licences.of_deb(deb(tmp_path / "a.deb", f"{COPYRIGHT}\nFiles: b\nLicense: MIT\n")) == ("GPL-2+", "MIT")
    assert licences.of_deb(deb(tmp_path / "b.deb", "License: all of them")) == ()
    assert licences.of_deb(deb(tmp_path / "c.deb", COPYRIGHT, packing="zst")) == ()


def test_a_deb_or_wheel_that_is_none_states_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = deb(tmp_path / "a.deb", COPYRIGHT)
    data = whole.read_bytes()
    for number, broken in enumerate((b"", data[:100], data[:-40], data.replace(b"\xfd7zXZ", b"xxxxx"), b"!<arch>\n")):
        path = tmp_path / f"{number}.deb"
        path.write_bytes(broken)
        assert licences.of_deb(path) == ()
        assert licences.of_wheel(path) == ()
    assert licences.of_deb(whole)
    monkeypatch.setattr(licences, "_UNPACKED", 1000)
    assert licences.of_deb(whole) == ()


def test_a_licence_steers_no_terminal_and_floods_no_document(tmp_path: Path) -> None:
    path = tmp_path / "x.whl"
    path.write_bytes(licensed("x", "License: a\x1b[2Jb"))
    assert "\x1b" not in licences.of_wheel(path)[0]
    path.write_bytes(licensed("x", *(f"Classifier: License :: OSI Approved :: {'n' * 500}{row}" for row in range(99))))
    assert sum(map(len, licences.of_wheel(path))) <= 200
