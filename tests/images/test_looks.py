"""Served images look right: upright, with their colours, animated."""

import io
import struct
from typing import Any

import PIL.Image
import PIL.ImageCms
import pytest

from mailtrack._images.check import check_upload

from .makers import (
    BLUE,
    GREEN,
    RED,
    WHITE,
    animation,
    corners,
    decode,
    encode,
    gif,
    gif_frame,
    gradients,
    packed_zeros,
    photo,
    png_chunk,
    profile,
    put_in,
    quarters,
    seen,
    upright,
)


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
    def test_a_image_is_shown_upright(self, format_: str, orientation: int, expected: list[str]) -> None:
        exif = PIL.Image.Exif()
        exif[0x0112] = orientation
        image = upright(check_upload(encode(quarters(), format_, exif=exif)))
        assert corners(image) == expected
        assert image.size == ((32, 16) if orientation < 5 else (16, 32))

    @pytest.mark.parametrize(
        "exif",
        [
            pytest.param(b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0", id="big-endian"),
            pytest.param(b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0", id="little-endian"),
        ],
    )
    def test_it_is_read_in_either_order_of_bytes(self, exif: bytes) -> None:
        assert corners(upright(check_upload(encode(quarters(), "JPEG", exif=b"Exif\0\0" + exif))))[0] == "blue"

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
        image = upright(check_upload(encode(quarters(), "JPEG", exif=b"Exif\0\0" + exif)))
        assert corners(image) == ["red", "green", "blue", "white"]

    @pytest.mark.parametrize("format_", ["JPEG", "PNG"])
    def test_a_image_that_is_to_be_turned_is_not_encoded_anew(self, format_: str) -> None:
        exif = PIL.Image.Exif()
        exif[0x0112] = 6
        data = encode(photo(120, 90), format_, exif=exif)
        taken = check_upload(data)
        assert decode(taken).tobytes() == PIL.Image.open(io.BytesIO(data)).tobytes()
        assert len(taken.data) <= 1.05 * len(data)

    @pytest.mark.parametrize("options", [{"quality": 80}, {"lossless": True}])
    def test_a_webp_is_turned_as_browsers_ignore_its_orientation(self, options: dict[str, Any]) -> None:
        exif = PIL.Image.Exif()
        exif[0x0112] = 6
        image = quarters(300, 200) if "lossless" in options else photo(300, 200)
        data = encode(image, "WEBP", exif=exif, icc_profile=profile(), **options)
        found = check_upload(data).data
        turned = PIL.Image.open(io.BytesIO(found))
        assert (turned.size, dict(turned.getexif())) == ((200, 300), {})
        assert turned.info["icc_profile"] == profile()
        assert len(found) <= 1.05 * len(data)
        if "lossless" in options:
            assert turned.convert("RGB").tobytes() == image.transpose(PIL.Image.Transpose.ROTATE_270).tobytes()

    def test_a_large_webp_keeps_its_orientation(self) -> None:
        exif = PIL.Image.Exif()
        exif[0x0112] = 6
        data = encode(gradients("RGB", (2000, 1100)), "WEBP", exif=exif, quality=1, method=0)
        assert upright(check_upload(data)).size == (1100, 2000)


def _in_srgb(data: bytes) -> tuple[int, ...]:
    """Return the perceived colour of a pixel."""
    image = PIL.Image.open(io.BytesIO(data))
    given = PIL.ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
    screen = PIL.ImageCms.createProfile("sRGB")
    shown = PIL.ImageCms.profileToProfile(image.convert("RGB"), given, screen, outputMode="RGB")
    return shown.getpixel((9, 9))


class TestColours:
    """Without their colour profile, phone photos look pale."""

    @pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP"])
    def test_those_of_a_wide_gamut_stay(self, format_: str) -> None:
        data = encode(PIL.Image.new("RGB", (40, 40), (200, 60, 60)), format_, icc_profile=profile())
        taken = check_upload(data).data
        assert PIL.Image.open(io.BytesIO(taken)).info["icc_profile"] == profile()
        assert _in_srgb(taken) == _in_srgb(data) != (200, 60, 60)
        assert len(taken) <= 1.05 * len(data)

    @pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP"])
    def test_a_profile_of_a_press_stays(self, format_: str) -> None:
        large = profile(padding=560_000)
        data = encode(quarters(), format_, icc_profile=large)
        taken = check_upload(data).data
        assert PIL.Image.open(io.BytesIO(taken)).info["icc_profile"] == large
        assert len(taken) <= 1.05 * len(data)

    def test_a_profile_fits_the_image(self) -> None:
        data = encode(quarters().convert("CMYK"), "JPEG", icc_profile=profile(b"CMYK"))
        assert decode(check_upload(data)).info["icc_profile"] == profile(b"CMYK")
        data = encode(quarters().convert("L"), "PNG", icc_profile=profile(b"GRAY"))
        assert decode(check_upload(data)).info["icc_profile"] == profile(b"GRAY")

    @pytest.mark.parametrize(
        "malformed",
        [
            pytest.param(b"zebra-in-the-park" * 10, id="a text"),
            pytest.param(profile()[:-1], id="cut"),
            pytest.param(profile(b"CMYK"), id="of other colours"),
            pytest.param(profile()[:36] + b"none" + profile()[40:], id="without its name"),
            pytest.param(profile()[:128] + b"\xff" * 4 + profile()[132:], id="of too many entries"),
            pytest.param(profile()[:136] + b"\xff" * 4 + profile()[140:], id="with an entry beyond its end"),
            pytest.param(profile(padding=4 * 2**20), id="too large"),
        ],
    )
    @pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP"])
    def test_a_malformed_profile_is_left_out(self, format_: str, malformed: bytes) -> None:
        found = decode(check_upload(encode(quarters(), format_, icc_profile=malformed)))
        assert "icc_profile" not in found.info
        assert corners(found) == ["red", "green", "blue", "white"]

    def test_a_profile_that_unfolds_to_much_is_left_out(self) -> None:
        chunk = png_chunk(b"iCCP", b"x\0\0" + packed_zeros(60_000_000))
        assert check_upload(put_in(encode(quarters(), "PNG"), 33, chunk)).data == encode(quarters(), "PNG")

    def test_a_profile_with_a_part_missing_is_left_out(self) -> None:
        data = encode(quarters(), "JPEG", icc_profile=profile(padding=100_000))
        start = data.index(b"\xff\xe2")
        length = int.from_bytes(data[start + 2 : start + 4])
        assert "icc_profile" not in decode(check_upload(data[:start] + data[start + 2 + length :])).info

    @pytest.mark.parametrize(
        "chunk",
        [
            pytest.param(png_chunk(b"gAMA", struct.pack(">I", 100_000)), id="gamma"),
            pytest.param(png_chunk(b"cHRM", struct.pack(">8I", *range(8))), id="primaries"),
            pytest.param(png_chunk(b"sRGB", b"\1"), id="sRGB"),
            pytest.param(png_chunk(b"cICP", b"\x0c\x0d\0\1"), id="Display P3 in four bytes"),
        ],
    )
    def test_what_a_png_says_about_its_colours_stays(self, chunk: bytes) -> None:
        data = put_in(encode(quarters(), "PNG"), 33, chunk)
        assert check_upload(data).data == data

    def test_a_jpeg_in_rgb_stays_so(self) -> None:
        found = decode(check_upload(encode(quarters(), "JPEG", keep_rgb=True)))
        assert corners(found) == ["red", "green", "blue", "white"]


class TestAnimations:
    def test_a_hidden_first_image_stays_hidden(self) -> None:
        data = animation("PNG", [WHITE, RED, GREEN], default_image=True, duration=[100, 200], loop=2)
        taken = check_upload(data).data
        assert seen(taken) == seen(data)
        found = PIL.Image.open(io.BytesIO(taken))
        assert (found.default_image, found.n_frames) == (True, 3)
        assert taken.index(b"IDAT") < taken.index(b"fcTL")

    @pytest.mark.parametrize("format_", ["GIF", "PNG", "WEBP"])
    @pytest.mark.parametrize("loop", [0, 1, 7])
    def test_times_and_loops_are_as_sent(self, format_: str, loop: int) -> None:
        data = animation(format_, [RED, GREEN, BLUE], duration=[20, 300, 4000], loop=loop)
        taken = check_upload(data).data
        assert [frame[1:] for frame in seen(taken)] == [(20, loop), (300, loop), (4000, loop)]
        assert seen(taken) == seen(data)

    def test_a_gif_that_says_by_the_older_name_how_often_it_is_shown(self) -> None:
        data = gif(b"\x21\xff\x0bANIMEXTS1.0\3\1\5\0\0", gif_frame(1), gif_frame(1))
        assert check_upload(data).data == data

    @pytest.mark.parametrize("options", [{"disposal": 1}, {"disposal": 2}, {"disposal": 1, "blend": 1}])
    def test_frames_are_laid_over_another_as_sent(self, options: dict[str, int]) -> None:
        left, right = PIL.Image.new("RGBA", (8, 8)), PIL.Image.new("RGBA", (8, 8))
        left.paste((*RED, 255), (0, 0, 4, 8))
        right.paste((*GREEN, 255), (4, 0, 8, 8))
        data = encode(left, "PNG", save_all=True, append_images=[right, left], duration=50, **options)
        assert seen(check_upload(data).data) == seen(data)
