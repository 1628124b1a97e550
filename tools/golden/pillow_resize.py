"""Writes the SHA-256 of what Pillow makes of images that a seed describes.

Usage: pillow_resize.py > fairlora-vision/src/test/resources/io/fairlora/vision/transform/resize.csv
"""

import hashlib

from PIL import Image

MASK = (1 << 32) - 1


def pixels(seed, count):
    """The high byte of Numerical Recipes' 32 bit linear congruential generator."""
    data = bytearray(count)
    state = seed
    for i in range(count):
        state = (state * 1664525 + 1013904223) & MASK
        data[i] = state >> 24
    return bytes(data)


def main():
    sizes = [1, 2, 3, 7, 16, 31, 48, 64, 89, 109, 112, 131, 178, 200, 218, 225]
    print("seed,width,height,to_width,to_height,interpolation,sha256")
    state = 2463534242
    for seed in range(56):
        picked = []
        for _ in range(4):
            state = (state * 1664525 + 1013904223) & MASK
            picked.append(sizes[(state >> 16) % len(sizes)])
        width, height, to_width, to_height = picked
        if seed % 7 == 0:
            to_width = width
        if seed % 7 == 1:
            to_height = height
        name, filter_ = [("BILINEAR", Image.BILINEAR), ("BICUBIC", Image.BICUBIC)][seed % 2]
        image = Image.frombytes("RGB", (width, height), pixels(seed, width * height * 3))
        out = image.resize((to_width, to_height), filter_).tobytes()
        digest = hashlib.sha256(out).hexdigest()
        print(f"{seed},{width},{height},{to_width},{to_height},{name},{digest}")


main()
