"""Writes the golden files of the families of vision transformers: tiny random models of
transformers, a LoRA adapter of PEFT on query and value of each, what they compute, and the
gradients of the adapter under cross-entropy.

Usage: python vit_families.py OUT_DIR   (packages: requirements.txt beside this file)
       (fairlora-vision/src/test/resources/golden/families)

OUT_DIR/NAME/config.json, model.safetensors     the model
OUT_DIR/NAME/adapter/                            the adapter
OUT_DIR/NAME/expected.safetensors                pixels (F32 values 0..255, batch x 3 x H x W; H and
                                                 W may differ from the model's own size), labels,
                                                 features (what the classifier reads), logits,
                                                 adapted_logits, and the gradients by the name of
                                                 the adapter's tensor
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import (
    CLIPConfig,
    CLIPForImageClassification,
    CLIPVisionConfig,
    CLIPVisionModel,
    DeiTConfig,
    DeiTForImageClassification,
    DeiTForImageClassificationWithTeacher,
    Dinov2Config,
    Dinov2ForImageClassification,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersForImageClassification,
    SiglipConfig,
    SiglipForImageClassification,
    ViTConfig,
    ViTForImageClassification,
)

SIZE = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2)
WIDE = dict(intermediate_size=24, num_labels=3, **SIZE)
RATIO = dict(mlp_ratio=1.5, num_labels=3, **SIZE)

# Name: model, its configuration, height and width of the images.
MODELS = {
    "vit-oblong": (
        ViTForImageClassification,
        ViTConfig(image_size=[24, 40], patch_size=8, qkv_bias=False, hidden_act="relu", **WIDE),
        (24, 40),
    ),
    "vit-cropped": (
        ViTForImageClassification,
        ViTConfig(image_size=30, patch_size=8, hidden_act="quick_gelu", **WIDE),
        (30, 30),
    ),
    "vit-interpolated": (
        ViTForImageClassification,
        ViTConfig(image_size=24, patch_size=6, hidden_act="gelu_new", **WIDE),
        (36, 18),
    ),
    "deit": (
        DeiTForImageClassification,
        DeiTConfig(image_size=16, patch_size=8, hidden_act="silu", **WIDE),
        (16, 16),
    ),
    "deit-teacher": (
        DeiTForImageClassificationWithTeacher,
        DeiTConfig(image_size=24, patch_size=8, **WIDE),
        (32, 24),
    ),
    "dinov2": (
        Dinov2ForImageClassification,
        Dinov2Config(image_size=28, patch_size=7, **RATIO),
        (28, 28),
    ),
    "dinov2-plain": (
        Dinov2Model,
        Dinov2Config(image_size=35, patch_size=7, qkv_bias=False, **RATIO),
        (21, 50),
    ),
    "dinov2-swiglu": (
        Dinov2ForImageClassification,
        Dinov2Config(image_size=16, patch_size=8, use_swiglu_ffn=True, **RATIO),
        (16, 16),
    ),
    "dinov2-registers": (
        Dinov2WithRegistersForImageClassification,
        Dinov2WithRegistersConfig(image_size=36, patch_size=6, num_register_tokens=3, **RATIO),
        (24, 42),
    ),
}

TOWER = dict(intermediate_size=24, **SIZE)
MODELS.update(
    {
        "clip": (
            CLIPForImageClassification,
            CLIPConfig(vision_config=dict(image_size=24, patch_size=8, **TOWER), num_labels=3),
            (24, 24),
        ),
        "clip-plain": (
            CLIPVisionModel,
            CLIPVisionConfig(image_size=24, patch_size=8, **TOWER),
            (16, 32),
        ),
        "siglip": (
            SiglipForImageClassification,
            SiglipConfig(vision_config=dict(image_size=30, patch_size=8, **TOWER), num_labels=3),
            (30, 30),
        ),
    }
)

RENAMED = [
    ("encoder.layer.", "layers."),
    ("attention.attention.query", "attention.q_proj"),
    ("attention.attention.key", "attention.k_proj"),
    ("attention.attention.value", "attention.v_proj"),
    ("attention.output.dense", "attention.o_proj"),
    ("intermediate.dense", "mlp.fc1"),
    ("output.dense", "mlp.fc2"),
]


def randomize(parameters, generator, scale):
    """Makes parameters random, so that no term is silently zero or one."""
    with torch.no_grad():
        for parameter in parameters:
            parameter.add_(torch.randn(parameter.shape, generator=generator) * scale)


def classifiers(model):
    return [
        module
        for name, module in model.named_modules()
        if name.split(".")[-1] in ("classifier", "cls_classifier", "distillation_classifier")
    ]


def run(model, pixel_values, config):
    """What the classifiers read, and the logits; of a plain model its pooled output, twice."""
    config = getattr(config, "vision_config", config)
    own = config.image_size if isinstance(config.image_size, list) else [config.image_size] * 2
    interpolate = list(pixel_values.shape[2:]) != own and "dinov2" not in config.model_type
    options = dict(interpolate_pos_encoding=True) if interpolate else {}
    read = []
    hooks = [
        module.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
        for module in classifiers(model)
    ]
    out = model(pixel_values, **options)
    for hook in hooks:
        hook.remove()
    if not read:
        return out.pooler_output, out.pooler_output
    return torch.cat(read, dim=1), out.logits


def write(out, model, config, size, generator):
    shutil.rmtree(out, ignore_errors=True)
    randomize(model.parameters(), generator, 0.15)
    model.save_pretrained(out)
    pixels = torch.randint(0, 256, (2, 3, *size), generator=generator).float()
    pixel_values = (pixels / 255 - 0.5) / 0.5
    with torch.no_grad():
        features, logits = run(model, pixel_values, config)

    tower = "vision_config" in config.to_dict() or "vision" in config.model_type
    targets = ["q_proj", "v_proj"] if tower else ["query", "value"]
    adapted = get_peft_model(
        model, LoraConfig(r=2, lora_alpha=3, target_modules=targets)
    ).eval()
    factors = {name: p for name, p in adapted.named_parameters() if p.requires_grad}
    randomize(factors.values(), generator, 0.3)
    save_adapter(adapted, out / "adapter")
    labels = torch.tensor([1, 2])
    _, adapted_logits = run(adapted, pixel_values, config)
    torch.nn.functional.cross_entropy(adapted_logits, labels).backward()
    assert (adapted_logits - logits).abs().max() > 0.05
    gradients = {
        name.replace(".default", ""): parameter.grad for name, parameter in factors.items()
    }
    assert all(gradient.abs().max() > 1e-5 for gradient in gradients.values())
    save_file(
        {
            name: value.detach().clone().contiguous()
            for name, value in {
                "pixels": pixels,
                "labels": labels.float(),
                "features": features,
                "logits": logits,
                "adapted_logits": adapted_logits,
                **gradients,
            }.items()
        },
        out / "expected.safetensors",
    )


def save_adapter(adapted, out):
    adapted.save_pretrained(out)
    (out / "README.md").unlink()  # an empty template
    # PEFT records where the model came from, which here is nowhere, and sets in any order.
    path = out / "adapter_config.json"
    settings = json.loads(path.read_text())
    settings["base_model_name_or_path"] = "model"
    settings["target_modules"].sort()
    path.write_text(json.dumps(settings, indent=2, sort_keys=True))


def rename(name, pairs):
    for old, new in pairs:
        name = name.replace(old, new)
    return name


def write_renamed(source, out):
    """A copy as transformers names the modules since 5.9, which PEFT's suffixes follow."""
    shutil.copytree(source, out, dirs_exist_ok=True)
    for file in ["model", "adapter/adapter_model", "expected"]:
        path = out / f"{file}.safetensors"
        tensors = load_file(path)
        save_file({rename(k, RENAMED): v for k, v in tensors.items()}, path, {"format": "pt"})
    path = out / "adapter/adapter_config.json"
    settings = json.loads(path.read_text())
    settings["target_modules"] = ["q_proj", "v_proj"]
    path.write_text(json.dumps(settings, indent=2, sort_keys=True))


def main(out):
    torch.use_deterministic_algorithms(True)
    for seed, (name, (kind, config, size)) in enumerate(MODELS.items()):
        torch.manual_seed(seed)
        write(out / name, kind(config).eval(), config, size, torch.Generator().manual_seed(seed))
    write_renamed(out / "vit-cropped", out / "vit-renamed")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
