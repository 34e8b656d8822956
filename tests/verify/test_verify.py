"""A published image, and ten ways to tamper with it: each is named."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from builder.keys import private_key, public_key
from builder.publish import cosign, statements
from builder.publish.proof import Required
from builder.registry import Descriptor, Repository
from builder.registry.descriptor import MANIFEST
from builder.registry.upload import push
from builder.ui import Ui
from builder.verify import verify
from builder.verify.model import Fault
from tests.conftest import cli, document
from tests.publish.conftest import Keys, Served, make_keys, published


@dataclass
class Image:
    """A published image of a repository of its own, whose bytes a test may spoil."""

    served: Served
    keys: Keys
    done: dict[str, Any]
    stacks: Path

    @property
    def name(self) -> str:
        return str(self.done["image"].partition("/")[2].partition("@")[0])

    @property
    def tag(self) -> str:
        return str(self.done["tags"][0])

    def verified(self, *, key: Path | None = None, tag: str = "", required: Required = "cpu") -> list[Fault]:
        """The faults that verify names."""
        image, name = f"{self.served.address}/{self.name}:{tag or self.tag}", key or self.keys.public
        return verify(image, public_key(name, "x"), name, self.served.settings, Ui(), required=required).faults

    def told(self, *words: str, code: int) -> dict[str, Any]:
        """The document of the command line."""
        image = ["--image", f"{self.served.address}/{self.name}:{self.tag}", "--key", str(self.keys.public)]
        done = cli("--json", "--stacks", str(self.stacks), "verify", *image, *words, env=self.served.environment)
        return document(done, code=code)

    def manifest(self, reference: str) -> dict[str, Any]:
        with self.served.repository(self.name) as repository:
            found = repository.manifest(reference)
        assert found
        return found.document

    def statement(self, kind: str) -> tuple[str, Any]:
        """Digest of the envelope of a statement, and its predicate."""
        rows = self.manifest(cosign.tag(self.done["digest"], "att"))["layers"]
        (digest,) = [row["digest"] for row in rows if row["annotations"]["predicateType"] == kind]
        key = private_key(self.keys.private, "x").public_key()
        return digest, cosign.opened(self.served.blob(digest).read_bytes(), key, self.done["digest"])[1]

    def resigned(self, repository: Repository, kind: str, predicate: Any) -> None:
        """Put another statement in place of the one of its kind, signed with the right key: by who has it, or erred."""
        key = private_key(self.keys.private, "x")
        rows = []
        for row in self.manifest(cosign.tag(self.done["digest"], "att"))["layers"]:
            one = Descriptor.parse(row)
            if one.annotations["predicateType"] == kind:
                text = statements.statement(kind, predicate, repository.address, self.done["digest"])
                data = statements.envelope(text, key)
                one = cosign.attestation_layer(data, kind)
                push(repository, one, data)
            rows.append(one)
        body, config = cosign.collected(rows)
        push(repository, Descriptor.of("", config), config)
        repository.put_manifest(cosign.tag(self.done["digest"], "att"), body, MANIFEST)


@pytest.fixture(scope="module")
def whole(served: Served, keys: Keys, tiny: Path) -> Image:
    return Image(served, keys, published(served, keys, tiny), tiny)


@pytest.fixture
def image(whole: Image) -> Iterator[Image]:
    """As it was published; what a test did to the registry's store is undone."""
    files = [path for path in whole.served.data.rglob("*") if path.is_file() and path.stat().st_size < 50_000_000]
    before = {path: path.read_bytes() for path in files}
    yield whole
    for path in whole.served.data.rglob("*"):
        if path.is_file() and path.stat().st_size < 50_000_000 and path not in before:
            path.unlink()
    for path, data in before.items():
        if path.read_bytes() != data:
            path.write_bytes(data)


def spoiled(path: Path) -> None:
    """Change one byte in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_what_was_published_holds(image: Image) -> None:
    found = image.told(code=0)
    assert (found["faults"], found["digest"], found["stack"]) == ([], image.done["digest"], "tiny")
    assert len(found["held"]) == 5
    assert image.verified(tag=image.done["tags"][1]) == []
    (fault,) = image.told("--require-smoke", "gpu", code=1)["faults"]
    assert (fault["what"], fault["why"]) == ("evidence", "no test ran on a GPU")


def _layer(image: Image) -> None:
    spoiled(image.served.blob(image.manifest(image.tag)["layers"][1]["digest"]))


def _config(image: Image) -> None:
    spoiled(image.served.blob(image.manifest(image.tag)["config"]["digest"]))


def _manifest(image: Image) -> None:
    path = image.served.blob(image.done["digest"])
    path.write_bytes(path.read_bytes().replace(b"made for a test", b"made for a tesT"))


def _envelope(kind: str) -> Callable[[Image], None]:
    return lambda image: spoiled(image.served.blob(image.statement(kind)[0]))


def _signature(image: Image) -> None:
    path = image.served.blob(image.manifest(cosign.tag(image.done["digest"], "sig"))["layers"][0]["digest"])
    path.write_bytes(path.read_bytes().replace(image.tag.encode(), b"0" * 12))


@pytest.mark.parametrize(
    ("tamper", "what"),
    [
        (_layer, "layer 1"),
        (_config, "config"),
        (_manifest, "manifest"),
        (_envelope(statements.CYCLONEDX), "SBOM"),
        (_envelope(statements.PROVENANCE), "provenance"),
        (_envelope(statements.EVIDENCE), "evidence"),
        (_envelope(statements.LOCK), "lock"),
        (_signature, "signature"),
    ],
)
def test_each_byte_that_was_changed_is_named(image: Image, tamper: Callable[[Image], None], what: str) -> None:
    tamper(image)
    faults = image.verified()
    assert {fault.what for fault in faults} == {what}, faults


def test_a_tag_that_was_moved_is_named(image: Image) -> None:
    with image.served.repository(image.name) as repository:
        found = repository.manifest(image.tag)
        assert found
        repository.put_manifest("9.9", found.data, MANIFEST)
    (fault,) = image.verified(tag="9.9")
    assert (fault.what, fault.where) == ("tag", "9.9")
    assert "moved" in fault.why


def test_another_key_is_named(image: Image, tmp_path: Path) -> None:
    (fault,) = image.verified(key=make_keys(tmp_path, "other").public)
    assert (fault.what, fault.where) == ("key", str(tmp_path / "other.pub"))


def test_what_the_owner_of_the_key_signed_has_to_agree(image: Image) -> None:
    _, bom = image.statement(statements.CYCLONEDX)
    _, proved = image.statement(statements.EVIDENCE)
    with image.served.repository(image.name) as repository:
        less = {**bom, "components": [row for row in bom["components"] if row["name"] != "six"]}
        image.resigned(repository, statements.CYCLONEDX, less)
        faults = image.verified()
        assert {fault.what for fault in faults} == {"SBOM"}
        assert [fault.where for fault in faults if "lock names it" in fault.why] == ["six-1.17.0-py2.py3-none-any.whl"]
        image.resigned(repository, statements.CYCLONEDX, bom)
        other = {**proved, "layers": ["sha256:" + "0" * 64]}
        image.resigned(repository, statements.EVIDENCE, other)
        (fault,) = image.verified()
    assert (fault.what, fault.why) == ("evidence", "it is of an image of other layers")


def test_an_image_that_is_not_there_or_not_signed_is_told(image: Image) -> None:
    words = ["--json", "verify", "--key", str(image.keys.public), "--image"]
    gone = cli(*words, f"{image.served.address}/{image.name}:none", env=image.served.environment)
    assert "no such image" in document(gone, code=2)["errors"][0]["problem"]
    with image.served.repository("bare/tiny") as repository:
        data = b"{}"
        push(repository, Descriptor.of("", data), data)
        config = Descriptor.of("application/vnd.oci.image.config.v1+json", data).document()
        text = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []}).encode()
        repository.put_manifest("latest", text, MANIFEST)
    done = cli(*words, f"{image.served.address}/bare/tiny", env=image.served.environment)
    faults = document(done, code=1)["faults"]
    assert ("signature", "the image is not signed") in {(one["what"], one["why"]) for one in faults}
    assert {"SBOM", "provenance", "evidence", "lock", "config"} <= {one["what"] for one in faults}


@pytest.mark.heavy
def test_it_is_built_from_its_lock_again(image: Image) -> None:
    """Heavy: it builds without a cache."""
    assert image.told("--rebuild", code=0)["faults"] == []
    lock = image.stacks / "tiny" / "stack.lock"
    before = lock.read_text()
    lock.write_text(before.replace("epoch = 1", "epoch = 2", 1))
    try:
        (fault,) = image.told("--rebuild", code=1)["faults"]
    finally:
        lock.write_text(before)
    assert fault["what"] == "rebuild"
