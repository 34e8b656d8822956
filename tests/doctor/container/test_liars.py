"""A container in which Python, the programs that are asked and their answers are somebody else's.

What it says is shown plainly and to a bound; nothing of it runs on this machine, nor in a command that people copy.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from builder.doctor.container import ContainerReport, doctor_container
from builder.doctor.container.evidence import _VERSION
from builder.engine.client import Engine
from builder.errors import JobError
from builder.ui import Ui
from tests.conftest import cli, document
from tests.doctor.container.conftest import Start

MOST = 250_000  # characters of a report on the terminal
_OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
# Answers each probe from a file of the test's; tells where it is and its version first.
LIAR = """#!/bin/sh
case "$3" in
*"<probe "*) name=${3##*<probe }; name=${name%%>*}; cat "/answers/$name.json"; test ! -e "/answers/$name.err" \
  || cat "/answers/$name.err" >&2;;
*) cat /answers/version;;
esac
"""
MARK = "/tmp/modelstacks-was-obeyed"
SHELL = f"$(touch {MARK}); touch {MARK} `touch {MARK}` | touch {MARK} && touch {MARK}\n'\"\\ touch {MARK}"
TERMINAL = "\x1b[31mred\x1b]0;title\x07\x9b2J\u202e[bold]markup[/bold][/nothing]"
ODD = f"{SHELL}{TERMINAL}"

DISTRIBUTION = {"name": "onnxruntime-gpu", "version": "1.18.0", "folder": "/x", "numpy": []}
PROVIDER = {"name": "cuda", "path": "/x/lib.so", "needed": ["libcublas.so.12"], "missing": [], "traced": True}
TORCH: dict[str, Any] = {"version": "2.1", "cuda": "12.1", "arches": [], "error": "", "numpy": "", "available": True}
SYSTEM: dict[str, Any] = {"os": "Debian"}
INTERPRETER: dict[str, Any] = {
    "version": "3.11.2", "executable": "/usr/bin/python3", "prefix": "/usr", "site": "/usr/lib/site", "conda": False,
    "pip": True, "managed": False, "distributions": [DISTRIBUTION], "closed": [], "providers": [], "imports": [],
    "loads": {}, "torch": None, "torch_said": "",
}  # fmt: skip
GPU: dict[str, Any] = {"driver": "550.1", "cuda_of_driver": "12.4", "devices": []}
DEVICE = {"name": "made", "capability": "9.0", "memory": 1}


def dist(name: str, version: str = "1.0", **more: Any) -> dict[str, Any]:
    return {**DISTRIBUTION, "name": name, "version": version, **more}


def imported(module: str, said: str) -> dict[str, Any]:
    return {"module": module, "ok": False, "version": ODD, "said": said}


CASES: dict[str, dict[str, Any]] = {
    "words in the distribution's name": {"system": {"os": ODD}},
    "a name of 4 MB": {"system": {"os": "x" * 3_000_000}},
    "words in paths of processes": {
        "system": {"processes": [{"pid": 7, "python": ODD, "library_path": ODD, "python_path": ODD}]}
    },
    "words in a process's variables": {
        "system": {
            "processes": [{"pid": 7, "python": "/usr/bin/python3", "library_path": ODD, "python_path": ODD}]
        },
        "interpreter": {"providers": [{**PROVIDER, "missing": ["libcudnn.so.9"]}], "loads": {}},
    },
    "a pid of 4000 digits": {
        "system": {"processes": [{"pid": 10**4000, "python": "/a", "library_path": "", "python_path": ""}]}
    },
    "a pid below none": {
        "system": {"processes": [{"pid": -1, "python": "/a/python", "library_path": "", "python_path": ""}]}
    },
    "a pid that is no number": {
        "system": {"processes": [{"pid": "1", "python": "/a", "library_path": "", "python_path": ""}]}
    },
    "20000 libraries": {"system": {"libraries": {f"libcudnn.so.{n}": [f"/x/{n}"] for n in range(20_000)}}},
    "20000 packages": {"system": {"packages": {f"cuda-{n}": "1" for n in range(20_000)}}},
    "20000 toolkits": {"system": {"toolkits": {f"/usr/local/cuda-{n}": "1" for n in range(20_000)}}},
    "20000 folders of the cache": {"system": {"cached": [f"/x/{n}" for n in range(20_000)]}},
    "words in libraries": {
        "system": {"libraries": {ODD: [ODD, "/a b"]}, "versions": {ODD: ODD}, "toolkits": {ODD: ODD}}
    },
    "20000 distributions": {"interpreter": {"distributions": [dist(f"nvidia-{n}") for n in range(8_000)]}},
    "words in names of distributions": {"interpreter": {"distributions": [dist(ODD, ODD, folder=ODD, numpy=[ODD])]}},
    "words in versions of two of one package": {
        "interpreter": {"distributions": [dist("onnxruntime", ODD), dist("onnxruntime-gpu", f"1.18+{'a.' * 999}b")]}
    },
    "a version of 4000 digits": {
        "interpreter": {"distributions": [dist("torch", "9" * 3999), dist("numpy", "9" * 3999)]}
    },
    "words in what numpy is asked for": {
        "interpreter": {
            "distributions": [dist("numpy", "2.0"), dist("scipy", ODD, numpy=[f"numpy>={'9' * 3000}", ODD])],
            "imports": [imported("scipy", "A module that was compiled using NumPy 1.x cannot be run in")],
        }
    },
    "a missing library that is none": {
        "interpreter": {"providers": [{**PROVIDER, "missing": ["libmade", ODD, "x.so.", f"lib.so.{'9' * 3900}"]}]}
    },
    "words in a provider": {
        "interpreter": {"providers": [{**PROVIDER, "name": ODD, "path": ODD, "needed": [ODD, "libcublas.so.12"]}]}
    },
    "20000 needs of a provider": {
        "interpreter": {"providers": [{**PROVIDER, "needed": [f"libcublas{n}.so" for n in range(20_000)]}]}
    },
    "libraries in odd places": {
        "system": {"libraries": {"libcudnn.so.9": ["/a;b", "/good/$(x)", "/good/one/libcudnn.so.9"]}},
        "interpreter": {"providers": [{**PROVIDER, "missing": ["libcudnn.so.9"]}], "site": f"/x;{ODD}", "prefix": ODD},
    },
    "words in loads": {"interpreter": {"loads": {ODD: ODD, "libcublas.so.12": ODD}, "providers": [PROVIDER]}},
    "an executable of words": {"interpreter": {"executable": ODD, "prefix": ODD, "site": ODD}},
    "digits of another script": {
        "interpreter": {"torch": {**TORCH, "arches": ["sm_٩٠", "compute_٩٠"]}},
        "gpu": {"devices": [{**DEVICE, "capability": "٩.٠"}]},
        "version": "/usr/bin/python3\n٣.١١\n",
    },
    "architectures that are none": {
        "interpreter": {"torch": {**TORCH, "arches": [ODD, "sm_", "compute_x", f"sm_{'9' * 3900}", "sm_90a"]}},
        "gpu": {"devices": [DEVICE, {**DEVICE, "name": ODD, "capability": ODD}]},
    },
    "words in torch": {
        "interpreter": {
            "distributions": [dist("torch"), dist("numpy")],
            "torch": {**TORCH, "version": ODD, "error": ODD, "numpy": ODD, "cudnn": ODD, "available": False},
        },
        "gpu": {"devices": [DEVICE]},
    },
    "a torch that does not answer": {
        "interpreter": {"distributions": [dist("torch", f"1.0;{SHELL}")], "torch_said": f"x\n{ODD}\n{ODD}"}
    },
    "words in a driver": {
        "gpu": {"driver": ODD, "cuda_of_driver": ODD, "reason": ODD}, "interpreter": {"providers": [PROVIDER]}
    },
    "20000 GPUs": {"gpu": {"devices": [DEVICE] * 20_000}},
    "words in imports": {
        "interpreter": {
            "distributions": [dist("scipy", ODD)], "imports": [imported("scipy", ODD), imported(ODD, ODD)]
        }
    },
    "an import that says very much": {
        "interpreter": {"imports": [imported("onnxruntime", "ImportError: " + "a" * 3_000_000)]}
    },
    "20000 imports": {"interpreter": {"imports": [imported("scipy", "x")] * 8_000}},
    "20000 closed folders": {"interpreter": {"closed": [f"/x/{n}" for n in range(20_000)]}},
    "words in a session": {
        "interpreter": {"imports": [{"module": "onnxruntime", "ok": True, "version": "1", "said": ""}]},
        "session": {
            "provider": ODD, "version": ODD, "available": [ODD], "providers": [ODD], "right": False, "error": ODD
        },
        "session.err": ODD * 3000,
    },
    "a version of Python of 5000 digits": {"version": f"/usr/bin/python3\n3.{'9' * 5000}\n"},
    "a version of Python that is none": {"version": f"/usr/bin/python3\n{ODD}\n"},
    "a path of Python that is words": {"version": "/usr/bin/$(id)\n3.11\n"},
    "an older Python": {"version": f"/usr/bin/python3\n2.{'7' * 9}\n"},
    "surrogates": {"system": b'{"os": "\\ud800 \\udfff", "toolkits": {"\\ud800": "x"}}'},
    "bytes that are no UTF-8": {"system": b'{"os": "\xff\xfe\x80"}'},
    "numbers that are none": {"gpu": b'{"devices": [{"name": "x", "capability": "9.0", "memory": NaN}]}'},
    "a number without end": {
        "gpu": b'{"devices": [{"name": "x", "capability": "9.0", "memory": ' + b"9" * 9000 + b"}]}"
    },
    "memory of 4000 digits": {"gpu": {"devices": [{**DEVICE, "memory": 10**4000}]}},
    "a key twice": {"system": b'{"os": "one", "os": "two", "os": ["three"]}'},
    "lists without end": {"interpreter": b"[" * 200_000},
    "two documents": {"system": b'{"os": "first"}\n{"os": "second"}'},
    "what the engine would say": {"system": b'{"Id": "x", "State": {"Running": true}}', "interpreter": {}},
    "nothing": {"system": b"", "interpreter": b"", "gpu": b""},
    "an answer of 5 MB": {"system": b'{"os": "' + b"x" * 5_000_000 + b'"}'},
    "an error without end": {"interpreter.err": b"\x1b[31m" * 1_000_000},
    "line ends without end": {"system": b"\n" * 4_000_000 + b"{}"},
}  # fmt: skip


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("answers")


@pytest.fixture(scope="module")
def liar(engine: Any, base: str, answers: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running container whose python3 answers from the files of `answers`."""
    script = tmp_path_factory.mktemp("liar") / "python3"
    script.write_text(LIAR)
    script.chmod(0o755)
    name = "modelstacks-test-doctor-liar"
    mounts = ["--volume", f"{script}:/usr/bin/python3:ro", "--volume", f"{answers}:/answers:ro"]
    words = ["--env", f"LD_LIBRARY_PATH=/opt/lib:{ODD}", "--env", f"CUDA_VERSION={ODD}", "--env", f"NVIDIA_X={ODD}"]
    words += ["--label", f"made={ODD}", "--env", f"PASSWORD={ODD}"]
    engine.run(["rm", "--force", name], check=False)
    command = ["sh", "-c", "exec sleep 3600", ODD, "--token", "hunter2-secret", "--api-key=hunter2-secret"]
    engine.run(["run", "--detach", "--network", "none", "--name", name, *mounts, *words, base, *command])
    yield name
    engine.run(["rm", "--force", name])


def told(answers: Path, case: dict[str, Any]) -> None:
    """Have the liar say this; what a case does not tell is honest."""
    for old in answers.iterdir():
        old.unlink()
    (answers / "version").write_text(case.get("version", "/usr/bin/python3\n3.11\n"))
    for name, honest in (("system", SYSTEM), ("interpreter", INTERPRETER), ("gpu", GPU), ("session", {})):
        value = case.get(name, {})
        text = value if isinstance(value, bytes) else json.dumps({**honest, **value}).encode()
        (answers / f"{name}.json").write_bytes(text + b"\n")
        if error := case.get(f"{name}.err"):
            (answers / f"{name}.err").write_bytes(error if isinstance(error, bytes) else error.encode())


def holds(report: ContainerReport, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The report is plain and bounded, and its commands run nothing but docker."""
    report.show(Ui())
    said, written = "".join(capsys.readouterr()), report.markdown()
    for text in (said, written):
        assert not _OBEYED.search(text)
        assert len(text) < MOST
        assert "hunter2" not in text
    assert not _OBEYED.search(json.dumps(report.document(), ensure_ascii=False))
    fake = tmp_path / "bin"
    fake.mkdir()
    for name in ("docker", "uv", "pip"):
        (fake / name).write_text("#!/bin/sh\nexit 0\n")
        (fake / name).chmod(0o755)
    Path(MARK).unlink(missing_ok=True)
    for one in report.findings:
        for line in (*one.try_now, *(item.removeprefix("RUN ") for item in one.image if item.startswith("RUN "))):
            subprocess.run(["/bin/sh", "-c", line], env={"PATH": str(fake)}, check=False, capture_output=True)
        assert not [line for line in one.image if not re.match(r"(RUN|ENV) ", line) or "\n" in line]
        assert not [line for line in one.image if line.startswith("ENV") and re.search(r"[$`;\s'\"]", line[4:])]
    assert not Path(MARK).exists()
    shutil.rmtree(fake)


@pytest.mark.parametrize("case", CASES)
def test_a_liar_is_neither_obeyed_nor_believed_without_bound(
    case: str, liar: str, answers: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    told(answers, CASES[case])
    report = doctor_container(liar, Ui())
    assert not _OBEYED.search("".join(capsys.readouterr()))
    holds(report, capsys, tmp_path)


def test_an_honest_answer_of_the_same_container_is_told(liar: str, answers: Path, tmp_path: Path) -> None:
    """By the command line as a user runs it, with its report and its JSON."""
    two = {"distributions": [dist("onnxruntime"), dist("onnxruntime-gpu", "1.18.0")]}
    told(answers, {"system": {"os": "Debian GNU/Linux 12 (bookworm)"}, "interpreter": two})
    done = cli("--json", "doctor", "--container", liar, "--report", str(tmp_path / "r.md"))
    found = document(done, code=1)
    assert found["evidence"]["system"]["os"] == "Debian GNU/Linux 12 (bookworm)"
    assert "conflicting_packages" in [one["rule"] for one in found["findings"]]
    command = f"docker exec --user 0 {liar} /usr/bin/python3 -m pip uninstall -y onnxruntime onnxruntime-gpu"
    assert command in (tmp_path / "r.md").read_text()
    assert "Debian GNU/Linux 12" in done.stdout and not _OBEYED.search(done.stderr + done.stdout)
    assert "hunter2" not in done.stderr + done.stdout + (tmp_path / "r.md").read_text()


LIARS: dict[str, dict[str, str]] = {
    "an os-release without end": {"cat": "exec yes 'PRETTY_NAME=x'"},
    "an os-release of words": {"cat": f"printf '%s\\n' 'PRETTY_NAME=\"{TERMINAL}'"},
    "a cache of line ends": {"ldconfig": "head -c 4000000 /dev/zero | tr '\\0' '\\n'"},
    "a cache of blanks": {"ldconfig": "head -c 4000000 /dev/zero | tr '\\0' ' '"},
    "a cache without end": {"ldconfig": "exec yes '\tlibcudnn.so.9 (libc6) => /x/libcudnn.so.9'"},
    "a cache of words": {"ldconfig": "printf '\\tlibcudnn.so.9 (x) => /x;id/$(id)/lib.so\\n'"},
    "a GPU of words": {"nvidia-smi": f"printf '%s\\n' '{TERMINAL}, 1, 2'"},
    "a GPU without end": {"nvidia-smi": "exec yes 'x, y, z'"},
    "a GPU that fails loudly": {"nvidia-smi": f"printf '%s\\n' '{TERMINAL}' >&2; exit 1"},
    "programs that stay": {"cat": "sleep 300 & echo PRETTY_NAME=x", "ldconfig": "sleep 300 & exit 0"},
}


@pytest.mark.parametrize("case", LIARS)
def test_programs_that_lie_where_there_is_no_python(
    case: str, start: Start, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builder.doctor.container.inside._SECONDS", 15.0)
    mounts = {}
    for name, body in {"python3": "exit 127", **LIARS[case]}.items():
        script = tmp_path / name
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
        mounts["/usr/bin/python3" if name == "python3" else f"/usr/local/sbin/{name}"] = script
    report = doctor_container(start(mounts=mounts), Ui())
    assert report.evidence.interpreters == ()
    capsys.readouterr()
    holds(report, capsys, tmp_path)


def test_a_file_copied_out_of_a_container_is_bounded(start: Start, engine: Engine) -> None:
    """As the list of an image's packages, which `lock` reads, could have any size."""
    name = start(program=("sh", "-c", "head -c 1G /dev/zero > /large; echo small > /small; exec sleep 3600"))
    while engine.run(["exec", name, "test", "-s", "/small"], check=False).returncode:
        time.sleep(0.1)
    with pytest.raises(JobError, match="/large is larger than 67108864 bytes"):
        engine.copied(name, "/large")
    assert engine.copied(name, "/small") == b"small\n"
    assert engine.copied(name, "/gone") is None


@pytest.mark.parametrize(
    "name", ["$(id)", "a;b", "a b", "-rf", "--help", "../x", "a\nb", "\x1b[31m", "a'b", 'a"b', "{{.}}", "a/b", "ä"]
)
def test_a_name_that_is_none_reaches_no_engine(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    done = cli("doctor", f"--container={name}", env={"DOCKER_HOST": os.environ.get("DOCKER_HOST", "")})
    assert done.returncode == 2 and not _OBEYED.search(done.stderr), done.stderr
    assert "Traceback" not in done.stderr


assert _VERSION.count("print") == 2, "the liar's first answer has as many lines"
