"""Checks that transformers and PEFT give the logits that PredictImages wrote, from the image files.

Usage: python check_predictions.py PREDICTIONS.json --model MODEL_DIR [--adapter ADAPTER_DIR]

Opens every file with Pillow and the model's own slow image processor (ViT's at the model's size if
it has none). Prints the greatest difference; exits with status 1 if it exceeds 1e-4 or PEFT finds
keys missing.
"""

import argparse
import json
import sys
import warnings
from pathlib import Path

import torch
from peft import PeftModel
from PIL import Image, ImageOps
from transformers import AutoImageProcessor, ViTForImageClassification, ViTImageProcessor

TOLERANCE = 1e-4


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("predictions", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--adapter", type=Path)
    arguments = parser.parse_args()

    predictions = json.loads(arguments.predictions.read_text())["predictions"]
    classes = len(predictions[0]["logits"])
    # An adapter's own classifier may have other classes than the model's.
    model = ViTForImageClassification.from_pretrained(
        arguments.model, num_labels=classes, ignore_mismatched_sizes=arguments.adapter is not None)
    if (arguments.model / "preprocessor_config.json").exists():
        processor = AutoImageProcessor.from_pretrained(arguments.model, use_fast=False)
    else:
        size = model.config.image_size
        processor = ViTImageProcessor(size={"height": size, "width": size})
    if arguments.adapter:
        # PEFT only warns about missing keys.
        warnings.filterwarnings("error", message=".*[Mm]issing.*keys.*")
        model = PeftModel.from_pretrained(model, arguments.adapter)
    model.eval()
    greatest = 0.0
    for prediction in predictions:
        image = ImageOps.exif_transpose(Image.open(prediction["file"])).convert("RGB")
        with torch.no_grad():
            logits = model(**processor(image, return_tensors="pt")).logits[0]
        greatest = max(greatest, (logits - torch.tensor(prediction["logits"])).abs().max().item())
    print(f"{len(predictions)} images: greatest difference {greatest:.3g}")
    return 0 if greatest <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
