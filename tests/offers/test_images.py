"""Pictures are drawn anew: what a company uploads never reaches a member, only its pixels do."""

import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from goalgraph.errors import Invalid
from offers import images
from tests.offers.backoffice_world import picture


def redrawn(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(images.redrawn(io.BytesIO(content), len(content))))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_each_known_format_becomes_webp_of_the_same_size(kind: str):
    drawn = redrawn(picture(kind, (60, 40)))
    assert (drawn.format, drawn.size, drawn.mode) == ("WEBP", (60, 40), "RGB")


def test_metadata_and_what_hangs_behind_the_picture_are_gone():
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (40.0, 26.0, 46.0)}  # where it was taken
    exif[0x013B] = "SECRET-AUTHOR"
    content = picture("JPEG", exif=exif, comment=b"SECRET-COMMENT", icc_profile=b"SECRET-PROFILE") + b"<script>SECRET-TAIL</script>"
    text = PngImagePlugin.PngInfo()
    text.add_text("Note", "SECRET-NOTE")
    for upload in (content, picture("PNG", pnginfo=text)):
        assert b"SECRET" in upload
        drawn = images.redrawn(io.BytesIO(upload), len(upload))
        assert b"SECRET" not in drawn
        assert not Image.open(io.BytesIO(drawn)).getexif()
        assert {"exif", "icc_profile", "xmp"} & Image.open(io.BytesIO(drawn)).info.keys() == set()


def test_a_picture_that_lies_on_its_side_is_put_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    assert redrawn(picture("JPEG", (60, 40), exif=exif)).size == (40, 60)


def test_transparency_stays():
    drawn = io.BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(drawn, "PNG")
    assert redrawn(drawn.getvalue()).convert("RGBA").getpixel((4, 4))[3] == 0


def test_of_one_that_moves_the_first_frame_stays():
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    moving = io.BytesIO()
    frames[0].save(moving, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    drawn = redrawn(moving.getvalue())
    assert getattr(drawn, "n_frames", 1) == 1
    assert drawn.convert("RGB").getpixel((10, 10))[0] > 200


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is huge."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(4097, 1), (1, 4097), (9_000, 9_000), (20_000, 20_000), (2**30, 2**30)])
def test_a_picture_that_unfolds_is_refused_before_a_pixel_is_decoded(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", _never)
    with pytest.raises(Invalid) as refused:
        redrawn(bomb(*size))
    assert refused.value.field == "image"


def _never(*_: object) -> None:
    pytest.fail("a pixel was decoded")


def test_the_largest_there_may_be():
    assert redrawn(picture("PNG", (images.MAX_PIXELS, 2))).size == (images.MAX_PIXELS, 2)


def test_a_long_file_is_refused_unread():
    upload = io.BytesIO(b"")
    with pytest.raises(Invalid, match="5 MB"):
        images.redrawn(upload, images.MAX_BYTES + 1)


def other_formats() -> list[bytes]:
    drawn = []
    for kind in ("GIF", "BMP", "TIFF", "ICO", "PPM", "EPS", "PDF", "TGA"):
        content = io.BytesIO()
        Image.new("RGB", (16, 16)).save(content, kind)
        drawn.append(content.getvalue())
    return drawn


@pytest.mark.parametrize(
    "content", [*other_formats(), b"", b"<svg onload=alert(1)>", b"GIF89a", b"%PDF-1.7", b"\x89PNG\r\n\x1a\n", bomb(64, 64)]
)
def test_what_is_no_picture_that_we_know_or_a_damaged_one_is_refused(content: bytes):
    with pytest.raises(Invalid) as refused:
        redrawn(content)
    assert refused.value.field == "image"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@given(data=st.data())
def test_a_broken_file_is_refused_or_drawn_never_a_fault(kind: str, data: st.DataObject):
    content = bytearray(picture(kind, (40, 40)))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        drawn = redrawn(cut)
    except Invalid:
        return
    assert drawn.format == "WEBP"
