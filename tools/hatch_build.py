"""Put into the wheel what a checkout has beside the package, so that an installed program works without a checkout.

A wheel holds no links: a stack's folder of files that is a link to another stack's goes in as a copy.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_BESIDE = ("LICENSE", "Makefile", "README.md", "pyproject.toml", "requirements.lock", "wheels/README.md")
_FOLDERS = ("docs", "stacks", "templates", "tools")


class Program(BuildHookInterface[Any]):
    """Hatchling's hook for a wheel; an editable one reads the checkout itself."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files. version: \"standard\" or \"editable\". build_data: hatchling's, changed in place."""
        if version == "editable":
            return
        root = Path(self.root)
        links = [path.relative_to(root).as_posix() for path in root.glob("stacks/*/files") if path.is_symlink()]
        names = (*_BESIDE, *_FOLDERS, *links)
        build_data["force_include"] |= {str(root / name): f"builder/_program/{name}" for name in names}
