"""The kinds of fault that people report, each as a container made by hand, and the near miss that has no finding.

Packages are stand-ins: a metadata folder, and a module where one is imported. No GPU and no driver is needed; what
takes one is in test_kinds_by_evidence.py.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import certifi
import pytest
import trustme

from builder.doctor.container import ContainerReport
from tests.conftest import IMAGES, cli, document
from tests.doctor.container.conftest import SITE

TORCH = """
import types
__version__ = "{version}"
version = types.SimpleNamespace(cuda="")
_C = types.SimpleNamespace()
cuda = types.SimpleNamespace(is_available=lambda: False, init=lambda: None)
ones = lambda size: types.SimpleNamespace(numpy=lambda: None)
"""
PATH = {"PYTHONPATH": SITE}
Packages = Callable[..., Path]


def rules(report: ContainerReport) -> list[str]:
    return [one.rule for one in report.findings]


@pytest.fixture
def packages(tmp_path: Path) -> Packages:
    """A folder with stand-ins for packages such as torch==2.11.0; requires: name -> Requires-Dist."""

    def make(*pins: str, **requires: str) -> Path:
        site = tmp_path / "site"
        for pin in pins:
            name, version = pin.split("==")
            info = site / f"{name}-{version}.dist-info"
            info.mkdir(parents=True)
            more = f"Requires-Dist: {requires[name]}\n" if name in requires else ""
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}")
            if name == "torch":
                (site / "torch").mkdir()
                (site / "torch" / "__init__.py").write_text(TORCH.format(version=version))
        return site

    return make


def library(path: Path, source: str = "int x;", *words: str) -> None:
    """A shared library of that name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not shutil.which("gcc"):
        pytest.skip("needs gcc, to make shared libraries")
    command = ["gcc", "-shared", "-fPIC", f"-Wl,-soname,{path.name}", *words, "-o", str(path), "-xc", "-"]
    subprocess.run(command, input=source.encode(), check=True)


# 1: an arbitrary user without a line in /etc/passwd


def test_a_user_without_a_name_and_a_torch_that_asks_for_it(start, diagnose, packages) -> None:
    mounts = {SITE: packages("torch==2.11.0")}
    report = diagnose(start("--user", "4242", mounts=mounts, env=PATH))
    assert rules(report) == ["no_user_name", "closed_cache"]
    first = report.findings[0]
    assert (first.level, first.problem) == ("error", "user 4242 has no name, and torch 2.11.0 asks for it")
    assert first.fix.startswith("make the container again with --env USER=app --env HOME=/tmp")
    assert rules(diagnose(start("--user", "4242", mounts=mounts, env={**PATH, "USER": "app", "HOME": "/tmp"}))) == []
    assert rules(diagnose(start(mounts=mounts, env=PATH))) == []


def test_a_torch_that_takes_the_number_needs_no_name(start, diagnose, packages) -> None:
    mounts = {SITE: packages("torch==2.15.0")}
    assert rules(diagnose(start("--user", "4242", mounts=mounts, env={**PATH, "HOME": "/tmp"}))) == []


def test_the_user_of_the_program_counts_and_not_that_of_the_image(start, diagnose, packages) -> None:
    """An entrypoint that begins as root and gives its rights up, as those with gosu do."""
    program = (
        "import os; os.setgid(4242); os.setuid(4242); "
        "os.execv('/usr/bin/python3', ['python3', '-c', 'import time; time.sleep(3600)'])"
    )
    name = start(mounts={SITE: packages("torch==2.11.0")}, env=PATH, program=("python3", "-c", program))
    report = diagnose(name)
    assert rules(report)[0] == "no_user_name"
    assert report.evidence.user
    assert (report.evidence.user.uid, report.evidence.user.home) == (4242, "/root")


# 2: HOME and caches


def test_caches_that_the_user_may_not_write(start, diagnose, packages) -> None:
    pins = ["huggingface_hub==1.0.0", "triton==3.5.0", "numba==0.62.0", "matplotlib==3.10.0"]
    mounts = {SITE: packages(*pins)}
    report = diagnose(start("--user", "4242", mounts=mounts, env={**PATH, "TRITON_CACHE_DIR": "/tmp/t"}))
    assert rules(report) == ["closed_cache"]
    first = report.findings[0]
    assert first.problem == (
        "user 4242 may not write the caches of huggingface-hub (HF_HUB_CACHE: /.cache/huggingface), "
        "matplotlib (MPLCONFIGDIR: /.cache/matplotlib), numba (NUMBA_CACHE_DIR: /.cache/numba)"
    )
    assert "--env HOME=/tmp" in first.fix
    assert rules(diagnose(start("--user", "4242", mounts=mounts, env={**PATH, "HOME": "/tmp"}))) == []


def test_a_cache_of_downloads_that_is_filled_may_be_read_only(start, diagnose, packages, tmp_path) -> None:
    mounts = {SITE: packages("huggingface_hub==1.0.0"), "/models": tmp_path / "models"}
    mounts["/models"].mkdir()
    env = {**PATH, "HF_HOME": "/models"}
    closed = diagnose(start(mounts=mounts, env=env)).findings[0]
    assert (closed.rule, "--env HF_HUB_CACHE=/tmp/huggingface-hub" in closed.fix) == ("closed_cache", True)
    (mounts["/models"] / "hub").mkdir()
    assert rules(diagnose(start(mounts=mounts, env=env))) == []


# 3: a read-only root


def test_a_read_only_root_without_a_temporary_folder(start, diagnose, packages) -> None:
    mounts, env = {SITE: packages("torch==2.15.0", "triton==3.5.0")}, {**PATH, "HOME": "/tmp"}
    report = diagnose(start("--read-only", mounts=mounts, env=env))
    assert rules(report) == ["no_temporary_folder", "closed_cache"]
    assert report.findings[0].problem == "no temporary folder, which torch 2.15.0, triton 3.5.0 needs"
    assert rules(diagnose(start("--read-only", "--tmpfs", "/tmp", mounts=mounts, env=env))) == []
    elsewhere = {**PATH, "TMPDIR": "/scratch", "HOME": "/scratch"}
    assert rules(diagnose(start("--read-only", "--tmpfs", "/scratch", mounts=mounts, env=elsewhere))) == []


# 4: /dev/shm

WORKERS = """
import multiprocessing, time
lock = multiprocessing.Lock()
for _ in range(2):
    multiprocessing.Process(target=time.sleep, args=(3600,)).start()
time.sleep(3600)
"""
ALONE = """
import subprocess, time
subprocess.Popen(["python3", "-c", "import time; time.sleep(3600)"])
time.sleep(3600)
"""


def test_workers_with_64_mb_of_shared_memory(start, diagnose, packages, settled) -> None:
    mounts = {SITE: packages("torch==2.15.0")}
    first = diagnose(settled(start(mounts=mounts, env=PATH, program=("python3", "-c", WORKERS)), 3)).findings[0]
    assert (first.rule, first.level) == ("shared_memory", "warning")
    assert "2 workers of Python" in first.problem
    assert "--shm-size=8g" in first.fix
    wide = start("--shm-size=1g", mounts=mounts, env=PATH, program=("python3", "-c", WORKERS))
    assert rules(diagnose(settled(wide, 3))) == []
    assert rules(diagnose(settled(start(mounts=mounts, env=PATH, program=("python3", "-c", ALONE)), 2))) == []


@pytest.fixture
def settled(engine) -> Callable[[str, int], str]:
    """Wait until so many Pythons run in a container."""
    script = 'for i in $(seq 100); do [ "$(cat /proc/[0-9]*/comm | grep -c python3)" = "$0" ] && exit; sleep 0.1; done'

    def wait(name: str, count: int) -> str:
        engine.run(["exec", name, "sh", "-c", f"{script}; exit 1", str(count)])
        return name

    return wait


# 5: no compiler


def test_triton_in_use_without_a_compiler(start, diagnose, packages, tmp_path) -> None:
    site = packages("triton==3.5.0")
    library(site / "triton" / "_C" / "libtriton.so")
    program = ("python3", "-c", f"import ctypes, time; ctypes.CDLL('{SITE}/triton/_C/libtriton.so'); time.sleep(3600)")
    report = diagnose(start(mounts={SITE: site}, env=PATH, program=program))
    assert rules(report) == ["no_compiler"]
    assert report.findings[0].fix.startswith("install gcc and libc6-dev")
    compiler = tmp_path / "gcc"
    compiler.write_text("#!/bin/sh\n")
    compiler.chmod(0o755)
    mounts = {SITE: site, "/usr/local/bin/gcc": compiler}
    assert rules(diagnose(start(mounts=mounts, env=PATH, program=program))) == []
    assert rules(diagnose(start(mounts={SITE: site}, env=PATH))) == []


# 6: files of the driver

LIBRARIES = "/usr/lib/x86_64-linux-gnu"


@pytest.fixture(scope="module")
def baked(engine, base) -> Iterator[str]:
    """An image with files of a driver, one left empty by a commit."""
    tag = f"{IMAGES}/doctor:driver"
    files = f"cd {LIBRARIES} && echo x > libcuda.so.550.54.14 && touch libnvidia-ml.so.550.54.14"
    engine.run(["build", "--quiet", "--network", "none", "--tag", tag, "-"], input=f"FROM {base}\nRUN {files}\n")
    yield tag
    engine.remove(tag)


def test_files_of_a_driver_in_the_image(start, diagnose, baked, tmp_path) -> None:
    report = diagnose(start(image=baked))
    assert rules(report) == ["driver_in_image"]
    first = report.findings[0]
    assert first.problem.startswith("files of driver 550.54.14 are in the image: ")
    assert first.image == (f"RUN rm -f {LIBRARIES}/libcuda.so.550.54.14 {LIBRARIES}/libnvidia-ml.so.550.54.14",)
    (tmp_path / "libcuda.so.550.54.14").write_text("x")
    mounted = {f"{LIBRARIES}/libcuda.so.550.54.14": tmp_path / "libcuda.so.550.54.14"}
    assert rules(diagnose(start(mounts=mounted))) == []


@pytest.fixture
def baked_without_python(engine, base, tmp_path) -> Iterator[str]:
    """An image without Python, whose loader's cache has a driver of the image."""
    tag, name = f"{IMAGES}/doctor:driver-no-python", "libcuda.so.550.54.14"
    library(tmp_path / "libcuda.so.1", "int x;", "-nostdlib", "-s")
    body = base64.b64encode((tmp_path / "libcuda.so.1").read_bytes()).decode()
    files = f"rm -rf /usr/bin/python3* /usr/lib/python3* && echo {body} | base64 -d > {LIBRARIES}/{name} && ldconfig"
    engine.run(["build", "--quiet", "--network", "none", "--tag", tag, "-"], input=f"FROM {base}\nRUN {files}\n")
    yield tag
    engine.remove(tag)


def test_files_of_a_driver_in_an_image_without_python(baked_without_python, start, diagnose) -> None:
    report = diagnose(start(image=baked_without_python))
    assert rules(report)[0] == "driver_in_image"
    assert report.findings[0].image == (f"RUN rm -f {LIBRARIES}/libcuda.so.550.54.14",)


# 7: a compat folder


def test_a_compat_folder_first_on_the_path(start, diagnose, tmp_path) -> None:
    (tmp_path / "libcuda.so.550.54.14").write_text("x")
    (tmp_path / "libcuda.so.1").symlink_to("libcuda.so.550.54.14")
    folder = "/usr/local/cuda-12.4/compat"
    mounts = {folder: tmp_path}
    report = diagnose(start(mounts=mounts, env={"LD_LIBRARY_PATH": f"{folder}:/usr/local/lib"}))
    assert rules(report)[0] == "compat_first"
    assert report.findings[0].fix == f"take {folder} off LD_LIBRARY_PATH"
    assert "compat_first" not in rules(diagnose(start(mounts=mounts, env={"LD_LIBRARY_PATH": "/usr/local/lib"})))


# 8: two copies of one library in a process


def test_two_copies_of_one_library_in_a_process(start, diagnose, tmp_path) -> None:
    for name in ("a/libcublas.so.12", "b/libcublas.so.12"):
        library(tmp_path / name)
    mounts = {"/a": tmp_path / "a", "/b": tmp_path / "b"}
    load = "import ctypes, time; [ctypes.CDLL(f'/{one}/libcublas.so.12') for one in '%s']; time.sleep(3600)"
    report = diagnose(start(mounts=mounts, env={"LD_LIBRARY_PATH": "/b"}, program=("python3", "-c", load % "ab")))
    assert rules(report) == ["two_copies", "no_gpu"]
    first = report.findings[0]
    assert first.problem == "two copies of libcublas.so.12 are in one process"
    assert first.fix == "take /b off LD_LIBRARY_PATH"
    assert rules(diagnose(start(mounts=mounts, program=("python3", "-c", load % "a")))) == ["no_gpu"]


# 9: packages of another torch


def test_a_torchvision_of_another_torch(start, diagnose, packages) -> None:
    site = packages("torch==2.7.1", "torchvision==0.21.0", torchvision="torch (==2.6.0)")
    (site / "torchvision.py").write_text('raise RuntimeError("operator torchvision::nms does not exist")')
    report = diagnose(start(mounts={SITE: site}, env=PATH))
    assert rules(report) == ["other_torch"]
    first = report.findings[0]
    assert (first.level, first.problem) == ("error", "torchvision 0.21.0 is compiled for another torch than 2.7.1")
    assert first.why == "its metadata asks for torch==2.6.0; the import says: operator torchvision::nms does not exist"
    (site / "torchvision.py").write_text("")
    again = diagnose(start(mounts={SITE: site}, env=PATH)).findings
    assert [(one.rule, one.level) for one in again] == [("other_torch", "warning")]


def test_an_extension_that_misses_a_symbol_of_torch(start, diagnose, packages) -> None:
    site = packages("torch==2.7.1", "torch_scatter==2.1.2", torch_scatter="torch")
    library(
        site / "half.so",
        "void _ZN3c106detail14torchCheckFailEPKc(void); void f(void) { _ZN3c106detail14torchCheckFailEPKc(); }",
    )
    (site / "torch_scatter.py").write_text(f"import ctypes, os; ctypes.CDLL('{SITE}/half.so', os.RTLD_NOW)")
    first, *rest = diagnose(start(mounts={SITE: site}, env=PATH)).findings
    assert (first.rule, rest) == ("other_torch", [])
    assert "undefined symbol: _ZN3c106detail14torchCheckFailEPKc" in first.why
    assert first.fix == "install the torch-scatter of torch 2.7.1, or build it again with --no-build-isolation"
    (site / "torch_scatter.py").write_text('raise ImportError("libcuda.so.1: cannot open shared object file")')
    assert rules(diagnose(start(mounts={SITE: site}, env=PATH))) == []


def test_a_build_of_the_release_that_is_asked_for_is_no_other_torch(start, diagnose, packages) -> None:
    site = packages("torch==2.6.0a0+ecf3bae40a.nv25.01", "torchvision==0.21.0", torchvision="torch (==2.6.0)")
    (site / "torchvision.py").write_text("")
    assert rules(diagnose(start(mounts={SITE: site}, env=PATH))) == []


# 10: the site's certificates


def pem(der: bytes) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(der).decode()}-----END CERTIFICATE-----\n"


def test_a_client_that_does_not_trust_the_site(start, diagnose, packages, tmp_path) -> None:
    site, public, own = packages("httpx==0.28.1", "requests==2.34.2"), b"\x30\x82public", b"\x30\x82site"
    (site / "certifi").mkdir()
    (site / "certifi" / "cacert.pem").write_text(pem(public))
    mounts = {SITE: site}
    report = diagnose(start(mounts=mounts, env=PATH), [own])
    assert rules(report) == ["trust_site"]
    first = report.findings[0]
    assert first.problem == "httpx 0.28.1, requests 2.34.2 does not trust this site's certificates (CA_BUNDLE)"
    assert first.fix.endswith("set SSL_CERT_FILE and REQUESTS_CA_BUNDLE to it")
    assert rules(diagnose(start(mounts=mounts, env=PATH))) == []
    (tmp_path / "all.pem").write_text(pem(public) + pem(own))
    told = dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), "/etc/site.pem")
    name = start(mounts={**mounts, "/etc/site.pem": tmp_path / "all.pem"}, env={**PATH, **told})
    assert rules(diagnose(name, [own])) == []


def test_the_store_of_the_system_serves_who_reads_it(start, diagnose, packages, tmp_path) -> None:
    own = b"\x30\x82site"
    mounts = {SITE: packages("hf_xet==1.8.0"), "/etc/ssl/certs": tmp_path / "certs"}
    mounts["/etc/ssl/certs"].mkdir()
    (mounts["/etc/ssl/certs"] / "ca-certificates.crt").write_text(pem(b"\x30\x82public"))
    assert rules(diagnose(start(mounts=mounts, env=PATH), [own])) == ["trust_site"]
    (mounts["/etc/ssl/certs"] / "ca-certificates.crt").write_text(pem(own))
    assert rules(diagnose(start(mounts=mounts, env=PATH), [own])) == []


def test_the_command_takes_the_sites_certificates_from_its_settings(start, packages, tmp_path) -> None:
    site, authority = packages("httpx==0.28.1"), trustme.CA()
    (site / "certifi").mkdir()
    (site / "certifi" / "cacert.pem").write_bytes(Path(certifi.where()).read_bytes())
    (tmp_path / "all.pem").write_bytes(Path(certifi.where()).read_bytes() + authority.cert_pem.bytes())
    name = start(mounts={SITE: site}, env=PATH)
    for bundle, seen in (("all.pem", ["trust_site"]), ("public.pem", [])):
        (tmp_path / "public.pem").write_bytes(Path(certifi.where()).read_bytes())
        done = cli("--json", "doctor", "--container", name, env={"CA_BUNDLE": str(tmp_path / bundle)})
        assert [one["rule"] for one in document(done)["findings"]] == seen
