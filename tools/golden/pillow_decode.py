"""Writes small image files and the RGB bytes that Pillow reads from them.

Usage: pillow_decode.py OUT_DIR  (fairlora-vision/src/test/resources/io/fairlora/vision/transform)
"""

import ctypes
import io
import struct
import sys
import zlib
from pathlib import Path

import PIL
from PIL import Image, ImageCms, ImageDraw, ImageOps

W, H = 23, 17


def smooth(mode, size=(W, H)):
    """A picture without sharp edges, so that JPEG keeps it."""
    bands = len(Image.new(mode, (1, 1)).getbands())
    data = bytearray()
    for y in range(size[1]):
        for x in range(size[0]):
            for c in range(bands):
                data.append((x * (7 - 2 * c) + y * (3 + 3 * c) + 40 * c) % 512 * 255 // 511)
    return Image.frombytes(mode, size, bytes(data))


def swapped_profile():
    """sRGB with red and green exchanged: any use of it shows at once."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", profile[128:132])[0]
    at = {profile[132 + 12 * i : 136 + 12 * i].decode(): 132 + 12 * i for i in range(count)}
    red, green = at["rXYZ"], at["gXYZ"]
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(profile)


def jpeg(image, **options):
    out = io.BytesIO()
    image.save(out, "JPEG", quality=92, **options)
    return out.getvalue()


def ycck():
    """YCCK: four components whose first three are YCbCr, with Adobe's transform set to 2."""
    cmyk = smooth("CMYK")
    c, m, y, k = cmyk.split()
    ycc = Image.merge("RGB", (c, m, y)).convert("YCbCr")
    data = bytearray(jpeg(Image.merge("CMYK", (*ycc.split(), k))))
    adobe = data.index(b"Adobe")
    assert data[adobe + 11] == 0
    data[adobe + 11] = 2
    return bytes(data)


def without_jfif(data, ids=None):
    """Neither JFIF's segment nor, if asked for, the usual numbers of the components."""
    data = bytearray(data)
    assert data[2:4] == b"\xff\xe0" and data[6:10] == b"JFIF"
    del data[2 : 4 + (data[4] << 8 | data[5])]
    if ids:
        frame, scan = data.index(b"\xff\xc0"), data.index(b"\xff\xda")
        for i, identity in enumerate(ids):
            data[frame + 10 + 3 * i] = identity
            data[scan + 5 + 2 * i] = identity
    return bytes(data)


def png16(colour, bands):
    """Pillow writes no 16 bit colour, so this does."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(
        b"\0" + b"".join(struct.pack(">H", (x * 2749 + y * 3391 + b * 9001) % 65536)
                         for x in range(W) for b in range(bands))
        for y in range(H)
    )
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", W, H, 16, colour, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def png(image):
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def webp(image, **options):
    out = io.BytesIO()
    image.save(out, "WEBP", **{"lossless": True, "exact": True, **options})
    return out.getvalue()


def picture():
    """Shapes with edges in every direction on a gradient, with noise here and there."""
    image = smooth("RGB", (101, 83))
    draw = ImageDraw.Draw(image)
    draw.ellipse((20, 10, 80, 75), fill=(220, 170, 140))
    draw.polygon([(5, 80), (50, 20), (95, 60)], fill=(40, 60, 150))
    draw.line([(0, 0), (100, 82)], fill=(250, 250, 20), width=3)
    image.paste(speckled("RGB", (30, 20)), (60, 5))
    return image


class Config(ctypes.Structure):
    """libwebp's WebPConfig (webp/encode.h), which tells more than Pillow lets one choose."""

    _fields_ = ([("lossless", ctypes.c_int), ("quality", ctypes.c_float)]
                + [(name, ctypes.c_int) for name in ("method", "image_hint", "target_size")]
                + [("target_PSNR", ctypes.c_float)]
                + [(name, ctypes.c_int) for name in (
                    "segments", "sns_strength", "filter_strength", "filter_sharpness", "filter_type",
                    "autofilter", "alpha_compression", "alpha_filtering", "alpha_quality", "pass_",
                    "show_compressed", "preprocessing", "partitions", "partition_limit",
                    "emulate_jpeg_size", "thread_level", "low_memory", "near_lossless", "exact",
                    "use_delta_palette", "use_sharp_yuv", "qmin", "qmax")])


def libwebp(image, quality, **settings):
    """A lossy file written by the libwebp that Pillow brings, through its advanced interface."""
    folder = Path(PIL.__file__).parent.parent / "pillow.libs"
    ctypes.CDLL(next(folder.glob("libsharpyuv*")), ctypes.RTLD_GLOBAL)
    lib = ctypes.CDLL(next(folder.glob("libwebp-*")))
    config = Config()
    assert lib.WebPConfigInitInternal(ctypes.byref(config), 0, ctypes.c_float(quality), 0x0210)
    for name, value in settings.items():
        setattr(config, name, value)
    assert lib.WebPValidateConfig(ctypes.byref(config))
    picture = (ctypes.c_ubyte * 1024)()
    assert lib.WebPPictureInitInternal(picture, 0x0210)
    header = ctypes.cast(picture, ctypes.POINTER(ctypes.c_int))
    header[2], header[3] = image.size
    writer = (ctypes.c_ubyte * 64)()
    lib.WebPMemoryWriterInit(writer)
    # After argb and its padding (webp/encode.h): writer at 96, custom_ptr at 104.
    pointers = ctypes.cast(picture, ctypes.POINTER(ctypes.c_void_p))
    pointers[12] = ctypes.cast(lib.WebPMemoryWrite, ctypes.c_void_p).value
    pointers[13] = ctypes.addressof(writer)
    assert lib.WebPPictureImportRGB(picture, image.tobytes(), 3 * image.size[0])
    assert lib.WebPEncode(ctypes.byref(config), picture)
    memory = ctypes.cast(writer, ctypes.POINTER(ctypes.c_void_p))
    size = ctypes.cast(writer, ctypes.POINTER(ctypes.c_size_t))[1]
    return ctypes.string_at(memory[0], size)


def speckled(mode, size=(W, H)):
    """A picture that no predictor foresees."""
    bands = len(Image.new(mode, (1, 1)).getbands())
    return Image.frombytes(mode, size, bytes((i * i * 37 + i * 11) % 251 for i in range(bands * size[0] * size[1])))


def animated(offset=False):
    """Two frames; with an offset, the first covers only a part of the canvas."""
    data = bytearray(webp(smooth("RGB"), save_all=True, append_images=[speckled("RGB")], duration=40))
    if offset:
        header, frame = data.index(b"VP8X"), data.index(b"ANMF")
        data[header + 12 : header + 15] = (W + 7).to_bytes(3, "little")
        data[header + 15 : header + 18] = (H + 5).to_bytes(3, "little")
        data[frame + 8 : frame + 14] = b"\2\0\0\1\0\0"
    return bytes(data)


def main(out):
    rgb = smooth("RGB")
    on_its_side = Image.Exif()
    on_its_side[0x0112] = 6
    files = {
        "baseline.jpg": jpeg(rgb),
        "subsampling444.jpg": jpeg(rgb, subsampling=0),
        "progressive.jpg": jpeg(rgb, progressive=True),
        "restart.jpg": jpeg(rgb, restart_marker_blocks=1),
        "adobe_rgb.jpg": jpeg(rgb, keep_rgb=True),
        "grey.jpg": jpeg(smooth("L")),
        "cmyk.jpg": jpeg(smooth("CMYK")),
        "ycck.jpg": ycck(),
        "icc.jpg": jpeg(rgb, icc_profile=swapped_profile()),
        "grey_icc.jpg": jpeg(smooth("L"), icc_profile=swapped_profile()),
        "no_jfif.jpg": without_jfif(jpeg(rgb)),
        "ids_rgb.jpg": without_jfif(jpeg(rgb, subsampling=0), b"RGB"),
        "ids_other.jpg": without_jfif(jpeg(rgb, subsampling=0), b"\x05\x06\x07"),
        "rgb.png": png(rgb),
        "grey.png": png(smooth("L")),
        "rgba.png": png(smooth("RGBA")),
        "grey_alpha.png": png(smooth("LA")),
        "palette.png": png(rgb.quantize(16)),
        "bilevel.png": png(smooth("L").convert("1")),
        "rgb16.png": png16(2, 3),
        "rgba16.png": png16(6, 4),
        "lossless.webp": webp(rgb),
        "lossless_speckled.webp": webp(speckled("RGB", (150, 70))),
        "lossless_alpha.webp": webp(speckled("RGBA")),
        "lossless_palette.webp": webp(rgb.quantize(16).convert("RGB")),
        "lossless_icc.webp": webp(rgb, icc_profile=swapped_profile()),
        "lossless_exif.webp": webp(rgb, exif=on_its_side),
        "animated.webp": animated(),
        "animated_offset.webp": animated(offset=True),
        "lossy.webp": webp(smooth("RGB", (70, 50)), lossless=False, quality=80),
        "lossy_low.webp": webp(smooth("RGB", (70, 50)), lossless=False, quality=20),
        "lossy_alpha.webp": webp(smooth("RGBA"), lossless=False, quality=80),
        "lossy_face.webp": libwebp(picture(), 60.0),
        "lossy_simple.webp": libwebp(picture(), 30.0, filter_type=0, filter_strength=60),
        "lossy_sharp.webp": libwebp(picture(), 30.0, filter_sharpness=7, filter_strength=90),
        "lossy_unfiltered.webp": libwebp(picture(), 50.0, filter_strength=0),
        "lossy_partitions.webp": libwebp(picture(), 50.0, partitions=3),
        "lossy_segments.webp": libwebp(picture(), 40.0, segments=1, method=0),
        "lossy_exif.webp": webp(rgb, lossless=False, quality=80, exif=on_its_side),
    }
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        files[f"orientation{orientation}.jpg"] = jpeg(rgb, exif=exif)
    for name, data in files.items():
        (out / name).write_bytes(data)
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
        image = image.convert("RGB")
        (out / (name + ".rgb")).write_bytes(struct.pack(">HH", *image.size) + image.tobytes())


main(Path(sys.argv[1]))
