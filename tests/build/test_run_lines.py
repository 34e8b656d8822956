"""`run`: lines that end a build, without a network, in a real image; what differs between two runs is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builder.engine.client import Engine
from tests.conftest import IMAGES, cli, document, remove_images, write_stack

LINES = [
    "mkdir -p /opt/data && cd /opt/data && printf 'two\\n%s' \"$HOME\" > made && ln -s made link",
    'python -c \'import six; open("/opt/data/set", "w").write(repr({str(one) for one in range(9)}))\'',
    "! python -c 'import socket; socket.create_connection((\"1.1.1.1\", 53), 2)'",
    "touch /opt/aside && rm /opt/aside; echo > /tmp/gone",
]
LOOK = """import os
print([(one, os.lstat(f"/opt/data/{one}").st_mtime) for one in sorted(os.listdir("/opt/data"))])
print(open("/opt/data/link").read(), os.listdir("/mnt"), os.listdir("/tmp"), os.path.exists("/again.json"), os.getuid())
"""
WANTED = "[('link', 315532800.0), ('made', 315532800.0), ('set', 315532800.0)]\ntwo\n/root [] [] False 1000\n"


def write(folder: Path, *lines: str) -> None:
    extra = f"user: {{name: app}}\nrun: {json.dumps(lines)}"
    write_stack(folder, "mine", packages=["six==1.17.0"], extra=extra)


@pytest.fixture(scope="module")
def stacks(engine: Engine, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("stacks")
    write(folder, *LINES)
    document(cli("--json", "--stacks", str(folder), "stack", "mine", "--gpu", "none"))
    yield folder
    remove_images(engine, "mine")


def test_the_image_holds_what_the_lines_made(engine: Engine, stacks: Path) -> None:
    assert engine.run(["run", "--rm", f"{IMAGES}/mine", "python", "-c", LOOK]).stdout == WANTED


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["date +%N > /opt/when", "echo same > /opt/same"], "`run` gives something else each time: /opt/when"),
        (["mkdir /opt/$(date +%N)"], "`run` gives something else each time: /opt, /opt/"),
        (["true", "echo words >&2; exit 3"], "run[1] ended with 3: echo words >&2; exit 3"),
        (["rm -r /usr/share/doc/adduser"], "`run` removes /usr/share/doc/adduser, which an earlier layer holds"),
        (["echo $nowhere"], "run[0] ended with 2: echo $nowhere"),
    ],
)
def test_a_line_that_fails_or_differs_ends_the_build(stacks: Path, lines: list[str], said: str) -> None:
    write(stacks, *lines)
    done = cli("--stacks", str(stacks), "build", "mine")
    assert done.returncode == 1
    assert said in done.stderr


@pytest.mark.heavy  # two builds from nothing, the base too
def test_two_builds_give_one_image(stacks: Path) -> None:
    write(stacks, *LINES)
    done = cli("--stacks", str(stacks), "reproduce", "mine")
    assert done.returncode == 0, done.stdout + done.stderr
