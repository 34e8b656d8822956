"""Git sources, from a real git server over TLS."""

from __future__ import annotations

import subprocess
import tarfile
from dataclasses import replace

import pytest

from builder.errors import InputError, JobError, SurroundingsError
from builder.fetch import fetch
from builder.files import sha256_of
from builder.lock.model import Artifact
from builder.net.git import archive_commit
from builder.net.submodules import submodules
from builder.origin import Origin


def test_a_commit_gives_the_same_tar_each_time(site, settings, ui, repository, tmp_path):
    first = repository(code="print()\n", secret="kept\n", __gitattributes="secret export-ignore\n")
    repository(code="changed\n")
    url = f"{site.url}/git/demo/.git"
    for name in ("one.tar", "two.tar"):
        archive_commit(url, first, tmp_path / name, settings)
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    with tarfile.open(tmp_path / "one.tar") as tar:
        assert sorted(tar.getnames()) == [".gitattributes", "code", "secret"]
        assert {member.mtime for member in tar} == {1714979289}, "the time of the commit"
        code = tar.extractfile("code")
        assert code
        assert code.read() == b"print()\n"
    artifact = Artifact(
        kind="source",
        filename="demo.tar",
        size=(tmp_path / "one.tar").stat().st_size,
        sha256=sha256_of(tmp_path / "one.tar"),
        origin=Origin.parse(f"git+{url}@{first}"),
    )
    assert fetch([artifact], {}, settings, ui).fetched == ("demo.tar",)
    assert (settings.assets / "sources" / "demo.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    with pytest.raises(JobError, match="is not the locked"):
        fetch([replace(artifact, filename="other.tar", sha256="0" * 64)], {}, settings, ui)
    assert not (settings.assets / "sources" / "other.tar").exists()


def test_a_git_server_is_trusted_through_the_ca_bundle_only(site, settings, repository, tmp_path):
    commit = repository(code="x\n")
    with pytest.raises(SurroundingsError, match="not trusted") as caught:
        archive_commit(f"{site.url}/git/demo/.git", commit, tmp_path / "a.tar", replace(settings, ca_bundle=()))
    assert "CA_BUNDLE" in caught.value.fix


def test_a_commit_that_is_not_there_is_refused(site, settings, repository, tmp_path):
    repository(code="x\n")
    with pytest.raises(JobError, match="git cannot fetch the commit"):
        archive_commit(f"{site.url}/git/demo/.git", "1" * 40, tmp_path / "a.tar", settings)
    assert [path.name for path in tmp_path.glob("*.tar")] == []
    assert not list(tmp_path.glob(".git-*"))


MODULES = '[submodule "{path}"]\n path = {path}\n url = {url}\n update = !touch /tmp/never\n'


def tree(git, files, links):
    """Commit these files and submodules (path: commit) as they are, whatever git thinks of them; the commit."""
    git("rm", "-r", "--quiet", "--cached", "--ignore-unmatch", ".")
    for path, text in files.items():
        blob = git("hash-object", "-w", "--stdin", input=text)
        git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
    for path, commit in links.items():
        git("update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")
    git("commit", "--quiet", "--allow-empty", "--message", "a tree")
    return git("rev-parse", "HEAD")


@pytest.mark.parametrize("relative", [True, False], ids=["relative", "absolute"])
def test_submodules_come_along_at_their_recorded_commits(site, settings, repositories, tmp_path, relative):
    parent, child, grandchild = repositories("parent"), repositories("child"), repositories("deep/grandchild")
    zeros = "\0" * 3000 + "end"
    last = tree(grandchild, {"leaf": "g" + zeros, "ends-in-zeros": "x" + "\0" * 5000}, {})
    root = ".." if relative else f"{site.url}/git"
    inner = MODULES.format(path="deep", url=f"{root}/deep/grandchild")
    middle = tree(child, {"code": "old", ".gitmodules": inner}, {"deep": last})
    tree(child, {"code": "new"}, {})
    outer = MODULES.format(path="third party/child", url=f"{root}/child")
    outer = outer.replace("third party", "third_party")
    top = tree(parent, {"main": "m", ".gitmodules": outer}, {"third_party/child": middle})
    for name in ("one.tar", "two.tar"):
        archive_commit(f"{site.url}/git/parent", top, tmp_path / name, settings)
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    subprocess.run(["tar", "-xf", tmp_path / "one.tar", "-C", unpacked], check=True)
    found = {str(path.relative_to(unpacked)): path.read_text() for path in unpacked.rglob("*") if path.is_file()}
    assert found == {
        "main": "m",
        ".gitmodules": outer,
        "third_party/child/code": "old",
        "third_party/child/.gitmodules": inner,
        "third_party/child/deep/leaf": "g" + zeros,
        "third_party/child/deep/ends-in-zeros": "x" + "\0" * 5000,
    }


@pytest.mark.parametrize(
    ("path", "url", "said"),
    [
        ("a", "ext::sh -c touch% /tmp/never", "is not a plain https address"),
        ("a", "file:///etc", "is not a plain https address"),
        ("a", "/etc", "is not a plain https address"),
        ("a", "-u./payload", "is not a plain https address"),
        ("a", "http://example.org/a", "is not a plain https address"),
        ("a", "https://user:secret@example.org/a", "is not a plain https address"),
        ("a", "ssh://git@example.org/a", "is not a plain https address"),
        ("a", "../../../../../x", "climbs out of the server"),
        ("a", "../../../https://example.org/x", "climbs out of the server"),
        ("b", "https://example.org/b", "gives no address for the submodule 'a'"),
    ],
)
def test_a_submodule_at_a_hostile_address_is_refused(site, settings, repositories, tmp_path, path, url, said):
    commit = tree(repositories("parent"), {".gitmodules": MODULES.format(path=path, url=url)}, {"a": "1" * 40})
    with pytest.raises(JobError, match=said) as caught:
        archive_commit(f"{site.url}/git/parent", commit, tmp_path / "a.tar", settings)
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "a.tar").exists() and not list(tmp_path.glob(".git-*"))


@pytest.mark.parametrize(
    ("listing", "said"),
    [
        ("120000 blob {0}\t.gitmodules\0" + "160000 commit {0}\ta\0", "no plain file .gitmodules"),
        ("160000 commit {0}\t../evil\0", "leads out of its tree"),
        ("160000 commit {0}\ta/.GIT/hooks\0", "leads out of its tree"),
        ("120000 blob {0}\ta\0" + "160000 commit {0}\ta/b\0", "is a file or a link and also where"),
        ("120000 blob {0}\ta\0" + "160000 commit {0}\ta\0", "is a file or a link and also where"),
    ],
)
def test_a_tree_that_git_itself_would_not_write_is_refused(listing, said):
    """The listing is what git prints of a tree made by hand; git refuses to make one."""
    text = listing if ".gitmodules" in listing else "100644 blob {0}\t.gitmodules\0" + listing

    def run(verb, *_):
        return text.format("1" * 40) if verb == "ls-tree" else ""

    with pytest.raises(JobError, match=said):
        submodules(run, "https://example.org/a", "2" * 40)


@pytest.mark.parametrize("commit", ["--output={file}", "-o{file}", "main", "HEAD", "a" * 41, "A" * 40, ""])
def test_a_commit_that_git_could_take_for_an_option_never_reaches_it(commit, tmp_path, settings):
    """`git archive --output=FILE` would empty FILE, whatever of the user's it is."""
    kept = tmp_path / "kept"
    kept.write_text("precious")
    with pytest.raises(InputError, match="not an address and a full commit"):
        archive_commit("https://localhost:1/code", commit.format(file=kept), tmp_path / "out.tar", settings)
    with pytest.raises(InputError, match="not an address and a full commit"):
        archive_commit(f"--upload-pack=touch {kept}", "a" * 40, tmp_path / "out.tar", settings)
    assert kept.read_text() == "precious"
    assert not (tmp_path / "out.tar").exists()
