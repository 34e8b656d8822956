"""Export and import as a user has them: the same bytes each time, parts, what is new only, and no half files."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from builder.bundle import Exported, export, import_, part_size
from builder.errors import InputError, JobError
from builder.fetch import fetch
from builder.lock import read
from builder.spec import load, load_stack
from builder.ui import Ui
from tests.bundle.conftest import Site, add_stack, site, wheel
from tests.conftest import REPO, cli, document


def exported(made: Site, name: str = "x", *, stacks: tuple[str, ...] = ("mini",), **options: object) -> Exported:
    out = made.root / "dist" / f"{name}.bundle.tar"
    return export([load(name, made.settings) for name in stacks], out, made.settings, Ui(), **options)  # type: ignore[arg-type]


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_the_same_inputs_give_the_same_bytes_whatever_the_files_dates_and_modes(exporting: Site) -> None:
    first = exported(exporting, "first")
    for path in (exporting.home / "wheels").iterdir():
        os.utime(path, (1, 1))
        path.chmod(0o600)
    second = exported(exporting, "second")
    assert first.id == second.id
    assert Path(first.files[0]).read_bytes() == Path(second.files[0]).read_bytes()


def test_import_brings_all_and_fetch_then_has_nothing_to_do(exporting: Site, there: Site) -> None:
    done = import_(Path(exported(exporting).files[0]), there.settings, Ui())
    assert done.stacks == ("mini",)
    for path in (exporting.stacks / "mini").iterdir():
        assert (there.stacks / "mini" / path.name).read_bytes() == path.read_bytes()
    lock = read(there.stacks / "mini")
    assert fetch(lock.artifacts(), {}, there.settings, Ui(), offline=True).kept == len(lock.artifacts())
    assert not list(there.root.rglob(".import"))
    again = import_(Path(exported(exporting).files[0]), there.settings, Ui())
    assert again.placed == ()
    assert again.kept == len(done.placed)


def test_a_stacks_own_files_come_along_and_one_that_could_not_be_imported_stops_the_export(
    exporting: Site, there: Site
) -> None:
    stack = exporting.stacks / "mini" / "stack.yaml"
    stack.write_text(stack.read_text() + "files:\n  - {from: ., into: /opt/mini}\n")
    own = exporting.stacks / "mini" / "files"
    (own / "inner").mkdir(parents=True)
    (own / "top.py").write_text("1\n")
    (own / "inner" / "deep.py").write_text("2\n")
    import_(Path(exported(exporting).files[0]), there.settings, Ui())
    got = load_stack("mini", there.settings)
    assert got == load_stack("mini", exporting.settings)
    assert got.files_digest
    (own / "inner" / "two words.txt").write_text("3\n")
    with pytest.raises(InputError) as caught:
        exported(exporting, "spaced")
    assert (caught.value.problem, caught.value.fix) == (
        "a bundle cannot hold 'inner/two words.txt'",
        "rename the file",
    )


def test_plain_tools_serve_what_is_unpacked(exporting: Site, tmp_path: Path) -> None:
    """sha256sum, pip over the folder, and pip over any web server that shows the folder."""
    plain = tmp_path / "plain"
    plain.mkdir()
    subprocess.run(["tar", "xf", exported(exporting).files[0], "-C", str(plain)], check=True)
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=plain, check=True)
    handler = functools.partial(_Quiet, directory=str(plain))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        index = f"http://127.0.0.1:{server.server_address[1]}/simple/"
        ways = (["--no-index", "--find-links", str(plain / "wheels")], ["--index-url", index])
        for number, way in enumerate(ways):
            target = tmp_path / f"target{number}"
            pip = [sys.executable, "-m", "pip", "--isolated", "--no-input", "--disable-pip-version-check"]
            words = [*pip, "install", "--no-cache-dir", "--no-deps", *way, "--target", str(target), "alpha", "beta"]
            subprocess.run(words, check=True, capture_output=True)
            assert (target / "alpha.py").is_file()
            assert (target / "beta.py").is_file()
        server.shutdown()
    page = (plain / "simple" / "alpha" / "index.html").read_text()
    assert hashlib.sha256((exporting.home / "wheels" / "alpha-1-py3-none-any.whl").read_bytes()).hexdigest() in page


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_the_program_comes_along_without_the_sites_settings_or_anything_hidden(exporting: Site) -> None:
    names = subprocess.run(["tar", "tf", exported(exporting).files[0]], capture_output=True, text=True, check=True)
    members = names.stdout.split()
    for name in ("Makefile", "builder/cli.py", "templates/Dockerfile.j2", "tools/venv.sh", "requirements.lock"):
        assert f"modelstacks/{name}" in members
    assert not [name for name in members if "__pycache__" in name or "/." in name or "modelstacks.toml" in name]
    assert len([name for name in members if name.startswith("modelstacks/assets/own-wheels/")]) > 30


def test_parts_are_joined_and_a_missing_or_damaged_one_is_named(exporting: Site, tmp_path: Path) -> None:
    whole = exported(exporting, "whole")
    split = exported(exporting, "cut", split=20_000_000)
    folder = Path(split.files[0]).parent
    parts = [Path(name) for name in split.files if not name.endswith(".json")]
    assert len(parts) > 2
    assert b"".join(path.read_bytes() for path in parts) == Path(whole.files[0]).read_bytes()
    Path(whole.files[0]).unlink()
    for number, way in enumerate((folder, folder / "cut.bundle.parts.json", parts[0])):
        assert import_(way, site(tmp_path / f"to{number}").settings, Ui()).id == whole.id
    there = site(tmp_path / "there")
    before = there.tree()
    for number in (0, 1, len(parts) - 1):
        good = parts[number].read_bytes()
        parts[number].write_bytes(good[:1000] + bytes([good[1000] ^ 1]) + good[1001:])
        _refused(folder, there, f"the part {parts[number].name} is damaged")
        parts[number].write_bytes(good[:-1])
        _refused(folder, there, f"the part {parts[number].name} is damaged")
        parts[number].unlink()
        _refused(folder, there, f"the part {parts[number].name} is missing")
        parts[number].write_bytes(good)
    assert there.tree() == before
    listed = folder / "cut.bundle.parts.json"
    listed.write_text(listed.read_text().replace("cut.bundle.tar.001", "../../evil"))
    _refused(folder, there, "the list of parts is damaged")


def _refused(bundle: Path, there: Site, match: str) -> None:
    with pytest.raises(InputError, match=match):
        import_(bundle, there.settings, Ui())


def test_a_second_export_of_the_same_name_leaves_no_old_part(exporting: Site) -> None:
    exported(exporting, split=20_000_000)
    exported(exporting, split=60_000_000)
    folder = exporting.root / "dist"
    listed = json.loads((folder / "x.bundle.parts.json").read_text())["parts"]
    assert visible(folder) == ["x.bundle.parts.json", *(part["name"] for part in listed)]
    exported(exporting)
    assert visible(folder) == ["x.bundle.tar"]


@pytest.mark.parametrize(
    ("text", "size"), [("4G", 4 * 10**9), ("700m", 700 * 10**6), ("100000", 10**5), ("100kB", 10**5)]
)
def test_sizes_of_parts(text: str, size: int) -> None:
    assert part_size(text) == size


@pytest.mark.parametrize("text", ["", "4X", "-1G", "1.5G", "0", "10K", "9" * 40])
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(InputError, match="is not a size"):
        part_size(text)


def test_base_leaves_out_what_an_earlier_bundle_brought(exporting: Site, there: Site) -> None:
    first = exported(exporting, "first")
    add_stack(exporting, "more", {"alpha": wheel("alpha", "a" * 3000), "gamma": wheel("gamma")})
    second = exported(exporting, "second", stacks=("mini", "more"), base=Path(first.files[0]))
    names = subprocess.run(["tar", "tf", second.files[0]], capture_output=True, text=True, check=True).stdout.split()
    placed = [name for name in names if name.startswith(("wheels/", "assets/", "modelstacks/"))]
    assert placed == ["wheels/gamma-1-py3-none-any.whl"]
    assert second.bytes < first.bytes / 100
    _refused(Path(second.files[0]), there, f"first; its id is {first.id}")
    import_(Path(first.files[0]), there.settings, Ui())
    assert import_(Path(second.files[0]), there.settings, Ui()).stacks == ("mini", "more")
    plain = there.root / "plain"
    plain.mkdir()
    for one in (first, second):
        subprocess.run(["tar", "xf", one.files[0], "-C", str(plain)], check=True)
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=plain, check=True)
    third = exported(exporting, "third", stacks=("more",), base=Path(second.files[0]))
    assert third.earlier > 0
    assert import_(Path(third.files[0]), there.settings, Ui()).placed == ()


def test_a_rotten_or_missing_file_stops_the_export_and_the_earlier_bundle_stays(exporting: Site) -> None:
    good = Path(exported(exporting).files[0]).read_bytes()
    path = exporting.home / "wheels" / "beta-1-py3-none-any.whl"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(JobError, match=r"beta-1-py3-none-any.whl is not what it should be: its sha256"):
        exported(exporting)
    path.write_bytes(data + b"x")
    with pytest.raises(JobError, match="its size is not"):
        exported(exporting, "new", split=1_000_000)
    path.unlink()
    with pytest.raises(JobError, match="in the lock but not fetched"):
        exported(exporting)
    assert visible(exporting.root / "dist") == ["x.bundle.tar"]
    assert (exporting.root / "dist" / "x.bundle.tar").read_bytes() == good


def test_a_foreign_own_wheel_stops_the_export(exporting: Site) -> None:
    path = next((exporting.home / "assets" / "own-wheels").glob("click-*.whl"))
    path.unlink()
    path.write_bytes(wheel("click"))
    with pytest.raises(JobError, match=r"is not a wheel that requirements\.lock names"):
        exported(exporting)


def test_stack_files_are_replaced_only_when_asked_to(exporting: Site, there: Site) -> None:
    bundle = Path(exported(exporting).files[0])
    import_(bundle, there.settings, Ui())
    stack = there.stacks / "mini" / "stack.yaml"
    text = stack.read_text()
    stack.write_text(f"{text}# mine\n")
    _refused(bundle, there, "stacks/mini/stack.yaml is there with other content")
    done = import_(bundle, there.settings, Ui(), overwrite_stacks=True)
    assert done.placed == ("stacks/mini/stack.yaml",)
    assert stack.read_text() == text


def test_a_stacks_own_files_come_along_and_nothing_else_stays_among_them(exporting: Site, there: Site) -> None:
    own = exporting.stacks / "mini" / "files" / "tool"
    own.mkdir(parents=True)
    (own / "run.py").write_text("print(1)\n")
    with (exporting.stacks / "mini" / "stack.yaml").open("a") as stack:
        stack.write("files: [{from: tool, into: /opt/tool}]\n")
    bundle = Path(exported(exporting).files[0])
    import_(bundle, there.settings, Ui())
    placed = there.stacks / "mini" / "files" / "tool"
    assert (placed / "run.py").read_text() == "print(1)\n"
    (placed / "more.py").write_text("of an earlier version\n")
    _refused(bundle, there, "a stack's own files hold one that the bundle lacks")
    import_(bundle, there.settings, Ui(), overwrite_stacks=True)
    assert [path.name for path in placed.iterdir()] == ["run.py"]
    assert load_stack("mini", there.settings) == load_stack("mini", exporting.settings)
    # A link would have the import write into what it leads to.
    other = there.root / "other"
    (there.stacks / "mini" / "files").rename(other)
    (there.stacks / "mini" / "files").symlink_to(other)
    (other / "tool" / "run.py").write_text("another's\n")
    with pytest.raises(InputError, match="is there with other content"):
        import_(bundle, there.settings, Ui(), overwrite_stacks=True)
    assert (other / "tool" / "run.py").read_text() == "another's\n"


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM])
def test_stopped_at_any_time_nothing_half_is_left_and_the_same_command_works(
    stop: signal.Signals, exporting: Site, there: Site
) -> None:
    """Both verbs as processes, stopped while they write; a wheel of 200 MB gives them something to do."""
    add_stack(exporting, "big", {"big": wheel("big", "x" * 200_000_000)})
    out = exporting.root / "dist" / "big.bundle.tar"
    words = ["export", "big", "--out", str(out)]
    _stopped(words, exporting, out.parent / ".big.bundle.tar.new", stop)
    assert visible(out.parent) == []
    document(cli("--json", *words, env=exporting.environment))
    assert sorted(path.name for path in out.parent.iterdir()) == [".big.bundle.tar.lock", "big.bundle.tar"]
    _stopped(["import", str(out)], there, there.home / "wheels" / ".import", stop)
    assert visible(there.home / "wheels") == []
    assert visible(there.stacks) == ["families"]
    document(cli("--json", "import", str(out), env=there.environment))
    assert not list(there.root.rglob(".import"))
    assert (there.stacks / "big" / "stack.lock").is_file()


def _stopped(words: list[str], made: Site, aside: Path, stop: signal.Signals) -> None:
    """Start it, wait until a quarter of the bytes is written aside, stop it."""
    environment = {**os.environ, **made.environment}
    command = [sys.executable, "-m", "builder", *words]
    with subprocess.Popen(command, cwd=REPO, env=environment, stderr=subprocess.PIPE) as child:
        while child.poll() is None and sum(_size(path) for path in aside.rglob("*")) < 50_000_000:
            time.sleep(0.002)
        child.send_signal(stop)
        _, said = child.communicate()
    assert child.returncode == (-stop if stop == signal.SIGKILL else 130), said
    assert aside.exists() == (stop == signal.SIGKILL)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def test_two_imports_at_once_both_succeed(exporting: Site, there: Site) -> None:
    bundle = exported(exporting).files[0]
    command = [sys.executable, "-m", "builder", "import", bundle]
    environment = {**os.environ, **there.environment}
    running = [subprocess.Popen(command, cwd=REPO, env=environment, stderr=subprocess.PIPE) for _ in range(2)]
    for child in running:
        _, said = child.communicate()
        assert child.returncode == 0, said


def test_a_full_disk_is_said_and_nothing_is_left(exporting: Site, there: Site) -> None:
    if os.geteuid() != 0:
        pytest.skip("a small tmpfs needs root")
    bundle = exported(exporting).files[0]
    shutil.rmtree(there.home / "wheels")
    (there.home / "wheels").mkdir()
    small = ["mount", "-t", "tmpfs", "-o", "size=100k", "small", str(there.home / "wheels")]
    subprocess.run(small, check=True)
    try:
        done = cli("--json", "import", bundle, env=there.environment)
        assert document(done, code=3)["errors"][0]["problem"] == "there is not enough room for the bundle"
        assert list((there.home / "wheels").iterdir()) == []
    finally:
        subprocess.run(["umount", str(there.home / "wheels")], check=True)
    assert visible(there.stacks) == ["families"]
