"""The texts a stack may hold: each kept to a pattern that cannot break out of a Dockerfile, a path or a command line.

The patterns are also in the exported JSON schema, with the words that describe them.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Annotated

from packaging.requirements import InvalidRequirement, Requirement
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from builder.origin import URL_PATTERN

NAME_PATTERN = r"^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?$"
ENV_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*$"
FINDING_PATTERN = r"^[a-z0-9_]+(/[A-Za-z0-9._+!%~=@-]+)?$"


def refuse(problem: str, fix: str) -> PydanticCustomError:
    """An error of a value, with its fix carried along for the reader of the YAML file."""
    return PydanticCustomError("modelstacks", "{problem}", {"problem": problem, "fix": fix})


@dataclass(frozen=True)
class Text:
    """A text held to a pattern, said in words to people and as a pattern to the JSON schema.

    pattern: of the whole text, in the syntax that Python and ECMAScript share. what: the noun for "is not …".
    example: a good value. fix: what to do, if not to write it like the example.
    check: turns the text into the value kept, with messages of its own.
    """

    pattern: str
    what: str
    example: str
    check: Callable[[str], str] | None = None
    fix: str = ""

    @cached_property
    def _whole(self) -> re.Pattern[str]:
        """Compiled once: a lock holds thousands of texts, and re's own cache costs more than the match."""
        return re.compile(self.pattern)

    def __get_pydantic_core_schema__(self, source: type[str], handler: GetCoreSchemaHandler) -> CoreSchema:
        """Pydantic's hook: a strict string, then our check."""
        return core_schema.no_info_after_validator_function(self._held, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Pydantic's hook: what editors are told."""
        told = {"pattern": self.pattern, "description": self.what, "examples": [self.example]}
        return {**handler(schema), **told}

    def _held(self, value: str) -> str:
        kept = self.check(value) if self.check else value
        if not self._whole.fullmatch(value):
            raise refuse(f"{value!r} is not {self.what}", self.fix or f'write it like "{self.example}"')
        return kept


def _plain_text(value: str) -> str:
    if any(ord(char) < 32 or ord(char) == 127 for char in value):
        raise refuse("it holds a newline or another control character", "write it on one line")
    if bad := re.search(r'[$`"\\]|\{\{|\{%|\{#|\}\}|%\}|#\}', value):
        raise refuse(f"it holds {bad.group()}, which Docker or Jinja would act on", f"leave {bad.group()} out")
    return value


def _absolute(value: str) -> str:
    if not value.startswith("/"):
        raise refuse(f"{value!r} is not an absolute path in the image", f"write /{value.lstrip('./')}")
    if ".." in value.split("/"):
        raise refuse(f"{value!r} climbs out with '..'", "name the folder itself")
    if len(value) > LONGEST_PATH:
        raise refuse(f"the path has {len(value)} characters", f"use one of at most {LONGEST_PATH}")
    return "/" + posixpath.normpath(value).lstrip("/")


# The first folders that a layer may not replace: links into /usr in a base of today, or made when a container starts.
_TAKEN = r"bin|sbin|lib|lib64|proc|sys|dev|run"


def _placed(value: str) -> str:
    path = _absolute(value)
    if path == "/":
        raise refuse("the root folder holds links of the base, which a layer would replace", "name a folder in it")
    if re.match(rf"/({_TAKEN})(/|$)", path):
        first = path.split("/")[1]
        raise refuse(
            f"{value!r} is in /{first}, which is a link of the base or made anew when a container starts",
            "choose a folder such as /workspace or /opt/data",
        )
    return path


def _file_name(value: str) -> str:
    if "/" in value:
        raise refuse(f"{value!r} is a path where a file name belongs", f"write {posixpath.basename(value) or 'NAME'}")
    return value


def _repository_file(value: str) -> str:
    if ".." in value.split("/") or "//" in value or value.endswith("/"):
        raise refuse(f"{value!r} is not the path of a file below a folder", "write it as the repository has it")
    return value


def _inside(value: str) -> str:
    if value.startswith("/") or ".." in value.split("/"):
        raise refuse(f"{value!r} escapes the folder it must stay in", "name a folder below it, without '/' or '..'")
    return posixpath.normpath(value) if value else value


@lru_cache(4096)  # those of a family are each stack's
def _requirement(value: str) -> str:
    if len(value) > _LONGEST_REQUIREMENT:
        raise refuse(f"the requirement has {len(value)} characters", f"use one of at most {_LONGEST_REQUIREMENT}")
    try:
        parsed = Requirement(value)
    except RecursionError:
        raise refuse("the marker has too many brackets inside of brackets", "write it flat") from None
    except InvalidRequirement as error:
        raise refuse(
            f"{value!r} is not a requirement (PEP 508): {str(error).splitlines()[0]}", "write NAME==VERSION"
        ) from None
    if parsed.url:
        fix = "name an index under `indexes` and list the package there"
        raise refuse(f"{parsed.name!r} names its own address", fix)
    return value


def _commit(value: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{40}", value):
        raise refuse(
            f"{value!r} is not a full commit; a branch or tag moves",
            "write the 40 hex digits that `git rev-parse` prints",
        )
    return value


def _https(value: str) -> str:
    if len(value) > _LONGEST_URL:
        raise refuse(f"the address has {len(value)} characters", f"use one of at most {_LONGEST_URL}")
    if "@" in value.partition("://")[2].partition("/")[0]:
        raise refuse("the address holds a user name or password", "leave them out; ~/.netrc may hold them")
    if (port := re.match(r"https://[^/:]*:([0-9]+)", value)) and not 0 < int(port[1]) < 65536:
        raise refuse(f"{port[1]} is no port", "write a number from 1 to 65535, or none")
    if value.startswith("http://"):
        raise refuse(f"{value!r} is not encrypted", f"write https://{value[7:]}")
    return value


LONGEST_PATH = 1024  # characters; the kernel takes 4096 with what stands before it
_LONGEST_REQUIREMENT = 1000
_PATH = "A-Za-z0-9._/+@-"
_LONGEST_URL = 1900  # with a commit it is an origin, which has at most 2048

Name = Annotated[str, Text(NAME_PATTERN, "a name (a-z, 0-9, '.' and '-'; at most 64 characters)", "onnx-cpu")]
PlainText = Annotated[
    str,
    Text(
        r"^(?![\s\S]*(\{\{|\{%|\{#|\}\}|%\}|#\}))[^\x00-\x1f\x7f$`\"\\]*$",
        'one line of text without $ ` " \\ and without the brackets of Jinja',
        "onnxruntime on the CPU",
        _plain_text,
    ),
]
AbsolutePath = Annotated[
    str,
    Text(
        rf"^(?!([\s\S]*/)?\.\.(/|$))/[{_PATH}]{{0,{LONGEST_PATH - 1}}}$",
        "an absolute path in the image (A-Z a-z 0-9 . _ / + @ -, no '..')",
        "/workspace",
        _absolute,
    ),
]
TargetPath = Annotated[
    str,
    Text(
        rf"^(?!([\s\S]*/)?\.\.(/|$))(?!/*({_TAKEN})(/|$))(?!/+$)/[{_PATH}]{{0,{LONGEST_PATH - 1}}}$",
        "an absolute path in the image (A-Z a-z 0-9 . _ / + @ -, no '..'), not in a folder that no layer may replace",
        "/workspace",
        _placed,
    ),
]
FileName = Annotated[
    str,
    Text(
        r"^[A-Za-z0-9][A-Za-z0-9._+!%~=@-]{0,149}$",
        "a file name (A-Z a-z 0-9 . _ + ! % ~ = @ -, at most 150 characters)",
        "model.pth",
        _file_name,
    ),
]
FilePath = Annotated[
    str,
    Text(
        r"^(?!([\s\S]*/)?\.\.(/|$))[A-Za-z0-9._][A-Za-z0-9._/+@=-]*$",
        "the path of a file (A-Z a-z 0-9 . _ / + @ = -, no '..')",
        "models/net.pth",
        _repository_file,
    ),
]
Repository = Annotated[
    str,
    Text(
        r"^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$",
        "a repository of models (OWNER/NAME)",
        "KlingTeam/LivePortrait",
    ),
]
InsidePath = Annotated[
    str,
    Text(
        rf"^(?!/|([\s\S]*/)?\.\.(/|$))[{_PATH}]+$",
        "a path below a folder (A-Z a-z 0-9 . _ / + @ -, no '..')",
        "nvidia/cudnn/lib",
        _inside,
    ),
]
CudaHome = Annotated[
    str,
    Text(
        rf"^(?!([\s\S]*/)?\.\.(/|$))[{_PATH}]+$",
        "the folder of a CUDA toolkit: below site-packages, or absolute (A-Z a-z 0-9 . _ / + @ -, no '..')",
        "nvidia/cu13",
    ),
]
Module = Annotated[
    str,
    Text(r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$", "the name of a Python module", "simple_knn._C"),
]
Flag = Annotated[
    str, Text(r"^[A-Za-z0-9._/+=,:-]+$", "a compiler's flag (A-Z a-z 0-9 . _ / + = , : -)", "--expt-relaxed-constexpr")
]
EditText = Annotated[
    str,
    Text(
        r"^[^\x00]{1,65536}$",
        "a text of at most 65536 characters without NUL",
        "-std=c++17",
        fix="write the text to replace, 1 to 65536 characters",
    ),
]
PackageRequirement = Annotated[
    str,
    Text(
        rf"^[A-Za-z0-9][^@\x00-\x1f]{{0,{_LONGEST_REQUIREMENT - 1}}}$",
        "a requirement (PEP 508) without an address",
        "numpy==1.26.4",
        _requirement,
    ),
]
Commit = Annotated[str, Text(r"^[0-9a-f]{40}$", "a full git commit (40 hex digits)", "0" * 40, _commit)]
HttpsUrl = Annotated[
    str,
    Text(
        f"^{URL_PATTERN}$",
        "a plain https:// address (no user, no fragment)",
        "https://example.org/simple",
        _https,
    ),
]
Sha256 = Annotated[
    str,
    Text(
        r"^[0-9a-f]{64}$",
        "a sha256 (64 hex digits, lower case)",
        "0" * 64,
        fix="write the 64 hex digits that `sha256sum` prints",
    ),
]
SystemPackage = Annotated[
    str, Text(r"^[a-z0-9][a-z0-9+.-]*[a-z0-9+]$", "the name of a system package (a-z 0-9 + . -)", "libsndfile1")
]
PythonVersion = Annotated[str, Text(r"^3\.[0-9]{1,2}$", "a Python version of two parts", "3.11")]
CudaVersion = Annotated[str, Text(r"^[0-9]{1,2}\.[0-9]$", "a CUDA version of two parts", "12.9")]
GlibcVersion = Annotated[str, Text(r"^2\.[0-9]{1,2}$", "a glibc version of two parts", "2.36")]
EnvName = Annotated[str, Text(ENV_PATTERN, "the name of an environment variable", "TORCH_HOME")]
PackageName = Annotated[
    str,
    Text(r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$", "the name of a Python package (without a version)", "numpy"),
]
CheckName = Annotated[str, Text(r"^[a-z0-9_]+$", "the name of a smoke test (a-z, 0-9 and _)", "onnxruntime_cpu")]
FindingName = Annotated[
    str,
    Text(FINDING_PATTERN, "the name of a finding (RULE, or RULE/WHAT-IT-IS-ABOUT)", "torch_gpus/12.0"),
]
Reason = Annotated[
    str,
    Text(r"^\S[^\x00-\x1f\x7f]{8,}\S$", "a reason (one line of at least 10 characters)", "it only runs on our A100"),
]
Capability = Annotated[str, Text(r"^[0-9]{1,2}\.[0-9](\+PTX)?$", "a compute capability", "8.6+PTX")]
