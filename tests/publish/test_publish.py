"""A small stack into a real registry with TLS and a login: what is there then, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from builder.engine.client import Engine
from tests.conftest import HOME, cli, document
from tests.private_engine import private_engine
from tests.publish.conftest import PASSWORD, USER, Keys, Served, make_keys, published, tool

SECRET = "hunter2-of-the-environment"
EVIDENCE = HOME / "build" / "tiny" / "smoke" / "evidence.json"
TYPES = [
    "cyclonedx",
    "spdxjson",
    "slsaprovenance1",
    "https://modelstacks.invalid/smoke/v1",
    "https://modelstacks.invalid/lock/v1",
]


@pytest.fixture(scope="module")
def done(served: Served, keys: Keys, tiny: Path) -> dict[str, Any]:
    return published(served, keys, tiny, "--tag", "latest", env={"MODELSTACKS_TEST_TOKEN": SECRET})


@pytest.fixture
def evidence() -> Iterator[Path]:
    """The evidence of `tiny`, put back at the end."""
    before = EVIDENCE.read_bytes()
    yield EVIDENCE
    EVIDENCE.write_bytes(before)


def _run(served: Served, *words: str) -> str:
    environment = {**os.environ, **served.environment, "HOME": str(served.docker)}
    found = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_the_image_is_there_under_its_tags_and_a_second_push_moves_nothing(
    done: dict[str, Any], served: Served, keys: Keys, tiny: Path
) -> None:
    assert done["sent"] > 50_000_000
    again = published(served, keys, tiny, "--tag", "latest")
    assert (again["digest"], again["sent"], again["there"]) == (done["digest"], 0, again["blobs"])
    with served.repository("team/tiny", writes=False) as repository:
        assert len(done["tags"]) == 3
        there = [repository.manifest(tag) for tag in done["tags"]]
        assert [one.digest for one in there if one] == [done["digest"]] * 3
        found = there[0]
        assert found
        assert found.document["annotations"]["org.opencontainers.image.title"] == "tiny"
        assert {row["mediaType"] for row in found.document["layers"]} == {"application/vnd.oci.image.layer.v1.tar+zstd"}
        referrers = repository.referrers(done["digest"])
    assert len(referrers) == done["referrers"] == 7
    assert {row.artifact_type for row in referrers} == {
        "application/vnd.cyclonedx+json",
        "application/spdx+json",
        "application/vnd.in-toto+json",
    }


def test_the_engine_pulls_and_runs_it(done: dict[str, Any], served: Served, engine: Engine) -> None:
    name = done["image"]
    engine.run(["pull", name])
    try:
        ran = engine.run(["run", "--rm", "--network=none", name, "python", "-c", "import six; print(six.__version__)"])
        assert ran.stdout.strip() == "1.17.0"
    finally:
        engine.remove(name)


def test_cosign_accepts_signature_and_statements_offline(
    done: dict[str, Any], served: Served, keys: Keys, tmp_path: Path
) -> None:
    cosign = tool("cosign")
    words = ["--insecure-ignore-tlog=true", "--offline"]
    said = json.loads(_run(served, cosign, "verify", "--key", str(keys.public), *words, done["image"]))
    assert said[0]["critical"]["image"]["docker-manifest-digest"] == done["digest"]
    for kind in TYPES:
        by = [cosign, "verify-attestation", "--key", str(keys.public), *words, "--type", kind, done["image"]]
        assert json.loads(_run(served, *by).splitlines()[0])["payloadType"] == "application/vnd.in-toto+json"
    other = make_keys(tmp_path, "other")
    with pytest.raises(AssertionError, match=r"no matching signatures|invalid signature"):
        _run(served, cosign, "verify", "--key", str(other.public), *words, done["image"])


def test_oras_and_skopeo_of_the_distribution_find_it(done: dict[str, Any], served: Served) -> None:
    login = str(served.docker / "config.json")
    more = ["--ca-file", str(served.ca), "--registry-config", login, "--plain-http=false", "--format", "json"]
    found = json.loads(_run(served, tool("oras"), "discover", *more, done["image"]))
    assert len(found.get("manifests") or found["referrers"]) == 7
    folder = served.ca.parent / "certs"
    folder.mkdir(exist_ok=True)
    (folder / "ca.crt").write_bytes(served.ca.read_bytes())
    tagged = f"docker://{done['image'].partition('@')[0]}:latest"
    said = _run(served, tool("skopeo"), "inspect", "--cert-dir", str(folder), "--authfile", login, tagged)
    assert json.loads(said)["Digest"] == done["digest"]


def test_another_repository_takes_the_blobs_from_the_first(
    done: dict[str, Any], served: Served, keys: Keys, tiny: Path
) -> None:
    other = published(served, keys, tiny, "--mount", "team/tiny", name="others")
    assert other["digest"] == done["digest"]
    assert other["mounted"] >= 3
    assert other["sent"] < 1_000_000


@pytest.mark.heavy
def test_gzip_on_request(served: Served, keys: Keys, tiny: Path, done: dict[str, Any]) -> None:
    """Heavy: gzip packs the base in half a minute."""
    other = published(served, keys, tiny, "--compression", "gzip", name="packed")
    assert other["digest"] != done["digest"]
    with served.repository("packed/tiny") as repository:
        found = repository.manifest(other["digest"])
    assert found
    assert all(row["mediaType"].endswith("+gzip") for row in found.document["layers"])


def test_no_secret_is_in_the_registry(done: dict[str, Any], served: Served) -> None:
    token = json.loads((served.docker / "config.json").read_text())["auths"][served.address]["auth"]
    for path in served.data.rglob("data"):
        data = path.read_bytes()
        for secret in (PASSWORD, SECRET, token, USER):
            assert secret.encode() not in data, path


def test_an_image_without_evidence_is_refused(
    done: dict[str, Any], served: Served, keys: Keys, tiny: Path, evidence: Path
) -> None:
    def refused(says: str, *words: str) -> None:
        (error,) = published(served, keys, tiny, *words, name="refused", code=1)["errors"]
        assert says in f"{error['problem']} {error['why']}"
        assert "make smoke STACK=tiny" in error["fix"]

    refused("no test ran on a GPU", "--require-smoke", "gpu")
    whole = json.loads(evidence.read_text())
    evidence.write_text(json.dumps({**whole, "image_id": "sha256:" + "0" * 64}))
    refused("it is of another image")
    evidence.write_text(json.dumps({**whole, "lock": "0" * 64}))
    refused("it is of another lock")
    failed = [{**whole["results"][0], "outcome": "failed"}, *whole["results"][1:]]
    evidence.write_text(json.dumps({**whole, "results": failed}))
    refused("a test failed")
    evidence.unlink()
    refused("No such file")
    with served.repository("refused/tiny") as repository:
        assert repository.manifest(done["tags"][0]) is None
    assert (
        published(served, keys, tiny, "--require-smoke", "none", "--mount", "team/tiny", name="by-name")["smoke"]
        == "none"
    )


def test_evidence_of_another_machine_is_taken(
    done: dict[str, Any], served: Served, keys: Keys, tiny: Path, evidence: Path
) -> None:
    whole = json.loads(evidence.read_text())
    elsewhere = evidence.with_name("gpu.json")
    rows = [{**row, "needs_gpu": True} for row in whole["results"]]
    elsewhere.write_text(json.dumps({**whole, "results": rows, "date": "of the GPU machine"}))
    words = ["--require-smoke", "gpu", "--evidence", str(elsewhere), "--mount", "team/tiny"]
    assert published(served, keys, tiny, *words, name="gpu")["smoke"] == "of the GPU machine"


def test_a_key_or_an_address_that_is_none_is_refused_before_anything(
    served: Served, keys: Keys, tiny: Path, tmp_path: Path
) -> None:
    base = ["--json", "--stacks", str(tiny), "publish", "tiny"]
    public = [*base, "--registry", served.address, "--key", str(keys.public)]
    assert "no private key" in document(cli(*public), code=2)["errors"][0]["problem"]
    for wrong in (f"https://{served.address}", "team", f"me:{PASSWORD}@registry.example/x", "registry.example/X"):
        done = cli(*base, "--registry", wrong, "--key", str(keys.private))
        assert "no registry's address" in document(done, code=2)["errors"][0]["problem"]
        assert PASSWORD not in done.stdout + done.stderr


def test_a_service_is_never_published(served: Served, keys: Keys) -> None:
    words = ["publish", "audio2face-nim", "--registry", served.address, "--key", str(keys.private)]
    assert document(cli("--json", *words), code=2)["errors"]


@pytest.mark.heavy
def test_two_engines_with_other_stores_publish_the_same_digest(
    done: dict[str, Any], served: Served, keys: Keys, tiny: Path, evidence: Path
) -> None:
    """Heavy: the second engine makes its base anew."""
    other = "overlay2" if Engine.connect().info.store == "containerd" else "containerd"
    with private_engine(other) as second:  # type: ignore[arg-type]
        env = {"DOCKER_HOST": second.host, "MODELSTACKS_IMAGE_PREFIX": "modelstacks-test/second"}
        document(cli("--json", "--stacks", str(tiny), "stack", "tiny", "--gpu", "none", env=env))
        for path in (HOME / "build" / "tiny" / "oci").glob("*.json"):
            path.unlink()
        there = published(served, keys, tiny, env=env)
    assert there["digest"] == done["digest"]
    assert there["sent"] < 1_000_000, "a layer was sent again"
