"""One look at an engine: what it is and can do, or the one thing that is missing."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from builder.engine.endpoint import Endpoint, words
from builder.errors import SurroundingsError
from builder.plain import json_object
from builder.settings.program import expanded

ENGINE_OLDEST = (23, 0)  # the first whose BuildKit takes named contexts (Dockerfile frontend 1.4) by default
BUILDX_OLDEST = (0, 12)  # 0.13.1 is the oldest that builds were run with
_PATIENCE = 30.0  # seconds a remote engine may take to answer
_GPU_KIND = "nvidia.com/gpu"
_CLIENT = ("info", "--format", "{{json .ClientInfo}}")  # the docker command about itself and its plugins


class EngineError(SurroundingsError):
    """No usable engine. lacks: "client", "answer", "buildx" (what `make engine` cures), or "rights", "elsewhere"
    (no answer at an endpoint the user chose), "age", "kind", "tls".
    """

    def __init__(self, lacks: str, problem: str, *, where: str = "", why: str = "", fix: str = "") -> None:
        super().__init__(problem, where=where, why=why, fix=fix)
        self.lacks = lacks


@dataclass(frozen=True, kw_only=True)
class EngineInfo:
    """What an engine is and can do.

    host: its endpoint. version, buildx: as each says, "" for a buildx that was not asked for. store: "overlay2",
    "containerd" or another driver's name. cdi: GPU devices by CDI name. nvidia_runtime: whether `--gpus` works.
    root_dir: the engine's data.
    cores, memory (bytes): of its machine. context: the docker context that leads to it, and so what buildx calls its
    own BuildKit.
    """

    host: str
    version: str
    buildx: str
    store: str
    cdi: tuple[str, ...]
    nvidia_runtime: bool
    root_dir: str
    architecture: str
    cores: int = 1
    memory: int = 0
    context: str = "default"


def ask(host: str = "", *, builds: bool = True) -> tuple[EngineInfo, list[str], Endpoint]:
    """The engine's facts, the docker command's first words, and its endpoint. builds: whether buildx is needed.

    Raises EngineError with the one remedy for whatever is missing.
    """
    if shutil.which("docker") is None:
        raise EngineError("client", "there is no docker command on the PATH", fix="make engine")
    prefix = ["docker", "--host", host] if host else ["docker"]
    # The command knows what the SDK does not: DOCKER_CONTEXT, contexts without a config.json, and its own plugins.
    asked = [[*prefix, "context", "inspect"], *([[*prefix, *_CLIENT]] if builds else [])]
    about, *plugins = _both(*asked)
    context = json_object(about[1])
    place = str(_docker_part(context).get("Host") or host or os.environ.get("DOCKER_HOST") or "")
    if _docker_part(context).get("SkipTLSVerify"):
        raise EngineError(
            "tls",
            "this docker endpoint is used without verifying its certificate",
            where=place,
            fix="set DOCKER_TLS_VERIFY=1, or give the context the engine's CA: "
            "docker context update NAME --docker host=…,ca=…",
        )
    if not place:
        raise _no_answer(place, about[2], asked=bool(host))
    tls = {name.removesuffix(".pem"): str(path) for name, path in tls_files(context).items()}
    endpoint = Endpoint(host=place, **tls)
    info = _info(endpoint, asked=bool(host))
    client = json_object(plugins[0][1]) if builds else {}
    found = facts({**info, "ClientInfo": client}, place, builds=builds)
    return replace(found, context=str(context.get("Name") or "default")), prefix, endpoint


def buildx(prefix: list[str], host: str) -> str:
    """The version of buildx. Raises EngineError where it is missing or too old."""
    ((_, told, _),) = _both([*prefix, *_CLIENT])
    return _buildx({"ClientInfo": json_object(told)}, host)


def _info(endpoint: Endpoint, *, asked: bool) -> Mapping[str, Any]:
    """The engine's own document of itself. Raises EngineError where it does not give one."""
    from docker.errors import DockerException  # noqa: PLC0415 - 0.1 s
    from requests import RequestException, Timeout  # noqa: PLC0415 - comes with it

    try:
        _knock(endpoint.host)
        info: dict[str, Any] = endpoint.client(_PATIENCE).api.info()
    except PermissionError:
        said = f"permission denied while trying to connect to the Docker daemon socket at {endpoint.host}"
    except Timeout:
        said = f"no answer within {_PATIENCE:.0f} s"
    except (DockerException, RequestException, OSError, KeyError, ValueError) as error:
        said = f"Cannot connect to the Docker daemon at {endpoint.host}: {_over_ssh(endpoint) or words(error)}"
    else:
        if info.get("ServerVersion"):
            return info
        said = "it names no version of itself"
    raise _no_answer(endpoint.host, said, asked=asked)


def _over_ssh(endpoint: Endpoint) -> str:
    """What the docker command says of a way over ssh that does not lead there; "" for another way."""
    if not endpoint.host.startswith("ssh://"):
        return ""
    ((_, _, said),) = _both(["docker", "--host", endpoint.host, "version"])
    return said.splitlines()[-1] if said else ""


def _knock(host: str) -> None:
    """Raise OSError where nobody listens on a local socket: the SDK says it in words of its own, and leaks its end."""
    if host.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as local:
            local.settimeout(_PATIENCE)
            local.connect(host.removeprefix("unix://"))


def _both(*commands: list[str]) -> list[tuple[int, str, str]]:
    """Exit code, stdout and stderr of commands run side by side; a slow one is ended and said to have not answered."""
    running = [
        subprocess.Popen(one, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for one in commands
    ]
    results = []
    for process in running:
        try:
            out, err = process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            err = f"no answer within {_PATIENCE:.0f} s"
        results.append((process.returncode, out, err.strip()))
    return results


def _docker_part(endpoint: Mapping[str, Any]) -> dict[str, Any]:
    return (endpoint.get("Endpoints") or {}).get("docker") or {}


def _no_answer(place: str, said: str, *, asked: bool) -> EngineError:
    """The error for an engine that gave no facts; said is docker's own message."""
    low = said.lower()
    if "permission denied" in low:
        lacks, problem = "rights", "this user may not talk to Docker Engine"
        fix = 'sudo usermod -aG docker "$USER", then log in again'
    elif "context" in low and "not found" in low:
        lacks, problem = "elsewhere", "the docker context in use (DOCKER_CONTEXT, `docker context use`) does not exist"
        fix = "unset DOCKER_CONTEXT, or: docker context use default"
    elif asked or os.environ.get("DOCKER_HOST"):
        lacks, problem = "elsewhere", "no Docker Engine answers there"
        fix = "start the engine there, or unset DOCKER_HOST to use the one of this machine"
    elif place not in ("", "unix:///var/run/docker.sock"):
        lacks, problem = "elsewhere", "no Docker Engine answers at the endpoint of the current docker context"
        fix = "start it, or use the engine of this machine: docker context use default, then make engine"
    else:
        lacks, problem, fix = "answer", "no Docker Engine answers on this machine", "make engine"
    return EngineError(lacks, problem, where=place, why=said.splitlines()[-1] if said else "", fix=fix)


def facts(info: Mapping[str, Any], host: str, *, builds: bool = True) -> EngineInfo:
    """The facts in a `docker info` document.

    Raises EngineError for an engine that is too old or of Windows containers and, where it builds, for a buildx that
    is missing or too old.
    """
    version = str(info["ServerVersion"])
    if info.get("OSType", "linux") != "linux":
        raise EngineError("kind", "the engine runs Windows containers", where=host, fix="switch it to Linux containers")
    if _numbers(version) < ENGINE_OLDEST:
        raise EngineError(
            "age",
            f"Docker Engine {version} is too old: {'.'.join(map(str, ENGINE_OLDEST))} or newer is needed",
            where=host,
            fix="remove the old docker package, then: make engine",
        )
    return EngineInfo(
        host=host,
        version=version,
        buildx=_buildx(info, host) if builds else "",
        store=_store(info),
        cdi=_cdi_devices(info, host),
        nvidia_runtime="nvidia" in (info.get("Runtimes") or {}),
        root_dir=str(info.get("DockerRootDir") or ""),
        architecture=str(info.get("Architecture") or ""),
        cores=int(info.get("NCPU") or 1),
        memory=int(info.get("MemTotal") or 0),
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _buildx(info: Mapping[str, Any], host: str) -> str:
    plugins = (info.get("ClientInfo") or {}).get("Plugins") or ()
    found = next((one for one in plugins if one.get("Name") == "buildx" and not one.get("Err")), None)
    if found is None:
        raise EngineError(
            "buildx", "the docker command has no buildx plugin", where=host, fix="make engine, or install docker-buildx"
        )
    version = str(found.get("Version") or "")
    if _numbers(version) < BUILDX_OLDEST:
        raise EngineError(
            "age",
            f"docker buildx {version or '(of unknown version)'} is too old: "
            f"{'.'.join(map(str, BUILDX_OLDEST))} or newer is needed",
            where=str(found.get("Path") or host),
            fix="install a newer docker-buildx (docker buildx version shows the one in use)",
        )
    return version


def _store(info: Mapping[str, Any]) -> str:
    status = [tuple(pair) for pair in info.get("DriverStatus") or ()]
    return "containerd" if ("driver-type", "io.containerd.snapshotter.v1") in status else str(info.get("Driver") or "")


def _cdi_devices(info: Mapping[str, Any], host: str) -> tuple[str, ...]:
    """CDI names of GPUs: those the engine lists (28.2 and newer), else those of the specs a local engine reads."""
    listed = info.get("DiscoveredDevices") or ()
    names = {str(one.get("ID")) for one in listed if one.get("Source") == "cdi"}
    folders = info.get("CDISpecDirs") or ()
    if not names and folders and host.startswith("unix://"):
        for folder in folders:
            names.update(_spec_devices(Path(folder)))
    return tuple(sorted(name for name in names if name.startswith(f"{_GPU_KIND}=")))


def _spec_devices(folder: Path) -> list[str]:
    import yaml  # noqa: PLC0415

    names = []
    for path in sorted(folder.glob("*")):
        if path.suffix not in (".json", ".yaml", ".yml"):
            continue
        try:
            spec = yaml.safe_load(path.read_text())  # JSON is YAML
            names += [f"{spec['kind']}={device['name']}" for device in spec["devices"]]
        except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError):
            continue  # the engine passes over a spec it cannot read, too
    return names


def tls_files(endpoint: Mapping[str, Any]) -> dict[str, Path]:
    """The TLS files of an endpoint by name (ca.pem, cert.pem, key.pem); empty for one without TLS."""
    storage = str((endpoint.get("Storage") or {}).get("TLSPath") or "")
    if Path(storage).is_dir():
        names = (endpoint.get("TLSMaterial") or {}).get("docker") or ()
        return {name: Path(storage) / "docker" / name for name in names}
    if not os.environ.get("DOCKER_TLS_VERIFY"):
        return {}
    folder = expanded(os.environ.get("DOCKER_CERT_PATH") or "~/.docker")
    return {name: folder / name for name in ("ca.pem", "cert.pem", "key.pem") if (folder / name).exists()}
