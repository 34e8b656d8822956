"""What a stack and a family say, as frozen typed values. No IO here.

Every text that reaches a Dockerfile, a path or a command line is held to a pattern that cannot
break out of it; the patterns are also in the exported JSON schema.
"""

from __future__ import annotations

import posixpath
import re
from typing import Annotated, Any, Literal

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

NAME_PATTERN = r"^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?$"


def refuse(problem: str, fix: str) -> PydanticCustomError:
    """An error of a value, with its fix carried along for the reader of the YAML file."""
    return PydanticCustomError("modelstacks", "{problem}", {"problem": problem, "fix": fix})


def _plain_text(value: str) -> str:
    if any(ord(char) < 32 or ord(char) == 127 for char in value):
        raise refuse("it holds a newline or another control character", "write it on one line")
    if bad := re.search(r'[$`"\\]|\{\{|\{%|\{#|\}\}|%\}|#\}', value):
        raise refuse(f"it holds {bad.group()!r}, which Docker or Jinja would act on", f"leave {bad.group()!r} out")
    return value


def _absolute(value: str) -> str:
    if not value.startswith("/"):
        raise refuse(f"{value!r} is not an absolute path in the image", f"write /{value.lstrip('./')}")
    if ".." in value.split("/"):
        raise refuse(f"{value!r} climbs out with '..'", "name the folder itself")
    if not re.fullmatch(r"/[A-Za-z0-9._/+@-]*", value):
        raise refuse(f"{value!r} holds a character outside A-Z a-z 0-9 . _ / + @ -", "rename the folder")
    return posixpath.normpath(value)


def _inside(value: str) -> str:
    if value.startswith("/") or ".." in value.split("/"):
        raise refuse(f"{value!r} escapes the folder it must stay in", "name a folder below it, without '/' or '..'")
    if not re.fullmatch(r"[A-Za-z0-9._/+@-]+", value):
        raise refuse(f"{value!r} holds a character outside A-Z a-z 0-9 . _ / + @ -", "rename the folder")
    return posixpath.normpath(value)


def _requirement(value: str) -> str:
    try:
        parsed = Requirement(value)
    except InvalidRequirement as error:
        raise refuse(
            f"{value!r} is not a requirement (PEP 508): {str(error).splitlines()[0]}", "write NAME==VERSION"
        ) from None
    if parsed.url:
        raise refuse(f"{value!r} names its own address", "name an index under `indexes` and list the package there")
    return value


def _commit(value: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{40}", value):
        raise refuse(
            f"{value!r} is not a full commit; a branch or tag moves",
            "write the 40 hex digits that `git rev-parse` prints",
        )
    return value


def _https(value: str) -> str:
    if not re.fullmatch(r"https://[A-Za-z0-9.-]+(:\d+)?(/[A-Za-z0-9._~%+@/=&?-]*)?", value):
        raise refuse(f"{value!r} is not a plain https:// address (no user, no fragment)", "write https://HOST/PATH")
    return value


def _capability(value: str) -> str:
    if not re.fullmatch(r"\d{1,2}\.\d(\+PTX)?", value):
        raise refuse(f"{value!r} is not a compute capability", 'write it like "8.6", "9.0" or "8.6+PTX"')
    return value


Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
PlainText = Annotated[str, AfterValidator(_plain_text)]
AbsolutePath = Annotated[str, AfterValidator(_absolute)]
InsidePath = Annotated[str, AfterValidator(_inside)]
PackageRequirement = Annotated[str, AfterValidator(_requirement)]
Commit = Annotated[str, AfterValidator(_commit)]
HttpsUrl = Annotated[str, AfterValidator(_https)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
SystemPackage = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9+.-]+$")]
PythonVersion = Annotated[str, StringConstraints(pattern=r"^3\.\d{1,2}$")]
CudaVersion = Annotated[str, StringConstraints(pattern=r"^\d{1,2}\.\d$")]
GlibcVersion = Annotated[str, StringConstraints(pattern=r"^2\.\d{1,2}$")]
EnvName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
PackageName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")]
CheckName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")]
Capability = Annotated[str, AfterValidator(_capability)]
ImageReference = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-zA-Z0-9._:/-]*(@sha256:[0-9a-f]{64})?$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Bootstrap(_Frozen):
    """A base made here from locked .deb files, without any image registry."""

    distribution: Literal["debian", "ubuntu"] = Field(description="whose archive; the site's mirror serves it")
    suites: tuple[Name, ...] = Field(min_length=1, description="code names, such as bookworm or bookworm-security")
    packages: tuple[SystemPackage, ...] = Field(default=(), description="beside the essential and required ones")


class Base(_Frozen):
    """The base image: exactly one of `bootstrap` and `image`."""

    bootstrap: Bootstrap | None = None
    image: ImageReference | None = Field(default=None, description="registry reference; the lock adds its digest")
    glibc: GlibcVersion = Field(description="the C library of the base; bounds the manylinux tags, checked by lock")

    @model_validator(mode="after")
    def _one_kind(self) -> Base:
        if (self.bootstrap is None) == (self.image is None):
            raise refuse("a base needs exactly one of `bootstrap` and `image`", "keep one of the two")
        return self


class Index(_Frozen):
    """A package index beside the default one, and exactly the packages that may come from it."""

    url: HttpsUrl | None = Field(default=None, description="simple API (PEP 503 or PEP 691)")
    find_links: HttpsUrl | None = Field(default=None, alias="find-links", description="a page of links")
    packages: tuple[PackageName, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_address(self) -> Index:
        if (self.url is None) == (self.find_links is None):
            raise refuse("an index needs exactly one of `url` and `find-links`", "keep one of the two")
        return self


class Source(_Frozen):
    """A git source at a full commit, put into the image without its history."""

    git: HttpsUrl
    commit: Commit
    into: AbsolutePath


class Weight(_Frozen):
    """A data file put into the image."""

    url: HttpsUrl
    sha256: Sha256
    into: AbsolutePath = Field(description="a folder; the file keeps the last part of its address as its name")


class _Shared(_Frozen):
    """Keys that a family and a stack have in common; a stack's add to its family's."""

    packages: tuple[PackageRequirement, ...] = Field(default=(), description="Python requirements (PEP 508)")
    from_source: tuple[PackageName, ...] = Field(
        default=(), alias="from-source", description="packages that may be locked as an sdist"
    )
    indexes: dict[Name, Index] = Field(default_factory=dict)
    system: tuple[SystemPackage, ...] = Field(default=(), description="system packages, resolved inside the base")
    libraries: tuple[InsidePath, ...] = Field(
        default=(), description="folders of site-packages put on the loader's path, e.g. nvidia/cudnn/lib"
    )
    env: dict[EnvName, PlainText] = Field(default_factory=dict)
    smoke: tuple[CheckName, ...] = Field(default=(), description="smoke tests to run, by name")


class Family(_Shared):
    """A base, a Python and a package set that several stacks extend."""

    summary: PlainText
    base: Base
    python: PythonVersion
    interpreter: AbsolutePath = "/usr/bin/python3"
    cuda: CudaVersion | None = None
    torch: PlainText | None = None


class StackFile(_Shared):
    """What stacks/NAME/stack.yaml says."""

    summary: PlainText
    family: Name
    gpus: tuple[Capability, ...] = Field(default=(), description="compute capabilities the image must run on")
    sources: tuple[Source, ...] = ()
    weights: tuple[Weight, ...] = ()
    paths: tuple[AbsolutePath, ...] = Field(default=(), description="folders put on sys.path")


class Stack(StackFile):
    """A stack with its family's values merged in, under its name."""

    name: Name
    base: Base
    python: PythonVersion
    interpreter: AbsolutePath
    cuda: CudaVersion | None
    torch: PlainText | None

    @property
    def platform(self) -> str:
        """The platform tag wheels are resolved for, e.g. x86_64-manylinux_2_36."""
        return f"x86_64-manylinux_2_{self.base.glibc.split('.')[1]}"

    @property
    def site_packages(self) -> str:
        """The site-packages folder of the virtual environment in the image."""
        return f"/opt/venv/lib/python{self.python}/site-packages"


def merge(name: str, stack: StackFile, family: Family) -> Stack:
    """A stack file and its family as one Stack. Raises ValueError where both speak of one package or index."""
    theirs, ours = (
        {str(canonicalize_name(Requirement(item).name)) for item in values}
        for values in (family.packages, stack.packages)
    )
    if both := sorted(theirs & ours):
        raise ValueError(f"package {both[0]} is in the stack and in its family {stack.family}")
    if both := sorted(set(family.indexes) & set(stack.indexes)):
        raise ValueError(f"index {both[0]} is in the stack and in its family {stack.family}")
    values: dict[str, Any] = {key: getattr(stack, key) for key in StackFile.model_fields}
    for key in ("packages", "from_source", "system", "libraries", "smoke"):
        values[key] = tuple(dict.fromkeys((*getattr(family, key), *getattr(stack, key))))
    for key in ("indexes", "env"):
        values[key] = {**getattr(family, key), **getattr(stack, key)}
    for key in ("base", "python", "interpreter", "cuda", "torch"):
        values[key] = getattr(family, key)
    return Stack.model_construct(name=name, **values)
