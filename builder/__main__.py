"""`python -m builder` is the same program as `modelstacks`: how either starts, as quickly as it can."""

from __future__ import annotations

import gc
import os
import sys

HELP = f"{os.path.dirname(__file__)}/help.txt"  # noqa: PTH120 - pathlib is a fifth of what the page costs
_OLDEST = (3, 10)  # Python
_WIDTH = 80  # columns of HELP; no page of click's is wider


def main() -> None:
    """Run the command line; all but the page of help ends by SystemExit."""
    if not _told(sys.argv[1:]):
        _light()
        try:
            from builder.cli import main as run  # noqa: PLC0415 - with click, which the page of help does not need
        except (ImportError, SyntaxError, TypeError, AttributeError) as error:
            if not (lacking := _lacking(error)):
                raise
            sys.stderr.write(lacking)
            sys.exit(3)

        try:
            run()
        finally:
            gc.freeze()  # or the end of Python looks through all that is loaded once more, for memory that goes anyway


def _told(words: list[str]) -> bool:
    """Print the page of `--help` where that alone is asked for, as click would on a terminal that is wide enough."""
    if words not in (["--help"], ["-h"]) or {"COLUMNS", "_MODELSTACKS_COMPLETE"} & os.environ.keys():
        return False
    try:
        width = os.get_terminal_size(sys.__stdout__.fileno()).columns if sys.__stdout__ else _WIDTH
    except (OSError, ValueError):  # no terminal
        width = _WIDTH
    if 0 < width < _WIDTH:
        return False
    try:
        with open(HELP, encoding="utf-8") as page:  # noqa: PTH123
            sys.stdout.write(page.read())
        sys.stdout.flush()
    except (OSError, UnicodeError):  # told by what runs otherwise, which ends by it as well
        return False
    return True


def _lacking(error: BaseException) -> str:
    """What is wrong with this Python, in a line and the one thing to do, "" where nothing is."""
    missing = (getattr(error, "name", None) or "").partition(".")[0]
    if sys.version_info[:2] < _OLDEST:
        found, wanted = (".".join(map(str, version)) for version in (sys.version_info[:2], _OLDEST))
        problem = f"this is Python {found}, and modelstacks needs {wanted} or newer ({sys.executable})"
    elif isinstance(error, ModuleNotFoundError) and missing != "builder":
        problem = f"{sys.executable} lacks the package {missing}"
    else:
        return ""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    words = " ".join(["tools/modelstacks", *sys.argv[1:2]])
    return f"error: {problem}\n  fix: run `{words}` in {root}, which makes an environment of its own\n"


def _light() -> None:
    """Leave out of a start what it does not need."""
    gc.set_threshold(200_000)  # of 700 new objects each, all that is loaded was looked through again and again
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # which are looked for in every installed package


if __name__ == "__main__":
    main()
