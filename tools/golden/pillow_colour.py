"""Writes the SHA-256 of what Pillow and torchvision, on Pillow's images, make of two images: noise
that a seed describes, and the same noise with little colour.

Usage: pillow_colour.py > fairlora-vision/src/test/resources/io/fairlora/vision/transform/colour.csv
"""

import hashlib
import math

from PIL import Image, ImageEnhance, ImageOps
from torchvision.transforms import InterpolationMode, RandAugment, autoaugment
from torchvision.transforms import functional as F

from pillow_resize import pixels

FACTORS = [0.0, 0.1, 0.37, 0.9, 1.0, 1.25, 1.9]
WIDTH, HEIGHT = 61, 47


def shift(right, down):
    return lambda image: F.affine(image, 0.0, [right, down], 1.0, [0.0, 0.0], InterpolationMode.NEAREST)


def shear(x, y):
    degrees = [math.degrees(math.atan(x)), math.degrees(math.atan(y))]
    return lambda image: F.affine(image, 0.0, [0, 0], 1.0, degrees, InterpolationMode.NEAREST, center=[0, 0])


def rand_augment(name, value):
    return lambda image: autoaugment._apply_op(image, name, value, InterpolationMode.NEAREST, None)


def main():
    operations = {}
    for factor in FACTORS:
        operations["brightness", factor] = lambda image, f=factor: ImageEnhance.Brightness(image).enhance(f)
        operations["sharpness", factor] = lambda image, f=factor: ImageEnhance.Sharpness(image).enhance(f)
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
    for part in [-0.3, -0.09, 0.0, 0.013, 0.3]:
        operations["shear x", part] = shear(part, 0.0)
        operations["shear y", part] = shear(0.0, part)
    for angle in [-30.0, -9.0, 0.0, 1.0, 17.3, 30.0]:
        operations["rotate", angle] = lambda image, a=angle: F.rotate(image, a)
    space = RandAugment()._augmentation_space(31, (HEIGHT, WIDTH))
    for name, (magnitudes, signed) in space.items():
        for magnitude in [0, 1, 3, 9, 14, 15, 16, 22, 30]:
            for sign in [1, -1] if signed else [1]:
                value = sign * float(magnitudes[magnitude]) if magnitudes.ndim else 0.0
                operations["RandAugment " + name, sign * magnitude] = rand_augment(name, value)
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
