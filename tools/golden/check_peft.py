"""Checks that PEFT loads an adapter directory and computes the expected logits with it.

Usage: python check_peft.py ADAPTER_DIR EXPECTED [--model MODEL_DIR]

EXPECTED is a safetensors file with pixel_values (batch, 3, H, W) and adapted_logits (batch,
labels). Without --model, the tiny model of the vision tests is used. Prints the greatest
difference; exits with status 1 if it exceeds 1e-4 or PEFT finds keys missing or unexpected.
"""

import argparse
import sys
import warnings
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import ViTForImageClassification

GOLDEN = Path(__file__).resolve().parents[2] / "fairlora-vision/src/test/resources/golden/vit"
TOLERANCE = 1e-4


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("adapter", type=Path)
    parser.add_argument("expected", type=Path)
    parser.add_argument("--model", type=Path, default=GOLDEN / "model")
    arguments = parser.parse_args()

    # PEFT only warns about missing keys, and says nothing of unexpected ones.
    warnings.filterwarnings("error", message=".*[Mm]issing.*keys.*")
    base = ViTForImageClassification.from_pretrained(arguments.model)
    model = PeftModel.from_pretrained(base, arguments.adapter).eval()
    known = {
        name.replace(".default", "").replace(".modules_to_save", "")
        for name in model.state_dict()
    }
    unexpected = set(load_file(arguments.adapter / "adapter_model.safetensors")) - known
    if unexpected:
        print(f"PEFT does not know {sorted(unexpected)}")
        return 1

    expected = load_file(arguments.expected)
    with torch.no_grad():
        logits = model(expected["pixel_values"].float()).logits
    difference = (logits - expected["adapted_logits"]).abs().max().item()
    print(f"logits {tuple(logits.shape)}: greatest difference {difference:.3g}")
    return 0 if difference <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
