"""Inputs made to break out of the file, to lead elsewhere or to have no end; nothing of them is run."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builder.errors import InputError
from builder.new import tree as trees
from builder.new.found import Found, short
from builder.new.origin import origin
from builder.new.tree import of_folder
from builder.new.verb import _read
from builder.settings import Settings

NASTY = [
    "numpy==1 # x\nfamily: evil",
    "a\x1b[2Jb==1",
    "git+https://x.org/o/n.git@main\u2028entrypoint: [sh]",
    "x @ https://example.org/$(touch ran).whl",
    '"]\nentrypoint: [sh]',
    "--extra-index-url https://user:secret@example.org/simple",
    "-r ../../../etc/passwd",
    "-r requirements.txt",
    "a" * 5000,
    "numpy; " + "(" * 3000,
    "?&*!|>%@`[{,",
]


def test_nasty_lines_stay_values_and_comments(make) -> None:
    made = make({"requirements.txt": "\n".join([*NASTY, "einops"])}, "requirements.txt")
    assert made.stack.packages == ("numpy==1", "einops")
    assert not made.stack.entrypoint
    assert made.stack.family != "evil"
    assert "\x1b" not in made.text and "\u2028" not in made.text and "secret" not in made.text
    assert "root:" not in made.text


LINES = st.lists(st.text(st.characters(blacklist_categories=["Cs"]), max_size=60), max_size=6)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LINES, LINES)
def test_whatever_the_lines_the_file_loads(make, requirements: list[str], dockerfile: list[str]) -> None:
    parts = [f"{word} {line}" for word, line in zip(["RUN apt-get install", "ENV A", "FROM"], dockerfile, strict=False)]
    make({"requirements.txt": "\n".join(requirements), "Dockerfile": "\n".join(parts)})


def test_links_are_not_followed_and_much_is_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "repo"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text("einops")
    (folder / "requirements.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "there").symlink_to(tmp_path)
    (folder / "large.py").write_text("#" * ((1 << 20) + 1))
    tree = of_folder(folder)
    assert tree.files == {}
    with pytest.raises(InputError, match="is a link"):
        _read(str(folder / "requirements.txt"), Found(), Settings(home=tmp_path, stacks=(tmp_path,)))
    monkeypatch.setattr(trees, "MOST_FILES", 3)
    for number in range(4):
        (folder / f"{number}.py").write_text("")
    with pytest.raises(InputError, match="too large for a model's code"):
        of_folder(folder)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("https://example.org/o/n", "no git address at a commit"),
        ("git@example.org:o/n", "is not there"),
        ("nowhere.txt", "is not there"),
        (__file__, "is no list of packages"),
    ],
)
def test_an_input_of_no_kind_is_refused(given: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        _read(given, Found(), Settings(home=tmp_path, stacks=(tmp_path,)))


def test_the_address_of_a_clone_is_read_without_git(tmp_path: Path) -> None:
    git = tmp_path / ".git"
    (git / "refs" / "heads").mkdir(parents=True)
    (git / "config").write_text(
        '[core]\n\tfsmonitor = touch ran\n[remote "origin"]\n\turl = https://example.org/o/n.git\n'
    )
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "packed-refs").write_text(f"# pack-refs\n{'a' * 40} refs/heads/main\n")
    assert origin(tmp_path) == ("https://example.org/o/n", "a" * 40)
    (git / "refs" / "heads" / "main").write_text("b" * 40)
    assert origin(tmp_path) == ("https://example.org/o/n", "b" * 40)
    (git / "HEAD").write_text("ref: refs/../../secret\n")
    assert origin(tmp_path) == ("", "")
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "config").write_text('[remote "origin"]\n\turl = ssh://example.org/o/n\n')
    assert origin(tmp_path) == ("", "")


def test_words_of_others_are_one_line() -> None:
    assert short("a\nb\x1b[1m\u202ec" + "d" * 999) == ("a b?[1m?c" + "d" * 999)[:300]
