"""Where things are and what the site gives: folders, the default index, mirrors, trust.

Everything comes from the command line or the environment; nothing is read at import.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from builder.errors import InputError

_CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one run.

    home: folder that holds wheels/, assets/ and build/. stacks: folders of stacks, later ones added
    by the user. index: simple API address of the default index, "" to ask pip's configuration.
    mirrors: Debian-like archive per distribution name, for those given by the environment.
    ca_bundle: PEM files or folders to trust beside the public roots and the system store.
    """

    home: Path
    stacks: tuple[Path, ...]
    index: str = ""
    mirrors: Mapping[str, str] = field(default_factory=dict)
    ca_bundle: tuple[Path, ...] = ()
    jobs: int = 8

    @property
    def wheels(self) -> Path:
        """The flat wheelhouse."""
        return self.home / "wheels"

    @property
    def assets(self) -> Path:
        """Everything fetched that is not a wheel."""
        return self.home / "assets"

    @property
    def build(self) -> Path:
        """Rendered builds and reports, one folder per stack."""
        return self.home / "build"

    @property
    def templates(self) -> Path:
        """The Jinja templates of the checkout."""
        return _CHECKOUT / "templates"


def load(*, stacks: tuple[Path, ...] = (), environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment, with the command line's stack folders added.

    MODELSTACKS_HOME (default: the checkout), MODELSTACKS_STACKS (folders joined by os.pathsep),
    MODELSTACKS_INDEX, MODELSTACKS_{DEBIAN,DEBIAN_SECURITY,UBUNTU}_MIRROR, MODELSTACKS_JOBS,
    CA_BUNDLE (files or folders joined by os.pathsep).
    """
    env = os.environ if environ is None else environ
    added = [Path(item) for item in env.get("MODELSTACKS_STACKS", "").split(os.pathsep) if item]
    return Settings(
        home=Path(env.get("MODELSTACKS_HOME") or _CHECKOUT).resolve(),
        stacks=(_CHECKOUT / "stacks", *(path.resolve() for path in (*added, *stacks))),
        index=env.get("MODELSTACKS_INDEX", ""),
        mirrors={
            name: value.rstrip("/")
            for name in ("debian", "debian-security", "ubuntu")
            if (value := env.get(f"MODELSTACKS_{name.upper().replace('-', '_')}_MIRROR", ""))
        },
        ca_bundle=tuple(Path(item) for item in env.get("CA_BUNDLE", "").split(os.pathsep) if item),
        jobs=_jobs(env.get("MODELSTACKS_JOBS") or "8"),
    )


def _jobs(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 64:
        raise InputError(f"MODELSTACKS_JOBS={text} is not a number from 1 to 64", fix="export MODELSTACKS_JOBS=8")
    return int(text)
