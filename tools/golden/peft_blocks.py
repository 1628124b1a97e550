"""Writes the golden files of LoRA on embeddings and convolutions of any network: a small network of
torch's own modules, adapted by PEFT and trained for two steps of plain gradient descent.

Usage: python peft_blocks.py OUT_DIR   (packages: requirements.txt beside this file)
       (fairlora-core/src/test/resources/golden/peft_blocks)

OUT_DIR/base.safetensors     the network's weights by their names, items (batch, 5, 4) of whole
                             numbers, target (batch, 3)
OUT_DIR/NAME/initial/        adapter_config.json, adapter_model.safetensors before the first step
OUT_DIR/NAME/trained/        the same after the second
OUT_DIR/NAME/expected.safetensors
    initial_output, trained_output, merged_output (batch, 3)
    gradient.KEY             the first step's gradients
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

LEARNING_RATE = 0.3
ITEMS, WIDTH, CHANNELS = 7, 6, 8


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(ITEMS, WIDTH)
        self.convolution = nn.Conv2d(WIDTH, CHANNELS, (3, 2), stride=(2, 1), padding=(1, 0))
        self.pixel = nn.Conv2d(CHANNELS, CHANNELS, 1, bias=False)
        self.head = nn.Linear(CHANNELS * 3 * 3, 3)

    def forward(self, items):
        image = self.table(items).permute(0, 3, 1, 2)
        return self.head(torch.tanh(self.pixel(torch.tanh(self.convolution(image)))).flatten(1))


TARGETS = ["table", "convolution", "pixel", "head"]
VARIANTS = {
    "plain": dict(target_modules=TARGETS),
    "rslora": dict(target_modules=TARGETS, use_rslora=True, rank_pattern={"pixel": 2}),
    "dora": dict(target_modules=TARGETS, use_dora=True),
    "lora_bias": dict(target_modules=["convolution", "head"], lora_bias=True),
}


def moved(parameters, generator, scale):
    """Moves parameters, so that no term is silently zero or one."""
    with torch.no_grad():
        for parameter in parameters:
            parameter.add_(torch.randn(parameter.shape, generator=generator) * scale)


def save(adapted, folder):
    adapted.save_pretrained(folder)
    (folder / "README.md").unlink()
    path = folder / "adapter_config.json"
    settings = json.loads(path.read_text())
    settings["target_modules"].sort()  # a set, in any order
    settings["base_model_name_or_path"] = "base"
    path.write_text(json.dumps(settings, indent=2, sort_keys=True))


def write(out, arguments, base, items, target, generator):
    adapted = get_peft_model(
        copy.deepcopy(base), LoraConfig(**(dict(r=4, lora_alpha=6) | arguments))
    )
    trained = {name: p for name, p in adapted.named_parameters() if p.requires_grad}
    moved(trained.values(), generator, 0.1)
    save(adapted, out / "initial")
    expected = {"initial_output": adapted(items).detach()}
    optimizer = torch.optim.SGD(trained.values(), lr=LEARNING_RATE)
    for step in range(2):
        optimizer.zero_grad()
        (adapted(items) - target).square().mean().backward()
        if step == 0:
            gradients = {name: p.grad for name, p in trained.items()}
            for key, gradient in get_peft_model_state_dict(adapted, gradients).items():
                expected["gradient." + key.removeprefix("base_model.model.")] = gradient.clone()
        optimizer.step()
    save(adapted, out / "trained")
    expected["trained_output"] = adapted(items).detach()
    assert (expected["trained_output"] - expected["initial_output"]).abs().max() > 0.01
    expected["merged_output"] = adapted.merge_and_unload(safe_merge=True)(items).detach()
    save_file({k: v.contiguous() for k, v in expected.items()}, out / "expected.safetensors")


def main(out):
    torch.manual_seed(60)
    torch.use_deterministic_algorithms(True)
    generator = torch.Generator().manual_seed(61)
    base = Network()
    items = torch.randint(0, ITEMS, (6, 5, 4), generator=generator)
    target = torch.randn(6, 3, generator=generator)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    save_file(
        base.state_dict() | {"items": items.float(), "target": target}, out / "base.safetensors"
    )
    for name, arguments in VARIANTS.items():
        write(out / name, arguments, base, items, target, generator)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
