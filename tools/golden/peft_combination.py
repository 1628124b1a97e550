"""Writes the golden file of the weighted combination of adapters: three LoRA adapters of PEFT, and
what add_weighted_adapter makes of them with every combination type.

Usage: python peft_combination.py OUT.json   (packages: requirements.txt beside this file)

adapters: [{rank, alpha, layers: {path: {a, b, rank, scale}}}]
cases:    [{type, weights, adapters (indices), density, majority, rank, layers: {path: {a, b, rank}},
           masks: {"path/adapter/matrix": "0101..."}}]   matrix: A, B or BA; the scale is 1
"""

import json
import sys

import torch
from peft import LoraConfig, get_peft_model
from torch import nn

TYPES = (
    "cat svd linear ties dare_linear dare_ties magnitude_prune"
    " ties_svd dare_linear_svd dare_ties_svd magnitude_prune_svd"
).split()
SETTINGS = [("abc"[i], rank, alpha) for i, (rank, alpha) in enumerate([(3, 6), (3, 4.5), (3, 3)])]


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(7, 5)
        self.second = nn.Linear(5, 6)

    def forward(self, x):
        return self.second(self.first(x))


def numbers(tensor):
    return [float(f"{x:.9g}") for x in tensor.flatten().tolist()]


def layers_of(model, name):
    return {
        path: model.base_model.model.get_submodule(path)
        for path in ("first", "second")
        if name in model.base_model.model.get_submodule(path).lora_A
    }


def factors(layer, name):
    return {
        "a": numbers(layer.lora_A[name].weight.data),
        "b": numbers(layer.lora_B[name].weight.data),
        "rank": layer.lora_A[name].weight.shape[0],
    }


def case(model, kind, chosen, weights, density=None, majority="total", rank=None):
    drawn = []
    draw = torch.bernoulli

    def recorded(*args, **kwargs):
        mask = draw(*args, **kwargs)
        drawn.append("".join(str(int(x)) for x in mask.flatten().tolist()))
        return mask

    torch.bernoulli = recorded
    try:
        model.base_model.add_weighted_adapter(
            ["abc"[i] for i in chosen],
            weights,
            "sum",
            combination_type=kind,
            density=density,
            majority_sign_method=majority,
            svd_rank=rank,
        )
    finally:
        torch.bernoulli = draw
    layers = layers_of(model, "sum")
    masks = {}
    for path, layer in layers.items():
        assert layer.scaling["sum"] == 1
        for matrix in ["BA"] if kind.endswith("svd") else ["A", "B"]:
            for position, index in enumerate(chosen):
                if drawn and "abc"[index] in layer.lora_A:
                    masks[f"{path}/{position}/{matrix}"] = drawn.pop(0)
    assert not drawn
    result = {
        "type": kind,
        "adapters": chosen,
        "weights": weights,
        "density": density,
        "majority": majority,
        "rank": rank,
        "layers": {path: factors(layer, "sum") for path, layer in layers.items()},
        "masks": masks,
    }
    model.delete_adapter("sum")
    return result


def main(out):
    torch.manual_seed(30)
    model = None
    for name, rank, alpha in SETTINGS:
        # The last one lacks a layer.
        targets = ["first"] if name == "c" else ["first", "second"]
        config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets)
        if model is None:
            model = get_peft_model(Two(), config, adapter_name=name)
        else:
            model.add_adapter(name, config)
        for layer in layers_of(model, name).values():
            layer.lora_A[name].weight.data.normal_(std=0.4)
            layer.lora_B[name].weight.data.normal_(std=0.4)
    adapters = [
        {
            "rank": rank,
            "alpha": alpha,
            "layers": {
                path: factors(layer, name) | {"scale": layer.scaling[name]}
                for path, layer in layers_of(model, name).items()
            },
        }
        for name, rank, alpha in SETTINGS
    ]
    cases = []
    for kind in TYPES:
        prunes = kind not in ("cat", "svd", "linear")
        densities = (0.45, 1.0) if prunes else (None,)
        for density in densities:
            for weights in ([0.7, 0.5, 1.2], [1.0, -0.6, 0.4]):
                cases.append(case(model, kind, [0, 1, 2], weights, density))
        if "ties" in kind:
            cases.append(case(model, kind, [0, 1, 2], [0.7, 0.5, 1.2], 0.45, "frequency"))
        if kind.endswith("svd"):
            cases.append(
                case(model, kind, [1, 0], [0.7, 0.5], 0.45 if prunes else None, rank=2)
            )
        cases.append(case(model, kind, [1], [-0.8], 0.45 if prunes else None))
    with open(out, "w") as file:
        json.dump({"adapters": adapters, "cases": cases}, file)
        file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
