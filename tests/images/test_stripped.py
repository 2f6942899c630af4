"""Only the image of an uploaded file is served."""

import struct
import zlib

import PIL.Image
import PIL.PngImagePlugin
import pytest

from mailtrack._images.check import check_upload

from .makers import (
    FORMATS,
    GREEN,
    RED,
    SECRET,
    animation,
    decode,
    encode,
    gif,
    gif_frame,
    png,
    png_chunk,
    profile,
    put_in,
    quarters,
    riff,
    webp_chunk,
)


class TestWhatIsLeftOut:
    @pytest.mark.parametrize("format_", FORMATS)
    def test_bytes_after_the_end(self, format_: str) -> None:
        data = encode(quarters(), format_) + SECRET
        assert SECRET not in check_upload(data).data

    @pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP"])
    def test_exif_data_with_a_place(self, format_: str) -> None:
        exif = PIL.Image.Exif()
        exif[0x010E] = SECRET.decode()  # ImageDescription
        exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 29.5), 3: "E", 4: (2.0, 17.0, 40.2)})  # GPSInfo
        data = encode(quarters(), format_, exif=exif)
        assert SECRET in data
        taken = check_upload(data)
        assert SECRET not in taken.data
        assert dict(decode(taken).getexif()) == {}

    @pytest.mark.parametrize("format_", ["JPEG", "GIF"])
    def test_comments(self, format_: str) -> None:
        data = encode(quarters(), format_, comment=SECRET)
        assert SECRET in data
        assert SECRET not in check_upload(data).data

    def test_comments_of_animations(self) -> None:
        data = animation("GIF", [RED, GREEN], comment=SECRET)
        assert SECRET in data
        assert SECRET not in check_upload(data).data

    def test_text_chunks(self) -> None:
        info = PIL.PngImagePlugin.PngInfo()
        info.add_text("Comment", SECRET.decode())
        info.add_itxt("XML:com.adobe.xmp", SECRET.decode())
        data = encode(quarters(), "PNG", pnginfo=info)
        assert SECRET in data
        assert SECRET not in check_upload(data).data

    @pytest.mark.parametrize("format_", ["JPEG", "WEBP"])
    def test_xmp(self, format_: str) -> None:
        data = encode(quarters(), format_, xmp=SECRET)
        assert SECRET in data
        assert SECRET not in check_upload(data).data

    def test_script_in_a_gif_that_is_also_a_script(self) -> None:
        # The comment turns a complete image into a script: `GIF89a` is a name, the rest a string.
        data = encode(quarters(), "GIF", comment=b"*/=1;alert(1);/*")
        assert b"alert" in data
        assert b"alert" not in check_upload(data).data

    @pytest.mark.parametrize("orientation", [3, 6])
    @pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP"])
    def test_exif_data_with_a_place_but_for_the_orientation(self, format_: str, orientation: int) -> None:
        exif = PIL.Image.Exif()
        exif[0x010E], exif[0x0112] = SECRET.decode(), orientation
        exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 29.5)})
        taken = check_upload(encode(quarters(), format_, exif=exif))
        assert SECRET not in taken.data
        assert dict(decode(taken).getexif()) in ({0x0112: orientation}, {})

    def test_images_behind_a_photo(self) -> None:
        """A phone's file contains a preview and a gain map, referenced by a table in its header."""
        photo, map_ = encode(quarters(), "JPEG"), encode(quarters(), "JPEG", comment=SECRET)
        table = b"\xff\xe2" + struct.pack(">H", 2 + 4 + len(SECRET)) + b"MPF\0" + SECRET
        assert check_upload(put_in(photo, 20, table) + map_).data == photo

    def test_a_thumbnail_in_the_head_of_a_jpeg(self) -> None:
        data = encode(quarters(), "JPEG", dpi=(300, 300))
        length = int.from_bytes(data[4:6])
        small = data[:4] + (length + 12).to_bytes(2) + data[6:18] + b"\1\4" + b"thumbs-of-me" + data[20:]
        assert check_upload(small).data == data

    @pytest.mark.parametrize("kind", [0xE0, 0xE1, 0xE2, 0xE3, 0xEB, 0xED, 0xEE, 0xEF, 0xFE, 0xF0])
    def test_segments_of_other_programs(self, kind: int) -> None:
        data = encode(quarters(), "JPEG")
        segment = bytes([0xFF, kind]) + struct.pack(">H", 2 + len(SECRET)) + SECRET
        assert check_upload(put_in(data, 20, segment)).data == data

    @pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"tIME", b"caBX", b"sPLT", b"hIST", b"prVt", b"eXIf", b"iCCP"])
    def test_chunks_of_other_programs(self, kind: bytes) -> None:
        data = encode(quarters(), "PNG")
        for place in (33, len(data) - 12):
            assert check_upload(put_in(data, place, png_chunk(kind, SECRET))).data == data

    def test_bytes_in_the_data_of_a_png_behind_its_image(self) -> None:
        packed = zlib.compress(b"\0" * 16)
        assert check_upload(png(8, 8, packed + SECRET)).data == png(8, 8, packed)

    @pytest.mark.parametrize("where", ["front", "frame", "end"])
    def test_chunks_of_a_webp(self, where: str) -> None:
        data = animation("WEBP", [RED, GREEN])
        extra = webp_chunk(b"JUNK", SECRET)
        if where == "frame":
            start = data.index(b"ANMF")
            length = int.from_bytes(data[start + 4 : start + 8], "little")
            end = start + 8 + length
            made = riff(data[12:start], webp_chunk(b"ANMF", data[start + 8 : end] + extra), data[end:])
        else:
            at = 30 if where == "front" else len(data)
            made = riff(data[12:at], extra, data[at:])
        assert check_upload(made).data == data

    def test_extensions_of_a_gif(self) -> None:
        blocks = b"\x21\xff\x0bXMP DataXMP" + bytes([len(SECRET)]) + SECRET + b"\0"
        blocks += b"\x21\x01\x0c" + bytes(12) + bytes([len(SECRET)]) + SECRET + b"\0"
        assert check_upload(gif(blocks, gif_frame(1), blocks)).data == gif(gif_frame(1))

    def test_what_follows_in_the_extensions_of_a_gif_that_are_kept(self) -> None:
        more = bytes([len(SECRET)]) + SECRET
        loop, control, frame = b"\x21\xff\x0bNETSCAPE2.0\3\1\5\0", b"\x21\xf9\4\x08\0\0\0", gif_frame(1)[8:]
        taken = check_upload(gif(loop + more + b"\0", control + more + b"\0", frame)).data
        assert taken == gif(loop + b"\0", control + b"\0", frame)

    def test_a_control_that_was_for_a_text(self) -> None:
        control, text = b"\x21\xf9\4\x01\x63\0\0\0", b"\x21\x01\x0c" + bytes(12) + b"\1a\0"
        frame = gif_frame(1)[8:]
        assert check_upload(gif(control, text, frame)).data == gif(frame)

    def test_the_name_of_a_colour_profile(self) -> None:
        chunk = png_chunk(b"iCCP", SECRET + b"\0\0" + zlib.compress(profile()) + SECRET)
        taken = check_upload(put_in(encode(quarters(), "PNG"), 33, chunk))
        assert SECRET not in taken.data
        assert decode(taken).info["icc_profile"] == profile()
