"""Makers of images to upload, built with Pillow or by hand, and readers of their visible content."""

import io
import random
import struct
import zlib
from typing import Any

import PIL.Image
import PIL.ImageOps

from mailtrack import Image, InvalidImage
from mailtrack._images.check import check_upload

RED, GREEN, BLUE, WHITE = (250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 250)
SECRET = b"zebra-in-the-park"
MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp"}
FORMATS = list(MEDIA_TYPES)


def quarters(width: int = 32, height: int = 16) -> PIL.Image.Image:
    """Draw an image whose four quarters have four colours."""
    image = PIL.Image.new("RGB", (width, height), WHITE)
    image.paste(RED, (0, 0, width // 2, height // 2))
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    return image


def gradients(mode: str, size: tuple[int, int]) -> PIL.Image.Image:
    bands = [PIL.Image.linear_gradient("L").resize(size), PIL.Image.radial_gradient("L").resize(size)] * 2
    return PIL.Image.merge(mode, bands[: len(mode)])


def photo(width: int, height: int) -> PIL.Image.Image:
    """Draw an image in which no two blocks of 8 × 8 are alike, as in photos, from tiles of random colours."""
    tile = PIL.Image.frombytes("RGB", (63, 47), random.Random(1).randbytes(63 * 47 * 3)).resize((504, 378))
    image = PIL.Image.new("RGB", (width, height))
    for x in range(0, width, 504):
        for y in range(0, height, 378):
            image.paste(tile, (x, y))
    return image


def encode(image: PIL.Image.Image, format_: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format_, **({"quality": 95} if format_ in ("JPEG", "WEBP") else {}) | options)
    return out.getvalue()


def animation(format_: str, colours: list[tuple[int, int, int]], **options: Any) -> bytes:
    frames = [PIL.Image.new("RGB", (8, 8), colour) for colour in colours]
    if format_ == "WEBP":
        options |= {"lossless": True}
    return encode(frames[0], format_, save_all=True, append_images=frames[1:], **options)


def moving(format_: str, size: tuple[int, int], number: int, **options: Any) -> bytes:
    """Write an animation of a square that moves over a drawing, as newsletter editors do."""
    ground = gradients("RGB", size)
    ground = ground.quantize(64) if format_ == "GIF" else ground
    frames = [ground.copy() for _ in range(number)]
    for n, frame in enumerate(frames):
        frame.paste(7 if format_ == "GIF" else RED, (n, 10, n + 20, 30))
    return encode(frames[0], format_, save_all=True, append_images=frames[1:], duration=80, loop=0, **options)


def decode(image: Image) -> PIL.Image.Image:
    found = PIL.Image.open(io.BytesIO(image.data))
    found.load()
    return found


def upright(image: Image) -> PIL.Image.Image:
    """Decode an image as it is displayed."""
    return PIL.ImageOps.exif_transpose(decode(image))


def seen(data: bytes) -> list[tuple[bytes, Any, Any]]:
    """Return each frame's visible pixels and duration, and the number of loops."""
    frames = []
    with PIL.Image.open(io.BytesIO(data)) as image:
        for n in range(getattr(image, "n_frames", 1)):
            image.seek(n)
            frames.append((image.convert("RGBA").tobytes(), image.info.get("duration"), image.info.get("loop")))
    return frames


def corners(image: PIL.Image.Image) -> list[str]:
    """Return the names of the colours of the four quarters, row by row."""
    width, height = image.size
    names = []
    for y in (height // 4, height * 3 // 4):
        for x in (width // 4, width * 3 // 4):
            red, green, blue = (value > 125 for value in image.convert("RGB").getpixel((x, y)))
            names.append(
                {(1, 0, 0): "red", (0, 1, 0): "green", (0, 0, 1): "blue", (1, 1, 1): "white"}[red, green, blue]
            )
    return names


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, data: bytes, *, depth: int = 1, colour: int = 0, interlaced: int = 0) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return png_of(png_chunk(b"IHDR", header), png_chunk(b"IDAT", data))


def png_of(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + png_chunk(b"IEND", b"")


def packed_zeros(length: int) -> bytes:
    """Return a number of zero bytes as zlib data, built from repeated pieces."""
    pack = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    piece = pack.compress(bytes(1_000_000)) + pack.flush(zlib.Z_FULL_FLUSH)
    rest = pack.compress(bytes(length % 1_000_000)) + pack.flush()
    return b"\x78\xda" + piece * (length // 1_000_000) + rest + struct.pack(">HH", length % 65_521, 1)


def gif(*blocks: bytes) -> bytes:
    return b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff" + b"".join(blocks) + b";"


def gif_frame(side: int) -> bytes:
    """Write a frame that is cleared after its display, with data for its first pixel only."""
    control = b"\x21\xf9\4\x08\0\0\0\0"
    return control + b"\x2c" + struct.pack("<HHHH", 0, 0, side, side) + b"\0\2\2\x44\1\0"


def webp_chunk(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def riff(*chunks: bytes) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def put_in(data: bytes, at: int, more: bytes) -> bytes:
    return data[:at] + more + data[at:]


def is_taken(data: bytes) -> bool:
    try:
        check_upload(data)
    except InvalidImage:
        return False
    return True


def _fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def profile(space: bytes = b"RGB ", padding: int = 0) -> bytes:
    """Write an ICC profile: the primaries of Display P3 and the curve of sRGB."""
    curve = b"para\0\0\0\0" + struct.pack(">HH", 3, 0) + _fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    points = {
        b"wtpt": (0.9642, 1, 0.82491),
        b"rXYZ": (0.51512, 0.2412, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.1571, 0.06657, 0.78407),
    }
    tags = {name: b"XYZ \0\0\0\0" + _fixed(*values) for name, values in points.items()}
    tags[b"desc"] = b"desc\0\0\0\0" + struct.pack(">I", 3) + b"P3\0" + bytes(79)
    tags[b"cprt"] = b"text\0\0\0\0none\0\0\0\0"
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    tags |= {b"pad ": bytes(padding)} if padding else {}
    table, body, start = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, value in tags.items():
        table += name + struct.pack(">II", start + len(body), len(value))
        body += value + b"\0" * (-len(value) % 4)
    head = struct.pack(">I4sI4s4s4s", start + len(body), bytes(4), 0x02400000, b"mntr", space, b"XYZ ")
    return head + bytes(12) + b"acsp" + bytes(28) + _fixed(0.9642, 1, 0.8249) + bytes(48) + table + body
