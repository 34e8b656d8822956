"""Rows of small arrays in a file that only grows: what is known of each frame of a video."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from liveportrait_start.passes.files import write

Row = Mapping[str, Any]


class Table:
    """NAME.rows, all rows of the same fields, and NAME.json, which says what they are.

    A row that a killed run wrote half is cut off when the table is opened. An array comes back in the memory layout it
    had (rows first or columns first): a product of matrices has other last bits in another layout.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.rows"
        self.header = folder / f"{name}.json"
        self.type: np.dtype[Any] | None = None
        self.orders: dict[str, Any] = {}
        self.count = 0
        if self.header.exists():
            fields = json.loads(self.header.read_text())
            self._fields(fields)
            size = self.path.stat().st_size if self.path.exists() else 0
            self.count = size // self.type.itemsize
            if size % self.type.itemsize:
                os.truncate(self.path, self.count * self.type.itemsize)

    def _fields(self, fields: Iterable[Any]) -> None:
        fields = list(fields)
        self.type = np.dtype([(key, kind, tuple(shape)) for key, kind, shape, _ in fields])
        self.orders = {key: order for key, _, _, order in fields}

    def __len__(self) -> int:
        return self.count

    @property
    def width(self) -> int:
        """Bytes a row, 0 before the first."""
        return self.type.itemsize if self.type else 0

    def append(self, rows: Iterable[Row]) -> None:
        """Add rows, on disk when this returns. Raises ValueError where one has other fields than the first had."""
        rows = [{key: np.asarray(value) for key, value in row.items()} for row in rows]
        if not rows:
            return
        if self.type is None:
            fields = [(key, value.dtype.str, value.shape, _order(value)) for key, value in rows[0].items()]
            write(self.header, json.dumps(fields))
            self._fields(fields)
        array = np.empty(len(rows), dtype=self.type)
        for place, row in enumerate(rows):
            for key in self.type.names or ():
                expected = self.type[key]
                if (row[key].dtype, row[key].shape) != (expected.base, expected.shape):
                    raise ValueError(f"{self.path.name}: {key} is {row[key].dtype}{row[key].shape}, not {expected}")
                array[place][key] = row[key]
        with self.path.open("ab") as out:
            out.write(array.tobytes())
            out.flush()
            os.fsync(out.fileno())
        self.count += len(rows)

    def row(self, place: int) -> dict[str, np.ndarray]:
        """One row, its arrays copies."""
        return self.rows(place, place + 1)[0]

    def rows(self, start: int, stop: int) -> list[dict[str, np.ndarray]]:
        """Some rows, in order."""
        part = self._read(start, stop)
        return [{key: np.array(one[key], order=order) for key, order in self.orders.items()} for one in part]

    def column(self, name: str) -> np.ndarray:
        """One field of all rows, in one array of its own."""
        parts = [self._read(start, start + 1024)[name] for start in range(0, self.count, 1024)]
        return np.ascontiguousarray(np.concatenate(parts)) if parts else np.empty((0,))

    def _read(self, start: int, stop: int) -> np.ndarray:
        stop = min(stop, self.count)
        if self.type is None or not 0 <= start < max(stop, 1):
            raise IndexError(f"{self.path.name} has {self.count} rows, not {start}")
        return np.fromfile(self.path, dtype=self.type, count=stop - start, offset=start * self.type.itemsize)


def _order(array: np.ndarray) -> str:
    return "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
