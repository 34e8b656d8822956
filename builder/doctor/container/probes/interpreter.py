"""What one Python interpreter has and can load: distributions, compiled modules, ONNX Runtime's providers, torch.

Arguments: a JSON document with `modules` (module name -> distributions that bring it), `sonames` (libraries to load by
name) and `site` (sha256 of certificates that a site adds). Prints one JSON document. Imports and libraries are tried in
fresh processes.
Needs nothing but the standard library of Python 3.7.
"""

from __future__ import annotations

# ruff: noqa: T201
import base64
import hashlib
import json
import os
import re
import struct
import subprocess
import sys
import sysconfig
from pathlib import Path

ASKED = json.loads(sys.argv[1])
NEEDS = ("numpy", "torch")  # requirements that are told
SYSTEM_FILE = "/etc/ssl/certs/ca-certificates.crt"  # what hf_xet reads beside OpenSSL's own places
# Packages of lazy names (scikit-image, librosa) import nothing before a first use, unless they are told (lazy-loader).
IMPORT = """
import importlib, os, sys
os.environ["EAGER_IMPORT"] = "1"
module = importlib.import_module(sys.argv[1])
print(getattr(sys.modules[sys.argv[1].partition(".")[0]], "__version__", ""))
"""
LOAD = """
import ctypes, json, sys
answers = {}
for name in sys.argv[1:]:
    try:
        ctypes.CDLL(name)
        answers[name] = ""
    except OSError as error:
        answers[name] = str(error)[:300] or "not loaded"
print(json.dumps(answers))
"""
ROOTS = """
import os, re, ssl
folder = ssl.get_default_verify_paths().capath
hashed = [name for name in os.listdir(folder) if re.match(r"[0-9a-f]{8}[.][0-9]", name)] if folder else []
print(max(len(ssl.create_default_context().get_ca_certs()), len(hashed)))
"""
TORCH = """
import json, torch
found = {"version": torch.__version__, "cuda": torch.version.cuda or "", "arches": [], "error": "", "numpy": ""}
flags = getattr(torch._C, "_cuda_getArchFlags", lambda: None)()
found["arches"] = (flags or "").split()
found["cudnn"] = str(torch.backends.cudnn.version() or "") if torch.version.cuda else ""
try:
    found["available"] = torch.cuda.is_available()
    if torch.version.cuda:
        torch.cuda.init()
except Exception as error:
    found["error"] = str(error)[:500]
try:
    torch.ones(1).numpy()
except Exception as error:
    found["numpy"] = str(error)[:500]
print(json.dumps(found))
"""


def child(code: str, *arguments: str, seconds: float = 40.0) -> tuple[int, str, str]:
    """Exit code, stdout and the end of stderr of a fresh process of this interpreter; code -1 when time ran out."""
    command = [sys.executable, "-B", "-c", code, *arguments]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        return -1, "", f"no end within {seconds:.0f} s"
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")[-3000:]


def canonical(name: str) -> str:
    """A project's name as PEP 503 writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def names_in(folder: str) -> list[str]:
    """The metadata folders in a folder, none where it cannot be read."""
    try:
        return sorted(path.name for path in Path(folder).iterdir() if path.suffix in (".dist-info", ".egg-info"))
    except OSError:
        return []


def closed() -> list[str]:
    """The folders of sys.path that this user may not read."""
    found = []
    for folder in dict.fromkeys(sys.path):
        try:
            next(Path(folder).iterdir(), None)
        except PermissionError:
            found.append(folder)
        except OSError:
            continue  # it is not there, or a zip file
    return found


def distributions() -> list[dict[str, object]]:
    """Name, version, folder and needs (of NumPy and torch) of all that is installed on sys.path, by its metadata."""
    found = []
    for folder in dict.fromkeys(sys.path):
        for entry in names_in(folder):
            file = "METADATA" if entry.endswith(".dist-info") else "PKG-INFO"
            try:
                with Path(folder, entry, file).open("rb") as stream:
                    head = stream.read(65536).decode("utf-8", "replace").partition("\n\n")[0]
            except OSError:
                continue
            fields = re.findall(r"^(Name|Version|Requires-Dist):[ \t]*(.+?)[ \t]*\r?$", head, re.M)
            known = dict(reversed([field for field in fields if field[0] != "Requires-Dist"]))
            asked = [value for key, value in fields if key == "Requires-Dist"]
            needs = {each: [one for one in asked if re.match(each + r"\b(?!-)", one)][:20] for each in NEEDS}
            if "Name" in known:
                one = {"name": canonical(known["Name"]), "version": known.get("Version", ""), "folder": folder}
                found.append(dict(one, **needs))
    return found[:3000]


def elf(path: str) -> tuple[list[str], str]:
    """NEEDED libraries and the interpreter (loader) of a 64-bit ELF file; both empty where it is none."""
    needed: list[str] = []
    loader = ""
    with Path(path).open("rb") as stream:

        def read(place: int, size: int) -> bytes:
            stream.seek(place)
            return stream.read(size)

        head = read(0, 64)
        if head[:5] != b"\x7fELF\x02":
            return needed, loader
        order = "<" if head[5] == 1 else ">"
        table, size, count = struct.unpack_from(order + "Q", head, 32)[0], *struct.unpack_from(order + "HH", head, 54)
        headers = [struct.unpack_from(order + "IIQQQQQQ", read(table + size * one, 56)) for one in range(count)]
        loads = [(address, offset, length) for kind, _, offset, address, _, length, _, _ in headers if kind == 1]
        entries = []
        for kind, _, offset, _, _, length, _, _ in headers:
            if kind == 3:
                loader = read(offset, min(length, 4096)).rstrip(b"\0").decode("utf-8", "replace")
            if kind == 2:
                entries = list(struct.iter_unpack(order + "QQ", read(offset, min(length, 1 << 16) // 16 * 16)))
        address = next((value for tag, value in entries if tag == 5), 0)
        place = next((address - start + offset for start, offset, length in loads if 0 <= address - start < length), 0)
        for tag, value in entries:
            if tag == 0:
                break
            if tag == 1 and place:
                name = read(place + value, 256).partition(b"\0")[0]
                needed.append(name.decode("utf-8", "replace"))
    return needed, loader


def missing(path: str, loader: str) -> list[str] | None:
    """The libraries that the loader does not find for a file, those of its libraries included, asked as ldd asks.

    None where the loader cannot be asked so.
    """
    if not loader or "musl" in loader:
        return None
    environment = dict(os.environ, LD_TRACE_LOADED_OBJECTS="1")
    command = [loader, path]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=60)
    except subprocess.TimeoutExpired:
        return None
    lines = (done.stdout + done.stderr).decode("utf-8", "replace").splitlines()
    return sorted({line.split("=>")[0].strip() for line in lines if line.rstrip().endswith("not found")})


def providers() -> list[dict[str, object]]:
    """The provider libraries beside the onnxruntime package that an import would take."""
    places = [f"{one}/onnxruntime/capi" for one in sys.path]
    folder = next((place for place in places if os.access(place, os.X_OK)), None)
    loader = elf(str(Path(sys.executable).resolve()))[1]
    found: list[dict[str, object]] = []
    for name in ("cuda", "tensorrt") if folder else ():
        path = f"{folder}/libonnxruntime_providers_{name}.so"
        if os.access(path, os.R_OK):
            lost = missing(path, loader)
            needed, traced = elf(path)[0], lost is not None
            found.append({"name": name, "path": path, "needed": needed, "missing": lost or [], "traced": traced})
    return found


def imports(names: set[str]) -> list[dict[str, object]]:
    """Each asked module that an installed distribution brings, imported."""
    found = []
    for module, brought in sorted(ASKED["modules"].items()):
        if names.intersection(brought):
            code, out, err = child(IMPORT, module)
            version = out.strip().splitlines()[-1] if out.strip() else ""
            found.append({"module": module, "ok": code == 0, "version": version, "said": err})
    return found


def answer(code: str, *arguments: str, seconds: float = 40.0) -> tuple[object, str]:
    """The JSON document that a fresh process printed, else None and what it said."""
    ended, out, err = child(code, *arguments, seconds=seconds)
    try:
        return json.loads(out.strip().splitlines()[-1]), err
    except (IndexError, ValueError):
        return None, f"ended with code {ended}: {err}"


def roots() -> int:
    """How many certificates the system's store gives a Python, by its file or its folder; -1 where it cannot tell."""
    ended, out, _ = child(ROOTS)
    return int(out) if ended == 0 else -1


def site_roots() -> dict[str, bool]:
    """Whether any certificate of the site is where clients read some: a variable's file, certifi's, the system's."""
    wanted = set(ASKED.get("site", ()))
    if not wanted:
        return {}
    files = {name: [value[0]] for name, value in trusted().items() if not value[1:]}
    beside = [Path(entry, "certifi", "cacert.pem") for entry in sys.path]
    try:
        import ssl  # noqa: PLC0415 - a Python may be built without it
    except ImportError:
        return {}
    files["certifi"] = [str(path) for path in beside if path.is_file()][:1]
    places = ssl.get_default_verify_paths()
    files["system"] = [path for path in (places.openssl_cafile, places.openssl_capath, SYSTEM_FILE) if path]
    return {name: any(wanted & certificates(path) for path in paths) for name, paths in files.items()}


def certificates(place: str) -> set[str]:
    """sha256 of the PEM certificates in a file, or in the files of a folder."""
    path = Path(place)
    found: set[str] = set()
    try:
        files = sorted(path.iterdir())[:2000] if path.is_dir() else [path]
        for file in files:
            if file.is_file():
                with file.open("rb") as stream:
                    pieces = re.findall(rb"-----BEGIN CERTIFICATE-----(.+?)-----END", stream.read(8 << 20), re.S)
                found.update(hashlib.sha256(base64.b64decode(piece)).hexdigest() for piece in pieces)
    except (OSError, ValueError):
        return found
    return found


def trusted() -> dict[str, list[str]]:
    """The variables that name certificates, each with its value and, where nothing is there, the word gone."""
    names = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
    found = {name: os.environ[name] for name in names if os.environ.get(name)}
    return {name: [value] if Path(value.split(":")[0]).exists() else [value, "gone"] for name, value in found.items()}


sys.path[:] = [entry for entry in sys.path if entry]
installed = distributions()
names = {str(one["name"]) for one in installed}
torch, torch_said = answer(TORCH, seconds=120.0) if "torch" in names else (None, "")
loads = answer(LOAD, *ASKED["sonames"])[0] if names.intersection(ASKED["loads_for"]) else {}
print(
    json.dumps(
        {
            "version": ".".join(map(str, sys.version_info[:3])),
            "executable": sys.executable,
            "prefix": sys.prefix,
            "site": sysconfig.get_paths()["purelib"],
            "conda": Path(sys.prefix, "conda-meta").is_dir(),
            "pip": "pip" in names,
            "managed": sys.prefix == sys.base_prefix and Path(os.__file__).with_name("EXTERNALLY-MANAGED").is_file(),
            "distributions": installed,
            "closed": closed(),
            "providers": providers(),
            "imports": imports(names),
            "loads": loads or {},
            "roots": roots(),
            "trusted": trusted(),
            "site_roots": site_roots(),
            "torch": torch,
            "torch_said": torch_said,
        }
    )
)
