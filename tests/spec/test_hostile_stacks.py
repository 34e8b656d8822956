"""Stack and service files by somebody who means harm: each is refused in words that hide nothing, or is harmless."""

# ruff: noqa: E501, C408

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from builder.errors import InputError
from builder.plain import plain
from builder.settings import Settings
from builder.settings.program import SHIPPED
from builder.spec.stacks import load

B = "summary: s\nfamily: debian12-py311\npackages: [iniconfig==2.0.0]\nsmoke: [python]\n"
SV = (
    "kind: service\nsummary: What it does\nimage: registry.example/team/service:1.0\nlicence: none\nports: {http: 8000}\n"
    "health: {port: http, path: /health, start: 600}\n"
)
H40 = "a" * 40


def src(**more: Any) -> str:
    return (
        B
        + "sources:\n  - "
        + json.dumps({"git": "https://github.com/a/b", "commit": H40, "into": "/workspace", **more})
        + "\n"
    )


def w(**more: Any) -> str:
    return (
        B
        + "weights:\n  - "
        + json.dumps({"url": "https://e.org/n.pth", "sha256": "b" * 64, "into": "/models", **more})
        + "\n"
    )


def J(**keys: Any) -> str:
    return B + "\n".join(f"{key}: {json.dumps(value)}" for key, value in keys.items()) + "\n"


def ext(**more: Any) -> str:
    return (
        src()
        + "extensions:\n  - "
        + json.dumps({"name": "ext", "path": "/workspace/e", "compiled": ["ext._C"], **more})
        + "\n"
    )


CASES: list[tuple[str, str | bytes]] = [
    ("base stack", B),
    ("base service", SV),
    (
        "yaml bomb (aliases)",
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9)),
    ),
    ("merge key <<", B + "env: {<<: {A: b}}\n"),
    ("deep nest flow", B + "env: " + "[" * 20000 + "]" * 20000),
    ("deep nest maps", B + "env: " + "{a: " * 5000 + "}" * 5000),
    ("duplicate key", B + "summary: other\n"),
    ("duplicate env key", B + "env: {A: a, A: b}\n"),
    ("tag python/object", B + "env: !!python/object/apply:os.system ['touch executed']\n"),
    ("tag binary", B + "workdir: !!binary aGk=\n"),
    ("tag set", B + "system: !!set {a, b}\n"),
    ("two documents", B + "---\n" + B),
    ("empty", ""),
    ("null doc", "~\n"),
    ("list doc", "[a]\n"),
    ("scalar", "hello"),
    ("utf16", ("\ufeff" + B).encode("utf-16-le")),
    ("latin1", b"summary: caf\xe9\nfamily: debian12-py311\n"),
    ("NUL", B + 'workdir: "/a\\0b"\n'),
    ("raw NUL", B.encode() + b"\0\0"),
    ("lone surrogate", B + 'workdir: "/a\\ud800"\n'),
    ("env surrogate", B + 'env: {A: "\\ud800"}\n'),
    ("summary surrogate", 'summary: "\\udfff"\nfamily: debian12-py311\n'),
    ("big int python", B + "accept: " + "9" * 5000),
    ("summary int 5000 digits", "summary: " + "9" * 5000 + "\nfamily: debian12-py311\n"),
    ("size huge digits", w(size=1).replace('"size": 1', '"size": ' + "9" * 5000)),
    ("size hex", w(size=1).replace('"size": 1', '"size": 0xfffffffffffffffffffff')),
    ("size negative", w(size=-1)),
    ("size bool", w(size=True)),
    ("size float", w(size=1.5)),
    ("size nan", w(size=1).replace('"size": 1', '"size": .nan')),
    ("size inf", w(size=1).replace('"size": 1', '"size": .inf')),
    ("size sexagesimal", w(size=1).replace('"size": 1', '"size": 190:20:30')),
    ("date summary", "summary: 2001-01-01\nfamily: debian12-py311\n"),
    ("bad date", "summary: 2001-99-99\nfamily: debian12-py311\n"),
    ("timestamp overflow", "summary: 2001-12-14t21:59:43.10-99:99\nfamily: debian12-py311\n"),
    ("summary bidi", 'summary: "a\\u202eb"\nfamily: debian12-py311\n'),
    ("summary esc", 'summary: "a\\e[31mb"\nfamily: debian12-py311\n'),
    ("summary NEL", 'summary: "a\\Nb"\nfamily: debian12-py311\n'),
    ("summary LS", 'summary: "a\\Lb"\nfamily: debian12-py311\n'),
    ("summary 1 MB", "summary: " + "x" * 1000000 + "\nfamily: debian12-py311\n"),
    ("summary tag block E0001", 'summary: "a\\U000e0041"\nfamily: debian12-py311\n'),
    ("summary zero width", 'summary: "a\\u200bb"\nfamily: debian12-py311\n'),
    ("key bidi", B + '"en\\u202ev": {}\n'),
    ("key esc", B + '"en\\ev": {}\n'),
    ("key int", B + "5: a\n"),
    ("key list", B + "? [a]\n: b\n"),
    ("key map", B + "? {a: b}\n: b\n"),
    ("key null", B + "~: a\n"),
    ("key 1 MB", B + "?  " + "k" * 1000000 + "\n: b\n"),
    ("family traversal", "summary: s\nfamily: ../../x\n"),
    ("family abs", "summary: s\nfamily: /etc/passwd\n"),
    ("family list", "summary: s\nfamily: [a]\n"),
    ("family long", "summary: s\nfamily: " + "a" * 5000 + "\n"),
    ("family newline", 'summary: s\nfamily: "a\\nb"\n'),
    ("family case", "summary: s\nfamily: DEBIAN12-PY311\n"),
    ("req url", B.replace("iniconfig==2.0.0", "'a @ https://e.org/a.whl'")),
    ("req file", B.replace("iniconfig==2.0.0", "'a @ file:///etc/passwd'")),
    ("req option", B.replace("iniconfig==2.0.0", "'--index-url=https://evil'")),
    ("req -r", B.replace("iniconfig==2.0.0", "'-r /etc/passwd'")),
    ("req newline", B.replace("iniconfig==2.0.0", '"a==1\\n--index-url https://e"')),
    ("req path", B.replace("iniconfig==2.0.0", "./a.whl")),
    ("req arbitrary eq", B.replace("iniconfig==2.0.0", "'iniconfig===2.0.0;foo'")),
    ("req === odd", B.replace("iniconfig==2.0.0", "'iniconfig===\u202e'")),
    (
        "req marker deep",
        B.replace("iniconfig==2.0.0", "'iniconfig; " + "(" * 5000 + 'python_version>"3"' + ")" * 5000 + "'"),
    ),
    ("req kelvin", B.replace("iniconfig", "'\u212aeras==1'").replace("'==2.0.0", "==1'")),
    ("req fullwidth", B.replace("iniconfig==2.0.0", "'\uff49niconfig'")),
    ("req version fullwidth digits", B.replace("iniconfig==2.0.0", "'iniconfig==\uff12.0'")),
    ("req version arabic digits", B.replace("iniconfig==2.0.0", "'iniconfig==\u0662.0'")),
    ("req version 10000 digits", B.replace("iniconfig==2.0.0", "'iniconfig==" + "9" * 10000 + "'")),
    ("req version 5000 parts", B.replace("iniconfig==2.0.0", "'iniconfig==" + ".".join("1" * 5000) + "'")),
    ("req prefix huge", B.replace("iniconfig==2.0.0", "'iniconfig==1." + "9" * 6000 + ".*'")),
    ("req redos", B.replace("iniconfig==2.0.0", "'iniconfig" + " " * 50000 + "!'")),
    ("req marker extra", B.replace("iniconfig==2.0.0", "'iniconfig; extra==\"x\"'")),
    ("req dup", B.replace("iniconfig==2.0.0", "a, A, a_b, a-b, a.b")),
    ("req 100k", B.replace("iniconfig==2.0.0", ",".join(f"p{i}" for i in range(20000)))),
    ("req marker huge int", B.replace("iniconfig==2.0.0", "'iniconfig; python_version > \"" + "9" * 6000 + "\"'")),
    ("from-source foreign", J(**{"from-source": ["zzz"]})),
    ("from-source opt", J(**{"from-source": ["--x"]})),
    ("index http", J(indexes={"x": {"url": "http://e.org/simple", "packages": ["a"]}})),
    ("index file", J(indexes={"x": {"url": "file:///etc", "packages": ["a"]}})),
    ("index login", J(indexes={"x": {"url": "https://u:S3CRET@e.org/simple", "packages": ["a"]}})),
    ("index query token", J(indexes={"x": {"url": "https://e.org/simple?token=S3CRET", "packages": ["a"]}})),
    ("index userinfo backslash", J(indexes={"x": {"url": "https://e.org\\@evil.org/simple", "packages": ["a"]}})),
    ("index port", J(indexes={"x": {"url": "https://e.org:99999/simple", "packages": ["a"]}})),
    ("index port unicode", J(indexes={"x": {"url": "https://e.org:\u0664\u0663/simple", "packages": ["a"]}})),
    ("index ipv6 broken", J(indexes={"x": {"url": "https://[::1/simple", "packages": ["a"]}})),
    ("index ipv6 junk", J(indexes={"x": {"url": "https://[zz]/simple", "packages": ["a"]}})),
    ("index NFKC slash host", J(indexes={"x": {"url": "https://e.org\u2100evil/simple", "packages": ["a"]}})),
    ("index idn", J(indexes={"x": {"url": "https://\u0435.org/simple", "packages": ["a"]}})),
    ("index label 64+", J(indexes={"x": {"url": "https://" + "a" * 70 + ".org/simple", "packages": ["a"]}})),
    ("index empty host", J(indexes={"x": {"url": "https:///simple", "packages": ["a"]}})),
    ("index tab", J(indexes={"x": {"url": "https://e.org/si\tmple", "packages": ["a"]}})),
    ("index space", J(indexes={"x": {"url": "https://e.org/si mple", "packages": ["a"]}})),
    ("index name opt", J(indexes={"--x": {"url": "https://e.org/simple", "packages": ["a"]}})),
    ("index name default", J(indexes={"default": {"url": "https://e.org/simple", "packages": ["a"]}})),
    ("index name newline", J(indexes={"a\nb": {"url": "https://e.org/simple", "packages": ["a"]}})),
    ("index both", J(indexes={"x": {"url": "https://e.org/simple", "find-links": "https://e.org", "packages": ["a"]}})),
    ("index no packages", J(indexes={"x": {"url": "https://e.org/simple", "packages": []}})),
    (
        "index two same pkg",
        J(
            indexes={
                "x": {"url": "https://e.org/simple", "packages": ["a-b"]},
                "y": {"url": "https://f.org/simple", "packages": ["A_b"]},
            }
        ),
    ),
    (
        "index names by case",
        J(
            indexes={
                "x": {"url": "https://e.org/simple", "packages": ["a"]},
                "X": {"url": "https://f.org/simple", "packages": ["b"]},
            }
        ),
    ),
    ("system opt", J(system=["-oAPT::x=y"])),
    ("system slash", J(system=["./a.deb"])),
    ("system minus suffix", J(system=["libc6-"])),
    ("system plus suffix", J(system=["foo+"])),
    ("system version", J(system=["libc6=1 evil"])),
    ("system glob", J(system=["lib*"])),
    ("system arch", J(system=["libc6:i386"])),
    ("system task ^", J(system=["standard^"])),
    ("system ?pattern", J(system=["?essential"])),
    ("libraries abs", J(libraries=["/etc"])),
    ("libraries up", J(libraries=["a/../../.."])),
    ("libraries newline", J(libraries=["a\nb"])),
    ("libraries colon", J(libraries=["a:b"])),
    ("libraries dollar", J(libraries=["$ORIGIN/x"])),
    ("libraries space", J(libraries=["a b"])),
    ("gpus bad", J(gpus=["9.0;x"])),
    ("gpus float", B + "gpus: [9.0]\n"),
    ("gpus huge", J(gpus=["9" * 5000 + ".0"])),
    ("gpus arabic", J(gpus=["\u0669.0"])),
    ("gpus dup", J(gpus=["9.0", "9.0"])),
    ("gpus +ptx case", J(gpus=["9.0+ptx"])),
    ("env name", J(env={"A=B": "x"})),
    ("env newline", J(env={"A": "x\nRUN id"})),
    ("env LD_PRELOAD", J(env={"LD_PRELOAD": "/x"})),
    ("env LD_LIBRARY_PATH", J(env={"LD_LIBRARY_PATH": "/x"})),
    ("env dollar", J(env={"A": "${PATH}"})),
    ("env secret name", J(env={"API_TOKEN": "S3CRET"})),
    ("env bool", B + "env: {A: yes}\n"),
    ("env null", B + "env: {A: }\n"),
    ("env CR", J(env={"A": "x\rRUN"})),
    ("env unicode name", J(env={"\u0410": "x"})),
    ("env empty name", J(env={"": "x"})),
    ("env BUILDKIT", J(env={"SOURCE_DATE_EPOCH": "0"})),
]
MORE: list[tuple[str, str]] = [("src ok", src()), ("weights ok", w()), ("ext ok", ext())]
n: str
k: Any
for n, k in {
    "http": dict(git="http://github.com/a/b"),
    "ssh": dict(git="ssh://g/a"),
    "scp": dict(git="git@h:a"),
    "ext::": dict(git="ext::sh -c id"),
    "opt": dict(git="--upload-pack=x"),
    "file": dict(git="file:///etc"),
    "login": dict(git="https://u:S3CRET@h/a"),
    "commit short": dict(commit="abc"),
    "commit upper": dict(commit="A" * 40),
    "commit opt": dict(commit="-" * 40),
    "commit newline": dict(commit=H40 + "\n"),
    "commit arabic": dict(commit="\u0661" * 40),
    "commit int": dict(commit=int("1" * 40)),
    "commit null sha": dict(commit="0" * 40),
    "fragment": dict(git="https://h/a#b"),
    "at": dict(git="https://h/a@b"),
    "into root": dict(into="/"),
    "into bin": dict(into="/bin/x"),
    "into dot": dict(into="/workspace/.."),
    "into double": dict(into="//bin"),
    "into usr/bin": dict(into="/usr/bin"),
    "into etc": dict(into="/etc"),
    "into opt/venv": dict(into="/opt/venv"),
    "into /lib32": dict(into="/lib32"),
    "into relative": dict(into="w"),
    "into dollar": dict(into="/$HOME"),
    "into quote": dict(into='/a"b'),
    "into newline": dict(into="/a\nRUN"),
    "into space": dict(into="/a b"),
    "into long": dict(into="/" + "a" * 300),
    "into 5000": dict(into="/a" * 3000),
    "into dot-seg": dict(into="/./bin"),
    "into trailing": dict(into="/workspace/"),
    "edits absolute": dict(edits=[{"file": "/etc/passwd", "old": "a", "new": "b"}]),
    "edits up": dict(edits=[{"file": "../x", "old": "a", "new": "b"}]),
    "edits .git": dict(edits=[{"file": ".git/config", "old": "a", "new": "b"}]),
    "edits empty old": dict(edits=[{"file": "x", "old": "", "new": "b"}]),
    "edits times 0": dict(edits=[{"file": "x", "old": "a", "new": "b", "times": 0}]),
    "edits times huge": dict(edits=[{"file": "x", "old": "a", "new": "b", "times": 10**30}]),
    "edits opt": dict(edits=[{"file": "-x", "old": "a", "new": "b"}]),
}.items():
    MORE.append(("src " + n, src(**k)))
MORE.append(
    (
        "two sources same into",
        B
        + "sources: "
        + json.dumps(
            [dict(git="https://g.c/a/b", commit=H40, into="/w"), dict(git="https://g.c/a/c", commit=H40, into="/w")]
        )
        + "\n",
    )
)
MORE.append(
    (
        "sources nested into",
        B
        + "sources: "
        + json.dumps(
            [dict(git="https://g.c/a/b", commit=H40, into="/w"), dict(git="https://g.c/a/c", commit=H40, into="/w/x")]
        )
        + "\n",
    )
)
for n, k in {
    "http": dict(url="http://e.org/n"),
    "ftp": dict(url="ftp://e.org/n"),
    "file": dict(url="file:///etc/passwd"),
    "data": dict(url="data:,x"),
    "login": dict(url="https://u:S3CRET@e/n.pth"),
    "no name": dict(url="https://e.org/"),
    "name dotdot": dict(url="https://e.org/.."),
    "name enc slash": dict(url="https://e.org/a%2f..%2fb"),
    "name enc NUL": dict(url="https://e.org/a%00b"),
    "name enc nl": dict(url="https://e.org/a%0aRUN"),
    "name enc dotdot": dict(url="https://e.org/%2e%2e"),
    "bad enc": dict(url="https://e.org/%ff%fe"),
    "name opt": dict(name="-x"),
    "name path": dict(name="a/b"),
    "name up": dict(name=".."),
    "name bidi": dict(name="a\u202egpj"),
    "name long": dict(name="a" * 300),
    "name case con": dict(name="CON"),
    "name quote": dict(name='a"b'),
    "name dollar": dict(name="a$b"),
    "name space": dict(name=" a"),
    "sha upper": dict(sha256="B" * 64),
    "sha short": dict(sha256="b"),
    "sha arabic": dict(sha256="\u0661" * 64),
    "sha int": dict(sha256=1),
    "hf bad": dict(huggingface="../x", revision=H40, path="a"),
    "both": dict(huggingface="a/b", revision=H40, path="p"),
    "member up": dict(member={"path": "../x", "sha256": "b" * 64}),
    "member abs": dict(member={"path": "/x", "sha256": "b" * 64}),
    "member NUL": dict(member={"path": "a\0b", "sha256": "b" * 64}),
    "licence esc": dict(licence="a\x1b[2Jb"),
    "licence nl": dict(licence="a\nb"),
    "licence bidi": dict(licence="\u2066x"),
    "bake str": dict(bake="no"),
    "into glob": dict(into="/a*"),
    "torchhub mismatch": dict(url="https://e.org/net-12345678.pth"),
}.items():
    MORE.append(("weight " + n, w(**k)))
for n, k in {
    "hf rev short": dict(huggingface="a/b", revision="main", path="p"),
    "hf path up": dict(huggingface="a/b", revision=H40, path="../../x"),
    "hf path query": dict(huggingface="a/b", revision=H40, path="x?y=1"),
    "hf path pct": dict(huggingface="a/b", revision=H40, path="%2e%2e/x"),
    "hf triple": dict(huggingface="a/b/c", revision=H40, path="p"),
    "hf dots": dict(huggingface="../..", revision=H40, path="p"),
    "hf at": dict(huggingface="a/b@c", revision=H40, path="p"),
    "hf path at": dict(huggingface="a/b", revision=H40, path="a@b"),
}.items():
    MORE.append(("weight " + n, B + "weights: " + json.dumps([dict(into="/m", **k)]) + "\n"))
MORE.append(
    (
        "two weights one place",
        B
        + "weights: "
        + json.dumps([dict(url="https://e.org/a.pth", into="/m"), dict(url="https://f.org/a.pth", into="/m")])
        + "\n",
    )
)
MORE.append(
    (
        "two weights place by slash",
        B
        + "weights: "
        + json.dumps([dict(url="https://e.org/a.pth", into="/m"), dict(url="https://f.org/a.pth", into="/m/")])
        + "\n",
    )
)
MORE.append(
    (
        "weight into a weight",
        B
        + "weights: "
        + json.dumps([dict(url="https://e.org/a", into="/m"), dict(url="https://f.org/b", into="/m/a")])
        + "\n",
    )
)
for n, k in {
    "paths rel": dict(paths=["a"]),
    "paths nl": dict(paths=["/a\nimport os"]),
    "paths import": dict(paths=["import os"]),
    "paths colon": dict(paths=["/a:/b"]),
    "entry str": dict(entrypoint="sh -c id"),
    "entry empty": dict(entrypoint=[]),
    "entry word empty": dict(entrypoint=[""]),
    "entry nl": dict(entrypoint=["a\nb"]),
    "entry NUL": dict(entrypoint=["a\0"]),
    "entry 1e5": dict(entrypoint=["a"] * 100000),
    "workdir rel": dict(workdir="a"),
    "workdir nl": dict(workdir="/a\nRUN id"),
    "workdir dollar": dict(workdir="/$X"),
    "workdir proc": dict(workdir="/proc"),
    "smoke unknown": dict(smoke=["nope"]),
    "smoke path": dict(smoke=["../python"]),
    "smoke dunder": dict(smoke=["__init__"]),
    "smoke int": dict(smoke=[1]),
    "smoke dup": dict(smoke=["python", "python"]),
    "accept unknown": dict(accept={"nope/x": "r"}),
    "accept empty reason": dict(accept={"numpy_abi": ""}),
    "accept esc": dict(accept={"numpy_abi": "\x1b[2J"}),
    "files missing": dict(files=[{"from": "a", "into": "/a"}]),
    "files up": dict(files=[{"from": "../..", "into": "/a"}]),
    "files abs": dict(files=[{"from": "/etc", "into": "/a"}]),
    "files empty": dict(files=[{"from": "", "into": "/a"}]),
    "files dot": dict(files=[{"from": ".", "into": "/a"}]),
    "toolchain cuda-home up": dict(toolchain={"packages": ["ninja"], "cuda-home": "../../x"}),
    "toolchain cuda-home nl": dict(toolchain={"packages": ["ninja"], "cuda-home": "/a\nRUN"}),
    "kind odd": dict(kind="servicE"),
    "kind list": dict(kind=["service"]),
    "kind null": dict(kind=None),
    "python in stack": dict(python="3.11"),
}.items():
    MORE.append((n, J(**k)))
for n, k in {
    "name opt": dict(name="-x"),
    "name path": dict(name="../x"),
    "path outside": dict(path="/other"),
    "path up": dict(path="/workspace/../etc"),
    "compiled opt": dict(compiled=["-c"]),
    "compiled code": dict(compiled=["os;import x"]),
    "import code": {"import": ["os\nimport x"]},
    "compiled path": dict(compiled=["a/b"]),
    "env name": dict(env={"A B": "1"}),
    "env nl": dict(env={"A": "1\nRUN"}),
    "flags nl": dict(flags={"nvcc": ["a\nb"]}),
    "flags space": dict(flags={"nvcc": ["a b"]}),
    "flags shell": dict(flags={"cxx": ["$(id)"]}),
    "flags plugin": dict(flags={"cxx": ["-fplugin=/x"]}),
    "downloads up": dict(downloads=[{"url": "https://e.org/a", "into": "../x"}]),
    "downloads http": dict(downloads=[{"url": "http://e.org/a", "into": "x"}]),
    "package-dir up": {"install": "editable", "package-dir": "../.."},
    "package-dir abs": {"install": "editable", "package-dir": "/etc"},
    "install odd": dict(install="x"),
    "compiled empty": dict(compiled=[]),
    "files up": dict(files="../.."),
    "unicode module": dict(compiled=["\u00e9.c"]),
}.items():
    MORE.append(("ext " + n, ext(**k)))
for n, k in {
    "image opt": dict(image="--x"),
    "image upper": dict(image="Reg/Team:1"),
    "image bad digest": dict(image="a/b@sha256:zz"),
    "image digest md5": dict(image="a/b@md5:" + "0" * 32),
    "image space": dict(image="a b"),
    "image nl": dict(image="a/b:1\n"),
    "image no tag": dict(image="e.org/a/b"),
    "image port": dict(image="e.org:99999/a/b:1"),
    "image login": dict(image="u:S3CRET@e.org/a/b:1"),
    "image scheme": dict(image="https://e.org/a:1"),
    "image latest": dict(image="e.org/a/b:latest"),
    "image tag 129": dict(image="e.org/a/b:" + "t" * 129),
    "image 300": dict(image="e.org/" + "a" * 300 + ":1"),
    "image dots": dict(image="e.org/a/../b:1"),
    "image scratch": dict(image="scratch"),
    "port 0": dict(ports={"http": 0}),
    "port 65536": dict(ports={"http": 65536}),
    "port neg": dict(ports={"http": -1}),
    "port str": dict(ports={"http": "8000"}),
    "port bool": dict(ports={"http": True}),
    "port float": dict(ports={"http": 8000.0}),
    "port dup": dict(ports={"http": 8000, "x": 8000}),
    "port name": dict(ports={"a\nb": 8000}),
    "health port unknown": dict(health={"port": "zz", "path": "/", "start": 1}),
    "health path nl": dict(health={"port": "http", "path": "/a\nb", "start": 1}),
    "health path rel": dict(health={"port": "http", "path": "a", "start": 1}),
    "health path quote": dict(health={"port": "http", "path": "/$(id)", "start": 1}),
    "health path at": dict(health={"port": "http", "path": "@evil.org/", "start": 1}),
    "health path //": dict(health={"port": "http", "path": "//evil.org/", "start": 1}),
    "health start neg": dict(health={"port": "http", "path": "/", "start": -1}),
    "health start huge": dict(health={"port": "http", "path": "/", "start": 10**30}),
    "health start nan": dict(health={"port": "http", "path": "/", "start": "NaN"}),
    "vol into root": dict(volumes={"a": {"into": "/", "holds": "x"}}),
    "vol into proc": dict(volumes={"a": {"into": "/proc", "holds": "x"}}),
    "vol name path": dict(volumes={"/etc": {"into": "/a", "holds": "x"}}),
    "vol name dot": dict(volumes={"./x": {"into": "/a", "holds": "x"}}),
    "vol into colon": dict(volumes={"a": {"into": "/a:ro", "holds": "x"}}),
    "vol sock": dict(volumes={"a": {"into": "/var/run/docker.sock", "holds": "x"}}),
    "vol two same": dict(volumes={"a": {"into": "/a", "holds": "x"}, "b": {"into": "/a/", "holds": "x"}}),
    "env secret": dict(env={"MY_TOKEN": "S3CRET"}),
    "env secret lower": dict(env={"my_token": "S3CRET"}),
    "env passwd": dict(env={"DB_PASSWD": "S3CRET"}),
    "env pat": dict(env={"GITHUB_PAT": "S3CRET"}),
    "env url login": dict(env={"U": "https://u:S3CRET@h/"}),
    "env interp": dict(env={"A": "${HOME}"}),
    "switch secret": dict(switches=["NGC_API_KEY"]),
    "switch name": dict(switches=["A=B"]),
    "switch PATH": dict(switches=["PATH"]),
    "secret name": dict(secrets=["A\nB=1"]),
    "secret and env": dict(env={"ABC": "1"}, secrets=["ABC"]),
    "secret and switch": dict(switches=["ABC"], secrets=["ABC"]),
    "secret dup": dict(secrets=["ABC", "ABC"]),
    "gpu str": dict(gpu="yes"),
    "packages in service": dict(packages=["a"]),
    "privileged": dict(privileged=True),
    "licence esc": dict(licence="a\x1b[2Jb"),
    "licence bidi": dict(licence="a\u202e"),
    "licence empty": dict(licence=""),
}.items():
    base = SV
    for key in k:
        base = "".join(line + "\n" for line in base.splitlines() if not line.startswith(key + ":"))
    MORE.append(("svc " + n, base + "\n".join(f"{a}: {json.dumps(b)}" for a, b in k.items()) + "\n"))

CASES += MORE
MORE_NEAR: list[tuple[str, str]] = [
    (
        "summary of any script",
        "summary: \u0645\u0631\u062d\u0628\u0627, \u65e5\u672c\u8a9e, caf\u00e9\nfamily: debian12-py311\n",
    ),
    ("a long marker", B + "packages: ['iniconfig; " + "(" * 20 + 'python_version>"3"' + ")" * 20 + "']\n"),
    ("index with a port", J(indexes={"x": {"url": "https://e.org:8443/simple", "packages": ["a"]}})),
    ("an empty token", J(env={"HF_TOKEN": ""})),
    ("a login in no secret", J(env={"TOKENIZERS_PARALLELISM": "false"})),
    (
        "two weights, two names",
        B
        + "weights: "
        + json.dumps(
            [
                {"url": "https://e.org/a.pth", "into": "/m"},
                {"url": "https://f.org/a.pth", "into": "/m", "name": "b.pth"},
            ]
        )
        + "\n",
    ),
    ("a registry with a port", SV.replace("registry.example/", "registry.example:5000/a__b/c-d.e/")),
    ("two volumes", SV + "volumes: {a: {into: /a, holds: x}, b: {into: /a/b, holds: x}}\n"),
    ("a weight named by hand", w(url="https://e.org/", name="n.pth")),
]
CASES += MORE_NEAR
ACCEPTED = {
    "base stack",
    "base service",
    "size hex",
    "size sexagesimal",
    "summary 1 MB",
    "summary zero width",
    "req marker extra",
    "req 100k",
    "from-source foreign",
    "index query token",
    "index label 64+",
    "system plus suffix",
    "gpus dup",
    "env LD_PRELOAD",
    "env LD_LIBRARY_PATH",
    "env BUILDKIT",
    "src ok",
    "weights ok",
    "ext ok",
    "src commit null sha",
    "src at",
    "src into usr/bin",
    "src into etc",
    "src into opt/venv",
    "src into /lib32",
    "src into long",
    "src into trailing",
    "src edits .git",
    "sources nested into",
    "weight name enc slash",
    "weight name enc NUL",
    "weight name enc nl",
    "weight name case con",
    "weight hf path at",
    "entry empty",
    "entry word empty",
    "entry 1e5",
    "workdir proc",
    "ext flags plugin",
    "svc image no tag",
    "svc image port",
    "svc image latest",
    "svc image scratch",
    "svc health path //",
    "svc vol sock",
    "svc env url login",
    "svc switch PATH",
    "svc secret dup",
    "summary of any script",
    "index with a port",
    "an empty token",
    "a login in no secret",
    "two weights, two names",
    "a registry with a port",
    "two volumes",
    "a weight named by hand",
}


def _loaded(text: str | bytes, folder: Path) -> None:
    (folder / "st" / "x").mkdir(parents=True)
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    (folder / "st" / "x" / "stack.yaml").write_bytes(data)
    load("x", Settings(home=folder, stacks=(SHIPPED, folder / "st")))


@pytest.mark.parametrize("name", [name for name, _ in CASES if name not in ACCEPTED])
def test_a_hostile_file_is_refused_in_plain_words(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        _loaded(dict(CASES)[name], tmp_path)
    said = str(caught.value)
    assert str(Path("st", "x")) in caught.value.where and caught.value.fix, said
    assert said == plain(said) and "S3CRET" not in said and len(said) < 100_000
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["st", "stack.yaml", "x"], "nothing is made or run"


@pytest.mark.parametrize("name", sorted(ACCEPTED))
def test_an_odd_and_harmless_file_is_read(name: str, tmp_path: Path) -> None:
    _loaded(dict(CASES)[name], tmp_path)
