"""`user`: an entry in passwd, a home that its user and every other number can write to, in a real image."""

from __future__ import annotations

from pathlib import Path

from builder.engine.client import Engine
from tests.conftest import IMAGES, cli, document, remove_images, write_stack

LOOK = "import os, getpass; print(os.getuid(), getpass.getuser(), os.path.expanduser('~'), os.listdir('/home'))"
KEEP = "import pathlib; path = pathlib.Path.home() / '.cache'; path.mkdir(); (path / 'x').touch(); print('kept')"
NAMED = "import pwd; print(pwd.getpwuid(1000).pw_name, pwd.getpwnam('app').pw_dir, pwd.getpwnam('root').pw_uid)"


def test_who_runs_has_a_name_and_a_home(engine: Engine, tmp_path: Path) -> None:
    extra = "user: {name: app}\nworkdir: /home/app\nimports: [six]"
    write_stack(tmp_path, "mine", packages=["six==1.17.0"], extra=extra)

    def run(code: str, *options: str) -> str:
        return engine.run(["run", "--rm", *options, f"{IMAGES}/mine", "python", "-c", code]).stdout.strip()

    try:
        document(cli("--json", "--stacks", str(tmp_path), "stack", "mine", "--gpu", "none"))
        assert run(LOOK) == "1000 app /home/app ['app']"
        assert run(NAMED) == "app /home/app 0"
        assert run(KEEP) == "kept"
        assert run(KEEP, "--user=4242:4242") == "kept"
        assert run(KEEP, "--read-only", "--tmpfs=/home/app:exec") == "kept"
        written = document(cli("--json", "--stacks", str(tmp_path), "compose", "mine"))["stacks"]["mine"]
        assert 'user: "${RUN_AS:-1000:1000}"' in Path(written["compose"]).read_text()
    finally:
        remove_images(engine, "mine")
