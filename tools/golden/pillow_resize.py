"""Writes the SHA-256 of what Pillow makes of images that a seed describes, and a few of the results
whole, to be looked at where a digest differs.

Usage: pillow_resize.py OUT_DIR  (fairlora-vision/src/test/resources/io/fairlora/vision/transform)
"""

import hashlib
import sys
from pathlib import Path

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


def draw(state, values):
    """The next state of the generator and an element that it picks."""
    state = (state * 1664525 + 1013904223) & MASK
    return state, values[(state >> 16) % len(values)]


def cases():
    """Sizes with a few favourites among them, then 64 cases of nothing but odd sizes."""
    sizes = [1, 2, 3, 7, 16, 31, 48, 64, 89, 109, 112, 131, 178, 200, 218, 225]
    state = 2463534242
    for seed in range(56):
        picked = []
        for _ in range(4):
            state, size = draw(state, sizes)
            picked.append(size)
        width, height, to_width, to_height = picked
        if seed % 7 == 0:
            to_width = width
        if seed % 7 == 1:
            to_height = height
        yield seed, width, height, to_width, to_height
    small, large = range(5, 120, 2), range(121, 520, 2)
    for seed in range(56, 120):
        # Up, down, and one of each, in turn.
        picked = []
        for values in [(small, small, large, large), (large, large, small, small),
                       (small, large, large, small), (large, large, large, large)][seed // 2 % 4]:
            state, size = draw(state, values)
            picked.append(size)
        yield (seed, *picked)


def main(out):
    rows = ["seed,width,height,to_width,to_height,interpolation,sha256"]
    for seed, width, height, to_width, to_height in cases():
        name, filter_ = [("BILINEAR", Image.BILINEAR), ("BICUBIC", Image.BICUBIC)][seed % 2]
        image = Image.frombytes("RGB", (width, height), pixels(seed, width * height * 3))
        resized = image.resize((to_width, to_height), filter_)
        digest = hashlib.sha256(resized.tobytes()).hexdigest()
        rows.append(f"{seed},{width},{height},{to_width},{to_height},{name},{digest}")
        if 58 <= seed < 62:
            resized.save(out / f"resize{seed}.png")
    (out / "resize.csv").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
