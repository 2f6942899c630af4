"""Uploads, each built here with Pillow: what is refused, and what is left of those that are taken."""

import io
import random
import struct
import zlib
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import PIL.Image
import PIL.PngImagePlugin
import pytest

from mailtrack import Image, ImageTooLarge, InvalidImage, UnsupportedImage
from mailtrack.images import EXTENSIONS, MAX_BYTES, TRANSPARENT_PNG, check_upload
from mailtrack.picture_files.parts import MAX_FRAMES, MAX_PIXELS
from mailtrack.testing.contract.lifecycle import in_child

RED, GREEN, BLUE, WHITE = (250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 250)
SECRET = b"zebra-in-the-park"
MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp"}
FORMATS = list(MEDIA_TYPES)


def _quarters(width: int = 32, height: int = 16) -> PIL.Image.Image:
    """Draw a picture whose four quarters have four colours."""
    image = PIL.Image.new("RGB", (width, height), WHITE)
    image.paste(RED, (0, 0, width // 2, height // 2))
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    return image


def _encode(image: PIL.Image.Image, format_: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format_, **({"quality": 95} if format_ in ("JPEG", "WEBP") else {}) | options)
    return out.getvalue()


def _animation(format_: str, colours: list[tuple[int, int, int]], **options: Any) -> bytes:
    frames = [PIL.Image.new("RGB", (8, 8), colour) for colour in colours]
    if format_ == "WEBP":
        options |= {"lossless": True}
    return _encode(frames[0], format_, save_all=True, append_images=frames[1:], **options)


def _decode(image: Image) -> PIL.Image.Image:
    found = PIL.Image.open(io.BytesIO(image.data))
    found.load()
    return found


def _corners(image: PIL.Image.Image) -> list[str]:
    """Name the colours of the four quarters, row by row."""
    width, height = image.size
    names = []
    for y in (height // 4, height * 3 // 4):
        for x in (width // 4, width * 3 // 4):
            red, green, blue = (value > 125 for value in image.convert("RGB").getpixel((x, y)))
            names.append(
                {(1, 0, 0): "red", (0, 1, 0): "green", (0, 0, 1): "blue", (1, 1, 1): "white"}[red, green, blue]
            )
    return names


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, data: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = _png_chunk(b"IHDR", header) + _png_chunk(b"IDAT", data) + _png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


class TestTransparentPng:
    def test_it_is_one_transparent_pixel(self) -> None:
        image = _decode(TRANSPARENT_PNG)
        assert (image.format, image.size, image.convert("RGBA").getpixel((0, 0))[3]) == ("PNG", (1, 1), 0)

    def test_it_is_small(self) -> None:
        assert len(TRANSPARENT_PNG.data) < 100


class TestWhatIsTaken:
    @pytest.mark.parametrize("format_", FORMATS)
    def test_a_picture_keeps_its_format_size_and_colours(self, format_: str) -> None:
        taken = check_upload(_encode(_quarters(), format_))
        image = _decode(taken)
        assert (taken.media_type, image.format, image.size) == (MEDIA_TYPES[format_], format_, (32, 16))
        assert _corners(image) == ["red", "green", "blue", "white"]

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
    def test_a_png_of_any_mode_keeps_its_pixels(self, mode: str) -> None:
        source = _quarters().convert("RGB" if mode != "I;16" else "L").convert(mode)
        found = _decode(check_upload(_encode(source, "PNG")))
        assert found.convert("RGBA").tobytes() == source.convert("RGBA").tobytes()

    @pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
    def test_a_jpeg_of_any_mode_keeps_its_colours(self, mode: str) -> None:
        found = _decode(check_upload(_encode(_quarters().convert(mode), "JPEG")))
        if mode != "L":
            assert _corners(found) == ["red", "green", "blue", "white"]
        assert found.size == (32, 16)

    @pytest.mark.parametrize("format_", ["PNG", "GIF", "WEBP"])
    def test_transparency_is_kept(self, format_: str) -> None:
        image = _quarters().convert("RGBA")
        image.putpixel((0, 0), (0, 0, 0, 0))
        found = _decode(check_upload(_encode(image, format_, **({"lossless": True} if format_ == "WEBP" else {}))))
        alpha = [found.convert("RGBA").getpixel(place)[3] for place in ((0, 0), (1, 1))]
        assert alpha == [0, 255]

    @pytest.mark.parametrize("format_", ["GIF", "WEBP"])
    def test_an_animation_keeps_its_frames_and_their_times(self, format_: str) -> None:
        data = _animation(format_, [RED, GREEN, BLUE], duration=[100, 200, 300], loop=3)
        found = PIL.Image.open(io.BytesIO(check_upload(data).data))
        frames = []
        for n in range(found.n_frames):
            found.seek(n)
            found.load()
            frames.append((_corners(found)[0], found.info["duration"]))
        assert frames == [("red", 100), ("green", 200), ("blue", 300)]
        assert found.info["loop"] == 3

    def test_an_animation_that_draws_only_what_changed_keeps_its_pictures(self) -> None:
        first, second = PIL.Image.new("P", (8, 8), 0), PIL.Image.new("P", (8, 8), 0)
        first.putpalette([*RED, *GREEN, *BLUE])
        second.putpalette([*RED, *GREEN, *BLUE])
        second.putpixel((7, 7), 1)
        data = _encode(first, "GIF", save_all=True, append_images=[second], duration=50, disposal=1)
        found = PIL.Image.open(io.BytesIO(check_upload(data).data))
        found.seek(1)
        assert [found.convert("RGB").getpixel(place) for place in ((0, 0), (7, 7))] == [RED, GREEN]

    def test_an_animation_with_transparent_frames_keeps_its_pictures(self) -> None:
        left, right = PIL.Image.new("RGBA", (8, 8)), PIL.Image.new("RGBA", (8, 8))
        left.paste((*RED, 255), (0, 0, 4, 8))
        right.paste((*GREEN, 255), (4, 0, 8, 8))
        data = _encode(left, "GIF", save_all=True, append_images=[right], duration=50, disposal=2)
        found = PIL.Image.open(io.BytesIO(check_upload(data).data))
        found.seek(1)
        assert [found.convert("RGBA").getpixel(place)[3] for place in ((0, 0), (7, 7))] == [0, 255]

    @pytest.mark.parametrize(("limit", "frames"), [("frames", MAX_FRAMES), ("pixels", 2)])
    def test_an_animation_up_to_its_limits_is_taken(self, limit: str, frames: int) -> None:
        size = (1, 1) if limit == "frames" else (2000, MAX_PIXELS // 2000 // frames)
        pictures = [PIL.Image.new("L", size, n % 2 * 255) for n in range(frames)]
        data = _encode(pictures[0], "GIF", save_all=True, append_images=pictures[1:])
        assert PIL.Image.open(io.BytesIO(check_upload(data).data)).n_frames == frames

    @pytest.mark.parametrize(
        "options", [{"progressive": True}, {"restart_marker_blocks": 1}, {"keep_rgb": True}], ids=str
    )
    def test_pictures_of_all_kinds_of_jpeg_are_whole(self, options: dict[str, Any]) -> None:
        image = _decode(check_upload(_encode(_quarters(), "JPEG", **options)))
        assert _corners(image) == ["red", "green", "blue", "white"]

    def test_content_decides_whatever_a_name_may_say(self) -> None:
        assert check_upload(_encode(_quarters(), "PNG")).media_type == "image/png"

    def test_what_was_taken_is_taken_again(self) -> None:
        for format_ in FORMATS:
            once = check_upload(_encode(_quarters(), format_))
            assert check_upload(once.data).media_type == once.media_type

    @pytest.mark.parametrize("media_type", MEDIA_TYPES.values())
    def test_every_media_type_has_its_extension(self, media_type: str) -> None:
        assert media_type in EXTENSIONS


class TestWhatIsLeftOut:
    @pytest.mark.parametrize("format_", FORMATS)
    def test_bytes_after_the_end(self, format_: str) -> None:
        data = _encode(_quarters(), format_) + SECRET
        assert SECRET not in check_upload(data).data

    @pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP"])
    def test_exif_data_with_a_place(self, format_: str) -> None:
        exif = PIL.Image.Exif()
        exif[0x010E] = SECRET.decode()  # ImageDescription
        exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 29.5), 3: "E", 4: (2.0, 17.0, 40.2)})  # GPSInfo
        data = _encode(_quarters(), format_, exif=exif)
        assert SECRET in data
        taken = check_upload(data)
        assert SECRET not in taken.data
        assert dict(_decode(taken).getexif()) == {}

    @pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP"])
    def test_colour_profiles(self, format_: str) -> None:
        data = _encode(_quarters(), format_, icc_profile=SECRET * 10)
        assert "icc_profile" not in _decode(check_upload(data)).info

    @pytest.mark.parametrize("format_", ["JPEG", "GIF"])
    def test_comments(self, format_: str) -> None:
        data = _encode(_quarters(), format_, comment=SECRET)
        assert SECRET in data
        assert SECRET not in check_upload(data).data

    def test_comments_of_animations(self) -> None:
        data = _animation("GIF", [RED, GREEN], comment=SECRET)
        assert SECRET in data
        assert SECRET not in check_upload(data).data

    def test_text_chunks(self) -> None:
        info = PIL.PngImagePlugin.PngInfo()
        info.add_text("Comment", SECRET.decode())
        info.add_itxt("XML:com.adobe.xmp", SECRET.decode())
        data = _encode(_quarters(), "PNG", pnginfo=info)
        assert SECRET in data
        assert SECRET not in check_upload(data).data

    @pytest.mark.parametrize("format_", ["JPEG", "WEBP"])
    def test_xmp(self, format_: str) -> None:
        data = _encode(_quarters(), format_, xmp=SECRET)
        assert SECRET in data
        assert SECRET not in check_upload(data).data

    def test_script_in_a_gif_that_is_also_a_script(self) -> None:
        # The comment makes a script of a whole picture: `GIF89a` is a name, and the rest a string.
        data = _encode(_quarters(), "GIF", comment=b"*/=1;alert(1);/*")
        assert b"alert" in data
        assert b"alert" not in check_upload(data).data


class TestOrientation:
    @pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
    @pytest.mark.parametrize(
        ("orientation", "expected"),
        [
            (1, ["red", "green", "blue", "white"]),
            (2, ["green", "red", "white", "blue"]),
            (3, ["white", "blue", "green", "red"]),
            (4, ["blue", "white", "red", "green"]),
            (5, ["red", "blue", "green", "white"]),
            (6, ["blue", "red", "white", "green"]),
            (7, ["white", "green", "blue", "red"]),
            (8, ["green", "white", "red", "blue"]),
        ],
    )
    def test_a_rotation_is_applied(self, format_: str, orientation: int, expected: list[str]) -> None:
        exif = PIL.Image.Exif()
        exif[0x0112] = orientation
        image = _decode(check_upload(_encode(_quarters(), format_, exif=exif)))
        assert _corners(image) == expected
        assert image.size == ((32, 16) if orientation < 5 else (16, 32))

    @pytest.mark.parametrize(
        "exif",
        [
            pytest.param(b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0", id="big-endian"),
            pytest.param(b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0", id="little-endian"),
        ],
    )
    def test_it_is_read_in_either_order_of_bytes(self, exif: bytes) -> None:
        assert _corners(_decode(check_upload(_encode(_quarters(), "JPEG", exif=b"Exif\0\0" + exif))))[0] == "blue"

    @pytest.mark.parametrize(
        "exif",
        [
            pytest.param(b"", id="nothing"),
            pytest.param(b"MM\0*\xff\xff\xff\xff", id="far away"),
            pytest.param(b"II*\0\4\0\0\0\xff\xff", id="entries that are not there"),
            pytest.param(b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\x63\0\0", id="99"),
        ],
    )
    def test_a_malformed_one_turns_nothing(self, exif: bytes) -> None:
        image = _decode(check_upload(_encode(_quarters(), "JPEG", exif=b"Exif\0\0" + exif)))
        assert _corners(image) == ["red", "green", "blue", "white"]


class TestWhatIsRefused:
    @pytest.mark.parametrize("format_", ["BMP", "TIFF", "EPS", "PDF", "ICO", "PPM", "TGA"])
    def test_other_formats(self, format_: str) -> None:
        with pytest.raises(UnsupportedImage):
            check_upload(_encode(_quarters(), format_))

    @pytest.mark.parametrize(
        "data",
        [
            b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
            b"<?xml version='1.0'?><svg/>",
            b"<!doctype html><script>alert(1)</script>",
            b"%PDF-1.7\n",
            b"%!PS-Adobe-3.0 EPSF-3.0\n",
            b"x",
            b"RIFF\x00\x00\x00\x00WAVE",
            b"\x00" * 100,
            b" " + _encode(_quarters(), "PNG"),
        ],
    )
    def test_what_is_no_picture(self, data: bytes) -> None:
        with pytest.raises(UnsupportedImage):
            check_upload(data)

    def test_an_empty_file(self) -> None:
        with pytest.raises(InvalidImage, match="empty"):
            check_upload(b"")

    def test_a_file_of_too_many_bytes(self) -> None:
        with pytest.raises(ImageTooLarge) as caught:
            check_upload(_encode(_quarters(), "PNG").ljust(MAX_BYTES + 1, b"\0"))
        assert caught.value.limit == 5_242_880

    def test_a_file_of_just_not_too_many_bytes_is_taken(self) -> None:
        assert check_upload(_encode(_quarters(), "PNG").ljust(MAX_BYTES, b"\0")).media_type == "image/png"

    @pytest.mark.parametrize("format_", FORMATS)
    def test_a_picture_cut_anywhere(self, format_: str) -> None:
        data = _encode(_quarters(), format_)
        taken = [end for end in range(12, len(data)) if _is_taken(data[:end])]
        assert taken == []

    @pytest.mark.parametrize("format_", ["GIF", "WEBP", "PNG"])
    def test_an_animation_cut_anywhere(self, format_: str) -> None:
        data = _animation(format_, [RED, GREEN, BLUE], duration=100)
        taken = [end for end in range(12, len(data)) if _is_taken(data[:end])]
        assert taken == []

    def test_a_png_with_a_wrong_checksum(self) -> None:
        data = bytearray(_encode(_quarters(), "PNG"))
        data[data.index(b"IDAT") + 6] ^= 1
        with pytest.raises(InvalidImage):
            check_upload(bytes(data))

    def test_a_png_that_is_damaged_after_its_picture(self) -> None:
        data = _encode(_quarters(), "PNG")
        chunk = _png_chunk(b"tEXt", b"Comment\0zebra")
        end = data.index(b"IEND") - 4
        assert _is_taken(data[:end] + chunk + data[end:])
        assert not _is_taken(data[:end] + chunk[:-1] + b"\0" + data[end:])

    def test_a_script_that_begins_like_a_gif(self) -> None:
        with pytest.raises(InvalidImage):
            check_upload(b"GIF89a/*" + b"\x00" * 50 + b"*/=1;alert(document.domain)//;")

    def test_a_small_png_that_claims_to_be_huge(self) -> None:
        data = _png(30_000, 30_000, zlib.compress(b"\0" * 10))
        assert len(data) < 100
        with pytest.raises(InvalidImage):
            check_upload(data)

    def test_a_png_that_is_small_in_bytes_and_large_in_pixels(self) -> None:
        data = _png(12_000, 12_000, zlib.compress(b"\0" * (12_000 * 1501), 9))
        assert len(data) < 20_000
        with pytest.raises(InvalidImage):
            check_upload(data)

    @pytest.mark.parametrize("format_", FORMATS)
    def test_a_picture_of_too_many_pixels(self, format_: str) -> None:
        data = _encode(PIL.Image.new("L", (3001, 2000)), format_)
        with pytest.raises(InvalidImage, match="2,100,000 pixels" if format_ == "WEBP" else "6,000,000 pixels"):
            check_upload(data)

    def test_ten_thousand_frames(self) -> None:
        block = (
            b"\x21\xf9\x04\x00\x01\x00\x00\x00" + b"\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00" + b"\x02\x02\x44\x01\x00"
        )
        data = b"GIF89a\x01\x00\x01\x00\x80\x00\x00" + b"\x00\x00\x00\xff\xff\xff" + block * 10_000 + b";"
        with pytest.raises(InvalidImage, match="200 frames"):
            check_upload(data)

    def test_an_animation_with_too_many_pixels_in_all_its_frames(self) -> None:
        pictures = [PIL.Image.new("L", (1500, 2001), n * 255) for n in range(2)]
        data = _encode(pictures[0], "GIF", save_all=True, append_images=pictures[1:])
        with pytest.raises(InvalidImage, match="6,000,000 pixels"):
            check_upload(data)

    def test_an_error_does_not_repeat_what_was_given(self) -> None:
        with pytest.raises(InvalidImage) as caught:
            check_upload(b"GIF89a" + SECRET)
        assert SECRET.decode() not in str(caught.value)

    def test_after_a_refusal_the_next_is_taken(self) -> None:
        with pytest.raises(InvalidImage):
            check_upload(b"GIF89a" + SECRET)
        assert check_upload(_encode(_quarters(), "GIF")).media_type == "image/gif"


def _gif(*frames: bytes) -> bytes:
    return b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff" + b"".join(frames) + b";"


def _gif_frame(side: int) -> bytes:
    """Write a frame that is to be wiped away after it was shown."""
    control = b"\x21\xf9\4\x08\0\0\0\0"
    return control + b"\x2c" + struct.pack("<HHHH", 0, 0, side, side) + b"\0\2\2\x44\1\0"


def _texts() -> bytes:
    """Write texts of a PNG, 1 MB each and with a character that makes Python take four bytes for all of them."""
    text = zlib.compress(b"a" * 1_000_000 + "\U0001f600".encode())
    return b"".join(_png_chunk(b"iTXt", b"k%d\0\1\0\0\0" % n + text) for n in range(60))


def _after_header(data: bytes, at: int, more: bytes) -> bytes:
    return data[:at] + more + data[at:]


def _gradients(mode: str, size: tuple[int, int]) -> PIL.Image.Image:
    bands = [PIL.Image.linear_gradient("L").resize(size), PIL.Image.radial_gradient("L").resize(size)] * 2
    return PIL.Image.merge(mode, bands[: len(mode)])


def _noisy_webp() -> bytes:
    """Write the picture that costs most: its transparency can't be compressed."""
    image = _gradients("RGBA", (1600, 1250))
    image.putalpha(PIL.Image.frombytes("L", image.size, random.Random(1).randbytes(1600 * 1250)))
    return _encode(image, "WEBP", quality=5, method=0)


def _memory(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024


class TestBombs:
    """What is small and would unfold, and the pictures that cost most of those that are taken."""

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            pytest.param(lambda: _gif(_gif_frame(13_000)), "pixels", id="GIF that is larger than it says"),
            pytest.param(lambda: _gif(_gif_frame(1), _gif_frame(13_000)), "pixels", id="GIF that grows"),
            pytest.param(lambda: _gif(b"\x21\xfe\1a\0" * 1_000_000), "parts", id="GIF of comments"),
            pytest.param(lambda: _gif(b"\x21\xfe" + b"\1a" * 2_500_000 + b"\0", _gif_frame(1)), "", id="GIF of pieces"),
            pytest.param(lambda: _after_header(_encode(_quarters(), "PNG"), 33, _texts()), "", id="PNG of texts"),
            pytest.param(
                lambda: _after_header(_encode(_quarters(), "PNG"), 33, _png_chunk(b"IDAT", b"") * 400_000),
                "parts",
                id="PNG of empty chunks",
            ),
            pytest.param(
                lambda: _after_header(_encode(_quarters(), "JPEG"), 2, b"\xff\xe5\0\2" * 1_200_000),
                "parts",
                id="JPEG of empty segments",
            ),
            pytest.param(
                lambda: _after_header(_encode(_quarters(), "JPEG"), -2, b"\xff\xda\0\x08\1\1\0\1\x3f\0\0" * 100),
                "scans",
                id="JPEG of many scans",
            ),
            pytest.param(
                lambda: _encode(_gradients("CMYK", (3000, 2000)), "JPEG", progressive=True), "", id="largest JPEG"
            ),
            pytest.param(
                lambda: _encode(_gradients("RGBA", (3000, 2000)), "PNG", compress_level=1), "", id="largest PNG"
            ),
            pytest.param(_noisy_webp, "", id="largest WebP"),
        ],
    )
    @pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs /proc to see the greatest memory")
    def test_memory_is_bounded(self, make: Callable[[], bytes], message: str) -> None:
        data = make()
        assert len(data) <= MAX_BYTES

        def task() -> None:
            for format_ in FORMATS:
                check_upload(_encode(_quarters(), format_))  # Pillow loads what it needs
            Path("/proc/self/clear_refs").write_text("5")  # forget the greatest memory so far
            before = _memory("VmRSS")
            with pytest.raises(InvalidImage, match=message) if message else nullcontext():
                check_upload(data)
            assert _memory("VmHWM") - before < 82 * 2**20  # and 14 MiB for bodies that are read meanwhile

        assert in_child(task) == ""


def _is_taken(data: bytes) -> bool:
    try:
        check_upload(data)
    except InvalidImage:
        return False
    return True
