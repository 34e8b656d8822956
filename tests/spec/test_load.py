"""Where stacks and families are found, and what merging gives."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder import settings as site
from builder.errors import InputError
from builder.lock.inputs import digest
from builder.settings import Settings
from builder.spec.stacks import load_stack, stack_folder, stack_names

FAMILY = """summary: {summary}
base: {{bootstrap: {{distribution: debian, suites: [bookworm]}}, glibc: "2.36"}}
python: "3.11"
packages: [numpy]
env: {{A: family, B: family}}
smoke: [python]
"""


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def two_folders(tmp_path: Path) -> Settings:
    shipped, own = tmp_path / "shipped", tmp_path / "own"
    for folder in (shipped, own):
        write(folder / "families" / "both.yaml", FAMILY.format(summary=f"the one of {folder.name}"))
    write(shipped / "families" / "shared.yaml", FAMILY.format(summary="shared"))
    write(shipped / "one" / "stack.yaml", "summary: One\nfamily: both\n")
    write(
        own / "two" / "stack.yaml",
        "summary: Two\nfamily: shared\npackages: [scipy]\nenv: {B: stack}\nsmoke: [opencv]\n",
    )
    write(own / "three" / "stack.yaml", "summary: Three\nfamily: both\n")
    return Settings(home=tmp_path, stacks=(shipped, own))


def test_a_users_stack_extends_a_shipped_family(tmp_path: Path) -> None:
    stack = load_stack("two", two_folders(tmp_path))
    assert stack.name == "two"
    assert stack.packages == ("numpy", "scipy")
    assert stack.env == {"A": "family", "B": "stack"}
    assert stack.smoke == ("python", "opencv")
    assert stack.platform == "x86_64-manylinux_2_36"


def test_the_family_beside_the_stack_comes_first(tmp_path: Path) -> None:
    settings = two_folders(tmp_path)
    own = tmp_path / "own" / "families" / "both.yaml"
    own.write_text(own.read_text().replace('"3.11"', '"3.12"'))
    assert load_stack("three", settings).python == "3.12"
    assert load_stack("one", settings).python == "3.11"


def test_names_lead_to_folders_in_order(tmp_path: Path) -> None:
    settings = two_folders(tmp_path)
    assert list(stack_names(settings)) == ["one", "three", "two"]
    assert stack_folder("two", settings) == tmp_path / "own" / "two"


@pytest.mark.parametrize("name", ["tow", "../own/two", ""])
def test_an_unknown_name_lists_the_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError) as caught:
        load_stack(name, two_folders(tmp_path))
    assert caught.value.problem == f"there is no stack {name!r}"
    guess = "did you mean two? " if name == "tow" else ""
    assert caught.value.fix == f"{guess}The stacks are: one, three, two"


def test_a_later_folder_cannot_redefine_a_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = two_folders(tmp_path)
    write(tmp_path / "own" / "one" / "stack.yaml", "summary: Another\nfamily: both\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        stack_names(settings)
    assert str(caught.value) == (
        "own/one: the stack one is there twice: it is also in shipped/one. Fix: rename one of the two folders"
    )


def test_a_folder_with_a_malformed_name_is_an_error(tmp_path: Path) -> None:
    settings = two_folders(tmp_path)
    write(tmp_path / "own" / "My Stack" / "stack.yaml", "summary: Mine\nfamily: both\n")
    with pytest.raises(InputError, match="'My Stack' is not a stack's name"):
        stack_names(settings)


def test_a_missing_folder_of_stacks_is_an_error(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, stacks=(tmp_path / "nowhere",))
    with pytest.raises(InputError, match="folder of stacks cannot be read"):
        stack_names(settings)


def test_a_path_outside_the_current_folder_is_shown_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = two_folders(tmp_path)
    write(tmp_path / "own" / "two" / "stack.yaml", "summary: Two\nfamily: shared\ngpu: [x]\n")
    monkeypatch.chdir(tmp_path / "shipped")
    with pytest.raises(InputError) as caught:
        load_stack("two", settings)
    assert caught.value.where == f"{tmp_path}/own/two/stack.yaml:3"
    assert caught.value.fix == "did you mean `gpus`?"


def test_a_file_of_more_than_a_mebibyte_is_refused(tmp_path: Path) -> None:
    settings = two_folders(tmp_path)
    write(tmp_path / "own" / "two" / "stack.yaml", "summary: Two\nfamily: shared\n" + "#" * (1 << 20))
    with pytest.raises(InputError, match="larger than 1 MiB"):
        load_stack("two", settings)


def test_the_shipped_stacks_say_what_they_should() -> None:
    settings = site.load(environ={})
    cpu, gpu = (load_stack(name, settings) for name in ("onnx-cpu", "ort-cudnn9"))
    assert cpu.packages == ("onnxruntime==1.20.1", "numpy==1.26.4", "scipy==1.11.4", "opencv-python-headless==4.9.0.80")
    assert "onnxruntime-gpu==1.20.2" in gpu.packages
    assert "nvidia-cudnn-cu12>=9.6,<10" in gpu.packages
    assert gpu.packages[-3:] == cpu.packages[-3:]
    assert gpu.base == cpu.base
    assert gpu.cuda == "12.9"
    assert cpu.cuda is None


def test_a_site_says_which_weights_are_mounted(tmp_path: Path) -> None:
    asked: list[dict[str, Any]] = [
        {"url": "https://example.org/net.pth"},
        {"url": "https://example.org/all.zip", "member": {"path": "a/net.pb"}},
        {"url": "https://example.org/face.onnx", "name": "f.onnx"},
    ]
    weights = json.dumps([one | {"into": "/models"} for one in asked])
    write(tmp_path / "families" / "plain.yaml", FAMILY.format(summary="plain"))
    write(tmp_path / "one" / "stack.yaml", f"summary: One\nfamily: plain\nweights: {weights}\n")
    bare = Settings(home=tmp_path, stacks=(tmp_path,))
    site_of = replace(bare, mount_weights=("net.*", "face.onnx"))
    stack = load_stack("one", site_of)
    assert [weight.filename for weight in stack.mounted] == ["net.pth", "net.pb"], "by the name in the image"
    assert [weight.filename for weight in stack.baked] == ["f.onnx"]
    assert digest(stack) != digest(load_stack("one", bare)), "locks become stale"
    assert not load_stack("one", bare).mounted


NEW = """summary: Two
family: shared
packages: [scipy]
requirements: [requirements.txt]
overrides: [numpy==1.26.4]
without: [pandas]
exclude-newer: 2024-05-01
imports: [scipy.linalg]
cmd: [serve.py]
ports: [8000]
labels: {org.opencontainers.image.licenses: MIT}
healthcheck: {command: [/bin/true], interval: 5}
"""


def test_requirements_join_the_packages_and_overrides_take_a_familys_place(tmp_path: Path) -> None:
    settings = two_folders(tmp_path)
    write(tmp_path / "own" / "two" / "stack.yaml", NEW)
    write(
        tmp_path / "own" / "two" / "requirements.txt",
        "# all of them\neinops==0.8.1 # this one\n\ntqdm>=4; python_version > '3'\n",
    )
    stack = load_stack("two", settings)
    assert stack.packages == ("numpy==1.26.4", "scipy", "einops==0.8.1", "tqdm>=4; python_version > '3'")
    assert (stack.exclude_newer, stack.imports, stack.ports) == ("2024-05-01", ("scipy.linalg",), (8000,))
    assert stack.healthcheck
    assert stack.healthcheck.options == "--interval=5s --timeout=30s --start-period=60s --retries=3"
    own = tmp_path / "own" / "two" / "stack.yaml"
    own.write_text(NEW.replace("without: [pandas]", "without: [numpy]").replace("overrides: [numpy==1.26.4]\n", ""))
    assert load_stack("two", settings).packages[0] == "scipy"


@pytest.mark.parametrize("spoil", ["link", "folder", "latin", "large"])
def test_a_file_of_requirements_is_a_plain_file_of_text(tmp_path: Path, spoil: str) -> None:
    settings = two_folders(tmp_path)
    write(tmp_path / "own" / "two" / "stack.yaml", NEW)
    path = tmp_path / "own" / "two" / "requirements.txt"
    if spoil == "link":
        path.symlink_to(tmp_path / "own" / "two" / "stack.yaml")
    elif spoil == "folder":
        path.mkdir()
    else:
        path.write_bytes(b"\xe4" if spoil == "latin" else b"#" * ((1 << 20) + 1))
    with pytest.raises(InputError) as caught:
        load_stack("two", settings)
    said = {"link": "is a link", "folder": "is no file", "latin": "is not UTF-8", "large": "larger than 1 MiB"}
    assert said[spoil] in str(caught.value)
