"""Trees and attributes that a commit may have: what is taken is the commit's bytes, or nothing."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from builder.errors import JobError
from builder.net.git import archive_commit
from tests.fetch.conftest import Site

TEXT = b"one\r\ntwo\n$Id$\n$Format:%H$\n\xe9\n"
HEADER = {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


class Repository:
    """A repository behind the server, written object by object: what `git add` refuses can be in it too."""

    def __init__(self, folder: Path, url: str) -> None:
        folder.mkdir(parents=True)
        self.folder, self.url = folder, url
        self.git("init", "--quiet", "--bare", ".")

    def git(self, *words: str, data: bytes = b"") -> str:
        none = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
        env = {"PATH": os.environ["PATH"], **none, **HEADER}
        done = subprocess.run(["git", *words], cwd=self.folder, env=env, input=data, capture_output=True, check=True)
        return done.stdout.decode().strip()

    def blob(self, data: bytes) -> str:
        return self.git("hash-object", "-w", "--stdin", data=data)

    def tree(self, *rows: tuple[str, str, str]) -> str:
        """A tree of (mode, name, object) just as they stand, each name one entry whatever git thinks of it."""
        data = b"".join(f"{mode} {name}".encode() + b"\0" + bytes.fromhex(one) for mode, name, one in rows)
        return self.git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", data=data)

    def commit(self, tree: str) -> str:
        made = self.git("commit-tree", tree, "-m", "made for a test")
        self.git("update-ref", "refs/heads/main", made)
        return made


@pytest.fixture
def repository(site: Site, tmp_path: Path) -> Repository:
    site.git_root = tmp_path / "repositories"
    return Repository(site.git_root / "odd", f"{site.url}/git/odd")


def content(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        members = [one for one in tar if not one.isdir()]
        streams = {one.name: tar.extractfile(one) if one.isfile() else None for one in members}
        return {name: stream.read() if stream else b"" for name, stream in streams.items()}


ATTRIBUTES = {
    "export-ignore": "export-ignore",
    "export-subst": "export-subst",
    "eol=crlf": "text eol=crlf",
    "text=auto": "text=auto eol=crlf",
    "crlf": "crlf",
    "ident": "ident",
    "working-tree-encoding": "text working-tree-encoding=UTF-16",
    "filter": "filter=lfs diff=lfs merge=lfs -text",
    "macro": "binary eol=crlf text ident export-ignore",
}


@pytest.mark.parametrize("where", ["commit", "folder", "user"])
def test_no_attribute_changes_a_byte_of_the_commit(where, repository, settings, tmp_path, monkeypatch) -> None:
    """Attributes of the commit, of a folder of it, and of the user at this machine: each has a file of its own."""
    text = "".join(f"{name} {words}\n" for name, words in ATTRIBUTES.items()).encode()
    inside = {name: TEXT.replace(b"\xe9", b"e") if "encoding" in name else TEXT for name in ATTRIBUTES}
    if where != "user":
        inside[".gitattributes"] = text
    else:
        home = tmp_path / "user"
        (home / ".config" / "git").mkdir(parents=True)
        (home / ".config" / "git" / "attributes").write_bytes(text)
        monkeypatch.setenv("HOME", str(home))
    rows = [("100644", name, repository.blob(data)) for name, data in sorted(inside.items())]
    tree = repository.tree(*rows)
    commit = repository.commit(repository.tree(("40000", "in", tree)) if where == "folder" else tree)
    archive_commit(repository.url, commit, tmp_path / "a.tar", settings)
    expected = {f"in/{name}" if where == "folder" else name: data for name, data in inside.items()}
    assert content(tmp_path / "a.tar") == expected


def odd_trees(repository: Repository) -> dict[str, tuple[list[tuple[str, str, str]], str]]:
    file = repository.blob(b"x")
    link = repository.blob(b"/etc")
    folder = repository.tree(("100644", "config", file))
    return {
        "climbs": ([("40000", "..", folder)], r"a path that holds '\.\.'"),
        "a dot": ([("40000", ".", folder)], r"a path that holds '\.'"),
        ".git": ([("40000", ".git", folder)], r"a path that holds '\.git'"),
        ".GIT": ([("40000", ".GIT", folder)], r"a path that holds '\.GIT'"),
        ".git as a file": ([("100644", ".git", file)], r"a path that holds '\.git'"),
        ".git below": ([("40000", "in", repository.tree(("40000", ".gIt", folder)))], r"a path that holds '\.gIt'"),
        "git~1": ([("40000", "GIT~1", folder)], r"a path that holds 'GIT~1'"),
        "twice": ([("100644", "a", file), ("120000", "a", link)], "the commit has 'a' twice"),
        "link and folder": ([("120000", "a", link), ("40000", "a", folder)], "'a' is a file, link or submodule and"),
        "file and folder": ([("100644", "a", file), ("40000", "a", folder)], "'a' is a file, link or submodule and"),
        "a slash": ([("100644", "../../evil", file)], r"a path that holds '\.\.'"),
        "absolute": ([("100644", "/etc/evil", file)], "a path that holds ''"),
    }


CASES = ["climbs", "a dot", ".git", ".GIT", ".git as a file", ".git below", "git~1", "twice", "link and folder",
         "file and folder", "a slash", "absolute"]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_tree_that_no_checkout_could_have_is_refused(case, repository, settings, tmp_path) -> None:
    rows, said = odd_trees(repository)[case]
    commit = repository.commit(repository.tree(*rows))
    with pytest.raises(JobError, match=said) as caught:
        archive_commit(repository.url, commit, tmp_path / "a.tar", settings)
    assert commit in caught.value.where
    assert not (tmp_path / "a.tar").exists() and not list(tmp_path.glob(".git-*"))


def test_odd_names_that_a_checkout_can_have_are_kept(repository, settings, tmp_path) -> None:
    """Names of another case, blanks, line ends, backslashes, bytes that are no UTF-8, long ones, links to anywhere."""
    names = [".gitignore", ".github", "..a", "-rf", "--output=x", "A", "a", "b\nc", "d\\e", "f g", "n" * 250, "Ä"]
    names.append("$(id)")
    rows = [("100644", name, repository.blob(name.encode())) for name in names]
    rows.append(("120000", "link", repository.blob(b"../../etc/passwd")))
    rows.append(("100755", "run", repository.blob(b"#!/bin/sh\n")))
    commit = repository.commit(repository.tree(*sorted(rows, key=lambda row: row[1].encode())))
    archive_commit(repository.url, commit, tmp_path / "a.tar", settings)
    assert content(tmp_path / "a.tar") == {
        **{name: name.encode() for name in names}, "link": b"", "run": b"#!/bin/sh\n"
    }  # fmt: skip
    with tarfile.open(tmp_path / "a.tar") as tar:
        assert tar.getmember("link").linkname == "../../etc/passwd"


SUBMODULES = {
    "a link of that name": ("120000", b"../../etc/passwd", "no plain file .gitmodules"),
    "an address twice": (
        "100644",
        b'[submodule "a"]\npath = sub\nurl = https://good.example/a\n[submodule "b"]\npath = sub\nurl = ../odd\n',
        "gives two addresses",
    ),
    "no address": ("100644", b'[submodule "a"]\npath = sub\n', "gives no address"),
    "an include": ("100644", b"[include]\npath = /etc/passwd\n", "git cannot fetch the commit|gives no address"),
    "not a listing": ("100644", b"\0\0[[[", "git cannot fetch the commit"),
    "a path out of the tree": ("100644", b'[submodule "a"]\npath = ../sub\nurl = ../odd\n', "gives no address"),
    "a relative address that climbs": ("100644", b'[submodule "a"]\npath = sub\nurl = ../../../../etc\n', "climbs"),
    "an address that is an option": ("100644", b'[submodule "a"]\npath = sub\nurl = --upload-pack=x\n', "not a plain"),
    "a helper": ("100644", b'[submodule "a"]\npath = sub\nurl = ext::sh -c id\n', "not a plain https"),
    "this machine": ("100644", b'[submodule "a"]\npath = sub\nurl = file:///etc\n', "not a plain https"),
    "a line end": ("100644", b'[submodule "a"]\npath = sub\nurl = "https://a.example/x\\ny"\n', "not a plain https"),
}


@pytest.mark.parametrize("case", SUBMODULES)
def test_a_real_listing_of_submodules_that_misleads_is_refused(case, repository, settings, tmp_path) -> None:
    mode, text, said = SUBMODULES[case]
    rows = [(mode, ".gitmodules", repository.blob(text)), ("160000", "sub", "1" * 40)]
    commit = repository.commit(repository.tree(*rows))
    with pytest.raises(JobError, match=said):
        archive_commit(repository.url, commit, tmp_path / "a.tar", settings)
    assert not (tmp_path / "a.tar").exists()


def test_a_submodule_behind_a_link_is_refused(repository, settings, tmp_path) -> None:
    inner = repository.tree(("160000", "sub", "1" * 40))
    rows = [("120000", "a", repository.blob(b"/etc")), ("40000", "a", inner)]
    listing = repository.blob(b'[submodule "a"]\npath = a/sub\nurl = ../odd\n')
    commit = repository.commit(repository.tree(("100644", ".gitmodules", listing), *rows))
    with pytest.raises(JobError, match="is a file or a link and also where the submodule"):
        archive_commit(repository.url, commit, tmp_path / "a.tar", settings)


@pytest.mark.parametrize(
    "line",
    [
        "[core]\n\tfsmonitor = {program}\n",
        "[core]\n\thooksPath = {folder}\n",
        "[core]\n\tattributesFile = {attributes}\n",
        "[core]\n\tsshCommand = {program}\n",
        "[credential]\n\thelper = {program}\n",
        "[protocol]\n\tallow = always\n[protocol \"ext\"]\n\tallow = always\n",
        '[url "https://elsewhere.example/"]\n\tinsteadOf = {url}\n',
        "[http]\n\tproxy = http://elsewhere.example:1\n",
        "[http]\n\tsslVerify = false\n[init]\n\ttemplateDir = {folder}\n",
        '[tar]\n\tumask = 0777\n[tar "tar"]\n\tcommand = {program}\n',
    ],
)  # fmt: skip
def test_nothing_of_the_users_own_git_is_used(line, repository, settings, tmp_path, monkeypatch) -> None:
    home = tmp_path / "user"
    home.mkdir()
    marker, program, attributes = home / "marker", home / "post-checkout", home / "attributes"
    program.write_text(f"#!/bin/sh\ntouch {marker}\n")
    program.chmod(0o755)
    attributes.write_text("* text eol=crlf\n")
    names = {"program": program, "folder": home, "attributes": attributes, "url": repository.url}
    (home / ".gitconfig").write_text(line.format(**names))
    monkeypatch.setenv("HOME", str(home))
    for name in ("GIT_DIR", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_EXTERNAL_DIFF"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'core.fsmonitor=touch marker'")
    commit = repository.commit(repository.tree(("100644", "a.txt", repository.blob(TEXT))))
    archive_commit(repository.url, commit, tmp_path / "a.tar", settings)
    assert content(tmp_path / "a.tar") == {"a.txt": TEXT}
    assert not marker.exists()


@pytest.mark.parametrize("how", ["replace", "graft"])
def test_what_a_server_has_for_another_commit_is_not_taken_for_this_one(how, repository, settings, tmp_path) -> None:
    good = repository.commit(repository.tree(("100644", "a", repository.blob(b"good"))))
    other = repository.commit(repository.tree(("100644", "a", repository.blob(b"other"))))
    if how == "replace":
        repository.git("update-ref", f"refs/replace/{good}", other)
    else:
        (repository.folder / "info").mkdir(exist_ok=True)
        (repository.folder / "info" / "grafts").write_text(f"{good} {other}\n")
    archive_commit(repository.url, good, tmp_path / "a.tar", settings)
    assert content(tmp_path / "a.tar") == {"a": b"good"}


def test_an_object_that_rots_at_the_server_is_no_commit_of_that_name(repository, settings, tmp_path) -> None:
    blob = repository.blob(b"good")
    commit = repository.commit(repository.tree(("100644", "a", blob)))
    wrong = repository.folder / "objects" / blob[:2] / blob[2:]
    other = repository.blob(b"evil")
    data = (repository.folder / "objects" / other[:2] / other[2:]).read_bytes()
    wrong.chmod(0o644)
    wrong.write_bytes(data)
    assert hashlib.sha1(b"blob 4\0evil").hexdigest() != blob
    with pytest.raises(JobError, match="git cannot fetch the commit"):
        archive_commit(repository.url, commit, tmp_path / "a.tar", settings)
    assert not (tmp_path / "a.tar").exists()
