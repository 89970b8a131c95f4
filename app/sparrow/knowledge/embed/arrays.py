"""A folder of flat arrays that are memory-mapped: pages shared by all processes, resident only where touched."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

MANIFEST = "model.json"
FORMAT = 1
ROWS = frozenset({"table"})  # arrays of which only some rows are needed: these are read (`Rows`), not mapped


class Rows:
    """An array on disk whose rows are read one by one. Were it mapped, the system would map the 16 pages around each
    that is touched, and soon most of the array would count as this process's memory."""

    def __init__(self, file: Path, dtype: np.dtype, shape: tuple[int, int]):
        self.dtype, self.shape = dtype, shape
        self._file = open(file, "rb", buffering=0)  # noqa: SIM115  # as long as the model is loaded
        self._size = shape[1] * dtype.itemsize
        if os.fstat(self._file.fileno()).st_size < shape[0] * self._size:
            raise ValueError(f"{file} is cut short")

    def take(self, numbers: np.ndarray, out: np.ndarray) -> np.ndarray:
        """Read rows by number into the beginning of an array of such rows; return that part of it."""
        descriptor, size = self._file.fileno(), self._size
        for number, room in zip(numbers.tolist(), out, strict=False):
            if os.preadv(descriptor, (room,), number * size) != size:
                raise OSError(f"{self._file.name} is cut short")
        return out[:len(numbers)]


def save(folder: Path, arrays: dict[str, np.ndarray], facts: dict) -> None:
    """Write arrays and a manifest; the folder appears only when it is whole."""
    import numpy as np

    temporary = folder.with_name(folder.name + ".part")
    temporary.mkdir(parents=True, exist_ok=True)
    manifest = {"format": FORMAT, **facts, "arrays": {}}
    for name, array in sorted(arrays.items()):
        data = np.ascontiguousarray(array).tobytes()
        (temporary / f"{name}.bin").write_bytes(data)
        manifest["arrays"][name] = {"dtype": array.dtype.str, "shape": list(array.shape),
                                    "sha256": hashlib.sha256(data).hexdigest()}
    (temporary / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    if folder.exists():  # another process was faster
        for file in temporary.iterdir():
            file.unlink()
        temporary.rmdir()
        return
    os.replace(temporary, folder)


def load(folder: Path) -> tuple[dict[str, np.ndarray | Rows], dict]:
    """Map the arrays of a folder read-only, or open them (ROWS); raise ValueError for another format, OSError where
    files lack."""
    import numpy as np

    manifest = json.loads((folder / MANIFEST).read_text())
    if manifest.get("format") != FORMAT:
        raise ValueError(f"{folder} holds arrays of format {manifest.get('format')}, not {FORMAT}")
    arrays = {}
    for name, facts in manifest["arrays"].items():
        shape = tuple(facts["shape"])
        if name in ROWS:
            arrays[name] = Rows(folder / f"{name}.bin", np.dtype(facts["dtype"]), shape)
            continue
        mapped = np.memmap(folder / f"{name}.bin", dtype=facts["dtype"], mode="r", shape=shape or (1,))
        arrays[name] = mapped.view(np.ndarray).reshape(shape)
    return arrays, manifest
