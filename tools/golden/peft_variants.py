"""Writes the golden files of LoRA's variants: every variant of PEFT's LoraConfig that the library
has, on one small network, trained for two steps of plain gradient descent.

Usage: python peft_variants.py OUT_DIR   (packages: requirements.txt beside this file)

OUT_DIR/base.safetensors     the network's weights by their names, x (batch, in), target (batch, out)
OUT_DIR/NAME/initial/        adapter_config.json, adapter_model.safetensors before the first step
OUT_DIR/NAME/trained/        adapter_config.json, adapter_model.safetensors after the second
OUT_DIR/NAME/expected.safetensors
    initial_output, trained_output (batch, out), merged_output: of the merged model
    base.PATH.weight         weights of the base that PEFT changed when it put the adapter in
    gradient.KEY             the first step's gradients
    initial_bias.PATH.bias, bias.PATH.bias
                             trained biases of the base before and after (PEFT 0.18 does not save
                             those of lora_only)
    counts                   trained and all parameters, as print_trainable_parameters has them
"""

import copy
import json
import shutil
import sys
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from torch import nn
from transformers.pytorch_utils import Conv1D

INPUT, HIDDEN, LEARNING_RATE = 10, 8, 0.3


class Attention(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.query = nn.Linear(size, HIDDEN)
        self.value = nn.Linear(size, HIDDEN, bias=False)


class Output(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(HIDDEN, HIDDEN)


class Layer(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.attention = Attention(size)
        self.output = Output()
        self.norm = nn.LayerNorm(HIDDEN)

    def forward(self, h):
        mixed = torch.tanh(self.attention.query(h)) * self.attention.value(h)
        return torch.tanh(self.norm(self.output.dense(mixed)))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.ModuleList([Layer(INPUT), Layer(HIDDEN)])


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = Encoder()

    def forward(self, x):
        for layer in self.encoder.layer:
            x = layer(x)
        return x


def with_conv1d(network):
    """The same network with weights stored (in, out), as GPT-2 has them."""
    for layer in network.encoder.layer:
        for parent, name in [(layer.attention, "query"), (layer.output, "dense")]:
            linear = getattr(parent, name)
            conv = Conv1D(linear.out_features, linear.in_features)
            with torch.no_grad():
                conv.weight.copy_(linear.weight.T)
                conv.bias.copy_(linear.bias)
            setattr(parent, name, conv)
    return network


TARGETS = ["query", "value"]
VARIANTS = {
    "plain": dict(),
    "false": dict(init_lora_weights=False),
    "gaussian": dict(init_lora_weights="gaussian"),
    "orthogonal": dict(init_lora_weights="orthogonal"),
    "pissa": dict(init_lora_weights="pissa"),
    "olora": dict(init_lora_weights="olora"),
    "rslora": dict(use_rslora=True),
    "dora": dict(use_dora=True),
    "dora_rslora": dict(use_dora=True, use_rslora=True),
    "dora_pissa": dict(use_dora=True, init_lora_weights="pissa"),
    "dora_bias_all": dict(use_dora=True, bias="all", target_modules=["query", "dense"]),
    "lora_bias": dict(lora_bias=True),
    "bias_all": dict(bias="all"),
    "bias_lora_only": dict(bias="lora_only", target_modules=["query", "dense"]),
    "rank_pattern": dict(rank_pattern={"layer.1.attention.query": 2, "value": 3}),
    "alpha_pattern": dict(alpha_pattern={"^encoder.layer.0.attention.query": 3, "query": 1.5}),
    "patterns_rslora": dict(
        use_rslora=True,
        rank_pattern={r".*\.0\..*": 6},
        alpha_pattern={"attention.value": 5},
    ),
    "all_linear": dict(target_modules="all-linear"),
    "exclude_names": dict(
        target_modules=["query", "value", "dense"], exclude_modules=["output.dense"]
    ),
    "exclude_regex": dict(
        target_modules=["query", "value"], exclude_modules=r".*\.1\.attention\.value"
    ),
    "regex": dict(target_modules=r".*\.[01]\.(attention\.query|output\.dense)"),
    "layers_to_transform": dict(layers_to_transform=[1]),
    "layers_pattern": dict(layers_to_transform=[0], layers_pattern="layer"),
    "fan_in_fan_out": dict(fan_in_fan_out=True, target_modules=["query", "dense"]),
}
# What PEFT makes of the base weights is compared: nothing is added to the factors.
FROM_BASE = {"pissa", "olora", "dora_pissa"}


def moved(network, generator, scale):
    """Moves every trainable parameter, so that no term is silently zero or one."""
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.requires_grad:
                noise = torch.randn(parameter.shape, generator=generator)
                parameter.add_(noise * scale)


def save(adapted, folder):
    adapted.save_pretrained(folder)
    (folder / "README.md").unlink()
    path = folder / "adapter_config.json"
    settings = json.loads(path.read_text())
    for field in ("target_modules", "exclude_modules"):  # sets, in any order
        if isinstance(settings[field], list):
            settings[field].sort()
    settings["base_model_name_or_path"] = "base"
    path.write_text(json.dumps(settings, indent=2, sort_keys=True))


def write(out, name, arguments, base, x, target, generator):
    network = copy.deepcopy(base)
    if arguments.get("fan_in_fan_out"):
        network = with_conv1d(network)
    before = {n: p.detach().clone() for n, p in network.named_parameters()}
    settings = dict(r=4, lora_alpha=6, target_modules=TARGETS) | arguments
    adapted = get_peft_model(network, LoraConfig(**settings))
    expected = {"counts": torch.tensor(adapted.get_nb_trainable_parameters())}
    changed = set()
    for key, value in adapted.named_parameters():
        plain = key.removeprefix("base_model.model.").replace("base_layer.", "")
        if plain in before and not torch.equal(value, before[plain]):
            expected["base." + plain] = value.detach().clone()
            changed.add(plain)
    assert bool(changed) == (name in FROM_BASE), (name, changed)
    if name not in FROM_BASE:
        moved(adapted, generator, 0.1)
    save(adapted, out / name / "initial")
    biases = {}
    for key, value in adapted.named_parameters():
        plain = key.removeprefix("base_model.model.").replace("base_layer.", "")
        if plain in before and value.requires_grad:
            biases[plain] = value
            expected["initial_bias." + plain] = value.detach().clone()
    assert bool(biases) == ("bias" in settings)
    expected["initial_output"] = adapted(x).detach()
    trained = [p for p in adapted.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=LEARNING_RATE)
    for step in range(2):
        optimizer.zero_grad()
        (adapted(x) - target).square().mean().backward()
        if step == 0:
            state = get_peft_model_state_dict(
                adapted,
                {n: p.grad for n, p in adapted.named_parameters() if p.grad is not None},
            )
            for key, gradient in state.items():
                expected["gradient." + key.removeprefix("base_model.model.")] = gradient.clone()
        optimizer.step()
    save(adapted, out / name / "trained")
    for plain, value in biases.items():
        expected["bias." + plain] = value.detach().clone()
    expected["trained_output"] = adapted(x).detach()
    assert (expected["trained_output"] - expected["initial_output"]).abs().max() > 0.01, name
    if name == "lora_bias":  # value has no bias to merge it into
        expected["merged_output"] = expected["trained_output"].clone()
    else:
        expected["merged_output"] = adapted.merge_and_unload(safe_merge=True)(x).detach()
    save_file({k: v.contiguous() for k, v in expected.items()}, out / name / "expected.safetensors")


def main(out):
    torch.manual_seed(30)
    torch.use_deterministic_algorithms(True)
    generator = torch.Generator().manual_seed(31)
    base = Network()
    moved(base, generator, 0.2)
    x = torch.randn(6, INPUT, generator=generator)
    target = torch.rand(6, HIDDEN, generator=generator) - 0.5
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    save_file(base.state_dict() | {"x": x, "target": target}, out / "base.safetensors")
    for name, arguments in VARIANTS.items():
        write(out, name, arguments, base, x, target, generator)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
