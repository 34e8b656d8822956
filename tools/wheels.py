"""Read what wheels of the default index really hold, and write or hold the table docs/evidence/wheels.yaml to it.

    .venv/bin/python tools/wheels.py                    the newest release of each project below
    .venv/bin/python tools/wheels.py torch==2.14.1 …    these releases
    … --write                                           put what was read into the table

Only the zip's directory and the members that are looked into are fetched, by ranges. For each wheel: what it requires,
its files (of small wheels: all; else its libraries, or its folders where it has none), and of the libraries that WANTED
names the NEEDED libraries, those of CUDA that it spells and does not need (it may open them later), the search path and
its kind, and the GPUs that its machine code is for (sm_90; compute_90 is PTX). Of STUBS, which have no wheel, what the
sdist says of where they get one.

Ends with 1, and says why, where a wheel is not shaped as WANTED says: a library that is gone or new by its name's
pattern, no RECORD, two METADATA files, or a file of the table that now reads otherwise. Rows for check/facts are made
from the table by hand; tests/check/test_wheels.py holds the facts to it.
"""

from __future__ import annotations

import argparse
import csv
import io
import mmap
import re
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tomli
import yaml
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from packaging.metadata import parse_email
from packaging.requirements import Requirement
from packaging.utils import parse_sdist_filename, parse_wheel_filename
from packaging.version import Version

from builder import settings as site
from builder.net.index import Link, default_index, links
from builder.net.session import Session

TABLE = Path(__file__).parents[1] / "docs" / "evidence" / "wheels.yaml"
BLOCK = 4 << 20
TAG = re.compile(r"(cp313-cp313|cp313-none|cp\d+-abi3|py2\.py3|py3)-(none-)?(any|manylinux\S*x86_64)$|-none-any$")
# project -> patterns of the libraries that are opened, each of which must be there
WANTED: dict[str, tuple[str, ...]] = {
    "torch": (r"torch/lib/libtorch_cuda\.so", r"torch/lib/libtorch_cuda_linalg\.so", r"torch/lib/libtorch_cpu\.so"),
    "torchaudio": (),
    "torchvision": (),
    "triton": (),
    "onnxruntime-gpu": (r"onnxruntime/capi/libonnxruntime_providers_(cuda|tensorrt)\.so",),
    "nvidia-cudnn-cu12": (r"nvidia/cudnn/lib/libcudnn\.so\.\d+", r"nvidia/cudnn/lib/libcudnn_graph\.so\.\d+"),
    "nvidia-cudnn-cu13": (r"nvidia/cudnn/lib/libcudnn\.so\.\d+", r"nvidia/cudnn/lib/libcudnn_graph\.so\.\d+"),
    "nvidia-nccl-cu12": (),
    "nvidia-nccl-cu13": (),
    "nvidia-cuda-nvcc": (),
    "nvidia-nvvm": (),
    "nvidia-cuda-crt": (),
    "nvidia-cuda-runtime": (r"nvidia/cu13/lib/libcudart\.so\.\d+",),
    "nvidia-cuda-nvrtc": (r"nvidia/cu13/lib/libnvrtc\.so\.\d+",),
    "nvidia-cublas": (),
    "nvidia-cufft": (),
    "nvidia-curand": (),
    "nvidia-nvjitlink": (),
    "tensorrt-cu12-bindings": (r"tensorrt_bindings/tensorrt\.so",),
    "tensorrt-cu13-bindings": (r"tensorrt_bindings/tensorrt\.so",),
    "numpy": (),
    "setuptools": (),
    "tensorflow": (),
    "protobuf": (),
    "huggingface-hub": (),
}
STUBS = ("tensorrt", "tensorrt-cu12-libs", "tensorrt-cu13-libs")
NAME = rb"lib(?:cublas|cublasLt|cudart|cudnn|cufft|curand|nvrtc|nvJitLink|nvinfer)\.so\.\d+"
SPELLED = re.compile(NAME + rb"(?=\0)")
# A name of up to 16 letters may stand in the code: two constants that are stored over each other (mov rax, imm64).
STORED = re.compile(rb"[\x48\x49][\xb8-\xbf](lib\w{5}).{0,64}?[\x48\x49][\xb8-\xbf]([\w.]{8})", re.DOTALL)
EXTRA = re.compile(r'extra == "(cuda|cudnn|and-cuda)"')  # those that bring CUDA; others are for developers
LIBRARY = re.compile(r"(.*/)?[^/]+\.so(\.\d+)*$")
FEW = 40  # files; a wheel of more has its libraries listed alone


class Shape(Exception):
    """A wheel is not what this script knows it to be."""


class Remote(io.RawIOBase):
    """A file of the index, read by ranges, a block at a time."""

    def __init__(self, session: Session, url: str) -> None:
        self._session, self._url, self._at = session, url, 0
        self._size = session.size_of(url)
        self._start, self._block = 0, b""

    def seekable(self) -> bool:
        """It is."""
        return True

    def readable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where the next byte comes from."""
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        """As of any file."""
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401
        """The next bytes, of the block that is here or of one that is fetched."""
        if self._at >= self._size:
            return 0
        if not self._start <= self._at < self._start + len(self._block):
            with self._session.stream(self._url, self._at, min(self._at + BLOCK, self._size)) as body:
                if body.offset != self._at:
                    raise Shape("the index does not serve ranges")
                self._block, self._start = b"".join(body.chunks), self._at
        here = self._block[self._at - self._start :][: len(buffer)]
        buffer[: len(here)] = here
        self._at += len(here)
        return len(here)


def newest(found: dict[str, Link], project: str, version: str) -> str:
    """The file to read: of a release, or of the newest that is no pre-release; of several builds the highest."""
    fitting = []
    for name, link in found.items():
        if name.endswith(".whl") and not link.yanked and TAG.search(name.removesuffix(".whl")):
            _, release, build, _ = parse_wheel_filename(name)
            if str(release) == version if version else not release.is_prerelease:
                fitting.append((release, build, name))
    if not fitting:
        raise Shape(f"no wheel of {project} {version} for CPython 3.13 on x86-64 Linux")
    return max(fitting)[2]


def one(archive: zipfile.ZipFile, name: str) -> str:
    """The text of the one member DIST-INFO/name."""
    members = [item for item in archive.namelist() if re.fullmatch(rf"[^/]+\.dist-info/{name}", item)]
    if len(members) != 1:
        raise Shape(f"{len(members)} files {name}")
    return archive.read(members[0]).decode()


def read(session: Session, link: Link, project: str) -> dict[str, Any]:
    """What a wheel holds, as the table has it."""
    with zipfile.ZipFile(io.BufferedReader(Remote(session, link.url), 1 << 16)) as archive:
        metadata, _ = parse_email(one(archive, "METADATA"))
        record = [row[0] for row in csv.reader(io.StringIO(one(archive, "RECORD"))) if row]
        if lost := set(archive.namelist()) - set(record) - {item for item in archive.namelist() if item.endswith("/")}:
            raise Shape(f"not in RECORD: {', '.join(sorted(lost))}")
        libraries = sorted(item for item in record if LIBRARY.fullmatch(item))
        mentioned = [item for item in record if ".dist-info/" not in item]
        folders = sorted({f"{item.partition('/')[0]}/" for item in mentioned if "/" in item})
        opened: dict[str, Any] = {}
        for pattern in WANTED[project]:
            members = [item for item in libraries if re.fullmatch(pattern, item)]
            if not members:
                raise Shape(f"nothing is called {pattern}; there are {', '.join(libraries)}")
            opened |= {member: looked(archive, member) for member in members}
    wanted = [Requirement(text) for text in metadata.get("requires_dist", [])]
    return {
        "project": project,
        "version": metadata["version"],
        "file": link.filename,
        "sha256": link.sha256,
        "requires": sorted(str(one) for one in wanted if "extra ==" not in str(one) or EXTRA.search(str(one))),
        "files": sorted(mentioned) if len(mentioned) <= FEW else libraries or folders,
        "libraries": opened,
    }


def stub(session: Session, found: dict[str, Link], project: str, version: str) -> dict[str, Any]:
    """A project without a wheel: what its newest sdist requires, or from which index it fetches one at install."""
    named = {parse_sdist_filename(name)[1]: link for name, link in found.items() if name.endswith(".tar.gz")}
    release = Version(version) if version else max(one for one in named if not one.is_prerelease)
    if wheel := next((name for name in found if name.endswith(".whl") and f"-{release}-" in name), ""):
        raise Shape(f"it has wheels now: {wheel}")
    with session.stream(named[release].url) as body:
        packed = io.BytesIO(b"".join(body.chunks))
    with tarfile.open(fileobj=packed) as archive:
        text = next((member for member in archive.getnames() if member.endswith("/pyproject.toml")), "")
        said = tomli.loads((archive.extractfile(text) or io.BytesIO()).read().decode()) if text else {}
    if not text or ("project" not in said and "wheel_stub" not in said.get("tool", {})):
        raise Shape("its sdist is neither a stub nor a list of requirements")
    return {
        "project": project,
        "version": str(release),
        "file": named[release].filename,
        "sha256": named[release].sha256,
        "requires": sorted(said.get("project", {}).get("dependencies", [])),
        "fetches": said.get("tool", {}).get("wheel_stub", {}).get("index_url", ""),
    }


def looked(archive: zipfile.ZipFile, member: str) -> dict[str, Any]:
    """The NEEDED libraries, search path and machine code of one library."""
    with tempfile.NamedTemporaryFile() as file:
        with archive.open(member) as packed:
            while piece := packed.read(BLOCK):
                file.write(piece)
        file.flush()
        file.seek(0)
        found: dict[str, Any] = {"needed": []}
        elf = ELFFile(file)
        section = next((item for item in elf.iter_sections() if isinstance(item, DynamicSection)), None)
        if section is None:
            raise Shape(f"{member} has no dynamic section")
        for tag in section.iter_tags():
            if tag.entry.d_tag == "DT_NEEDED":
                found["needed"].append(tag.needed)
            if tag.entry.d_tag in ("DT_RPATH", "DT_RUNPATH"):
                found[tag.entry.d_tag.removeprefix("DT_").lower()] = getattr(tag, tag.entry.d_tag[3:].lower())
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if names := sorted(spelled(data) - set(found["needed"])):
                found["spelled"] = names
        found["code"] = sorted(code(file.name), key=lambda name: (name.split("_")[0], int(re.sub(r"\D", "", name))))
        return found


def spelled(data: mmap.mmap) -> set[str]:
    """The CUDA libraries whose names stand in a file, as texts or put together by its code."""
    found = {name.decode() for name in SPELLED.findall(data)}
    for first, second in STORED.findall(data):
        joined = (first + second[size:] for size in range(7, 0, -1) if first.endswith(second[:size]))
        found |= {name.decode() for name in joined if re.fullmatch(NAME, name)}
    return found


def code(path: str) -> set[str]:
    """The GPUs that a library's fat binaries are for, as the smoke test of extensions reads them."""
    import subprocess  # noqa: PLC0415

    from builder.smoke import probes  # noqa: PLC0415

    probe = Path(probes.__path__[0]) / "extension.py"
    done = subprocess.run([sys.executable, probe, "--code", path], capture_output=True, text=True, check=True)
    return set(yaml.safe_load(done.stdout)["code"])


def rows(asked: list[str]) -> Iterator[dict[str, Any]]:
    """A row for each project that is asked for; a Shape is told and counted by who asks."""
    with Session(site.load()) as session:
        index = default_index(site.load())
        for text in asked:
            project, _, version = text.partition("==")
            try:
                found = links(session, index, project)
                if project in STUBS:
                    yield stub(session, found, project, version)
                    continue
                yield read(session, found[newest(found, project, version)], project)
            except (Shape, zipfile.BadZipFile, KeyError) as error:
                yield {"project": project, "version": version, "wrong": str(error) or type(error).__name__}


def main() -> int:
    """Read, compare, and write if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("releases", nargs="*", metavar="PROJECT[==VERSION]")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    table = {row["file"]: row for row in yaml.safe_load(TABLE.read_text())} if TABLE.exists() else {}
    wrong = 0
    for row in rows(given.releases or sorted((*WANTED, *STUBS))):
        known = table.get(row.get("file", ""))
        if "wrong" in row or (known and known != row and not given.write):
            wrong += 1
            print(f"SHAPE {row['project']} {row['version']}: {row.get('wrong', 'reads otherwise than in the table')}")
        else:
            print("as in the table" if known == row else "new", row["file"])
            table[row["file"]] = row
            if not known:
                print(yaml.safe_dump([row], sort_keys=False, width=120))
    if given.write and not wrong:
        order = sorted(table.values(), key=lambda row: (row["project"], Version(row["version"]), row["file"]))
        head = "# What wheels hold, read by tools/wheels.py; tests/check/test_wheels.py holds facts to it.\n"
        TABLE.write_text(head + yaml.safe_dump(order, sort_keys=False, width=120))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
