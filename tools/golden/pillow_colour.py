"""Writes the SHA-256 of what Pillow and torchvision, on Pillow's images, make of two images: noise
that a seed describes, and the same noise with little colour.

Usage: pillow_colour.py > fairlora-vision/src/test/resources/io/fairlora/vision/transform/colour.csv
"""

import hashlib

from PIL import Image, ImageEnhance, ImageOps
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F

from pillow_resize import pixels

FACTORS = [0.0, 0.1, 0.37, 0.9, 1.0, 1.25, 1.9]
WIDTH, HEIGHT = 61, 47


def shift(right, down):
    return lambda image: F.affine(image, 0.0, [right, down], 1.0, [0.0, 0.0], InterpolationMode.NEAREST)


def main():
    operations = {}
    for factor in FACTORS:
        operations["brightness", factor] = lambda image, f=factor: ImageEnhance.Brightness(image).enhance(f)
        operations["contrast", factor] = lambda image, f=factor: ImageEnhance.Contrast(image).enhance(f)
        operations["saturation", factor] = lambda image, f=factor: ImageEnhance.Color(image).enhance(f)
    for turn in [-0.5, -0.21, -0.003, 0.0, 0.1, 0.37, 0.5]:
        operations["hue", turn] = lambda image, t=turn: F.adjust_hue(image, t)
    for bits in [1, 4, 6, 7, 8]:
        operations["posterize", bits] = lambda image, b=bits: ImageOps.posterize(image, b)
    for threshold in [0.0, 100.5, 128.0, 255.0]:
        operations["solarize", threshold] = lambda image, t=threshold: ImageOps.solarize(image, t)
    operations["autocontrast", 0] = ImageOps.autocontrast
    operations["equalize", 0] = ImageOps.equalize
    operations["flip", 0] = ImageOps.mirror
    for distance in [-70, -27, -1, 1, 13]:
        operations["right", distance] = shift(distance, 0)
        operations["down", distance] = shift(0, distance)
    noise = Image.frombytes("RGB", (WIDTH, HEIGHT), pixels(7, WIDTH * HEIGHT * 3))
    dull = Image.frombytes("RGB", (WIDTH, HEIGHT),
                           bytes(90 + (p >> 2) for p in pixels(7, WIDTH * HEIGHT * 3)))
    print("image,operation,strength,sha256")
    for image_name, image in [("noise", noise), ("dull", dull)]:
        for (name, strength), run in operations.items():
            made = run(image)
            assert made.size == image.size and made.mode == "RGB"
            print(f"{image_name},{name},{strength},{hashlib.sha256(made.tobytes()).hexdigest()}")


main()
