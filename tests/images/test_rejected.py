"""Rejected uploads, and the low cost of rejecting them."""

import base64
import random
import struct
import sys
import zlib
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import PIL.Image
import pytest

from mailtrack import ImageTooLarge, InvalidImage, UnsupportedImage
from mailtrack._images import check as images
from mailtrack._images.check import MAX_BYTES, check_upload
from mailtrack.testing._contract.forks import in_child

from .makers import (
    BLUE,
    FORMATS,
    GREEN,
    RED,
    SECRET,
    animation,
    encode,
    gif,
    gif_frame,
    gradients,
    is_taken,
    packed_zeros,
    photo,
    png,
    png_chunk,
    put_in,
    quarters,
    riff,
    webp_chunk,
)


def _jpeg(width: int, height: int, *, grey: bool = False, scans: int = 1, **options: object) -> bytes:
    """Write a JPEG that is smaller than its header states."""
    data = encode(PIL.Image.new("L" if grey else "RGB", (16, 16)), "JPEG", **options)
    start = data.index(b"\xff\xc2" if "progressive" in options else b"\xff\xc0") + 5
    data = data[:start] + struct.pack(">HH", height, width) + data[start + 4 :]
    if scans > 1:  # the first scan has one colour only
        scan = data.index(b"\xff\xda")
        data = data[:scan] + b"\xff\xda\0\x08\1\1\0\0\x3f\0" + data[scan + 14 :]
    return data


_VP8 = b"\0\0\0\x9d\1\x2a" + struct.pack("<HH", 7_100, 7_100)
_VP8_SMALLER = b"\0\0\0\x9d\1\x2a" + struct.pack("<HH", 3_600, 3_500)
_VP8L = b"\x2f" + struct.pack("<I", 3_599 | 3_499 << 14)
_VP8X = b"\x10\0\0\0" + (3_599).to_bytes(3, "little") + (3_499).to_bytes(3, "little")
_EACH_FRAME = {"WEBP": {"kmin": 1, "kmax": 1, "lossless": True}}


class TestWhatIsRefused:
    @pytest.mark.parametrize("format_", ["BMP", "TIFF", "EPS", "PDF", "ICO", "PPM", "TGA"])
    def test_other_formats(self, format_: str) -> None:
        with pytest.raises(UnsupportedImage):
            check_upload(encode(quarters(), format_))

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
            b" " + encode(quarters(), "PNG"),
        ],
    )
    def test_what_is_no_image(self, data: bytes) -> None:
        with pytest.raises(UnsupportedImage):
            check_upload(data)

    def test_an_empty_file(self) -> None:
        with pytest.raises(InvalidImage, match="empty"):
            check_upload(b"")

    def test_a_file_of_too_many_bytes(self) -> None:
        with pytest.raises(ImageTooLarge) as caught:
            check_upload(encode(quarters(), "PNG").ljust(MAX_BYTES + 1, b"\0"))
        assert caught.value.limit == 5_242_880

    def test_a_file_of_just_not_too_many_bytes_is_taken(self) -> None:
        assert check_upload(encode(quarters(), "PNG").ljust(MAX_BYTES, b"\0")).media_type == "image/png"

    @pytest.mark.parametrize("format_", FORMATS)
    def test_a_image_cut_anywhere(self, format_: str) -> None:
        data = encode(quarters(), format_)
        taken = [end for end in range(12, len(data)) if is_taken(data[:end])]
        assert taken == []

    @pytest.mark.parametrize("format_", ["GIF", "WEBP", "PNG"])
    def test_an_animation_cut_anywhere(self, format_: str) -> None:
        data = animation(format_, [RED, GREEN, BLUE], duration=100)
        taken = [end for end in range(12, len(data)) if is_taken(data[:end])]
        assert taken == []

    def test_a_png_with_a_wrong_checksum(self) -> None:
        data = bytearray(encode(quarters(), "PNG"))
        data[data.index(b"IDAT") + 6] ^= 1
        with pytest.raises(InvalidImage):
            check_upload(bytes(data))

    def test_a_png_that_is_damaged_after_its_image(self) -> None:
        data = encode(quarters(), "PNG")
        chunk = png_chunk(b"tEXt", b"Comment\0zebra")
        end = data.index(b"IEND") - 4
        assert is_taken(data[:end] + chunk + data[end:])
        assert not is_taken(data[:end] + chunk[:-1] + b"\0" + data[end:])

    def test_a_script_that_begins_like_a_gif(self) -> None:
        with pytest.raises(InvalidImage):
            check_upload(b"GIF89a/*" + b"\x00" * 50 + b"*/=1;alert(document.domain)//;")

    def test_a_small_png_that_claims_to_be_huge(self) -> None:
        data = png(30_000, 30_000, zlib.compress(b"\0" * 10))
        assert len(data) < 100
        with pytest.raises(InvalidImage, match="50,000,000 pixels"):
            check_upload(data)

    def test_a_png_that_is_small_in_bytes_and_large_in_pixels(self) -> None:
        data = png(12_000, 12_000, zlib.compress(b"\0" * (12_000 * 1501), 9))
        assert len(data) < 20_000
        with pytest.raises(InvalidImage, match="50,000,000 pixels"):
            check_upload(data)

    @pytest.mark.parametrize(
        ("limit", "data"),
        [
            pytest.param("50,000,000", _jpeg(7_100, 7_100), id="JPEG"),
            pytest.param("37,500,000", _jpeg(6_200, 6_100, progressive=True, grey=True), id="grey progressive JPEG"),
            pytest.param("25,000,000", _jpeg(5_001, 5_000, progressive=True), id="progressive JPEG"),
            pytest.param(
                "12,500,000", _jpeg(3_600, 3_500, progressive=True, subsampling=0), id="the same, all colours"
            ),
            pytest.param("12,500,000", _jpeg(3_600, 3_500, subsampling=0, scans=3), id="JPEG with a scan a colour"),
            pytest.param("50,000,000", png(7_100, 7_100, b""), id="PNG"),
            pytest.param("25,000,000", png(5_001, 5_000, b"", depth=16, colour=6), id="PNG of 64 bits a pixel"),
            pytest.param("50,000,000", gif(gif_frame(7_100)), id="GIF"),
            pytest.param("50,000,000", riff(webp_chunk(b"VP8 ", _VP8)), id="WebP"),
            pytest.param("12,500,000", riff(webp_chunk(b"VP8L", _VP8L)), id="lossless WebP"),
            pytest.param(
                "12,500,000",
                riff(webp_chunk(b"VP8X", _VP8X), webp_chunk(b"ALPH", b"\0"), webp_chunk(b"VP8 ", _VP8_SMALLER)),
                id="transparent WebP",
            ),
        ],
    )
    def test_a_image_of_too_many_pixels(self, limit: str, data: bytes) -> None:
        with pytest.raises(InvalidImage, match=f"at most {limit} pixels"):
            check_upload(data)

    def test_ten_thousand_frames(self) -> None:
        block = (
            b"\x21\xf9\x04\x00\x01\x00\x00\x00" + b"\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00" + b"\x02\x02\x44\x01\x00"
        )
        data = b"GIF89a\x01\x00\x01\x00\x80\x00\x00" + b"\x00\x00\x00\xff\xff\xff" + block * 10_000 + b";"
        with pytest.raises(InvalidImage, match="1,000 frames"):
            check_upload(data)

    @pytest.mark.parametrize("format_", ["PNG", "WEBP"])
    def test_too_many_frames(self, format_: str) -> None:
        pictures = [PIL.Image.new("L", (1, 1), n % 2 * 255) for n in range(1_001)]
        data = encode(pictures[0], format_, save_all=True, append_images=pictures[1:], **_EACH_FRAME.get(format_, {}))
        with pytest.raises(InvalidImage, match="1,000 frames"):
            check_upload(data)

    def test_an_animation_with_too_many_pixels_in_all_its_frames(self) -> None:
        with pytest.raises(InvalidImage, match="50,000,000 pixels"):
            check_upload(gif(gif_frame(5_100), gif_frame(5_100)))

    def test_a_jpeg_with_two_sizes(self) -> None:
        data = encode(quarters(), "JPEG")
        start = data.index(b"\xff\xc0")
        assert not is_taken(put_in(data, start, data[start : start + 19]))

    @pytest.mark.parametrize("format_", ["PNG", "JPEG", "GIF", "WEBP"])
    def test_a_image_whose_data_is_damaged(self, format_: str) -> None:
        data = encode(photo(60, 60), format_, **({"lossless": True} if format_ == "WEBP" else {}))
        middle = len(data) // 2
        assert not is_taken(data[:middle] + b"\xff" * 40 + data[middle + 40 :])

    def test_a_webp_is_decoded_by_pillow_where_its_library_can_not_be_reached(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(images, "_find_libwebp", lambda: None)
        data = encode(photo(60, 60), "WEBP", lossless=True)
        middle = len(data) // 2
        assert is_taken(data)
        assert not is_taken(data[:middle] + b"\xff" * 40 + data[middle + 40 :])

    @pytest.mark.parametrize("executable", [sys.executable, "", "/no/such/python", "/bin/true"])
    def test_a_jpeg_is_decoded_in_a_process_of_its_own_where_that_can_be_started(
        self, monkeypatch: pytest.MonkeyPatch, executable: str
    ) -> None:
        monkeypatch.setattr(images, "_MAX_BUFFERED", 0)
        monkeypatch.setattr(sys, "executable", executable)
        data = encode(photo(60, 60), "JPEG", progressive=True)
        assert is_taken(data)
        middle = data.index(b"\xff\xda")
        assert not is_taken(data[:middle] + b"\xff\xc4\0\5\1\2\3" + data[middle:])

    def test_a_process_that_decodes_a_jpeg_says_whether_it_is_whole(self) -> None:
        data = encode(photo(60, 60), "JPEG", progressive=True)
        assert images._decode_in_child(data)
        with pytest.raises(InvalidImage):
            images._decode_in_child(data[:300])

    @pytest.mark.parametrize("extra", [1_000_000, 100_000_000])
    def test_a_png_whose_data_unfolds_to_more_than_its_image(self, extra: int) -> None:
        assert not is_taken(png(8, 8, packed_zeros(16 + extra)))

    @pytest.mark.parametrize(("depth", "colour"), [(3, 0), (1, 2), (16, 3), (4, 4), (8, 5), (8, 3)])
    def test_a_png_of_no_known_kind(self, depth: int, colour: int) -> None:
        assert not is_taken(png(8, 8, zlib.compress(bytes(1_000)), depth=depth, colour=colour))

    def test_a_png_with_an_unknown_filter_in_any_of_its_rows(self) -> None:
        for row in range(8):
            rows = bytearray(16)
            rows[row * 2] = 5
            assert not is_taken(png(8, 8, zlib.compress(rows)))

    @pytest.mark.parametrize("interlaced", [0, 1])
    def test_a_png_whose_data_ends_early(self, interlaced: int) -> None:
        assert not is_taken(png(8, 8, zlib.compress(bytes(14)), interlaced=interlaced))

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param((b"fcTL", 0, 3), id="number"),
            pytest.param((b"fcTL", 7, 9), id="width"),
            pytest.param((b"fcTL", 24, 3), id="way to clear it"),
            pytest.param((b"fcTL", 25, 2), id="way to lay it over the last"),
            pytest.param((b"fdAT", 3, 9), id="number of the data"),
        ],
    )
    def test_an_animated_png_with_a_wrong_frame(self, change: tuple[bytes, int, int]) -> None:
        kind, place, value = change
        data = animation("PNG", [RED, GREEN, BLUE], duration=100)
        start = data.rindex(kind)
        length = int.from_bytes(data[start - 4 : start])
        content = bytearray(data[start + 4 : start + 4 + length])
        content[place] = value
        assert not is_taken(data[: start - 4] + png_chunk(kind, bytes(content)) + data[start + 8 + length :])

    def test_a_webp_with_a_frame_beyond_its_edge(self) -> None:
        data = animation("WEBP", [RED, GREEN])
        place = data.rindex(b"ANMF") + 8
        assert is_taken(data)
        assert not is_taken(data[:place] + b"\1" + data[place + 1 :])

    @pytest.mark.parametrize("format_", ["GIF", "WEBP"])
    def test_a_file_without_any_image(self, format_: str) -> None:
        assert not is_taken(gif() if format_ == "GIF" else riff(webp_chunk(b"VP8X", b"\2\0\0\0\0\0\0\0\0\0")))

    def test_an_error_does_not_repeat_what_was_given(self) -> None:
        with pytest.raises(InvalidImage) as caught:
            check_upload(b"GIF89a" + SECRET)
        assert SECRET.decode() not in str(caught.value)

    def test_after_a_refusal_the_next_is_taken(self) -> None:
        with pytest.raises(InvalidImage):
            check_upload(b"GIF89a" + SECRET)
        assert check_upload(encode(quarters(), "GIF")).media_type == "image/gif"


def _texts() -> bytes:
    """Write texts of a PNG, 1 MB each, with a character that makes Python use four bytes for every character."""
    text = zlib.compress(b"a" * 1_000_000 + "\U0001f600".encode())
    return b"".join(png_chunk(b"iTXt", b"k%d\0\1\0\0\0" % n + text) for n in range(60))


def _noisy_webp(size: tuple[int, int], **options: object) -> bytes:
    """Write an image with transparency of which a quarter can't be compressed."""
    image, length = gradients("RGBA", size), size[0] * size[1]
    image.putalpha(PIL.Image.frombytes("L", size, random.Random(1).randbytes(length // 4).ljust(length, b"\7")))
    return encode(image, "WEBP", quality=5, method=0, **options)


def _turned_webp(size: tuple[int, int]) -> bytes:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    return _noisy_webp(size, exif=exif)


def _of_refinements() -> bytes:
    """Write a progressive JPEG of 24.8 megapixels with the maximum number of scans, all empty."""
    data = _jpeg(6_200, 4_000, progressive=True)
    table = b"\xff\xc4\0\x14\x10\1" + bytes(15) + b"\xe0"  # one code: no change in 32,767 blocks
    runs = int("0" + "1" * 14, 2) * sum(1 << 15 * n for n in range(16))
    scan = b"\xff\xda\0\x08\1\1\0\1\x3f\x10" + runs.to_bytes(30).replace(b"\xff", b"\xff\0")
    return data[:-2] + table + scan * (32 - data.count(b"\xff\xda")) + b"\xff\xd9"


def _memory(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024


class TestBombs:
    """Decompression bombs, and the most expensive accepted images."""

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            pytest.param(lambda: gif(gif_frame(13_000)), "pixels", id="GIF that is larger than it says"),
            pytest.param(lambda: gif(gif_frame(1), gif_frame(13_000)), "pixels", id="GIF that grows"),
            pytest.param(lambda: gif(b"\x21\xfe\1a\0" * 1_000_000), "parts", id="GIF of comments"),
            pytest.param(lambda: gif(b"\x21\xfe" + b"\1a" * 2_500_000 + b"\0", gif_frame(1)), "", id="GIF of pieces"),
            pytest.param(lambda: put_in(encode(quarters(), "PNG"), 33, _texts()), "", id="PNG of texts"),
            pytest.param(
                lambda: put_in(encode(quarters(), "PNG"), 33, png_chunk(b"IDAT", b"") * 400_000),
                "parts",
                id="PNG of empty chunks",
            ),
            pytest.param(
                lambda: put_in(encode(quarters(), "JPEG"), 2, b"\xff\xe5\0\2" * 1_200_000),
                "parts",
                id="JPEG of empty segments",
            ),
            pytest.param(
                lambda: put_in(encode(quarters(), "JPEG"), -2, b"\xff\xda\0\x08\1\1\0\1\x3f\0\0" * 100),
                "scans",
                id="JPEG of many scans",
            ),
            pytest.param(lambda: _jpeg(4_080, 3_060, progressive=True, subsampling=0), "", id="JPEG"),
            pytest.param(_of_refinements, "", id="JPEG of as many scans as may be"),
            pytest.param(
                lambda: png(10_000, 5_000, packed_zeros(200_005_000), depth=8, colour=6), "", id="PNG of zeros"
            ),
            pytest.param(lambda: encode(PIL.Image.new("L", (10_000, 5_000)), "GIF"), "", id="GIF"),
            pytest.param(
                lambda: encode(gradients("RGB", (4_080, 3_060)), "WEBP", lossless=True, quality=0, method=0),
                "",
                id="lossless WebP",
            ),
            pytest.param(lambda: _noisy_webp((4_080, 3_060)), "", id="transparent WebP"),
            pytest.param(lambda: _turned_webp((1_600, 1_250)), "", id="WebP to be turned"),
        ],
    )
    @pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs /proc to see the greatest memory")
    def test_memory_is_bounded(self, make: Callable[[], bytes], message: str) -> None:
        data = make()
        assert len(data) <= MAX_BYTES

        def task() -> None:
            for format_ in FORMATS:
                check_upload(encode(quarters(), format_))  # triggers Pillow's lazy imports
            Path("/proc/self/clear_refs").write_text("5")  # reset the peak
            before = _memory("VmRSS")
            with pytest.raises(InvalidImage, match=message) if message else nullcontext():
                check_upload(data)
            assert _memory("VmHWM") - before < 74 * 2**20  # of 96 MiB; the rest is for bodies being read

        assert in_child(task) == ""


def test_a_side_that_takes_decoders_minutes() -> None:
    """The canvas has 16,515,074 x 2 pixels, fewer than are allowed."""
    data = base64.b64decode(
        "UklGRoQAAABXRUJQVlA4WAoAAAACAAAAAQD8AQAAQU5JTQYAAAAAAAAAAABBTk1GKAAAAAAAAAAAAAEAAAEAADIAAA"
        "JVUDhMDwAAAC8BQAAABxDVj/4HIqL/AQBBTk1GKAAAAAAAAAAAAAEAAAEAADIAAABWUDhMDwAAAC8BQAAAB1D9iP4H"
        "IqL/AQA="
    )
    with pytest.raises(InvalidImage):
        check_upload(data)
