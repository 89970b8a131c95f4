"""Large pictures: made smaller, and upright, before a vision model is given them."""

from __future__ import annotations

import os
import struct
import zlib

import pytest

from sparrow.knowledge import parse


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_photo_taken_with_a_turned_camera_is_upright(tmp_path, turn):
    """The corner that is dark on the sensor goes where EXIF's orientation says; what is drawn has none."""
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(2400, 1600, turn))
    picture, = parse.draw(path, [1], tmp_path)
    with open(picture.path, "rb") as file:
        width, height, at = drawn(file.read())
    assert (width > height) == (turn < 5)

    def dark(x: float, y: float) -> bool:
        return at(round(x * (width - 9)) + 4, round(y * (height - 9)) + 4) < 60

    corners = [(x, y) for x in (0, 1) for y in (0, 1) if dark(x, y)]
    assert corners == [[(0, 0), (1, 0), (1, 1), (0, 1), (0, 0), (1, 0), (1, 1), (0, 1)][turn - 1]]
    x, y = corners[0]
    assert (dark(abs(x - 0.3), y), dark(x, abs(y - 0.3))) == (turn < 5, turn > 4)  # along the sensor's rows only


def test_large_pngs_are_made_smaller_and_small_ones_stay(tmp_path):
    for name, data, same in (("grey", png_of(2400, 1600, 0), False), ("colours", png_of(2400, 1600, 2), False),
                             ("transparent", png_of(2400, 1600, 6), True), ("small", png_of(300, 200, 2), True)):
        path = tmp_path / name
        path.write_bytes(data)
        picture, = parse.draw(path, [1], tmp_path)
        with open(picture.path, "rb") as file:
            got = file.read()
        assert (got == data) == same, name
        if not same:
            width, height, at = drawn(got)
            assert at(4, 4) < 60 < at(width - 5, height - 5), name


def photo() -> bytes:
    """Return a PNG of some size."""
    return _png(90, 90, 0, b"".join(b"\0" + os.urandom(90) for _ in range(90)))


def png_of(width: int, height: int, colour: int, rows: int | None = None) -> bytes:
    """Return a white PNG whose upper left quarter is black, of PNG's colour type."""
    one = {0: 1, 2: 3, 6: 4}[colour]
    white = b"\xff" * width * one
    black = (b"\0" * (one - 1) + b"\xff" if one == 4 else b"\0" * one) * (width // 2) + white[:width // 2 * one]
    count = height if rows is None else rows
    return _png(width, height, colour, b"".join(b"\0" + (black if at < height // 2 else white) for at in range(count)))


def _png(width: int, height: int, colour: int, rows: bytes) -> bytes:
    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)) \
        + part(b"IDAT", zlib.compress(rows, 1)) + part(b"IEND", b"")


def jpeg(width: int, height: int, turn: int = 0) -> bytes:
    """Return a white JPEG that is black where its first rows begin, over half its width and a fifth of its height.

    `turn` is the orientation EXIF tells, 0 for none. Each block is of one grey: its first coefficient is all it has.
    """
    bits, last = [], 0
    for row in range(height // 8):
        for column in range(width // 8):
            level = -128 if row < height // 40 and column < width // 16 else 127
            step, last = level - last, level
            size = abs(step).bit_length()
            value = step if step > 0 else step + (1 << size) - 1
            bits.append(f"{size:04b}" + (f"{value:0{size}b}" if size else "") + "0")
    told = "".join(bits)
    told += "1" * (-len(told) % 8)
    body = int(told, 2).to_bytes(len(told) // 8, "big").replace(b"\xff", b"\xff\0")

    def part(mark: int, data: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, mark, len(data) + 2) + data

    exif = part(0xE1, b"Exif\0\0II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x112, 3, 1, turn, 0, 0)) if turn else b""
    return b"\xff\xd8" + exif + part(0xDB, b"\0" + b"\x08" * 64) \
        + part(0xC0, struct.pack(">BHHBBBB", 8, height, width, 1, 1, 0x11, 0)) \
        + part(0xC4, b"\0" + bytes([0, 0, 0, 12, *[0] * 12]) + bytes(range(12))) \
        + part(0xC4, b"\x10" + bytes([1, *[0] * 15]) + b"\0") \
        + part(0xDA, b"\x01\x01\0\0\x3f\0") + body + b"\xff\xd9"


def drawn(data: bytes):
    """Return the width and height of a grey PNG, and a function that gives the grey at a place."""
    width, height = struct.unpack_from(">II", data, 16)
    start = data.index(b"IDAT")
    rows = zlib.decompress(data[start + 4:start + 4 + struct.unpack_from(">I", data, start - 4)[0]])
    return width, height, lambda x, y: rows[y * (width + 1) + 1 + x]
