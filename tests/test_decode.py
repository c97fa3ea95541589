"""Uploads of every kind: decoded upright as a browser shows them, or refused in one sentence."""

from __future__ import annotations

import io
import struct
import zlib
from itertools import product

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.GifImagePlugin import GifImageFile

from annotator.errors import Busy, InvalidImage
from annotator.imaging import decode as decoding
from annotator.imaging.decode import decode, decode_pixels, thumbnail
from tests.data.pictures import (
    deep_png,
    encoded,
    exif_block,
    gradient,
    header_only_png,
    jpeg_of_many_scans,
    jpeg_with,
    jpeg_with_exif,
    orientation,
    png_chunk,
    png_with,
    segment,
    tiff,
)

LIMIT = 40_000_000
UPRIGHT = np.asarray(gradient())


def shown(data: bytes) -> Image.Image:
    """What a browser sees, which obeys the orientation of EXIF."""
    image = Image.open(io.BytesIO(data))
    assert image.getexif().get(0x0112, 1) == 1
    return image


# --- rotation and metadata ---


def stored(turn: int) -> Image.Image:
    """The gradient as a camera of that orientation stores it."""
    turns = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Image.Transpose
    return gradient() if turns[turn] is None else gradient().transpose(Image.Transpose(turns[turn]))


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_rotation_is_applied_and_recorded(turn: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    decoded = decode(encoded(stored(turn), kind, exif=exif, **options), "x", LIMIT)
    assert decoded.orientation == turn
    assert np.array_equal(decoded.pixels, UPRIGHT)
    assert np.array_equal(np.asarray(shown(decoded.display)), UPRIGHT)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_photo_is_turned_whatever_else_its_exif_says(order: str) -> None:
    odd = [
        (0x0100, 2, 0xFFFFFFFF, b"\xff\xff\xff\xff"),  # the width as endless text
        (0x011A, 5, 1, b"\xff\xff\xff\x7f"),  # a resolution outside the file
        (0x8769, 4, 1, struct.pack(order + "I", 8)),  # its own sub-directory
        (0x9286, 99, 7, b"????"),  # an unknown type
    ]
    block = exif_block(odd[0], odd[1], orientation(6, order), *odd[2:], order=order)
    decoded = decode(jpeg_with_exif(block, stored(6)), "x", LIMIT)
    assert decoded.orientation == 6
    assert decoded.pixels.shape == UPRIGHT.shape
    assert np.abs(decoded.pixels.astype(int) - UPRIGHT).mean() < 4


@pytest.mark.parametrize(
    "entry",
    [
        (0x0112, 1, 1, b"\6"),
        (0x0112, 7, 1, b"\6"),
        (0x0112, 4, 1, b"\6"),
        (0x0112, 3, 2, b"\6\0\6\0"),
        (0x0112, 3, 0, b"\6"),
        (0x0112, 3, 1, b"\0"),
        (0x0112, 3, 1, b"\x09"),
        (0x0112, 3, 0xFFFFFFFF, b"\6"),
    ],
    ids=["byte", "undefined", "long", "two", "none", "0", "9", "endless"],
)
def test_an_odd_orientation_is_none_for_everybody(entry: tuple[int, int, int, bytes]) -> None:
    decoded = decode(jpeg_with_exif(exif_block(entry)), "x", LIMIT)
    assert decoded.orientation == 1
    assert b"Exif" not in decoded.display  # no browser can read it differently
    assert np.array_equal(np.asarray(shown(decoded.display)), decoded.pixels)


def test_no_exif_block_harms_a_picture() -> None:
    rng = np.random.default_rng(5)
    whole = exif_block(*(orientation(6) for _ in range(4)), (0x8769, 4, 1, b"\x08"), (0x0110, 2, 40, b"\x10"))
    wanted = {decode(jpeg_with_exif(b""), "x", LIMIT).pixels.tobytes()}
    for turn in range(2, 9):
        wanted.add(decode(jpeg_with_exif(exif_block(orientation(turn))), "x", LIMIT).pixels.tobytes())
    for _ in range(150):
        block = bytearray(whole[: rng.integers(4, len(whole))] + rng.bytes(rng.integers(0, 30)))
        for place in rng.integers(4, len(block), 3):
            block[place] = rng.integers(256)
        assert decode(jpeg_with_exif(bytes(block)), "x", LIMIT).pixels.tobytes() in wanted


def test_a_camera_jpeg_with_further_pictures_is_its_first_one_as_a_plain_jpeg() -> None:
    other = Image.new("RGB", (30, 20))
    data = encoded(gradient(), "MPO", save_all=True, append_images=[other, other])
    assert Image.open(io.BytesIO(data)).format == "MPO"
    decoded = decode(data, "x", LIMIT)
    assert decoded.pixels.shape == UPRIGHT.shape
    assert shown(decoded.display).format == "JPEG"
    assert len(decoded.display) < len(data)
    assert np.array_equal(np.asarray(shown(decoded.display)), decoded.pixels)


@pytest.mark.parametrize(
    ("kind", "head"),
    [(b"zTXt", b"Comment\0\0"), (b"iTXt", b"Comment\0\1\0\0\0"), (b"iCCP", b"profile\0\0"), (b"tEXt", b"Comment\0")],
)
def test_much_text_in_a_png_is_ignored(kind: bytes, head: bytes) -> None:
    much = b"x" * 5_000_000
    chunk = png_chunk(kind, head + (much if kind == b"tEXt" else zlib.compress(much)))
    assert np.array_equal(decode(png_with(chunk), "x", LIMIT).pixels, UPRIGHT)


def test_an_ordinary_file_is_shown_as_it_is() -> None:
    profile = segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(128))
    exif = segment(0xE1, b"Exif\0\0" + exif_block((0x0110, 2, 4, b"cam"), orientation(1)))
    for data in (jpeg_with(profile + exif), encoded(gradient().convert("L"), "PNG"), encoded(gradient(), "WEBP")):
        assert decode(data, "x", LIMIT).display is data


# --- pixel formats ---


@pytest.mark.parametrize(
    ("image", "kind", "expected"),
    [
        (Image.fromarray(np.array([[0, 65535], [32768, 65535]], np.uint16)), "PNG", [[0, 255], [128, 255]]),
        (Image.fromarray(np.array([[0, 1.0], [0.5, 1.0]], np.float32)), "TIFF", [[0, 255], [128, 255]]),
        (Image.fromarray(np.array([[-7, 7], [0, 7]], np.int32)), "TIFF", [[0, 255], [128, 255]]),
        (Image.new("L", (2, 2), 77), "PNG", [[77, 77], [77, 77]]),
        (Image.new("1", (2, 2), 1), "PNG", [[255, 255], [255, 255]]),
        (Image.new("RGBA", (2, 2), (0, 0, 0, 0)), "PNG", [[255, 255], [255, 255]]),
        (Image.new("RGBA", (2, 2), (0, 0, 0, 0)), "WEBP", [[255, 255], [255, 255]]),
        (Image.new("LA", (2, 2), (0, 128)), "PNG", [[127, 127], [127, 127]]),
        (Image.new("RGB", (2, 2), (9, 9, 9)).quantize(4), "GIF", [[9, 9], [9, 9]]),
        (Image.new("RGB", (2, 2), (9, 9, 9)).quantize(4), "PNG", [[9, 9], [9, 9]]),
        (Image.new("CMYK", (2, 2), (0, 0, 0, 0)), "JPEG", [[255, 255], [255, 255]]),
        (Image.new("CMYK", (2, 2), (0, 0, 0, 0)), "TIFF", [[255, 255], [255, 255]]),
        (Image.new("LAB", (2, 2), (255, 128, 128)), "TIFF", [[255, 255], [255, 255]]),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else None,
)
def test_every_pixel_format_becomes_rgb(image: Image.Image, kind: str, expected: list[list[int]]) -> None:
    decoded = decode(encoded(image, kind), "x", LIMIT)
    assert decoded.pixels.dtype == np.uint8
    assert np.abs(decoded.pixels.astype(int) - np.array(expected)[..., None]).max() <= 1
    assert shown(decoded.display).mode in ("RGB", "L", "1", "P")


def two_colours() -> Image.Image:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([9, 9, 9, 10, 20, 30])
    return image


@pytest.mark.parametrize(
    ("image", "transparent"),
    [
        (Image.new("RGB", (4, 4), (10, 20, 30)), (10, 20, 30)),
        (Image.new("L", (4, 4), 10), 10),
        (two_colours(), 1),
        (two_colours(), b"\xff\0"),
    ],
    ids=["rgb", "grey", "palette", "palette alpha"],
)
def test_transparent_colours_are_white_for_the_model_and_in_the_browser(
    image: Image.Image, transparent: object
) -> None:
    decoded = decode(encoded(image, "PNG", transparency=transparent), "x", LIMIT)
    assert (decoded.pixels == 255).all()
    assert np.array_equal(np.asarray(shown(decoded.display).convert("RGB")), decoded.pixels)
    assert "transparency" not in shown(decoded.display).info


TEXTURE = np.random.default_rng(2).integers(100, 400, (64, 48)).astype(np.float64)
"""Values that a picture of few levels turns black."""


def contrast(data: bytes) -> float:
    decoded = decode(data, "x", LIMIT)
    assert decoded.stretched
    assert np.array_equal(np.asarray(shown(decoded.display)), decoded.pixels)
    return float(decoded.pixels.std())


def test_single_hot_pixels_do_not_make_a_deep_picture_black() -> None:
    for dtype, hot in (("u2", 65535), ("i2", 32767), ("u4", 2**32 - 1), ("i4", -(2**31)), ("f4", 1e9), ("f8", -1e200)):
        values = TEXTURE.astype(dtype)
        values[5, 7] = hot
        assert contrast(tiff(values)) > 60
    values = TEXTURE.astype(np.uint16)
    values[5, 7] = 65535
    assert contrast(encoded(Image.fromarray(values), "PNG")) > 60


@pytest.mark.parametrize("nodata", [-9999.0, 9999.0, -3.4028234663852886e38, 1e38, np.nan, np.inf, -np.inf, 0.0])
def test_what_was_not_measured_is_left_out_of_the_range(nodata: float) -> None:
    values = (TEXTURE / 100).astype(np.float32)
    values[:10] = nodata
    assert contrast(tiff(values)) > 60


def test_nodata_that_a_tag_names_is_black_even_inside_the_range() -> None:
    values = (TEXTURE - 250).astype(np.float32)
    values[:30] = 100.5
    data = tiff(values, extratags=[(42113, "s", 0, "100.5", True)])
    assert (decode(data, "x", LIMIT).pixels[:30] == 0).all()
    assert contrast(data) > 60


def test_a_picture_of_one_value_and_one_of_nothing_are_black() -> None:
    for value in (7.0, np.nan):
        assert (decode(tiff(np.full((8, 8), value, np.float32)), "x", LIMIT).pixels == 0).all()


def test_small_values_on_an_even_ground_are_seen() -> None:
    values = np.zeros((64, 48), np.uint16)
    values[3, 4:7] = 5
    assert decode(tiff(values), "x", LIMIT).pixels.max() == 255


def test_colours_of_16_bits_stay_as_they_are_where_they_use_their_range() -> None:
    values = UPRIGHT.astype(np.uint16) * 257
    for data in (deep_png(values), tiff(values, photometric="rgb")):
        decoded = decode(data, "x", LIMIT)
        assert np.array_equal(decoded.pixels, UPRIGHT)
        assert not decoded.stretched


def test_dark_colours_of_16_bits_are_stretched_alike() -> None:
    values = UPRIGHT.astype(np.uint16) * 4
    with_alpha = np.concatenate((values, np.full_like(values[..., :1], 65535)), -1)
    for data in (deep_png(values), deep_png(with_alpha), tiff(values, photometric="rgb")):
        decoded = decode(data, "x", LIMIT)
        assert decoded.stretched
        assert np.abs(decoded.pixels.astype(int) - UPRIGHT).max() <= 8
        assert np.array_equal(np.asarray(shown(decoded.display)), decoded.pixels)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "f2", "f4", "f8"])
@pytest.mark.parametrize("samples", [1, 2, 3, 4, 5])
def test_bands_of_every_type_and_layout_are_read(dtype: str, samples: int) -> None:
    """All layouts show what the plainest one shows: the first three bands, or the first of fewer."""
    values = np.random.default_rng(samples).integers(0, 100, (37, 45, samples)).astype(dtype)
    used = values[..., :3] if samples >= 3 else values[..., [0, 0, 0]]
    wanted = (used.astype(float) / 99 * 255).round() if dtype != "u1" else used
    packings = [(None, 1), ("zlib", 1), ("zlib", 2)][: 2 if dtype[0] == "f" else 3]
    layouts = product([("<", False), (">", True)], ["contig", "separate"][:samples], [None, (16, 32)], packings)
    for (order, big), planar, tile, (packed, predictor) in layouts:
        data = tiff(
            np.moveaxis(values, 2, 0) if planar == "separate" else values[..., 0] if samples == 1 else values,
            byteorder=order, bigtiff=big, planarconfig=planar if samples > 1 else None, tile=tile, compression=packed,
            predictor=predictor == 2, rowsperstrip=None if tile else 10,
        )  # fmt: skip
        decoded = decode(data, "x", LIMIT)
        assert np.abs(decoded.pixels - wanted).max() <= (0 if dtype == "u1" else 3), (order, planar, tile, predictor)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("samples", [1, 3])
def test_floats_packed_with_their_predictor_are_read(dtype: str, samples: int) -> None:
    values = np.random.default_rng(3).integers(0, 100, (37, 45, samples)).astype(dtype) * 1.37
    options = [cv2.IMWRITE_TIFF_COMPRESSION, 5, cv2.IMWRITE_TIFF_PREDICTOR, 3]
    _, data = cv2.imencode(".tif", values[..., ::-1].squeeze(), options)
    wanted = (values / values.max() * 255).round()
    assert np.abs(decode(data.tobytes(), "x", LIMIT).pixels - wanted).max() <= 3


@pytest.mark.parametrize("mode", ["RGB", "L", "YCbCr"])
def test_jpeg_in_a_tiff_is_read_as_libtiff_does(mode: str) -> None:
    data = encoded(gradient(300, 200).convert(mode), "TIFF", compression="jpeg")
    wanted = Image.open(io.BytesIO(data)).convert("RGB")
    assert np.array_equal(decode(data, "x", LIMIT).pixels, np.asarray(wanted))


def test_a_cut_block_of_a_tiff_never_shows_memory_of_the_server() -> None:
    data = encoded(gradient(64, 64), "TIFF", compression="jpeg")
    (size,) = Image.open(io.BytesIO(data)).tag_v2[279]
    entry = struct.pack("<HHII", 279, 4, 1, size)
    assert data.count(entry) == 1
    cut = data.replace(entry, struct.pack("<HHII", 279, 4, 1, size // 2))
    with pytest.raises(InvalidImage, match="damaged"):
        decode(cut, "x", LIMIT)


def test_smaller_copies_and_masks_in_a_tiff_are_no_further_pages() -> None:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        file.write(UPRIGHT, photometric="rgb", metadata=None)
        file.write(UPRIGHT[::2, ::2].copy(), photometric="rgb", subfiletype=1, metadata=None)
        file.write(UPRIGHT[..., 0] > 99, photometric="minisblack", subfiletype=4, metadata=None)
    assert np.array_equal(decode(buffer.getvalue(), "x", LIMIT).pixels, UPRIGHT)


# --- what is refused ---


def raw_preview() -> bytes:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        file.write(UPRIGHT, photometric="rgb", subfiletype=1, subifds=1, metadata=None)
        file.write(UPRIGHT, photometric="rgb", metadata=None)
    return buffer.getvalue()


PAGES = {"save_all": True, "append_images": [Image.new("RGB", (60, 40))]}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"just some text", "not an image"),
        (encoded(gradient(400, 300), "JPEG")[:2000], "damaged"),
        (encoded(gradient(400, 300), "PNG")[:500], "damaged"),
        (encoded(gradient(400, 300), "TIFF")[:5000] + b"II", "cannot read|damaged|not an image"),
        (header_only_png(30_000), "30000 x 30000"),
        (encoded(gradient(), "GIF", **PAGES), "several frames"),
        (encoded(gradient(), "WEBP", **PAGES), "several frames"),
        (encoded(gradient(), "PNG", **PAGES), "several frames"),
        (encoded(gradient(), "TIFF", **PAGES), "several pages"),
        (raw_preview(), "raw data"),
        (tiff(np.zeros((4, 4), np.complex64)), "cannot read"),
        (encoded(gradient().convert("1"), "TIFF", compression="group4"), "packed in a way"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "not an image"),
        (jpeg_of_many_scans(1000), "scans"),
    ],
    ids=["empty", "text", "cut jpeg", "cut png", "cut tiff", "bomb", "gif", "webp", "apng", "pages", "raw", "complex",
         "fax", "postscript", "scans"],
)  # fmt: skip
def test_what_cannot_be_taken_is_refused_in_one_sentence(data: bytes, says: str) -> None:
    with pytest.raises(InvalidImage, match=says) as caught:
        decode(data, "photo.jpg", LIMIT)
    assert str(caught.value).startswith("photo.jpg")
    assert "\n" not in str(caught.value)


def test_an_animation_is_refused_without_reading_it(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [Image.new("L", (64, 64), shade) for shade in range(50)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    read = []
    seek = GifImageFile._seek
    monkeypatch.setattr(GifImageFile, "_seek", lambda *args, **names: read.append(args[1]) or seek(*args, **names))
    with pytest.raises(InvalidImage, match="several frames"):
        decode(data, "x", LIMIT)
    assert max(read, default=0) == 0


def test_want_of_memory_is_said_and_may_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(decoding.np, "empty", no_memory)
    with pytest.raises(Busy, match="too large just now"):
        decode(encoded(gradient(), "PNG"), "x", LIMIT)


# --- keys and thumbnails ---


def test_equal_pixels_have_one_key_whatever_the_file() -> None:
    a = decode(encoded(gradient(), "PNG"), "a", LIMIT)
    b = decode(encoded(gradient(), "BMP"), "b", LIMIT)
    c = decode(encoded(gradient().transpose(Image.Transpose.ROTATE_90), "PNG"), "c", LIMIT)
    assert a.pixel_key == b.pixel_key != c.pixel_key


def test_the_pixels_alone_are_those_of_the_whole() -> None:
    data = jpeg_with_exif(exif_block(orientation(6)))
    assert np.array_equal(decode_pixels(data, "x", LIMIT), decode(data, "x", LIMIT).pixels)


@pytest.mark.parametrize(
    ("size", "small"), [((1000, 500), (160, 80)), ((2, 10_000), (1, 160)), ((70_000, 1), (160, 1))]
)
def test_a_thumbnail_is_small(size: tuple[int, int], small: tuple[int, int]) -> None:
    assert shown(thumbnail(np.zeros((size[1], size[0], 3), np.uint8))).size == small
