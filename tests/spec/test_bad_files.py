"""Each wrong file under bad/ gives exactly the message beside it, and no file gives anything but an InputError."""

import random
import shutil
from pathlib import Path

import pytest

from builder.errors import InputError
from builder.settings import Settings
from builder.spec.stacks import load_stack

HERE = Path(__file__).parent
BAD = HERE / "bad"
CASES = sorted(path.stem if path.suffix == ".yaml" else path.name for path in BAD.iterdir() if path.suffix != ".txt")


def laid_out(case: str, folder: Path) -> Settings:
    """A folder of stacks that holds one case as the stack `bad`."""
    stacks = folder / "stacks"
    if (BAD / case).is_dir():
        shutil.copytree(BAD / case, stacks)
    else:
        (stacks / "bad").mkdir(parents=True)
        shutil.copytree(HERE / "families", stacks / "families")
        shutil.copy(BAD / f"{case}.yaml", stacks / "bad" / "stack.yaml")
    return Settings(home=folder, stacks=(stacks,))


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_file_gives_its_exact_message(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        load_stack("bad", laid_out(case, tmp_path))
    assert str(caught.value) == (BAD / f"{case}.txt").read_text().rstrip("\n")


def test_a_folder_of_files_that_holds_none_is_refused(tmp_path: Path) -> None:
    settings = laid_out("files-missing", tmp_path)
    folder = tmp_path / "stacks" / "bad" / "files" / "scripts"
    folder.mkdir(parents=True)
    (folder / ".hidden").touch()
    with pytest.raises(InputError) as caught:
        load_stack("bad", settings)
    assert caught.value.problem == "there is no file in files/scripts"
    (folder / "one.py").touch()
    assert load_stack("bad", settings).files_digest


GOOD = b"""summary: A stack with all there is
family: plain
gpus: ["8.6+PTX"]
packages: [mmcv-full==1.7.1, "pillow<10"]
indexes:
  openmmlab: {find-links: https://example.org/index.html, packages: [mmcv-full]}
system: [ffmpeg]
sources:
  - {git: https://example.org/project, commit: 9bd34f732e30cd94c0a9a087a125d2dda228e258, into: /workspace}
paths: [/workspace]
weights:
  - url: https://example.org/alexnet.pth
    sha256: 7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02
    into: /workspace/.cache/
env: {TORCH_HOME: /workspace/.cache/torch}
libraries: [nvidia/cudnn/lib]
smoke: [torch]
"""


def test_no_truncation_and_no_flipped_byte_raises_anything_but_an_input_error(tmp_path: Path) -> None:
    settings = laid_out("empty", tmp_path)
    stack = tmp_path / "stacks" / "bad" / "stack.yaml"
    stack.write_bytes(GOOD)
    assert load_stack("bad", settings).weights[0].into == "/workspace/.cache"
    lines = GOOD.splitlines(keepends=True)
    damaged = [b"".join(lines[:count]) for count in range(len(lines))]
    dice = random.Random(20)
    for _ in range(400):
        data = bytearray(GOOD)
        data[dice.randrange(len(data))] = dice.randrange(256)
        damaged.append(bytes(data))
    refused = 0
    for text in damaged:
        stack.write_bytes(text)
        try:
            load_stack("bad", settings)
        except InputError as error:
            refused += 1
            assert error.where
            assert error.fix
    assert refused > len(lines)
