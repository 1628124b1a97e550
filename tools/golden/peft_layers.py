"""Writes the golden files of adapters on the parts of a vision transformer that are no linear
layers: trained biases of its norms, LoRA on the convolution of the patches and on the embedding of
the positions. Tiny random models of transformers, adapted by PEFT and trained for two steps of
plain gradient descent on what a classifier would read.

Usage: python peft_layers.py OUT_DIR   (packages: requirements.txt beside this file)
       (fairlora-vision/src/test/resources/golden/layers)

OUT_DIR/MODEL/config.json, model.safetensors
OUT_DIR/MODEL/NAME/initial/        adapter_config.json, adapter_model.safetensors before the first
                                   step
OUT_DIR/MODEL/NAME/trained/        the same after the second
OUT_DIR/MODEL/NAME/expected.safetensors
    pixels (F32 values 0..255, batch x 3 x H x W), target (batch, D)
    initial_output, trained_output (batch, D), merged_output: of the merged model
    gradient.KEY                   the first step's gradients
    initial_bias.PATH.bias, bias.PATH.bias
                                   trained biases of the base before and after
    counts                         trained and all parameters, as print_trainable_parameters has
                                   them
OUT_DIR/vit-classifier/            a classifier with an adapter that trains all biases and the head:
    adapter/, expected.safetensors with pixels and adapted_logits
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
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModel,
    SiglipVisionConfig,
    SiglipVisionModel,
    ViTConfig,
    ViTForImageClassification,
    ViTModel,
)

LEARNING_RATE = 0.2
SIZE = dict(
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=24,
    image_size=16,
    patch_size=8,
)


def first(out):
    return out.last_hidden_state[:, 0]


# Name: the model, and what a classifier reads of its output.
MODELS = {
    "vit": (lambda: ViTModel(ViTConfig(**SIZE), add_pooling_layer=False), first),
    "clip": (lambda: CLIPVisionModel(CLIPVisionConfig(**SIZE)), lambda out: out.pooler_output),
    "siglip": (
        lambda: SiglipVisionModel(SiglipVisionConfig(vision_use_head=False, **SIZE)),
        lambda out: out.last_hidden_state.mean(1),
    ),
}

PROJECTION = dict(target_modules=["projection"])
POSITIONS = dict(target_modules=["position_embedding", "q_proj"])
VARIANTS = {
    "vit": {
        "bias_all": dict(target_modules=["query", "value"], bias="all"),
        "bias_lora_only": dict(target_modules=["query", "output.dense"], bias="lora_only"),
        "convolution": PROJECTION,
        "convolution_rslora": PROJECTION | dict(use_rslora=True),
        "convolution_dora": dict(target_modules=["projection", "value"], use_dora=True),
        "convolution_lora_bias": PROJECTION | dict(lora_bias=True),
        "convolution_bias_all": PROJECTION | dict(bias="all"),
        "convolution_patterns": dict(
            target_modules=["projection", "query"],
            rank_pattern={"projection": 6},
            alpha_pattern={"patch_embeddings.projection": 3},
        ),
    },
    "clip": {
        "embedding": POSITIONS,
        "embedding_rslora": POSITIONS | dict(use_rslora=True),
        "embedding_dora": POSITIONS | dict(use_dora=True),
        "embedding_pissa": POSITIONS | dict(init_lora_weights="pissa"),
        "everything": dict(
            target_modules=["position_embedding", "patch_embedding", "v_proj"],
            bias="all",
            use_dora=True,
        ),
    },
    "siglip": {
        "embedding": POSITIONS,
        "embedding_bias_all": POSITIONS | dict(bias="all"),
    },
}


def randomize(parameters, generator, scale):
    """Makes parameters random, so that no term is silently zero or one."""
    with torch.no_grad():
        for parameter in parameters:
            parameter.add_(torch.randn(parameter.shape, generator=generator) * scale)


def save(adapted, folder):
    adapted.save_pretrained(folder)
    (folder / "README.md").unlink()  # an empty template
    # PEFT records where the model came from, which here is nowhere, and sets in any order.
    path = folder / "adapter_config.json"
    settings = json.loads(path.read_text())
    settings["base_model_name_or_path"] = "model"
    settings["target_modules"].sort()
    path.write_text(json.dumps(settings, indent=2, sort_keys=True))


def plain(key):
    return key.removeprefix("base_model.model.").replace("base_layer.", "")


def write(out, base, read, arguments, generator):
    before = {name for name, _ in base.named_parameters()}
    adapted = get_peft_model(
        copy.deepcopy(base), LoraConfig(**(dict(r=4, lora_alpha=6) | arguments))
    ).eval()
    expected = {"counts": torch.tensor(adapted.get_nb_trainable_parameters())}
    trained = {name: p for name, p in adapted.named_parameters() if p.requires_grad}
    if "init_lora_weights" not in arguments:
        randomize(trained.values(), generator, 0.1)
    save(adapted, out / "initial")
    biases = {plain(name): p for name, p in trained.items() if plain(name) in before}
    assert bool(biases) == ("bias" in arguments)
    for name, value in biases.items():
        expected["initial_bias." + name] = value.detach().clone()
    pixels = torch.randint(0, 256, (4, 3, 16, 16), generator=generator).float()
    pixel_values = (pixels / 255 - 0.5) / 0.5
    expected["pixels"] = pixels
    expected["initial_output"] = read(adapted(pixel_values)).detach()
    target = torch.randn(expected["initial_output"].shape, generator=generator)
    expected["target"] = target
    optimizer = torch.optim.SGD(trained.values(), lr=LEARNING_RATE)
    for step in range(2):
        optimizer.zero_grad()
        (read(adapted(pixel_values)) - target).square().mean().backward()
        if step == 0:
            gradients = {name: p.grad for name, p in trained.items() if p.grad is not None}
            for key, gradient in get_peft_model_state_dict(adapted, gradients).items():
                expected["gradient." + key.removeprefix("base_model.model.")] = gradient.clone()
        optimizer.step()
    save(adapted, out / "trained")
    for name, value in biases.items():
        expected["bias." + name] = value.detach().clone()
    expected["trained_output"] = read(adapted(pixel_values)).detach()
    assert (expected["trained_output"] - expected["initial_output"]).abs().max() > 0.01, out
    merged = adapted.merge_and_unload(safe_merge=True)
    expected["merged_output"] = read(merged(pixel_values)).detach()
    save_file({k: v.contiguous() for k, v in expected.items()}, out / "expected.safetensors")


def write_classifier(out, generator):
    model = ViTForImageClassification(ViTConfig(num_labels=3, **SIZE)).eval()
    randomize(model.parameters(), generator, 0.15)
    model.save_pretrained(out)
    adapted = get_peft_model(
        model,
        LoraConfig(
            r=2, target_modules=["query"], bias="all", modules_to_save=["classifier"]
        ),
    ).eval()
    randomize([p for p in adapted.parameters() if p.requires_grad], generator, 0.1)
    save(adapted, out / "adapter")
    pixels = torch.randint(0, 256, (4, 3, 16, 16), generator=generator).float()
    with torch.no_grad():
        logits = adapted((pixels / 255 - 0.5) / 0.5).logits
    save_file({"pixels": pixels, "adapted_logits": logits}, out / "expected.safetensors")


def main(out):
    torch.use_deterministic_algorithms(True)
    shutil.rmtree(out, ignore_errors=True)
    generator = torch.Generator().manual_seed(50)
    for name, (model, read) in MODELS.items():
        torch.manual_seed(50)
        base = model().eval()
        randomize(base.parameters(), generator, 0.15)
        base.save_pretrained(out / name)
        for variant, arguments in VARIANTS[name].items():
            write(out / name / variant, base, read, arguments, generator)
    write_classifier(out / "vit-classifier", generator)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
