"""Accepted uploads, and the equality of uploaded and served images, pixel by pixel."""

import io
import struct
import zlib
from typing import Any

import PIL.Image
import pytest

from mailtrack._images.check import EXTENSIONS, MAX_BYTES, TRANSPARENT_PNG, check_upload
from mailtrack._images.strip import common, jpeg

from .makers import (
    BLUE,
    FORMATS,
    GREEN,
    MEDIA_TYPES,
    RED,
    animation,
    corners,
    decode,
    encode,
    gif,
    gif_frame,
    gradients,
    moving,
    photo,
    png,
    png_chunk,
    png_of,
    put_in,
    quarters,
    seen,
)


class TestTransparentPng:
    def test_it_is_one_transparent_pixel(self) -> None:
        image = decode(TRANSPARENT_PNG)
        assert (image.format, image.size, image.convert("RGBA").getpixel((0, 0))[3]) == ("PNG", (1, 1), 0)

    def test_it_is_small(self) -> None:
        assert len(TRANSPARENT_PNG.data) < 100


class TestWhatIsTaken:
    @pytest.mark.parametrize("format_", FORMATS)
    def test_a_image_keeps_its_format_size_and_colours(self, format_: str) -> None:
        taken = check_upload(encode(quarters(), format_))
        image = decode(taken)
        assert (taken.media_type, image.format, image.size) == (MEDIA_TYPES[format_], format_, (32, 16))
        assert corners(image) == ["red", "green", "blue", "white"]

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
    def test_a_png_of_any_mode_keeps_its_pixels(self, mode: str) -> None:
        source = quarters().convert("RGB" if mode != "I;16" else "L").convert(mode)
        found = decode(check_upload(encode(source, "PNG")))
        assert found.convert("RGBA").tobytes() == source.convert("RGBA").tobytes()

    @pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
    def test_a_jpeg_of_any_mode_keeps_its_colours(self, mode: str) -> None:
        found = decode(check_upload(encode(quarters().convert(mode), "JPEG")))
        if mode != "L":
            assert corners(found) == ["red", "green", "blue", "white"]
        assert found.size == (32, 16)

    @pytest.mark.parametrize("format_", ["PNG", "GIF", "WEBP"])
    def test_transparency_is_kept(self, format_: str) -> None:
        image = quarters().convert("RGBA")
        image.putpixel((0, 0), (0, 0, 0, 0))
        found = decode(check_upload(encode(image, format_, **({"lossless": True} if format_ == "WEBP" else {}))))
        alpha = [found.convert("RGBA").getpixel(place)[3] for place in ((0, 0), (1, 1))]
        assert alpha == [0, 255]

    @pytest.mark.parametrize("format_", ["GIF", "WEBP"])
    def test_an_animation_keeps_its_frames_and_their_times(self, format_: str) -> None:
        data = animation(format_, [RED, GREEN, BLUE], duration=[100, 200, 300], loop=3)
        found = PIL.Image.open(io.BytesIO(check_upload(data).data))
        frames = []
        for n in range(found.n_frames):
            found.seek(n)
            found.load()
            frames.append((corners(found)[0], found.info["duration"]))
        assert frames == [("red", 100), ("green", 200), ("blue", 300)]
        assert found.info["loop"] == 3

    def test_an_animation_that_draws_only_what_changed_keeps_its_images(self) -> None:
        first, second = PIL.Image.new("P", (8, 8), 0), PIL.Image.new("P", (8, 8), 0)
        first.putpalette([*RED, *GREEN, *BLUE])
        second.putpalette([*RED, *GREEN, *BLUE])
        second.putpixel((7, 7), 1)
        data = encode(first, "GIF", save_all=True, append_images=[second], duration=50, disposal=1)
        found = PIL.Image.open(io.BytesIO(check_upload(data).data))
        found.seek(1)
        assert [found.convert("RGB").getpixel(place) for place in ((0, 0), (7, 7))] == [RED, GREEN]

    def test_an_animation_with_transparent_frames_keeps_its_images(self) -> None:
        left, right = PIL.Image.new("RGBA", (8, 8)), PIL.Image.new("RGBA", (8, 8))
        left.paste((*RED, 255), (0, 0, 4, 8))
        right.paste((*GREEN, 255), (4, 0, 8, 8))
        data = encode(left, "GIF", save_all=True, append_images=[right], duration=50, disposal=2)
        found = PIL.Image.open(io.BytesIO(check_upload(data).data))
        found.seek(1)
        assert [found.convert("RGBA").getpixel(place)[3] for place in ((0, 0), (7, 7))] == [0, 255]

    def test_an_animation_up_to_its_limit_of_frames_is_taken(self) -> None:
        data = gif(gif_frame(1) * common.MAX_FRAMES)
        assert PIL.Image.open(io.BytesIO(check_upload(data).data)).n_frames == common.MAX_FRAMES

    @pytest.mark.parametrize(
        "options", [{"progressive": True}, {"restart_marker_blocks": 1}, {"keep_rgb": True}], ids=str
    )
    def test_images_of_all_kinds_of_jpeg_are_whole(self, options: dict[str, Any]) -> None:
        image = decode(check_upload(encode(quarters(), "JPEG", **options)))
        assert corners(image) == ["red", "green", "blue", "white"]

    def test_content_decides_whatever_a_name_may_say(self) -> None:
        assert check_upload(encode(quarters(), "PNG")).media_type == "image/png"

    def test_what_was_taken_is_taken_again(self) -> None:
        for format_ in FORMATS:
            once = check_upload(encode(quarters(), format_))
            assert check_upload(once.data).media_type == once.media_type

    @pytest.mark.parametrize("media_type", MEDIA_TYPES.values())
    def test_every_media_type_has_its_extension(self, media_type: str) -> None:
        assert media_type in EXTENSIONS


class TestRealPictures:
    """Images from phones, screenshots and newsletter editors."""

    @pytest.mark.parametrize(
        ("size", "format_", "options"),
        [
            pytest.param((4032, 3024), "JPEG", {"quality": 85}, id="photo"),
            pytest.param((4032, 3024), "JPEG", {"quality": 75, "progressive": True}, id="progressive photo"),
            pytest.param((8064, 6048), "JPEG", {"quality": 10}, id="photo of 48 megapixels"),
            pytest.param((5120, 2880), "PNG", {"compress_level": 1}, id="screenshot"),
            pytest.param((2560, 1440), "WEBP", {"quality": 40, "method": 0}, id="WebP"),
            pytest.param((4032, 3024), "WEBP", {"quality": 10, "method": 0}, id="large WebP"),
        ],
    )
    def test_a_large_image_is_served_in_as_many_bytes(
        self, size: tuple[int, int], format_: str, options: dict[str, Any]
    ) -> None:
        data = encode((gradients("RGB", size) if format_ == "PNG" else photo(*size)), format_, **options)
        assert len(data) <= MAX_BYTES
        taken = check_upload(data)
        assert PIL.Image.open(io.BytesIO(taken.data)).size == size
        assert len(taken.data) <= 1.05 * len(data)

    def test_a_large_lossless_webp_is_served_as_it_came(self) -> None:
        data = encode(gradients("RGB", (4032, 3024)), "WEBP", lossless=True, quality=0, method=0)
        assert check_upload(data).data == data

    @pytest.mark.parametrize(("size", "number"), [((600, 300), 40), ((480, 270), 100)])
    def test_an_animation_of_a_newsletter_is_served_as_it_came(self, size: tuple[int, int], number: int) -> None:
        data = moving("GIF", size, number)
        taken = check_upload(data).data
        assert len(taken) <= 1.05 * len(data)
        assert seen(taken) == seen(data)


class TestPixels:
    """A served image decodes to the same pixels as the upload."""

    @pytest.mark.parametrize(
        ("format_", "options"),
        [
            pytest.param("JPEG", {}, id="JPEG"),
            pytest.param("JPEG", {"progressive": True, "subsampling": 0}, id="progressive JPEG"),
            pytest.param("JPEG", {"restart_marker_blocks": 3}, id="JPEG with restart markers"),
            pytest.param("PNG", {}, id="PNG"),
            pytest.param("WEBP", {"quality": 30}, id="WebP"),
            pytest.param("WEBP", {"lossless": True}, id="lossless WebP"),
        ],
    )
    def test_those_of_a_image(self, format_: str, options: dict[str, Any]) -> None:
        data = encode(photo(120, 90), format_, **options)
        taken = check_upload(data).data
        assert seen(taken) == seen(data)
        assert len(taken) <= 1.05 * len(data)

    @pytest.mark.parametrize("options", [{"quality": 30}, {"lossless": True}, {"lossless": True, "exact": True}])
    def test_those_of_a_transparent_webp(self, options: dict[str, Any]) -> None:
        data = encode(gradients("RGBA", (120, 90)), "WEBP", **options)
        assert seen(check_upload(data).data) == seen(data)

    def test_those_of_a_cmyk_jpeg(self) -> None:
        data = encode(quarters().convert("CMYK"), "JPEG")
        found = decode(check_upload(data))
        assert found.mode == "CMYK"
        assert found.tobytes() == PIL.Image.open(io.BytesIO(data)).tobytes()

    @pytest.mark.parametrize("depth", [1, 2, 4, 8])
    @pytest.mark.parametrize("size", [(1, 1), (3, 2), (5, 9), (17, 33)])
    def test_those_of_an_interlaced_png(self, size: tuple[int, int], depth: int) -> None:
        columns = [(0, 8), (4, 8), (0, 4), (2, 4), (0, 2), (1, 2), (0, 1)]
        rows = [(0, 8), (0, 8), (4, 8), (0, 4), (2, 4), (0, 2), (1, 2)]
        packed = b""
        for (x, across), (y, down) in zip(columns, rows, strict=True):
            if (wide := len(range(x, size[0], across))) and (high := len(range(y, size[1], down))):
                packed += (b"\1" + b"\x5a" * ((wide * depth + 7) // 8)) * high
        data = png(*size, zlib.compress(packed), depth=depth, interlaced=1)
        assert seen(check_upload(data).data) == seen(data)

    @pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
    def test_those_that_one_colour_makes_transparent(self, mode: str) -> None:
        data = encode(quarters().convert(mode), "PNG", transparency=(250, 0, 0) if mode == "RGB" else 1)
        taken = check_upload(data).data
        assert seen(taken) == seen(data)
        assert b"tRNS" in taken

    def test_those_of_a_gif_with_palettes_of_its_frames(self) -> None:
        frames = [quarters().quantize(4), gradients("RGB", (32, 16)).quantize(16)]
        data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:], disposal=2, interlace=True)
        assert seen(check_upload(data).data) == seen(data)

    def test_those_of_a_gif_whose_frame_is_larger_than_it_says(self) -> None:
        frame = encode(quarters(), "GIF", interlace=False)
        data = frame[:6] + struct.pack("<HH", 4, 4) + frame[10:]
        assert seen(check_upload(data).data) == seen(data)

    @pytest.mark.parametrize("format_", ["GIF", "PNG", "WEBP"])
    def test_those_of_an_animation_that_draws_only_what_changes(self, format_: str) -> None:
        data = moving(format_, (64, 48), 6)
        taken = check_upload(data).data
        assert seen(taken) == seen(data)
        assert len(taken) <= 1.05 * len(data)

    def test_those_of_a_png_in_many_chunks(self) -> None:
        header, packed = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0), zlib.compress(b"\0" * 72)
        chunks = [png_chunk(b"IDAT", packed[at : at + 1]) for at in range(len(packed))]
        taken = check_upload(png_of(png_chunk(b"IHDR", header), *chunks)).data
        assert taken == png_of(png_chunk(b"IHDR", header), png_chunk(b"IDAT", packed))


class TestWhatOthersRefuse:
    """Files with faults that all programs tolerate."""

    def test_a_png_whose_data_is_not_finished_but_for_its_checksum(self) -> None:
        assert seen(check_upload(png(8, 8, zlib.compress(b"\0" * 16)[:-4])).data)

    def test_a_png_with_a_row_too_many(self) -> None:
        assert seen(check_upload(png(8, 8, zlib.compress(b"\0" * 18))).data)

    def test_an_animation_that_announces_more_frames_than_it_has(self) -> None:
        data = animation("PNG", [RED, GREEN, BLUE], duration=100)
        start = data.index(b"acTL") - 4
        control = png_chunk(b"acTL", struct.pack(">II", 9, 0))
        assert seen(check_upload(data[:start] + control + data[start + 20 :]).data) == seen(data)

    @pytest.mark.parametrize("announced", [0, 1])
    def test_an_animation_that_announces_one_frame_or_none_stands_still(self, announced: int) -> None:
        data = animation("PNG", [RED, GREEN, BLUE], duration=100)
        start = data.index(b"acTL") - 4
        control = png_chunk(b"acTL", struct.pack(">II", announced, 0))
        taken = check_upload(data[:start] + control + data[start + 20 :]).data
        assert len(seen(taken)) == 1
        assert b"fdAT" not in taken

    @pytest.mark.parametrize("length", [0, 4, 7, 9])
    def test_an_animation_whose_announcement_has_another_length_stands_still(self, length: int) -> None:
        data = animation("PNG", [RED, GREEN, BLUE], duration=100)
        start = data.index(b"acTL") - 4
        control = png_chunk(b"acTL", struct.pack(">IIx", 3, 0)[:length])
        taken = check_upload(data[:start] + control + data[start + 20 :]).data
        assert len(seen(taken)) == 1
        assert b"acTL" not in taken

    def test_a_jpeg_with_rubbish_between_its_segments(self) -> None:
        data = encode(quarters(), "JPEG")
        found = check_upload(put_in(data, 20, b"rubbish" * 9)).data
        assert seen(found) == seen(data)

    def test_a_jpeg_that_browsers_do_not_show_is_encoded_anew(self) -> None:
        """Write a JPEG with arithmetic coding, which Pillow decodes. Without scan data it is grey."""
        data = encode(quarters(), "JPEG").replace(b"\xff\xc0", b"\xff\xc9")
        scan = data.index(b"\xff\xda")
        taken = check_upload(data[: scan + 14] + b"\0\0\xff\xd9").data
        assert b"\xff\xc9" not in taken
        assert decode(check_upload(taken)).size == (32, 16)
        with pytest.raises(common.InvalidImage, match=f"{jpeg.MAX_REENCODED_PIXELS:,} pixels"):
            check_upload(put_in(data, data.index(b"\xff\xc9") + 5, b"\x20\0\x20\0")[:-4])

    def test_a_gif_with_zeros_between_its_blocks(self) -> None:
        data, blocks = gif(gif_frame(1) * 2), (gif_frame(1), b"\0\0", gif_frame(1), b"\0")
        assert check_upload(gif(*blocks)).data == check_upload(data).data
