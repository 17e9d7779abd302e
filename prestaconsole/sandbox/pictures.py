"""Pictures as a shop keeps them: of one colour, in the size of what was sent, encoded anew. Imports nothing of ours."""

import struct
import zlib
from dataclasses import dataclass

JPEG, PNG, GIF, WEBP = "image/jpeg", "image/png", "image/gif", "image/webp"
_MAGIC = {b"\x89PNG": PNG, b"\xff\xd8\xff": JPEG, b"GIF8": GIF}
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_USUAL = (300, 300)
_LARGEST = 4000
# How many codes of each length a JPEG's Huffman table has: the usual one for DC, and one code (end of block) for AC.
_DC = bytes((0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, *range(12)))
_AC = bytes((1, *(0,) * 15, 0))


@dataclass(frozen=True)
class Picture:
    """One picture: its media type, its size in dots and what its colour comes from."""

    kind: str
    width: int
    height: int
    seed: int

    def sized(self, width: int, height: int) -> "Picture":
        """The same picture in the size of an image type."""
        return Picture(self.kind, width, height, self.seed)

    def content(self) -> bytes:
        """The file."""
        if self.kind == PNG:
            return png(self.seed, self.width, self.height)
        return jpeg(self.seed, self.width, self.height)


def kind_of(content: bytes) -> str:
    """The media type by the content alone, '' for what is no picture (R61)."""
    if content[8:12] == b"WEBP":
        return WEBP
    return next((found for magic, found in _MAGIC.items() if content.startswith(magic)), "")


def kept(content: bytes, kind: str) -> Picture:
    """What a shop keeps of a picture sent: the size is the same, the bytes never are (R64)."""
    width, height = size_of(content)
    return Picture(kind, width, height, zlib.crc32(content))


def size_of(content: bytes) -> tuple[int, int]:
    """Width and height as the file's head tells them; a usual size where it tells none."""
    found = (0, 0)
    if content.startswith(b"\x89PNG") and len(content) >= 24:
        found = struct.unpack(">II", content[16:24])
    elif content.startswith(b"GIF8") and len(content) >= 10:
        found = struct.unpack("<HH", content[6:10])
    elif content.startswith(b"\xff\xd8"):
        found = _jpeg_size(content)
    return found if all(0 < side <= _LARGEST for side in found) else _USUAL


def _jpeg_size(content: bytes) -> tuple[int, int]:
    place = 2
    while place + 9 <= len(content) and content[place] == 0xFF:
        mark, length = content[place + 1], int.from_bytes(content[place + 2 : place + 4], "big")
        if mark in _FRAMES:
            height, width = struct.unpack(">HH", content[place + 5 : place + 9])
            return width, height
        place += 2 + length
    return 0, 0


def png(seed: int, width: int = 8, height: int = 8) -> bytes:
    """A PNG of one colour, the same for one seed."""
    colour = bytes((seed * 53 % 256, seed * 97 % 256, seed * 29 % 256))
    rows = (b"\0" + colour * width) * height

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def jpeg(seed: int, width: int = 8, height: int = 8) -> bytes:
    """A grey baseline JPEG, the same for one seed."""

    def segment(mark: int, data: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, mark, len(data) + 2) + data

    head = segment(0xE0, b"JFIF\0\1\1\1\0\x60\0\x60\0\0") + segment(0xDB, b"\0" + b"\x08" * 64)
    head += segment(0xC0, struct.pack(">BHHBBBB", 8, height, width, 1, 1, 0x11, 0))
    head += segment(0xC4, b"\x00" + _DC) + segment(0xC4, b"\x10" + _AC) + segment(0xDA, bytes((1, 1, 0, 0, 63, 0)))
    shade = 64 + seed % 64  # a difference of seven bits in the first block, none in the others
    blocks = ((width + 7) // 8) * ((height + 7) // 8)
    return b"\xff\xd8" + head + _packed(f"11110{shade:07b}0" + "000" * (blocks - 1)) + b"\xff\xd9"


def _packed(bits: str) -> bytes:
    bits += "1" * (-len(bits) % 8)
    found = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return found.replace(b"\xff", b"\xff\0")
