"""Checks that PEFT reads what the library wrote: for every variant the adapter that
LoraVariantsGoldenTest left in fairlora-core/target/golden/variants is loaded with nothing missing
or unexpected, and computes PEFT's own output after training.

Usage: python check_variants.py GOLDEN_DIR WRITTEN_DIR   (GOLDEN_DIR as peft_variants.py made it)
"""

import sys
import warnings
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import load_file

from peft_variants import VARIANTS, Network, with_conv1d


def main(golden, written):
    weights = load_file(golden / "base.safetensors")
    x = weights.pop("x")
    del weights["target"]
    for name, arguments in VARIANTS.items():
        network = Network()
        network.load_state_dict(weights)
        if arguments.get("fan_in_fan_out"):
            network = with_conv1d(network)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # PEFT warns of missing keys, and of lora_bias
            warnings.filterwarnings("ignore", message=".*lora_bias=True.*")
            warnings.filterwarnings("ignore", message=".*fan_in_fan_out.*")
            adapted = PeftModel.from_pretrained(network, written / name).eval()
        expected = load_file(golden / name / "expected.safetensors")["trained_output"]
        with torch.no_grad():
            error = (adapted(x) - expected).abs().max().item()
        print(f"{name:20s} {error:.1e}")
        assert error < 1e-5, name


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
