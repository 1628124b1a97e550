"""Writes the golden file of several adapters at once: three adapters of peft_variants.py in one
PEFT model, alone, together, scaled, and one for each example of a batch.

Usage: python peft_sets.py GOLDEN_DIR OUT_FILE   (GOLDEN_DIR as peft_variants.py made it)

OUT_FILE  first, second, third: each adapter alone
          together: first + second; scaled: first + second under set_scale(-0.5)
          mixed: examples 0.. get second, base, first, third, second, base
"""

import sys
from pathlib import Path

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file, save_file

from peft_variants import Network

ADAPTERS = {"first": "regex", "second": "rank_pattern", "third": "lora_bias"}
MIXED = ["second", "__base__", "first", "third", "second", "__base__"]


def main(golden, out):
    weights = load_file(golden / "base.safetensors")
    x = weights.pop("x")
    del weights["target"]
    network = Network()
    network.load_state_dict(weights)
    adapted = None
    for name, variant in ADAPTERS.items():
        folder = golden / variant / "trained"
        if adapted is None:
            adapted = PeftModel.from_pretrained(network, folder, adapter_name=name)
        else:
            adapted.load_adapter(folder, adapter_name=name)
    adapted.eval()
    result = {}
    with torch.no_grad():
        for name in ADAPTERS:
            adapted.set_adapter(name)
            result[name] = adapted(x)
        adapted.base_model.set_adapter(["first", "second"])
        result["together"] = adapted(x)
        for module in adapted.modules():
            if isinstance(module, LoraLayer):
                module.set_scale("second", -0.5)
        result["scaled"] = adapted(x)
        for module in adapted.modules():
            if isinstance(module, LoraLayer):
                module.set_scale("second", 1)
        result["mixed"] = adapted(x, adapter_names=MIXED)
    for i, name in enumerate(MIXED):
        expected = result[name][i] if name in ADAPTERS else network_output(weights, x)[i]
        assert torch.allclose(result["mixed"][i], expected, atol=1e-6)
    save_file({k: v.contiguous() for k, v in result.items()}, out)


def network_output(weights, x):
    network = Network()
    network.load_state_dict(weights)
    with torch.no_grad():
        return network(x)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
