"""Writes the SHA-256 of the pixels that Hugging Face's slow image processors and timm's evaluation
transform make of images that a seed describes, before they are scaled and normalised; the first of
each kind also as a file, to be looked at where a digest differs.

Usage: image_processors.py OUT_DIR
       (fairlora-vision/src/test/resources/io/fairlora/vision/transform)
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from timm.data import create_transform
from transformers import BitImageProcessor, CLIPImageProcessor, DeiTImageProcessor, ViTImageProcessor

from pillow_resize import pixels

SIZES = [(640, 481), (481, 640), (333, 500), (97, 89), (224, 224), (225, 223), (60, 200), (31, 17),
         (109, 89), (178, 218), (300, 301), (257, 256)]

HF = {
    "vit_bilinear": (ViTImageProcessor, dict(size={"height": 56, "width": 48}, resample=2)),
    "vit_bicubic": (ViTImageProcessor, dict(size={"height": 64, "width": 64}, resample=3)),
    "bit": (BitImageProcessor, dict(size={"shortest_edge": 73}, crop_size={"height": 64, "width": 64},
                                            resample=3)),
    "bit_odd": (BitImageProcessor, dict(size={"shortest_edge": 64}, crop_size={"height": 57, "width": 48},
                                        resample=2)),
    "bit_padded": (BitImageProcessor, dict(size={"shortest_edge": 50}, crop_size={"height": 63, "width": 64},
                                           resample=3)),
    "clip": (CLIPImageProcessor, dict(size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64})),
    "deit": (DeiTImageProcessor, dict(size={"height": 73, "width": 73}, crop_size={"height": 64, "width": 64},
                                      resample=3)),
    "crop_only": (BitImageProcessor, dict(do_resize=False, crop_size={"height": 64, "width": 65})),
}

TIMM = {
    "timm_0.9_bicubic": dict(input_size=(3, 64, 64), interpolation="bicubic", crop_pct=0.9),
    "timm_0.875_bilinear": dict(input_size=(3, 64, 64), interpolation="bilinear", crop_pct=0.875),
    "timm_0.95_odd": dict(input_size=(3, 57, 57), interpolation="bicubic", crop_pct=0.95),
    "timm_1.0": dict(input_size=(3, 64, 64), interpolation="bicubic", crop_pct=1.0),
    "timm_squash": dict(input_size=(3, 64, 64), interpolation="bicubic", crop_pct=0.9, crop_mode="squash"),
}


def hf(kind, options):
    processor = kind(do_rescale=False, do_normalize=False, **options)

    def run(image):
        # Nothing is scaled: the values are bytes.
        return processor(image, return_tensors="np")["pixel_values"][0].transpose(1, 2, 0)

    return run


def timm(options):
    transform = create_transform(**options, is_training=False, mean=(0.0,) * 3, std=(1.0,) * 3)

    def run(image):
        return np.rint(transform(image).numpy().transpose(1, 2, 0) * 255)

    return run


def main(out):
    runs = {name: hf(*case) for name, case in HF.items()}
    runs.update({name: timm(case) for name, case in TIMM.items()})
    rows = ["processor,seed,width,height,sha256"]
    for name, run in runs.items():
        for seed, (width, height) in enumerate(SIZES):
            image = Image.frombytes("RGB", (width, height), pixels(seed, width * height * 3))
            made = run(image)
            data = np.ascontiguousarray(made.astype(np.uint8))
            assert (data == made).all()
            rows.append(f"{name},{seed},{width},{height},{hashlib.sha256(data.tobytes()).hexdigest()}")
            if seed == 0 and name in ("clip", "timm_0.9_bicubic"):
                Image.fromarray(data).save(out / f"{name}.png")
    # As the files that people have: HF's preprocessor_config.json, timm's pretrained_cfg.
    configs = {name: json.loads(kind(**options).to_json_string()) for name, (kind, options) in HF.items()}
    configs.update(TIMM)
    (out / "processors.json").write_text(json.dumps(configs, indent=1) + "\n")
    (out / "processors.csv").write_text("\n".join(rows) + "\n")


main(Path(sys.argv[1]))
