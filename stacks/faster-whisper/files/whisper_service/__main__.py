"""`python -m whisper_service`: serve. `python -m whisper_service health`: ask the one that runs here (its healthcheck).

Exit codes: 0 well, 1 not well, 2 what it was told cannot be.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request

from whisper_service import options


def main(words: list[str]) -> int:
    """One of the two; returns the exit code."""
    try:
        if words == ["health"]:
            return _health(options.port(os.environ))
        if words:
            raise options.OptionError(f"it knows no {' '.join(words)!r}. Fix: no word to serve, or `health`")
        return _serve(options.read(os.environ))
    except options.OptionError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2


def _serve(told: options.Options) -> int:
    import uvicorn  # noqa: PLC0415 - the healthcheck runs every half minute and needs none of it

    from whisper_service.app import app  # noqa: PLC0415

    try:
        served = app(told)
    except (RuntimeError, ValueError) as error:  # CTranslate2's: no GPU, not enough memory, another compute type
        print(f"error: {told.model} cannot be loaded: {error}", file=sys.stderr)  # noqa: T201
        return 1
    uvicorn.run(served, host="0.0.0.0", port=told.port, timeout_graceful_shutdown=30)  # noqa: S104 - a container's own
    return 0


def _health(port: int) -> int:
    """Ask this container's own service; a proxy of the environment is not meant for it."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/health", timeout=10) as answer:
            print(json.dumps(json.load(answer)))  # noqa: T201
            return 0
    except (urllib.error.URLError, OSError, ValueError) as error:
        print(f"not well: {error}", file=sys.stderr)  # noqa: T201
        return 1


sys.exit(main(sys.argv[1:]))
