"""compose.yaml and pod.yaml of stacks, and every command of docs/running.md."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from builder.engine.client import Engine
from builder.lock import StackLock
from builder.render import running
from builder.settings import Settings
from builder.spec.model import Stack
from builder.spec.parts import Weight
from tests.conftest import HOME, REPO, cli
from tests.render.test_key import settings
from tests.service.conftest import composing
from tests.smoke.conftest import engine, image

__all__ = ["composing", "engine", "image", "settings"]

PAGE = (REPO / "docs" / "running.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.+?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def both(stack: Stack, lock: StackLock, settings: Settings) -> tuple[dict[str, Any], dict[str, Any]]:
    texts = running.texts(stack, lock, settings)
    return yaml.safe_load(texts["compose.yaml"]), yaml.safe_load(texts["pod.yaml"])


def weight(into: str, name: str) -> Weight:
    return Weight.model_validate({"name": name, "bake": False, "licence": "not to be passed on", "into": into})


def test_an_image_is_run_by_an_ordinary_user_on_a_read_only_root(
    stack: Stack, lock: StackLock, settings: Settings
) -> None:
    compose, pod = both(stack.model_copy(update={"cuda": None}), lock, settings)
    service, (container,) = compose["services"]["stack"], pod["spec"]["containers"]
    assert service["image"] == container["image"] == settings.image(stack.name, lock.digest[:12])
    assert service["read_only"] and service["user"] == "${RUN_AS:-1000:1000}" and service["cap_drop"] == ["ALL"]
    assert service["tmpfs"] == ["/tmp:exec,mode=1777"] and "HOME=/tmp" in service["environment"]
    assert container["securityContext"]["readOnlyRootFilesystem"] and pod["spec"]["securityContext"]["runAsNonRoot"]
    assert not {"deploy", "shm_size"} & service.keys() and "resources" not in container
    assert {one["name"] for one in container["volumeMounts"]} == {one["name"] for one in pod["spec"]["volumes"]}


def test_cuda_torch_and_weights_to_mount_each_get_their_part(stack: Stack, lock: StackLock, settings: Settings) -> None:
    weights = (weight("/w/a", "net.pth"), weight("/w/b", "net.pth"), weight("/w", "other.pth"))
    torch = replace(lock.wheels[0], project="torch")
    compose, pod = both(
        stack.model_copy(update={"cuda": "13.0", "weights": weights, "entrypoint": ("start",)}),
        replace(lock, wheels=(torch,)),
        settings,
    )
    service, (container,) = compose["services"]["stack"], pod["spec"]["containers"]
    devices = service["deploy"]["resources"]["reservations"]["devices"]
    assert devices == [{"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}]
    assert container["resources"] == {"limits": {"nvidia.com/gpu": "1"}} and "command" not in container
    assert service["shm_size"] == "8gb" and {"medium": "Memory", "sizeLimit": "8Gi"} in [
        one.get("emptyDir") for one in pod["spec"]["volumes"]
    ]
    mounts = {one["target"]: one["source"].rpartition("weights}/")[2] for one in service["volumes"][1:]}
    assert mounts == {"/w/a/net.pth": "w/a/net.pth", "/w/b/net.pth": "w/b/net.pth", "/w/other.pth": "other.pth"}
    assert {one["mountPath"]: one.get("subPath") for one in container["volumeMounts"][3:]} == mounts
    assert all(one["read_only"] and not one["bind"]["create_host_path"] for one in service["volumes"][1:])


def test_compose_takes_the_file_and_wants_the_folder_of_weights(
    stack: Stack, lock: StackLock, settings: Settings, engine: Engine, composing: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = running.render(stack.model_copy(update={"weights": (weight("/w", "net.pth"),)}), lock, settings)
    words = ["compose", "--file", str(written.compose), "config", "--format", "json"]
    monkeypatch.delenv("WEIGHTS", raising=False)
    assert "the folder of the weights" in engine.run(words, check=False).stderr
    monkeypatch.setenv("WEIGHTS", "/data")
    said = json.loads(engine.run(words).stdout)["services"]["stack"]
    assert said["user"] == "1000:1000" and said["volumes"][1]["source"] == "/data/net.pth"


def test_a_stack_without_a_lock_is_told_to_be_locked(tmp_path: Path) -> None:
    done = cli("--stacks", str(tmp_path), "compose", "nope")
    assert done.returncode == 2


def test_the_page_has_commands() -> None:
    assert len(BLOCKS) == 5


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_a_command_of_the_page_works(block: str, image: str, engine: Engine, composing: None, tmp_path: Path) -> None:
    if "site-ca.pem" in block:
        root = Path("/etc/ssl/certs/ca-certificates.crt").read_text()
        (tmp_path / "site-ca.pem").write_text(root[: root.index("-----END CERTIFICATE-----") + 25] + "\n")
    words = block.replace("modelstacks/onnx-cpu", image).replace("make compose", f"make -C {REPO} compose")
    words = words.replace("build/onnx-cpu", f"{HOME}/build/onnx-cpu")
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MAKE") and key != "MFLAGS"}
    tmp_path.chmod(0o777)
    done = subprocess.run(["sh", "-ec", words], cwd=tmp_path, env=kept, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    if "made.txt" in block:
        assert (tmp_path / "made.txt").stat().st_uid == os.getuid()
    else:
        assert done.stdout.strip()
