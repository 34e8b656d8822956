"""Where this program's own files lie: in a checkout beside the package, in an installed one within it."""

from __future__ import annotations

from pathlib import Path

from builder.errors import InputError

WITHIN = Path(__file__).resolve().parent.parent / "_program"
"""Where an installed package has them; tools/hatch_build.py lays the wheel out so."""

INSTALLED = WITHIN.is_dir()
"""Whether it was installed from a wheel, so that the folder where the user stands holds what a checkout would."""

PROGRAM = WITHIN if INSTALLED else WITHIN.parent.parent
"""The folder of templates/, stacks/, requirements.lock and the rest that `make` needs."""

SHIPPED = PROGRAM / "stacks"
"""The stacks and families that come with it."""

NOWHERE = Path("/nonexistent")
"""The home of a user who has none, as Debian writes it: a bare number in a container, without HOME."""


def expanded(text: str) -> Path:
    """A path, `~` at its start the user's home. Raises InputError for the `~NAME` of somebody unknown."""
    first, _, rest = text.partition("/")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        if first == "~":
            return NOWHERE / rest
        raise InputError(
            f"{text[:200]!r} is in the home of a user that is not here", fix="write the path out"
        ) from None
