"""Writes small image files and the RGB bytes that Pillow reads from them.

Usage: pillow_decode.py OUT_DIR  (fairlora-vision/src/test/resources/io/fairlora/vision/transform)
"""

import io
import struct
import sys
import zlib
from pathlib import Path

from PIL import Image, ImageCms, ImageOps

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
