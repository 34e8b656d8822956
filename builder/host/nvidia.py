"""What NVIDIA's driver says: by nvidia-smi, else by libcuda, else by the kernel's own files."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from builder.host import program
from builder.host.model import Gpu, Nvidia, Trouble
from builder.inside import Place, ProbeError, Said, probe

_FIELDS = ("name", "driver_version", "compute_cap", "memory.total", "memory.free")
_SECONDS = 20.0  # without the persistence daemon a driver starts anew for each question, some seconds per GPU
# Where nvidia-smi lies off PATH: what Windows puts into WSL, and what device plugins put into a container.
_PLACES = ("usr/lib/wsl/lib", "usr/local/nvidia/bin")
_MIB = 1 << 20
_LIBRARY = "libcuda.so.1"
# Where glibc's loader looks beside its cache, and sent/driver.py after it.
_LOADED = (
    *("/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu"),
    *("/usr/lib/wsl/lib", "/usr/local/nvidia/lib64"),
)
_VENDOR = "0x10de"  # NVIDIA's number on the PCI bus
_DISPLAY = "0x03"  # the PCI class of display devices

# What nvidia-smi says, and its exit codes where the text says nothing known. Source: the table RETURN VALUE of its
# manual page; code 18 and its text: NVML_ERROR_LIB_RM_VERSION_MISMATCH of nvml.h.
_SAID: tuple[tuple[str, Trouble], ...] = (
    (r"Driver/library version mismatch", "mismatch"),
    (r"couldn't communicate with the NVIDIA driver|NVIDIA driver is not loaded|Driver Not Loaded", "not-loaded"),
    (r"No devices were found", "no-device"),
    (r"GPU is lost|fallen off the bus|Unable to determine the device handle", "lost"),
    (r"couldn't find libnvidia-ml|NVML: ?ERROR_LIBRARY_NOT_FOUND|libnvidia-ml\.so", "no-driver"),
)
_CODES: dict[int, Trouble] = {6: "no-device", 9: "not-loaded", 12: "no-driver", 15: "lost", 18: "mismatch"}
# CUresult values of cuda.h, as libcuda.py gives them.
_CUDA: dict[str, Trouble] = {"100": "no-device", "803": "mismatch"}


def read(root: Path = Path("/")) -> Nvidia:
    """What is so of the NVIDIA GPUs of this machine; takes no longer than about a minute, whatever hangs.

    root: where /proc, /sys and WSL's files are looked for.
    """
    found: dict[str, Any] = _smi(root) or _libcuda() or {}
    module = _module(root)
    found.setdefault("trouble", "not-loaded" if _installed(root) else "no-driver")
    if module and found["trouble"] in ("no-driver", "not-loaded"):
        found["trouble"] = "no-library"
    if not found.get("driver"):
        found["driver"] = module
        found["source"] = "/proc/driver/nvidia/version" if module else found.get("source", "")
    return Nvidia(**found, module=module, cards=_cards(root), nouveau=(root / "sys/module/nouveau").is_dir())


def _smi(root: Path) -> dict[str, Any] | None:
    """By nvidia-smi; None where there is none or it has no say."""
    smi = shutil.which("nvidia-smi") or shutil.which(
        "nvidia-smi", path=os.pathsep.join(str(root / one) for one in _PLACES)
    )
    if smi is None:
        return None
    fields = list(_FIELDS)
    said = _query(smi, fields)
    if said is not None and "compute_cap" in said.out and "not a valid field" in said.out:
        fields.remove("compute_cap")  # drivers before 510 do not know it
        said = _query(smi, fields)
    if said is None:
        return None
    rows = [dict(zip(fields, row, strict=True)) for row in _rows(said.out, len(fields))]
    found: dict[str, Any] = {"source": "nvidia-smi", "gpus": tuple(_gpu(row) for row in rows)}
    if rows:
        found |= {"driver": rows[0]["driver_version"], "cuda": _cuda_version()}
    if said.code == 0 and rows:
        return {**found, "trouble": ""}
    return {**found, "trouble": _trouble(said), "said": _first_lines(said.out)}


def _gpu(row: dict[str, str]) -> Gpu:
    capability = row.get("compute_cap", "")
    return Gpu(
        name=row["name"][:100],
        capability=capability if re.fullmatch(r"\d{1,2}\.\d", capability) else "",
        memory=_bytes(row["memory.total"]),
        free=_bytes(row["memory.free"]),
    )


def _query(smi: str, fields: list[str]) -> Said | None:
    return program.run([smi, f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"], _SECONDS)


def _rows(text: str, width: int) -> list[list[str]]:
    """The lines that are rows: of this many values, the second a driver's version."""
    rows = [[cell.strip() for cell in line.split(",")] for line in text.splitlines()]
    return [row for row in rows if len(row) == width and re.fullmatch(r"\d{2,4}(\.\d+){1,2}", row[1])]


def _bytes(mib: str) -> int | None:
    """A size of nvidia-smi's; None for [N/A], as where the GPU shares the machine's memory."""
    return int(mib) * _MIB if re.fullmatch(r"\d{1,9}", mib) else None


def _trouble(said: Said) -> Trouble:
    """What a failed nvidia-smi means."""
    if said.code is None:
        return "no-answer"
    for pattern, trouble in _SAID:
        if re.search(pattern, said.out):
            return trouble
    return _CODES.get(said.code, "other")


def _first_lines(text: str) -> str:
    return " ".join(line.strip() for line in text.strip().splitlines()[:3])[:300]


def _cuda_version() -> str:
    """The newest CUDA that the driver knows, "" where libcuda cannot be asked."""
    return str((_child("version") or {}).get("cuda") or "")


def _libcuda() -> dict[str, Any] | None:
    """By libcuda; None where there is none."""
    if not _loadable():
        return None
    answer = _child()
    if answer is None:
        return {"source": "libcuda", "trouble": "no-answer", "said": "libcuda gave no answer"}
    error = str(answer["error"])
    if answer["cuda"] == "" and _LIBRARY in error:
        return None
    gpus = tuple(
        Gpu(name=one["name"][:100], capability=one["capability"], memory=one["memory"], free=None)
        for one in answer["gpus"]
    )
    found = {"driver": answer["driver"], "cuda": answer["cuda"], "gpus": gpus, "source": "libcuda", "said": error}
    code = re.search(r": (\d+) ", error)
    trouble = _CUDA.get(code[1] if code else "", "other") if error else "" if gpus else "no-device"
    return {**found, "trouble": trouble}


def _loadable() -> bool:
    """Whether libcuda may be there: false only where no place that the loader and libcuda.py look at has it.

    That spares each look at a machine without one the start of a Python, and is asked of glibc's loader alone.
    """
    try:
        known = Path("/etc/ld.so.cache").read_bytes()
    except OSError:
        return True
    if _LIBRARY.encode() in known or os.environ.get("LD_LIBRARY_PATH"):
        return True
    return any(os.path.exists(f"{folder}/{_LIBRARY}") for folder in (*_LOADED, f"{sys.base_prefix}/lib"))  # noqa: PTH110


def _child(*words: str) -> dict[str, Any] | None:
    """The answer of libcuda.py, None where it crashed or hung."""
    script = Path(__file__).with_name("libcuda.py").read_text(encoding="utf-8")
    here = Place(python=sys.executable, options=("-I", "-B"))
    try:
        said = probe.ask(here, "libcuda", script, words, seconds=int(_SECONDS), limit=program.LIMIT)
        return probe.document("libcuda", said)
    except ProbeError:
        return None


def _module(root: Path) -> str:
    """The version of the kernel module that is loaded, "" for none."""
    try:
        with (root / "proc/driver/nvidia/version").open(errors="replace") as stream:
            text = stream.read(4096)
    except OSError:
        return ""
    found = re.search(r"^NVRM version:.*?\s(\d{2,4}(?:\.\d+){1,2})\s", text, re.MULTILINE)
    return found[1] if found else ""


def _installed(root: Path) -> bool:
    """Whether the driver's libraries lie there, as where its module alone is not loaded."""
    places = ("usr/lib/x86_64-linux-gnu", "usr/lib64", "usr/lib/aarch64-linux-gnu")
    return any((root / place / "libcuda.so.1").exists() for place in places)


def _cards(root: Path) -> int:
    """NVIDIA's display devices on the PCI bus."""
    count = 0
    for device in (root / "sys/bus/pci/devices").glob("*"):
        try:
            vendor, kind = ((device / name).read_text().strip() for name in ("vendor", "class"))
        except OSError:
            continue
        count += vendor == _VENDOR and kind.startswith(_DISPLAY)
    return count
