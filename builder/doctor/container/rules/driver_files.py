"""Files of the driver in the image, and a compat folder that the loader takes before the host's driver."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from packaging.version import Version

from builder.doctor.container.model import ContainerFinding, DriverFile, Evidence

_SOURCE = "docs.nvidia.com/deploy/cuda-compatibility/forward-compatibility.html; CUDA driver API, errors 803 and 804"
_COMPAT = re.compile(r"/(cuda-)?compat/")
_VERSION = re.compile(r"\.so\.([0-9]{3}(?:\.[0-9]{1,4}){1,2})$")


def find(evidence: Evidence) -> Iterator[ContainerFinding]:
    """An error where they are not of the host's driver, a warning where that is not known; none for the same."""
    yield from _in_image(evidence)
    yield from _compat(evidence)


def _version(path: str) -> str:
    found = _VERSION.search(path)
    return found[1] if found else ""


def _host(evidence: Evidence) -> str:
    """The host's driver, "" where none is seen."""
    told = (evidence.system.kernel_driver, evidence.gpu.driver)
    return next((one for one in told if re.fullmatch(r"[0-9]{3}(\.[0-9]{1,4}){1,2}", one)), "")


def _in_image(evidence: Evidence) -> Iterator[ContainerFinding]:
    host = _host(evidence)
    files = [one for one in evidence.system.driver_files if one.path and not _COMPAT.search(one.path)]
    wrong = [one for one in files if one.size == 0 or _version(one.path) != host]
    if not wrong:
        return
    first = min(wrong, key=lambda one: (posixpath.basename(one.path), one.path))
    yield ContainerFinding(
        rule="driver_in_image",
        level="error" if host else "warning",
        where="container",
        problem=f"files of driver {_version(first.path)} are in the image: {', '.join(one.path for one in wrong[:4])}",
        why=f"{_state(first)}; the driver's libraries have to be those of the host's kernel module "
        f"({f'here {host}' if host else 'no driver is seen here'}), and the container toolkit mounts them",
        fix="take them out of the image: " + _removal(evidence, wrong),
        image=(f"RUN {_removal(evidence, wrong, '-y', '-f')}",),
        source="NVIDIA/nvidia-docker issue 1551; NVIDIA/nvidia-container-toolkit issue 289",
    )


def _state(one: DriverFile) -> str:
    return "an empty file, left behind where a container was committed" if one.size == 0 else "no mount brings them"


def _packages(evidence: Evidence) -> list[str]:
    """Packages of the distribution that bring them."""
    names = r"libcuda1|libnvidia-(compute|ml|gl|encode|decode)\S*|nvidia-(driver|headless|libopencl)\S*"
    return sorted(name for name in evidence.system.packages if re.fullmatch(names, name, re.ASCII))


def _removal(evidence: Evidence, wrong: list[DriverFile], purge: str = "", remove: str = "") -> str:
    packages = _packages(evidence)
    words = ["apt-get purge", purge, *packages] if packages else ["rm", remove, *(one.path for one in wrong)]
    return " ".join(filter(None, words))


def _compat(evidence: Evidence) -> Iterator[ContainerFinding]:
    """The compat folder is for an older driver alone; where CUDA starts, it does what it is for."""
    if evidence.gpu.devices:
        return
    host, system = _host(evidence), evidence.system
    taken = [
        ("container", system.driver, ""),
        *((f"process {p.pid}", p.driver, p.library_path) for p in system.processes),
    ]
    seen: set[str] = set()
    for where, path, library_path in taken:
        version = _version(path)
        if not version or not _COMPAT.search(path) or path in seen:
            continue
        seen.add(path)
        yield ContainerFinding(
            rule="compat_first",
            level="error" if host else "warning",
            where=where,
            problem=f"the loader takes libcuda.so.1 of {posixpath.dirname(path)} (driver {version}) before the host's",
            why=_why(host, version),
            fix=_off(library_path or evidence.container.env.get("LD_LIBRARY_PATH", ""), path),
            source=_SOURCE,
        )


def _why(host: str, version: str) -> str:
    if not host:
        return "no driver is seen here; on a host whose driver is not older CUDA then does not start (error 803 or 804)"
    if Version(host) >= Version(version):
        return f"the host's driver is {host}, which is not older: CUDA does not start (error 803)"
    return f"the host's driver is {host}, and CUDA does not start: not every GPU and driver takes it (error 804)"


def _off(library_path: str, path: str) -> str:
    named = [one for one in library_path.split(":") if _COMPAT.search(f"{one}/")]
    if named or posixpath.dirname(path) in library_path.split(":"):
        return f"take {' and '.join(named) or posixpath.dirname(path)} off LD_LIBRARY_PATH"
    return f"take {posixpath.dirname(path)} out of /etc/ld.so.conf.d and run ldconfig"
