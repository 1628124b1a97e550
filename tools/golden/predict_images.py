"""Writes the golden files of the test that classifies image files: tiny random models with their
image processors, images that have to be resized, and the logits that transformers and timm
compute of these files.

Usage: python predict_images.py OUT_DIR   (packages: requirements-timm.txt beside this file)
       (examples/src/test/resources/golden/predict)

OUT_DIR/images/*.png
OUT_DIR/NAME/config.json, model.safetensors, preprocessor_config.json   (timm's has none)
OUT_DIR/NAME/logits.json   by the name of the image
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from timm.data import create_transform, resolve_data_config
from timm.models._hub import save_for_hf
from transformers import (
    BitImageProcessor,
    DeiTConfig,
    DeiTForImageClassificationWithTeacher,
    DeiTImageProcessor,
    Dinov2Config,
    Dinov2ForImageClassification,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
)

from vit_families import RENAMED, randomize, rename

SIZES = [(32, 32), (90, 51), (20, 47), (33, 64)]
SIZE = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2)
NAMES = ["ibis", "heron", "crane", "stork", "egret"]
LABELS = dict(
    id2label=dict(enumerate(NAMES)), label2id={name: i for i, name in enumerate(NAMES)}
)

MODELS = {
    "vit": (
        ViTForImageClassification,
        ViTConfig(image_size=32, patch_size=8, intermediate_size=24, **SIZE, **LABELS),
        ViTImageProcessor(
            size={"height": 32, "width": 32}, image_mean=[0.4, 0.5, 0.6], image_std=[0.2, 0.25, 0.3]
        ),
    ),
    "deit": (
        DeiTForImageClassificationWithTeacher,
        DeiTConfig(image_size=32, patch_size=8, intermediate_size=24, **SIZE, **LABELS),
        DeiTImageProcessor(
            size={"height": 37, "width": 37}, crop_size={"height": 32, "width": 32}
        ),
    ),
    "dinov2": (
        Dinov2ForImageClassification,
        Dinov2Config(image_size=42, patch_size=7, mlp_ratio=1.5, **SIZE, **LABELS),
        BitImageProcessor(
            size={"shortest_edge": 33}, crop_size={"height": 28, "width": 28}, resample=3
        ),
    ),
}


def write_images(out):
    out.mkdir(parents=True)
    random = np.random.default_rng(7)
    images = {}
    for i, (width, height) in enumerate(SIZES):
        coarse = Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        image = coarse.resize((width, height), Image.BICUBIC)
        image.save(out / f"{i}.png")
        images[f"{i}.png"] = image
    return images


def write_logits(out, images, logits):
    values = {name: row.tolist() for name, row in zip(images, logits)}
    (out / "logits.json").write_text(json.dumps(values, indent=1) + "\n")


def write_renamed(source, out):
    """A copy as transformers names the modules since 5.9."""
    shutil.copytree(source, out)
    path = out / "model.safetensors"
    tensors = {rename(name, RENAMED): value for name, value in load_file(path).items()}
    save_file(tensors, path, {"format": "pt"})


def write_timm(out, images, generator):
    arguments = dict(img_size=32, patch_size=8, embed_dim=16, depth=2, num_heads=2)
    model = timm.create_model("vit_tiny_patch16_224", num_classes=len(NAMES), **arguments).eval()
    model.pretrained_cfg.update(input_size=[3, 32, 32], crop_pct=0.9)
    randomize(model.parameters(), generator, 0.2)
    save_for_hf(
        model,
        out,
        model_config=dict(label_names=NAMES),
        model_args=arguments,
        safe_serialization=True,
    )
    transform = create_transform(**resolve_data_config(model.pretrained_cfg, model=model))
    write_logits(out, images, model(torch.stack([transform(i) for i in images.values()])))


@torch.no_grad()
def main(out):
    shutil.rmtree(out, ignore_errors=True)
    images = write_images(out / "images")
    generator = torch.Generator().manual_seed(11)
    for name, (kind, config, processor) in MODELS.items():
        torch.manual_seed(12)
        model = kind(config).eval()
        randomize(model.parameters(), generator, 0.2)
        model.save_pretrained(out / name)
        processor.save_pretrained(out / name)
        pixels = processor(list(images.values()), return_tensors="pt")["pixel_values"]
        write_logits(out / name, images, model(pixels).logits)
    write_renamed(out / "vit", out / "vit-renamed")
    torch.manual_seed(12)
    write_timm(out / "timm", images, generator)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
