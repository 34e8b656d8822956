"""Files from the site's registry, which are asked for before anything else is."""

from __future__ import annotations

import threading
from collections.abc import Callable

from builder.errors import JobError, ModelstacksError, SurroundingsError
from builder.fetch.download import download
from builder.fetch.shelf import Shelf
from builder.registry.descriptor import address
from builder.registry.files import AbsentError, Files
from builder.settings import Settings
from builder.ui import Ui


class Shared:
    """The repository of the setting `files`; nothing where it is not set. May be used from any thread.

    What it does not have, or cannot give, comes from where it would without. Every file is held to its sha256.
    """

    def __init__(self, settings: Settings, ui: Ui, stopping: threading.Event) -> None:
        self._files = Files(*address(settings.files), settings, stopping) if settings.files else None
        self._ui, self._said, self._guard = ui, "", threading.Lock()

    def bring(self, shelf: Shelf, advance: Callable[[int], None]) -> bool:
        """Have a file in shelf.part; gives whether it came from there."""
        if self._files is None or self._said or shelf.artifact.pending:
            return False
        try:
            download(shelf, self._files.url(shelf.artifact.sha256), self._files, advance)
        except AbsentError:
            return False
        except SurroundingsError as error:  # no other file will fare better
            self._pass_over(error)
            return False
        except JobError as error:
            self._ui.warn(f"{shelf.artifact.filename}: {error.where}: {error.problem}; it comes from elsewhere")
            return False
        return True

    def _pass_over(self, error: ModelstacksError) -> None:
        with self._guard:
            if not self._said:
                self._said = error.problem
                self._ui.warn(f"files: {error.where}: {error.problem}; what is missing comes from elsewhere")

    def close(self) -> None:
        """End its connections."""
        if self._files:
            self._files.close()
