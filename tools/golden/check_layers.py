"""Checks that PEFT reads what the library wrote: every adapter that LayersGoldenTest left in
fairlora-vision/target/golden/layers is loaded with nothing missing or unexpected, and computes
PEFT's own output after training.

Usage: python check_layers.py GOLDEN_DIR WRITTEN_DIR   (GOLDEN_DIR as peft_layers.py made it)
"""

import sys
import warnings
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import ViTForImageClassification

from peft_layers import MODELS, VARIANTS


def check(base, read, written, expected, key):
    warnings.simplefilter("error")  # PEFT warns of missing keys
    adapted = PeftModel.from_pretrained(base, written).eval()
    # A magnitude is a module with a weight in memory, but none in files.
    known = {
        name.replace(".default", "").replace(".modules_to_save", "").removesuffix(".weight")
        for name in adapted.state_dict()
    }
    found = {
        name.removesuffix(".weight")
        for name in load_file(written / "adapter_model.safetensors")
    }
    assert found <= known, found - known
    with torch.no_grad():
        output = read(adapted((expected["pixels"] / 255 - 0.5) / 0.5))
    error = (output - expected[key]).abs().max().item()
    print(f"{written.parent.name}/{written.name:24s} {error:.1e}")
    assert error < 1e-5, written


def main(golden, written):
    for name, (model, read) in MODELS.items():
        kind = type(model())
        for variant in VARIANTS[name]:
            options = {} if name != "vit" else dict(add_pooling_layer=False)
            base = kind.from_pretrained(golden / name, **options)
            expected = load_file(golden / name / variant / "expected.safetensors")
            check(base, read, written / name / variant, expected, "trained_output")
    name = "vit-classifier"
    base = ViTForImageClassification.from_pretrained(golden / name)
    expected = load_file(golden / name / "expected.safetensors")
    check(base, lambda out: out.logits, written / name, expected, "adapted_logits")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
