"""Where this program's own files lie: in a checkout beside the package, in an installed one within it."""

from __future__ import annotations

from pathlib import Path

WITHIN = Path(__file__).resolve().parent.parent / "_program"
"""Where an installed package has them; tools/hatch_build.py lays the wheel out so."""

INSTALLED = WITHIN.is_dir()
"""Whether it was installed from a wheel, so that the folder where the user stands holds what a checkout would."""

PROGRAM = WITHIN if INSTALLED else WITHIN.parent.parent
"""The folder of templates/, stacks/, requirements.lock and the rest that `make` needs."""

SHIPPED = PROGRAM / "stacks"
"""The stacks and families that come with it."""
