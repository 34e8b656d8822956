"""A stack's own files: plain ones below its folder come, anything that leads elsewhere is named."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from builder.errors import InputError
from builder.spec.files import own_files


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """A stack's folder with files/app/deep/main.py, beside a folder with a secret."""
    (tmp_path / "outside" / "deep").mkdir(parents=True)
    for place in ("outside/main.py", "outside/deep/main.py"):
        (tmp_path / place).write_text("secret")
    (tmp_path / "stack" / "files" / "app" / "deep").mkdir(parents=True)
    (tmp_path / "stack" / "files" / "app" / "deep" / "main.py").write_text("own")
    return tmp_path / "stack"


def found(stack: Path, *names: str) -> list[str]:
    return [name for name, _ in own_files(stack, names)]


@pytest.mark.parametrize("link", ["files", "files/app", "files/app/deep", "files/app/deep/main.py"])
@pytest.mark.parametrize("target", ["{outside}", "../../outside", "/nonexistent"])
def test_a_link_on_the_way_is_named(link: str, target: str, stack: Path) -> None:
    place = stack / link
    place.rename(stack / "moved")
    place.symlink_to(target.format(outside=stack.parent / "outside"))
    with pytest.raises(InputError) as caught:
        found(stack, "app/deep")
    assert "is a link" in caught.value.problem and link in caught.value.where


def test_a_link_inside_of_the_stack_is_one_too(stack: Path) -> None:
    (stack / "files" / "other").symlink_to("app")
    with pytest.raises(InputError, match="other is a link"):
        found(stack, "other")


@pytest.mark.parametrize("kind", ["fifo", "socket", "device"])
def test_what_is_no_file_is_named_and_not_left_out(kind: str, stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = stack / "files" / "app" / "odd"
    if kind == "fifo":
        os.mkfifo(place)
    elif kind == "socket":
        monkeypatch.chdir(place.parent)
        with socket.socket(socket.AF_UNIX) as odd:
            odd.bind(place.name)
    else:
        try:
            os.mknod(place, 0o20666, os.makedev(1, 3))
        except PermissionError:
            pytest.skip("devices are made by root alone")
    with pytest.raises(InputError, match="app/odd is neither a file nor a folder"):
        found(stack, "app")


def test_the_folder_itself_is_a_device(stack: Path) -> None:
    os.mkfifo(stack / "files" / "fifo")
    with pytest.raises(InputError, match="there is no folder files/fifo"):
        found(stack, "fifo")


def test_plain_files_come_though_the_stack_is_reached_by_a_link(stack: Path) -> None:
    (stack.parent / "by-link").symlink_to(stack)
    (stack / "files" / "app" / ".hidden").symlink_to("/etc/passwd")  # left out, as every hidden name is
    os.link(stack / "files" / "app" / "deep" / "main.py", stack / "files" / "app" / "same.py")
    assert found(stack, "app", "app/deep") == ["app/deep/main.py", "app/same.py", "app/deep/main.py"]
    assert found(stack.parent / "by-link", "app") == ["app/deep/main.py", "app/same.py"]


@pytest.mark.parametrize("how", ["a link itself", "in a linked stack", "further up", "to another folder"])
def test_files_may_be_those_of_a_stack_beside_it_and_of_no_other_place(how: str, stack: Path) -> None:
    twin = stack.parent / "twin"
    twin.mkdir()
    (twin / "files").symlink_to("../stack/files")
    assert found(twin, "app") == ["app/deep/main.py"]
    if how == "a link itself":
        (stack / "files").rename(stack.parent / "outside" / "files")
        (stack / "files").symlink_to("../outside/files")
    elif how == "in a linked stack":
        stack.rename(stack.parent / "outside" / "stack")
        stack.symlink_to("outside/stack")
    else:
        (twin / "files").unlink()
        (twin / "files").symlink_to("../../stack/files" if how == "further up" else "../stack/files/app")
    with pytest.raises(InputError, match="files is a link"):
        found(twin, "app")
