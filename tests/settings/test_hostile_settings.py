"""Settings of a folder that somebody else filled: each is refused in plain words, or is harmless."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from builder.errors import InputError
from builder.plain import plain
from builder.settings import load

CASES: dict[str, str | bytes] = {
    "NUL": "jobs = 3\n\0",
    "dup": "jobs=3\njobs=4\n",
    "dup table": '[tokens]\na="b"\n[tokens]\n',
    "unknown": "jbos=3",
    "bidi key": '"jo\u202ebs"=3',
    "esc key": '"a\\u001b[2J"=3',
    "surrogate": b'index="\xed\xa0\x80"',
    "latin1": b'index="\xe9"',
    "utf16": "jobs=3".encode("utf-16"),
    "deep": "a=" + "[" * 100000,
    "deep table": "[" + ".".join("a" * 1 for _ in range(5000)) + "]\n",
    "big int": "jobs=" + "9" * 5000,
    "jobs 0": "jobs=0",
    "jobs -1": "jobs=-1",
    "jobs 65": "jobs=65",
    "jobs true": "jobs=true",
    "jobs float": "jobs=1.0",
    "jobs str": 'jobs="8"',
    "jobs nan": "jobs=nan",
    "date": "jobs=1979-05-27",
    "index http": 'index="http://e.org/simple"',
    "index login": 'index="https://u:S3CRET@/simple"',
    "index opt": 'index="--x"',
    "index list": 'index=["https://e"]',
    "index nl": 'index="https://e/\\nx"',
    "index esc": 'index="https://e/\\u001b[2J"',
    "index ipv6": 'index="https://[::1"',
    "index port": 'index="https://e:99999/"',
    "index port S3": 'index="https://e:S3CRET/"',
    "index bidi": 'index="https://e/\\u202e"',
    "tls off": 'tls="off"',
    "tls bool": "tls=false",
    "tls case": 'tls="Verify"',
    "ca missing": 'ca-bundle="nope.pem"',
    "ca dev": 'ca-bundle="/dev/zero"',
    "ca folder of fifo": 'ca-bundle="/nowhere/folder"',
    "ca key": 'ca-bundle="/nowhere/k.key"',
    "ca NUL": 'ca-bundle="a\\u0000b"',
    "ca num": "ca-bundle=1",
    "stacks file": 'stacks="/etc/passwd"',
    "stacks missing": 'stacks="nope"',
    "stacks NUL": 'stacks="a\\u0000"',
    "home file": 'home="/etc/passwd"',
    "home NUL": 'home="\\u0000"',
    "cache NUL": 'cache="\\u0000"',
    "home list": 'home=["a"]',
    "builder option": 'builder="--push"',
    "builder blank": 'builder="a b"',
    "cache scheme": 'build-cache="http://reg.example/cache"',
    "cache comma": 'build-cache="reg.example/cache,mode=max"',
    "files host": 'files="reg.example"',
    "files scheme": 'files="https://reg.example/files"',
    "files tag": 'files="reg.example/files:1"',
    "files login": 'files="u:S3CRET@reg.example/files"',
    "files upper": 'files="reg.example/Files"',
    "prefix upper": 'image-prefix="Reg/X"',
    "prefix opt": 'image-prefix="-x"',
    "prefix nl": 'image-prefix="a\\nb"',
    "prefix slash": 'image-prefix="a/"',
    "prefix tag": 'image-prefix="a:1"',
    "prefix long": 'image-prefix="' + "a" * 300 + '"',
    "prefix login": 'image-prefix="u:S3CRET@r.org/x"',
    "engine opt": 'engine="--config=/x"',
    "engine nl": 'engine="unix:///a\\nb"',
    "engine http": 'engine="http://e.org"',
    "engine login": 'engine="tcp://u:S3CRET@e:1"',
    "timeouts 0": "[timeouts]\nconnect=0",
    "timeouts neg": "[timeouts]\nread=-1",
    "timeouts inf": "[timeouts]\nread=inf",
    "timeouts nan": "[timeouts]\nread=nan",
    "timeouts huge": "[timeouts]\nread=1e300",
    "timeouts str": '[timeouts]\nread="1"',
    "timeouts unknown": "[timeouts]\nfoo=1",
    "timeouts scalar": "timeouts=3",
    "mirror http": '[mirrors]\ndebian="http://e.org"',
    "mirror file": '[mirrors]\ndebian="file:///etc"',
    "mirror unknown": '[mirrors]\narch="https://e"',
    "mirror empty": "[mirrors]\ndebian=[]",
    "rewrite loop": '[rewrites]\n"https://a.org"="https://a.org"',
    "rewrite http": '[rewrites]\n"https://a.org"="http://b.org"',
    "rewrite empty key": '[rewrites]\n""="https://b.org"',
    "rewrite file": '[rewrites]\n"https://a.org"="file:///b"',
    "rewrite login": '[rewrites]\n"https://a.org"="ftp://u:S3CRET@b.org"',
    "rewrite empty list": '[rewrites]\n"https://a.org"=[]',
    "rewrite deep": '[rewrites]\n"https://a.org"=[["https://b"]]',
    "images opt": '[images]\n"docker.io"="--x"',
    "images url": '[images]\n"docker.io"="https://e.org"',
    "images upper": '[images]\n"docker.io"="E.org/Foo"',
    "images dots": '[images]\n"docker.io"="e.org/../x"',
    "images nl": '[images]\n"docker.io"="e\\nx"',
    "images empty": '[images]\n"docker.io"=""',
    "tokens value": '[tokens]\n"h.org"="S3CRET-the token itself"',
    "tokens name =": '[tokens]\n"h.org"="A=B"',
    "tokens host url": '[tokens]\n"https://h.org/x"="T"',
    "tokens host case": '[tokens]\n"h.org"="T"\n"H.ORG"="U"',
    "tokens host same port": '[tokens]\n"h.org"="T"\n"h.org:443"="U"',
    "tokens port": '[tokens]\n"h.org:99999"="T"',
    "tokens host nl": '[tokens]\n"h\\n.org"="T"',
    "tokens star": '[tokens]\n"*"="T"',
    "cc missing": '[client-certificates."h.org"]\ncert="nope"\nkey="nope"',
    "cc half": '[client-certificates."h.org"]\ncert="/nowhere/k.pub"',
    "cc junk": '[client-certificates."h.org"]\ncert="/nowhere/k.key"\nkey="/nowhere/k.pub"',
    "cc scalar": "client-certificates=1",
    "built http": 'built="http://e.org"',
    "built file": 'built="file:///x"',
    "built login": 'built="ftp://u:S3CRET@e.org/"',
    "ssh user": '[git-ssh]\n"g.example" = {user = "-oProxyCommand=id"}',
    "ssh port": '[git-ssh]\n"g.example" = {port = 70000}',
    "ssh key": '[git-ssh]\n"g.example" = {key = "a\\nb"}',
    "ssh word": '[git-ssh]\n"g.example" = {proxy = "id"}',
    "ssh host": '[git-ssh]\n"-oProxyCommand=id" = {port = 22}',
    "security": 'security="maybe"',
    "mount nl": 'mount-weights="a\\nb"',
    "mount num": "mount-weights=3",
    "mount star flood": 'mount-weights="' + "*a" * 50 + 'b"',
}
CASES |= {
    "bom": "\ufeffjobs = 3\n",
    "more than a file of settings": "# x\n" * 300_000,
    "index with a login": 'index = "https://u:S3CRET@e.org/simple"',
    "a token for a port": '[tokens]\n"h.org:8443" = "T"',
    "a mirror of images": '[images]\n"docker.io" = "harbor.example.org:5000/docker_hub/a.b"',
    "an index of any script": 'index = "https://e.org/caf\u00e9"',
    "a folder of any script": 'home = "/data/\u65e5\u672c \u8a9e"',
}
# Harmless: what they name is looked at where it is used, or is nobody's but the writer's.
ACCEPTED = {
    "ca missing",
    "ca dev",
    "ca folder of fifo",
    "ca key",
    "stacks file",
    "stacks missing",
    "home file",
    "prefix long",
    "engine opt",
    "engine http",
    "engine login",
    "mirror http",
    "rewrite loop",
    "cc missing",
    "cc half",
    "cc junk",
    "mount star flood",
    "index with a login",
    "a token for a port",
    "a mirror of images",
    "an index of any script",
    "a folder of any script",
}
KINDS = ["device", "dangling link", "fifo", "folder", "loop"]


def _loaded(text: str | bytes, folder: Path) -> None:
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    (folder / "modelstacks.toml").write_bytes(data)
    load(environ={"XDG_CONFIG_HOME": str(folder / "none")}, folder=folder)


@pytest.mark.parametrize("name", [name for name in CASES if name not in ACCEPTED])
def test_hostile_settings_are_refused_in_plain_words(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        _loaded(CASES[name], tmp_path)
    said = str(caught.value)
    assert "modelstacks.toml" in said and caught.value.fix, said
    assert said == plain(said) and "S3CRET" not in said


@pytest.mark.parametrize("name", sorted(ACCEPTED))
def test_odd_and_harmless_settings_are_read(name: str, tmp_path: Path) -> None:
    _loaded(CASES[name], tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_holds_nobody_up(kind: str, tmp_path: Path) -> None:
    place = tmp_path / "modelstacks.toml"
    if kind == "fifo":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    else:
        place.symlink_to({"device": "/dev/zero", "loop": str(place), "dangling link": str(tmp_path / "none")}[kind])
    assert load(environ={"XDG_CONFIG_HOME": str(tmp_path / "none")}, folder=tmp_path).jobs == 8
