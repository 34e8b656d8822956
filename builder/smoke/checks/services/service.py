"""A service's compose file, its image, and the service itself where it runs."""

from __future__ import annotations

import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
import yaml

from builder.smoke.brief import Promised
from builder.smoke.plugin import NotApplicable

SECONDS = 10  # for the service to answer


@pytest.fixture
def composed(service: Promised) -> Any:
    """The document of the compose file."""
    return yaml.safe_load(Path(service.compose).read_text(encoding="utf-8"))


@pytest.fixture
def image(service: Promised) -> Any:
    """What the engine says of the image under the service's own name."""
    api: Any = service.endpoint.client().api  # without types for it
    return api.inspect_image(service.image)


def test_the_compose_file_says_what_the_stack_says(service: Promised, composed: Any) -> None:
    one = composed["services"]["service"]
    assert one["image"] == service.image, "it starts another image"
    assert one["pull_policy"] == "never", "it would ask a registry"
    ports = [f"${{BIND:-127.0.0.1}}:{number}:{number}" for number in service.ports]
    assert one["ports"] == ports, "its ports are not those of the stack"
    assert set(composed.get("volumes", {})) == set(service.volumes), "its volumes are not those of the stack"
    assert ("deploy" in one) == service.gpu, "its GPU is not as the stack has it"


def test_docker_compose_accepts_the_file(service: Promised, host: Any) -> None:
    docker = " ".join(["%s"] * len(service.docker))
    if host.run(f"{docker} compose version", *service.docker).rc:
        raise NotApplicable("docker has no compose here; it takes Compose 2.24 or later")
    done = host.run(f"{docker} compose --file %s config --quiet", *service.docker, service.compose)
    assert done.rc == 0, f"docker compose config: {done.stderr.strip()[-500:]}"


def test_the_image_is_the_locked_one(service: Promised, image: Any) -> None:
    assert image["Id"].removeprefix("sha256:") in service.ids, "the engine has another image under its name"


def test_no_secret_has_a_value_in_the_image_or_the_compose_file(service: Promised, image: Any, composed: Any) -> None:
    given = dict(one.partition("=")[::2] for one in image["Config"]["Env"] or [])
    named = [name for name in service.secrets if given.get(name)]
    assert not named, f"the image has a value for {', '.join(named)}"
    listed = {str(entry).partition("=")[0] for entry in composed["services"]["service"].get("environment", [])}
    assert listed.isdisjoint(service.secrets), "the compose file names a secret in `environment`"


@pytest.mark.needs_gpu
def test_the_running_service_says_that_it_is_ready(service: Promised) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(service.url, timeout=SECONDS) as answer:
            assert answer.status == 200, f"{service.url} answers HTTP {answer.status}"
    except urllib.error.HTTPError as error:
        with error:
            pytest.fail(f"{service.url} answers HTTP {error.code}", pytrace=False)
    except (OSError, HTTPException) as error:
        keys = f" and, for its first start, {', '.join(service.secrets)}" if service.secrets else ""
        start = f"docker compose --file {service.compose} up --detach --wait"
        pytest.skip(f"it does not run here ({error}); it needs a GPU{keys}: {start}")
