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


def load(folder: Path) -> tuple[dict[str, np.ndarray], dict]:
    """Map the arrays of a folder read-only; raise ValueError for another format, OSError where files lack."""
    import numpy as np

    manifest = json.loads((folder / MANIFEST).read_text())
    if manifest.get("format") != FORMAT:
        raise ValueError(f"{folder} holds arrays of format {manifest.get('format')}, not {FORMAT}")
    arrays = {}
    for name, facts in manifest["arrays"].items():
        shape = tuple(facts["shape"])
        mapped = np.memmap(folder / f"{name}.bin", dtype=facts["dtype"], mode="r", shape=shape or (1,))
        arrays[name] = mapped.view(np.ndarray).reshape(shape)
    return arrays, manifest
