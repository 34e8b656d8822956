"""The pages as text: all states, same bytes, nothing of others that a browser obeys, no address that it would load."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from builder.lock import store
from builder.report import built, proofs
from builder.report.sizes import Layer, Part
from builder.report.treemap import draw
from tests.bundle.conftest import Site, add_stack, wheel
from tests.conftest import REPO, cli, document
from tests.report.conftest import HOSTILE, evidence, result, written

_VOID = {"meta"}
_SHAPES = {"svg", "g", "rect", "text", "title"}
_TAGS = {
    "a",
    "body",
    "br",
    "code",
    "details",
    "footer",
    "h1",
    "h2",
    "h3",
    "head",
    "header",
    "html",
    "li",
    "main",
    "meta",
}
_TAGS |= {"nav", "p", "pre", "section", "span", "style", "summary", "table", "tbody", "td", "th", "thead", "tr", "ul"}
_TAGS |= _SHAPES
SECRET = "hunter2-of-nobody"


class Page(HTMLParser):
    """Holds a page to what ours may be made of: every tag closed in its turn, none that loads or runs anything."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.words: list[str] = []
        self.policy = self.style = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _TAGS, tag
        given = dict(attrs)
        assert len(given) == len(attrs), f"an attribute twice in {tag}"
        for name, value in given.items():
            assert name not in ("src", "style", "srcset", "action", "data", "poster", "background"), f"{tag} {name}"
            assert not name.startswith("on"), f"{tag} {name}"
            if name == "href":
                self.links.append(str(value))
            if name == "id":
                assert value not in self.ids
                self.ids.add(str(value))
        if given.get("http-equiv"):
            assert given["http-equiv"] == "Content-Security-Policy"
            self.policy = str(given["content"])
        if tag not in _VOID | {"br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.style += data
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def pages(states: Site, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return written(states, tmp_path_factory.mktemp("pages"))


def text(pages: dict[str, str], name: str) -> str:
    return Page(pages[f"stacks/{name}.html"]).text


def test_every_page_is_well_formed_and_leads_nowhere_else(pages: dict[str, str]) -> None:
    for path, content in pages.items():
        page = Page(content)
        for link in page.links:
            if link.startswith("#"):
                assert link[1:] in page.ids
            else:
                assert os.path.normpath(Path(path).parent / link) in pages, link
        assert "url(" not in page.style
        assert "@import" not in page.style
        digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
        assert page.policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_the_index_leads_to_each_page(pages: dict[str, str]) -> None:
    index = Page(pages["index.html"])
    assert sorted(index.links) == sorted(path for path in pages if path != "index.html")
    assert len(index.links) == 11
    assert "11 stacks" in index.text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "whole",
            ["locked", "smoke: 1 passed", "NVIDIA H200 (9.0); driver 580.159.04", "72 s", "wheels-layer 1/2", "31.5"],
        ),
        ("locked", ["locked", "smoke: not run here", "No build left a record here", "No smoke tests ran here"]),
        ("failed", ["smoke: 1 failed", "1 passed, 1 failed, 0 skipped"]),
        ("old", ["smoke: of another lock", "ran on an image of another lock"]),
        ("stale", ["stale lock", "asks for something else", "alpha"]),
        ("partial", ["partly locked", "ffmpeg unresolved", "Its lock is partial"]),
        ("none", ["not locked", "make lock STACK=none", "Nothing is known of its size"]),
        ("damaged", ["lock unusable"]),
        (
            "speaks",
            ["registry.example.org/team/speaks:1", "layer 1", "docker compose --file build/speaks/compose.yaml up"],
        ),
        ("silent", ["not locked", "Its image is pulled, and never built"]),
    ],
)
def test_each_state_has_its_page(name: str, words: list[str], pages: dict[str, str]) -> None:
    said = text(pages, name)
    assert [word for word in words if word not in said] == []


def test_what_is_in_the_image_is_listed_with_its_licence(pages: dict[str, str]) -> None:
    said = text(pages, "locked")
    assert "pkg:pypi/alpha@1?file_name=alpha-1-py3-none-any.whl" in said
    assert "states none" in said
    assert "compose.yaml" in said
    assert "image: " in said


def test_the_same_inputs_give_the_same_bytes(states: Site, pages: dict[str, str], tmp_path: Path) -> None:
    assert written(states, tmp_path) == pages
    # and another verb of this program, run elsewhere at another time, too
    words = ["report", *[Path(path).stem for path in pages if path != "index.html"], "--out", str(tmp_path / "again")]
    done = document(cli("--json", *words, env={**states.environment, "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7"}))
    assert set(done["pages"]) == {Path(path).stem for path in pages if path != "index.html"}
    for path in done["pages"].values():
        assert Path(path).read_text() == pages[f"stacks/{Path(path).name}"]


def test_words_of_others_stay_words(pages: dict[str, str]) -> None:
    assert HOSTILE in text(pages, "failed")  # the reason of a test
    assert HOSTILE in text(pages, "whole")  # a step of the log
    for content in pages.values():
        assert "<script" not in content
        assert "<img" not in content


def test_a_build_that_failed_says_what_ended_it(tmp_path: Path) -> None:
    address = f"https://me:{SECRET}@registry.example.org/x?token={SECRET}"
    lines = [f"#5 [a 1/1] RUN curl {address}", f"#5 ERROR: process did not complete: {address}", "#5 [a 1/1] RUN curl"]
    (tmp_path / "build.log").write_text("\n".join(lines) + "\n")
    found = built.timeline(tmp_path)
    assert found.failed == "process did not complete: https://registry.example.org/x?…"
    assert found.all_steps == 0  # it has no end
    (tmp_path / "build.log").write_text("#5 [a 1/1] RUN x\n#5 DONE 2.0s\n")
    assert built.timeline(tmp_path).failed == ""


def test_hostile_figures_and_characters_do_no_harm(states: Site, tmp_path: Path) -> None:
    folder = tmp_path / "build"
    folder.mkdir()
    (folder / "made.json").write_text('{"seconds": {"build": NaN, "fetch": -5, "x\\u202ey": 1, "smoke": 1e400}}')
    (folder / "build.log").write_bytes(b"#1 [\x1b[2J a] RUN x\n#1 DONE 99999999999999.0s\n#2 DONE 1.0s\n\xff\xfe")
    found = built.timeline(folder)
    assert all("\u202e" not in bar.name and bar.seconds >= 0 for bar in found.verbs)
    assert [bar.name for bar in found.steps] == ["?[2J a"]
    for wrong in ("", "[]", "{}", '{"seconds": []}', '{"seconds": {"a": "b"}}', "[" * 100_000, "\x00"):
        (folder / "made.json").write_text(wrong)
        assert built.timeline(folder).verbs == ()


@pytest.mark.parametrize(
    "wrong", ["", "[]", "{}", '{"stack": 3}', "[" * 100_000, '{"stack": "a", "results": [{"check": 1}]}']
)
def test_evidence_that_is_none_is_refused_where_it_was_named_and_passed_over_in_a_folder(
    wrong: str, tmp_path: Path
) -> None:
    (tmp_path / "one.json").write_text(wrong)
    assert proofs.given([tmp_path]) == []
    done = document(cli("--json", "report", "onnx-cpu", "--evidence", str(tmp_path / "one.json")), code=2)
    assert "no evidence of smoke tests" in done["errors"][0]["problem"]
    (tmp_path / "smoke").mkdir()
    (tmp_path / "smoke" / "evidence.json").write_text(wrong)
    assert proofs.own(tmp_path) is None


def test_evidence_of_other_machines_is_shown_on_the_page_of_its_stack(states: Site, tmp_path: Path) -> None:
    there = store.read(states.stacks / "locked").digest
    (tmp_path / "h200.json").write_text(json.dumps(evidence("locked", there, result("test_on_the_gpu"))))
    spoiled = evidence("locked", there, result("test_it", "failed"), name="test/spoiled:latest", date="2026-11-29")
    (tmp_path / "spoiled.json").write_text(json.dumps(spoiled))  # newer, of an image that somebody made of it
    (tmp_path / "older.json").write_text(json.dumps(evidence("failed", "0" * 64, result("test_on_the_gpu"))))
    pages = written(states, tmp_path / "out", others=(tmp_path,))
    said = text(pages, "locked")
    assert "Evidence of another machine" in said
    assert "on the gpu" in said
    assert "smoke: 1 passed on NVIDIA H200" in said
    assert "test/spoiled:latest" in said
    assert "smoke: 1 passed on NVIDIA H200" in Page(pages["index.html"]).text
    assert "Evidence of another machine These tests ran on an image of another lock" in text(pages, "failed")
    assert "Evidence of another machine" not in text(pages, "whole")


def test_what_changed_is_told_by_git(tmp_path: Path) -> None:
    from tests.bundle.conftest import site

    here = site(tmp_path / "here")
    add_stack(here, "mini", {"alpha": wheel("alpha"), "beta": wheel("beta")})
    git = ["git", "-C", str(here.stacks), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    assert "the lock is not in git" in text(written(here, tmp_path / "one"), "mini")
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "one"], check=True)
    assert "git has no earlier lock" in text(written(here, tmp_path / "two"), "mini")
    shutil.rmtree(here.stacks / "mini")
    add_stack(here, "mini", {"alpha": wheel("alpha", "another"), "gamma": wheel("gamma")})
    for commit in (False, True):  # not committed yet, and committed
        if commit:
            subprocess.run([*git, "add", "."], check=True)
            subprocess.run([*git, "commit", "-qm", "two"], check=True)
        said = text(written(here, tmp_path / f"three-{commit}"), "mini")
        assert "Against the lock of commit" in said
        assert "beta before 1 after -" in said.replace("before", "before", 1) or "beta 1 -" in said
        assert "gamma - 1" in said


def test_a_secret_reaches_no_page(states: Site, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(states.home, home, symlinks=True)
    reason = f"https://me:{SECRET}@registry.example.org/x?token={SECRET} did not answer"
    said = json.loads((home / "build" / "failed" / "smoke" / "evidence.json").read_text())
    said["results"][1]["reason"] = reason
    said["probes"] = {"environment": {"figures": {"TOKEN": SECRET}}}
    (home / "build" / "failed" / "smoke" / "evidence.json").write_text(json.dumps(said))
    log = home / "build" / "failed" / "build.log"
    log.write_text(log.read_text().replace("uv pip install", f"curl https://me:{SECRET}@registry.example.org/"))
    (tmp_path / "netrc").write_text(f"machine registry.example.org login me password {SECRET}\n")
    environment = {
        **states.environment,
        "MODELSTACKS_HOME": str(home),
        "MODELSTACKS_INDEX": f"https://me:{SECRET}@registry.example.org/simple",
        "MODELSTACKS_TEST_TOKEN": SECRET,
        "NETRC": str(tmp_path / "netrc"),
        "NGC_API_KEY": SECRET,
    }
    done = cli("--json", "report", "all", "--out", str(tmp_path / "out"), env=environment)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "out" / "stacks" / "failed.html").read_text()
    assert "did not answer" in page  # what holds it is shown, without it
    found = [path for path in (tmp_path / "out").rglob("*") if path.is_file() and SECRET in path.read_text()]
    assert found == []
    assert SECRET not in done.stdout + done.stderr
    assert str(tmp_path) not in page  # nor does a page tell of this machine's folders


def test_the_shipped_stacks_have_pages(tmp_path: Path) -> None:
    done = document(cli("--json", "report", "--out", str(tmp_path), "--evidence", str(REPO / "docs" / "evidence")))
    assert len(done["pages"]) >= 14
    for path in done["pages"].values():
        Page(Path(path).read_text())
    assert "NVIDIA H200" in Path(done["pages"]["gsplat"]).read_text()


def layer(name: str, *sizes: int) -> Layer:
    return Layer(name, tuple(Part(f"{name}{place}", "1", size) for place, size in enumerate(sizes)))


def test_areas_are_as_the_sizes_are_and_lie_beside_each_other() -> None:
    layers = [layer("a", 600_000, 200_000), layer("b", 150_000), layer("c", 50_000)]
    picture = draw(layers, 1000, 500)
    heads = [box for box in picture.boxes if box.head]
    areas = [(box.width + 6) * (box.height + 6) for box in heads]
    assert areas == pytest.approx([400_000, 75_000, 25_000], rel=0.01)
    for box in picture.boxes:
        assert 0 <= box.x <= box.x + box.width <= 1000
        assert 0 <= box.y <= box.y + box.height <= 500
    for place, one in enumerate(heads):
        for other in heads[place + 1 :]:
            beside = one.x + one.width <= other.x + 0.1 or other.x + other.width <= one.x + 0.1
            assert beside or one.y + one.height <= other.y + 0.1 or other.y + other.height <= one.y + 0.1


def test_thousands_of_parts_and_one_byte_beside_gigabytes_can_be_drawn() -> None:
    many = layer("m", *range(5000, 0, -1))
    assert len(draw([layer("g", 4 << 30, 1), many, layer("x", 1)], 350, 500).boxes) < 60
    assert draw([layer(f"l{number}", 10) for number in range(200)], 350, 500).boxes
    assert re.search("4960 smaller ones", " ".join(box.title for box in draw([many], 350, 500).boxes))
