"""What a stack and a family say, as frozen typed values. No IO here."""

from __future__ import annotations

from typing import Annotated

from packaging.utils import canonicalize_name
from pydantic import BeforeValidator, Field

from builder.spec.advisory import ADVISORY_PATTERN, AdvisoryId
from builder.spec.container import LABEL_PATTERN, Day, Health, LabelName, Port, RequirementsFile, User, day
from builder.spec.extension import Extension, Toolchain
from builder.spec.named import Named
from builder.spec.parts import AptArchive, Base, Frozen, Index, OwnFiles, Source, Weight, keys_like
from builder.spec.text import (
    ENV_PATTERN,
    FINDING_PATTERN,
    NAME_PATTERN,
    AbsolutePath,
    Capability,
    CheckName,
    CudaVersion,
    EditText,
    EnvName,
    FindingName,
    InsidePath,
    Module,
    Name,
    PackageName,
    PackageRequirement,
    PlainText,
    PythonVersion,
    Reason,
    SystemPackage,
)


class Shared(Frozen):
    """Keys that a family and a stack have in common; a stack's add to its family's."""

    packages: tuple[PackageRequirement, ...] = Field(default=(), description="Python requirements (PEP 508)")
    from_source: tuple[PackageName, ...] = Field(
        default=(), alias="from-source", description="packages that may be locked as an sdist"
    )
    indexes: dict[Name, Index] = Field(default_factory=dict, json_schema_extra=keys_like(NAME_PATTERN))
    system: tuple[SystemPackage, ...] = Field(default=(), description="system packages, resolved inside the base")
    libraries: tuple[InsidePath, ...] = Field(
        default=(), description="folders of site-packages put on the loader's path, e.g. nvidia/cudnn/lib"
    )
    env: dict[EnvName, PlainText] = Field(default_factory=dict, json_schema_extra=keys_like(ENV_PATTERN))
    smoke: tuple[CheckName, ...] = Field(default=(), description="smoke tests to run, by name")
    toolchain: Toolchain | None = Field(default=None, description="what compiles the extensions")


class Family(Shared):
    """A base, a Python and a package set that several stacks extend."""

    summary: PlainText
    base: Base
    python: PythonVersion
    interpreter: AbsolutePath = "/usr/bin/python3"
    cuda: CudaVersion | None = None
    torch: PlainText | None = None


class StackFile(Shared):
    """What stacks/NAME/stack.yaml says."""

    summary: PlainText
    family: Name
    gpus: tuple[Capability, ...] = Field(default=(), description="compute capabilities the image must run on")
    sources: tuple[Source, ...] = ()
    weights: tuple[Weight, ...] = ()
    paths: tuple[AbsolutePath, ...] = Field(default=(), description="folders put on sys.path")
    extensions: tuple[Extension, ...] = Field(default=(), description="packages compiled for this stack")
    accept: dict[FindingName, Reason] = Field(
        default_factory=dict,
        description="findings of check to go on in spite of, each with its reason",
        json_schema_extra=keys_like(FINDING_PATTERN),
    )
    accept_advisories: dict[AdvisoryId, Reason] = Field(
        default_factory=dict,
        alias="accept-advisories",
        description="known vulnerabilities that audit goes on in spite of, each with its reason",
        json_schema_extra=keys_like(ADVISORY_PATTERN),
    )
    projects: tuple[InsidePath, ...] = Field(
        default=(), description="folders of files/ with a pyproject.toml, each installed as a wheel that is built here"
    )
    files: tuple[OwnFiles, ...] = Field(default=(), description="folders of files/ put into the image")
    entrypoint: tuple[PlainText, ...] = Field(default=(), description="the program a container runs, and its arguments")
    workdir: AbsolutePath | None = Field(default=None, description="the folder a container starts in")
    cmd: tuple[PlainText, ...] = Field(
        default=(), description="the arguments a container's program gets if none are given, or the program"
    )
    ports: tuple[Port, ...] = Field(default=(), description="ports it listens on (EXPOSE); `docker run -p` opens them")
    labels: dict[LabelName, PlainText] = Field(default_factory=dict, json_schema_extra=keys_like(LABEL_PATTERN))
    run: tuple[EditText, ...] = Field(
        default=(),
        description="lines of a shell that end the build: without a network, and with the same result each time",
    )
    apt_archives: tuple[AptArchive, ...] = Field(
        default=(), alias="apt-archives", description="archives of system packages beside the distribution's"
    )
    user: User | None = Field(default=None, description="who runs the program: a name, with a home folder")
    healthcheck: Health | None = Field(default=None, description="how the engine asks whether a container is well")
    requirements: tuple[RequirementsFile, ...] = Field(
        default=(), description="files beside stack.yaml, a requirement (PEP 508) a line, added to `packages`"
    )
    overrides: tuple[PackageRequirement, ...] = Field(
        default=(), description="requirements that hold whatever a package asks of that project"
    )
    without: tuple[PackageName, ...] = Field(
        default=(), description="projects that are left out, whoever asks for them"
    )
    exclude_newer: Annotated[Day | None, BeforeValidator(day)] = Field(
        default=None, alias="exclude-newer", description="take no file that its index got on this day or later"
    )
    imports: tuple[Module, ...] = Field(
        default=(), description="modules that the smoke test imports; if not given, those of the packages named"
    )


class Project(Frozen):
    """One of a stack's own Python projects. folder: below files/. name: canonical. builds: what builds it. digest: of
    its files. scripts: the names of its console scripts."""

    folder: str
    name: str
    dependencies: tuple[str, ...] = ()
    builds: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()
    digest: str = ""


class Stack(StackFile, Named):
    """A stack with its family's values merged in, under its name.

    files_digest: what its own files are. overlays: the same of an extension's `files`, by that folder's name.
    own_projects: what its `projects` are. apt_keys: the sha256 of the keys of its `apt-archives`, by their file.
    """

    base: Base
    python: PythonVersion
    interpreter: AbsolutePath
    cuda: CudaVersion | None
    torch: PlainText | None
    files_digest: str = ""
    overlays: dict[str, str] = Field(default_factory=dict, exclude=True)
    own_projects: tuple[Project, ...] = Field(default=(), exclude=True)
    apt_keys: dict[str, str] = Field(default_factory=dict, exclude=True)

    @property
    def platform(self) -> str:
        """The platform tag wheels are resolved for, e.g. x86_64-manylinux_2_36."""
        return f"x86_64-manylinux_2_{self.base.glibc.split('.')[1]}"

    @property
    def fallbacks(self) -> frozenset[str]:
        """The canonical names of packages that are compiled only where their index has no wheel that fits."""
        names = (name for index in self.indexes.values() if index.fallback for name in index.packages)
        return frozenset(str(canonicalize_name(name)) for name in names)

    @property
    def not_taken(self) -> tuple[str, ...]:
        """The projects that no index is asked for, whoever asks for them: what is left out, and the stack's own."""
        return (*self.without, *(one.name for one in self.own_projects))

    @property
    def baked(self) -> tuple[Weight, ...]:
        """The weights that are put into the image."""
        return tuple(weight for weight in self.weights if weight.bake)

    @property
    def mounted(self) -> tuple[Weight, ...]:
        """The weights that are never put into an image: who runs it mounts them."""
        return tuple(weight for weight in self.weights if not weight.bake)

    def source_of(self, extension: Extension) -> int:
        """The place in `sources` of the innermost one that holds an extension's path. Raises ValueError for none."""
        folders = {place: f"{source.into.rstrip('/')}/" for place, source in enumerate(self.sources)}
        holding = [place for place, folder in folders.items() if f"{extension.path}/".startswith(folder)]
        return max(holding, key=lambda place: len(folders[place]))

    @property
    def site_packages(self) -> str:
        """The site-packages folder of the virtual environment in the image."""
        return f"/opt/venv/lib/python{self.python}/site-packages"
