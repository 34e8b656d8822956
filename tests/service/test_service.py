"""A service from its file to the engine and over the air gap: locked, fetched, loaded, tested, never built."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from builder.build.verb import have
from builder.bundle import export, import_
from builder.bundle.own import own_wheels, running_python
from builder.check import packaged_facts
from builder.check.service import check
from builder.engine.client import Engine
from builder.errors import InputError, JobError, SurroundingsError
from builder.fetch.verb import bring
from builder.lock import verb as lock_verb
from builder.lock.existing import locked
from builder.lock.service import inputs_digest, read
from builder.net.session import Session
from builder.render.service import compose, render, tag
from builder.settings import Settings
from builder.settings import load as site
from builder.smoke.report import SmokeReport
from builder.smoke.service import smoke
from builder.spec import built, load
from builder.spec.model import Stack
from builder.spec.service import Service
from builder.stack import make
from builder.ui import Ui
from tests.conftest import IMAGES, cli, document
from tests.registry import registry
from tests.service.conftest import NAME, Served, environment, pushed, trusting_nobody

KEY = "nvapi-of-a-test-0123456789"


@contextmanager
def answering(service: Service, code: int) -> Iterator[Service]:
    """The service with its HTTP port on a free one, where this answers GET /v1/health/ready."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(code if self.path == "/v1/health/ready" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield service.model_copy(update={"ports": {"http": server.server_port, "grpc": 52000}})
        finally:
            server.shutdown()
            thread.join()


def by_name(report: SmokeReport) -> dict[str, tuple[str, str]]:
    return {one.test.removeprefix("test_"): (one.outcome, one.reason) for one in report.results}


def here(settings: Settings) -> str:
    """All that is written at a site, as one text."""
    return "\n".join(path.read_bytes().decode("latin-1") for path in settings.home.parent.rglob("*") if path.is_file())


def test_a_service_goes_from_its_file_to_the_engine_and_over_the_air_gap_without_a_build(
    up: Served,
    settings: Settings,
    service: Service,
    engine: Engine,
    tmp_path: Path,
    clean: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NGC_API_KEY", KEY)
    lock_verb.lock(service, settings, Ui())
    lock = locked(service)
    assert lock.reference == f"nvcr.io/nim/nvidia/audio2face-3d@{up.digest}"
    assert [blob.project for blob in lock.blobs] == ["manifest", "config", "layer"]
    assert {str(blob.origin) for blob in lock.blobs} == {"registry:nvcr.io/nim/nvidia/audio2face-3d"}
    assert len(bring(service, settings, Ui()).fetched) == 3
    assert {path.name for path in (settings.assets / "bases" / "blobs").glob("[0-9a-f]*")} == {
        blob.sha256 for blob in lock.blobs
    }
    built = have(service, settings, engine, Ui())
    assert (built.tag, built.built) == (f"{IMAGES}/{NAME}:{up.digest.replace(':', '-')}", True)
    assert have(service, settings, engine, Ui()).built is False
    assert smoke(service, locked(service), settings, Ui(), engine, gpu="none").green

    folder = settings.home / "assets" / "own-wheels"
    folder.mkdir()
    own = own_wheels(running_python(), site(), Ui(), offline=False)
    for path in [*own, *own[0].parent.glob(".cp*.list")]:
        (folder / path.name).hardlink_to(path)
    bundle = tmp_path / "nim.bundle.tar"
    export([service], bundle, settings, Ui(), offline=True)
    assert KEY not in here(settings)
    assert KEY.encode() not in bundle.read_bytes()

    other = Settings(home=tmp_path / "other" / "home", stacks=(tmp_path / "other" / "stacks",), image_prefix=IMAGES)
    for path in (other.home, other.stacks[0]):
        path.mkdir(parents=True)
    engine.remove(built.tag)
    engine.remove(f"{IMAGES}/{NAME}:latest")
    import_(bundle, other, Ui())
    found = load(NAME, other)
    assert isinstance(found, Service)
    assert found == service
    assert bring(found, other, Ui(), offline=True).kept == 3
    again = have(found, other, engine, Ui())
    assert (again.id, again.built) == (built.id, True)


def test_the_registry_is_trusted_through_the_private_ca_alone(up: Served, settings: Settings, service: Service) -> None:
    with pytest.raises(SurroundingsError) as caught:
        lock_verb.lock(service, trusting_nobody(settings), Ui())
    assert "certificate" in str(caught.value).lower()
    lock_verb.lock(service, settings, Ui())


def test_a_registry_that_cannot_be_reached_leaves_it_unlocked_where_that_is_asked_for(
    settings: Settings, service: Service, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Session, "pause", lambda *_: None)
    far = replace(settings, images={service.image.rpartition(":")[0]: ("127.0.0.1:1/none",)})
    with pytest.raises(SurroundingsError):
        lock_verb.lock(service, far, Ui())
    said = lock_verb.lock(service, far, Ui(), partly=True)
    assert said == {"stack": NAME, "unresolved": [{"kind": "base", "name": service.image}]}
    assert f"warning: {NAME} is not locked" in capfd.readouterr().err
    assert not (settings.stacks[0] / NAME / "stack.lock").exists()


def test_a_fresh_lock_asks_nobody_and_a_tag_that_moved_is_taken_when_asked(
    served: Served, settings: Settings, service: Service, engine: Engine, tmp_path: Path
) -> None:
    with registry(served.folder, served.address, tls=str(served.pem)):
        lock_verb.lock(service, settings, Ui())
    first = locked(service)
    lock_verb.lock(service, settings, Ui())  # the registry is down
    with pytest.raises(SurroundingsError):
        lock_verb.lock(service, settings, Ui(), upgrade=True)
    with registry(served.folder, served.address):
        pushed(engine, tmp_path, served.address, "another stand-in\n")
    try:
        with registry(served.folder, served.address, tls=str(served.pem)):
            lock_verb.lock(service, settings, Ui())
            assert locked(service) == first
            lock_verb.lock(service, settings, Ui(), upgrade=True)
            assert locked(service).image_digest != first.image_digest
            assert bring(service, settings, Ui()).fetched
    finally:
        with registry(served.folder, served.address):
            assert pushed(engine, tmp_path, served.address, "not the real Audio2Face-3D\n") == served.digest


def test_a_digest_in_the_file_is_kept(up: Served, settings: Settings, service: Service) -> None:
    path = settings.stacks[0] / NAME / "stack.yaml"
    path.write_text(path.read_text().replace(":2.0.0", f":2.0.0@{up.digest}"))
    found = load(NAME, settings)
    assert isinstance(found, Service)
    lock_verb.lock(found, settings, Ui())
    assert locked(found).image_digest == up.digest
    assert [one.rule for one in check(found, locked(found), packaged_facts())] == ["service_terms"]
    with pytest.raises(InputError) as caught:
        locked(service)
    assert caught.value.problem == f"the lock of {NAME} is stale"


def test_a_blob_that_is_not_there_is_named(up: Served, settings: Settings, service: Service, engine: Engine) -> None:
    lock_verb.lock(service, settings, Ui())
    with pytest.raises(JobError) as caught:
        have(service, settings, engine, Ui())
    assert caught.value.problem.startswith("manifest ")
    assert caught.value.fix == f"run `make fetch STACK={NAME}`"
    with pytest.raises(JobError) as caught:
        smoke(service, locked(service), settings, Ui(), engine, gpu="none")
    assert caught.value.fix == f"run `make build STACK={NAME}`"


def test_the_compose_file_starts_the_locked_image_with_its_gpu_and_without_a_secret(
    up: Served, settings: Settings, service: Service
) -> None:
    lock_verb.lock(service, settings, Ui())
    lock = locked(service)
    text = render(service, locked(service), settings).compose.read_text()
    one = yaml.safe_load(text)["services"]["service"]
    assert one == {
        "image": tag(service, lock, settings),
        "pull_policy": "never",
        "restart": "unless-stopped",
        "ports": ["${BIND:-127.0.0.1}:8000:8000", "${BIND:-127.0.0.1}:52000:52000"],
        "environment": ["NIM_DISABLE_MODEL_DOWNLOAD", "NIM_MANIFEST_PROFILE", "NIM_SKIP_A2F_START"],
        "env_file": [{"path": "${SECRETS_FILE:-./secrets.env}", "required": False}],
        "volumes": ["engines:/tmp/a2x", "workspace:/opt/nim/workspace"],
        "healthcheck": {
            "test": [
                *("CMD", "python3", "-c"),
                "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/v1/health/ready', timeout=8)",
            ],
            "interval": "10s",
            "timeout": "10s",
            "retries": 3,
            "start_period": "3600s",
        },
        "deploy": {
            "resources": {"reservations": {"devices": [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]}}
        },
    }
    assert lock.reference in text
    bare = service.model_copy(
        update={"gpu": False, "volumes": {}, "switches": (), "secrets": (), "env": {"MODE": "a: [b] #c 'd'"}}
    )
    said = yaml.safe_load(compose(bare, lock, settings))
    assert said["services"]["service"]["environment"] == ["MODE=a: [b] #c 'd'"]
    assert not {"deploy", "volumes", "env_file"} & {*said, *said["services"]["service"]}


def test_smoke_says_what_it_proved_and_what_it_could_not(
    up: Served, settings: Settings, service: Service, engine: Engine, clean: None
) -> None:
    make(service, settings, Ui(), gpu="none")
    lock = locked(service)
    running = "the_running_service_says_that_it_is_ready"
    with answering(service, 200) as found:
        report = by_name(smoke(found, locked(found), settings, Ui(), engine, gpu="require"))
        assert report[running] == ("passed", "")
        assert report["the_compose_file_says_what_the_stack_says"][0] == "passed"
    with answering(service, 503) as found:
        assert by_name(smoke(found, locked(found), settings, Ui(), engine, gpu="auto"))[running][1].endswith(
            "answers HTTP 503"
        )
    silent = service.model_copy(update={"ports": {"http": 1, "grpc": 52000}})
    outcome, reason = by_name(smoke(silent, locked(silent), settings, Ui(), engine, gpu="auto"))[running]
    assert outcome == "skipped"
    assert "it needs a GPU and, for its first start, NGC_API_KEY: docker compose --file" in reason
    required = smoke(silent, locked(silent), settings, Ui(), engine, gpu="require")
    assert not required.green
    failed = by_name(required)
    assert failed["the_running_service_says_that_it_is_ready"][0] == "failed"
    assert required.junit.read_text().count("<failure") == 1
    assert json.loads(required.evidence.read_text())["image_id"] == required.image_id
    # an image under the locked name that is another one, and has a key in it
    (settings.home / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\nENV NGC_API_KEY=oops\n")
    name = tag(service, lock, settings)
    engine.run(["buildx", "build", "--quiet", "--load", "-t", name, str(settings.home)])
    failed = by_name(smoke(silent, locked(silent), settings, Ui(), engine, gpu="none"))
    assert failed["the_image_is_the_locked_one"][0] == "failed"
    assert (
        failed["no_secret_has_a_value_in_the_image_or_the_compose_file"][1] == "the image has a value for NGC_API_KEY"
    )
    assert have(service, settings, engine, Ui()).built is True


@pytest.mark.usefixtures("composing", "clean")
def test_compose_itself_accepts_the_file_and_takes_the_key_from_its_own_file_alone(
    up: Served, settings: Settings, service: Service, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(service, settings, Ui(), gpu="none")
    assert by_name(made.report)["docker_compose_accepts_the_file"] == ("passed", "")
    path = settings.build / NAME / "compose.yaml"
    words = engine.command("compose", "--file", str(path), "config", "--format", "json")

    def told(**variables: str) -> dict[str, Any]:
        shell = {**os.environ, **variables}
        done = subprocess.run(words, capture_output=True, text=True, check=True, env=shell)
        one: dict[str, Any] = json.loads(done.stdout)["services"]["service"]
        return one

    switches = {"NIM_DISABLE_MODEL_DOWNLOAD": None, "NIM_MANIFEST_PROFILE": None, "NIM_SKIP_A2F_START": None}
    assert told(NGC_API_KEY=KEY)["environment"] == switches  # the shell's key is not taken
    assert {one["host_ip"] for one in told()["ports"]} == {"127.0.0.1"}
    assert told(NIM_DISABLE_MODEL_DOWNLOAD="true")["environment"]["NIM_DISABLE_MODEL_DOWNLOAD"] == "true"
    (path.parent / "secrets.env").write_text(f"NGC_API_KEY={KEY}\n")
    assert told()["environment"] == {**switches, "NGC_API_KEY": KEY}
    path.write_text(path.read_text().replace("pull_policy: never", "pull_polizei: never"))
    assert engine.run(["compose", "--file", str(path), "config", "--quiet"], check=False).returncode != 0
    template = (settings.templates / "compose.j2").read_text()
    wrong = template.replace("pull_policy: never", "pull_policy: always\n    polizei: true")
    (settings.home / "compose.j2").write_text(wrong)
    monkeypatch.setattr(Settings, "templates", property(lambda one: one.home))
    failed = by_name(smoke(service, locked(service), settings, Ui(), engine, gpu="none"))
    assert failed["docker_compose_accepts_the_file"][0] == "failed"
    assert "polizei" in failed["docker_compose_accepts_the_file"][1]
    assert failed["the_compose_file_says_what_the_stack_says"] == ("failed", "it would ask a registry")


def test_the_command_line_takes_a_service_where_it_makes_sense(up: Served, tmp_path: Path, clean: None) -> None:
    settings = up.settings(tmp_path / "site")
    env = environment(settings, tmp_path)
    made = document(cli("--json", "stack", NAME, "--gpu", "none", env=env))["stacks"][0]
    assert made["image"]["tag"] == f"{IMAGES}/{NAME}:{up.digest.replace(':', '-')}"
    assert made["smoke"]["green"] is True
    found = {row["name"]: row for row in document(cli("--json", "list", env=env))["stacks"]}[NAME]
    assert (found["family"], found["lock"], found["fetched"]) == ("service", "fresh", "3 of 3")
    rules = [one["rule"] for one in document(cli("--json", "check", NAME, env=env))["stacks"][NAME]]
    assert rules == ["service_terms"]
    assert document(cli("--json", "lock", NAME, env=env))["locks"][0]["blobs"] == 3
    assert document(cli("--json", "fetch", NAME, "--offline", env=env))["stacks"][NAME]["kept"] == 3
    written = document(cli("--json", "render", NAME, env=env))["stacks"][NAME]
    assert Path(written["compose"]) == settings.build / NAME / "compose.yaml"
    assert document(cli("--json", "build", NAME, env=env))["images"][0]["built"] is False
    assert document(cli("--json", "smoke", NAME, "--gpu", "none", env=env))["reports"][0]["green"] is True
    error = document(cli("--json", "reproduce", NAME, env=env), code=2)["errors"][0]
    assert error["problem"] == f"{NAME} is a service: its image is pulled and carried, never built here"
    assert "leave it out of others" in error["fix"]


def test_facts_tell_terms_and_gpus_without_engines(service: Service) -> None:
    facts = packaged_facts()
    assert [one.key for one in check(service, None, facts)] == ["service_terms", "service_digest"]
    fits = ("NVIDIA L40S", "NVIDIA GeForce RTX 4090", "NVIDIA RTX 6000 Ada Generation", "NVIDIA B200", "NVIDIA A10G")
    assert not [one for one in check(service, None, facts, fits) if one.rule == "service_profile"]
    found = check(service, None, facts, ["NVIDIA H200", "NVIDIA A100-SXM4-80GB", "NVIDIA H100 PCIe"])
    assert [one.about for one in found if one.rule == "service_profile"] == [
        "NVIDIA-H200",
        "NVIDIA-A100-SXM4-80GB",
        "NVIDIA-H100-PCIe",
    ]
    assert "NIM_DISABLE_MODEL_DOWNLOAD=true" in found[1].fix
    assert check(service.model_copy(update={"image": "example.org/other@sha256:" + "0" * 64}), None, facts) == []


BAD = {
    "ports: {grpc: 52000}": "health.port 'http' is none of `ports`",
    "ports: {http: 80000}": "port http 80000 is not from 1 to 65535",
    "env: {NGC_API_KEY: abc}": "NGC_API_KEY is a secret outside `secrets`",
    "env: {HF_TOKEN: abc}": "HF_TOKEN is a secret outside `secrets`",
    "switches: [MY_PASSWORD]": "MY_PASSWORD is a secret outside `secrets`",
    "image: 'nvcr.io/x:1 y'": "is not an image reference",
    "licence: 'pay ${ME}'": "which Docker or Jinja would act on",
    "volumes: {data: {into: data, holds: x}}": "is not an absolute path",
    "family: cu118": "family",
}


@pytest.mark.parametrize("line", BAD)
def test_a_wrong_file_is_refused_with_its_line(line: str, settings: Settings) -> None:
    path = settings.stacks[0] / NAME / "stack.yaml"
    document = {**yaml.safe_load(path.read_text()), **yaml.safe_load(line)}
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    with pytest.raises(InputError) as caught:
        load(NAME, settings)
    assert BAD[line] in str(caught.value)
    assert "stack.yaml:" in caught.value.where


def test_the_two_kinds_are_told_apart(settings: Settings) -> None:
    assert isinstance(load("onnx-cpu", site()), Stack)
    service = load(NAME, settings)
    assert isinstance(service, Service)
    with pytest.raises(InputError) as caught:
        built(service)
    assert caught.value.where.endswith("stack.yaml:2")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('kind = "service"', 'kind = "stack"', "kind: 'stack' is not known; it has to be 'service'"),
        ("version = 1", "version = 2", "it is a lock of version 2, this program reads 1"),
        ("@sha256:", "@sha256:0", "reference: 'nvcr.io/nim/nvidia/audio2face-3d@sha256:0"),
        ('reference = "nvcr.io', 'reference = "nvcr.io\\nservices: {}\\n#', r"reference: 'nvcr.io\nservices: {}\n#"),
        ('name = "manifest"', 'name = "layer"', "an image has one manifest, one config and layers, in that order"),
        ("blobs = [", "blobs = [1,", "blobs[0]: it is the number 1 where a table belongs"),
    ],
)
def test_a_damaged_or_hostile_lock_is_refused(
    old: str, new: str, problem: str, up: Served, settings: Settings, service: Service
) -> None:
    lock_verb.lock(service, settings, Ui())
    path = settings.stacks[0] / NAME / "stack.lock"
    assert read(path.parent).inputs == inputs_digest(service)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError) as caught:
        read(path.parent)
    assert caught.value.problem.startswith(problem)
    assert caught.value.fix == f"run `make lock STACK={NAME}`"
    with pytest.raises(InputError):
        render(service, locked(service), settings)
