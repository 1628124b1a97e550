"""Writes the golden files of timm's vision transformers: tiny random models as timm saves them for
the hub, a LoRA adapter of PEFT on the fused query, key and value of each, what they compute, and
the gradients of the adapter under cross-entropy.

Usage: python timm_vit.py OUT_DIR   (packages: requirements-timm.txt beside this file)
       (fairlora-vision/src/test/resources/golden/timm)

The files are those of vit_families.py; the pixels are normalised with timm's defaults (ImageNet) or
those of the model.
"""

import sys
from pathlib import Path

import timm
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from timm.layers import resample_abs_pos_embed
from timm.models._hub import save_for_hf

from vit_families import randomize, save_adapter

SIZE = dict(embed_dim=16, depth=2, num_heads=2, mlp_ratio=1.5, num_classes=3)

# Name: architecture, its arguments, height and width of the images.
MODELS = {
    "vit": ("vit_tiny_patch16_224", dict(img_size=24, patch_size=8, qkv_bias=False), (24, 24)),
    "vit-reg-gap": (
        "vit_medium_patch16_reg4_gap_256",
        dict(img_size=24, patch_size=8, reg_tokens=2),
        (24, 24),
    ),
    "vit-reg-positions": (
        "vit_so150m_patch16_reg4_gap_256",
        dict(img_size=[24, 16], patch_size=8, reg_tokens=2, act_layer="gelu_tanh"),
        (24, 16),
    ),
    "vit-clip": (
        "vit_base_patch16_clip_quickgelu_224",
        dict(img_size=16, patch_size=8),
        (16, 16),
    ),
    "deit-distilled": (
        "deit_tiny_distilled_patch16_224",
        dict(img_size=24, patch_size=8),
        (32, 32),
    ),
    "dinov2-reg": (
        "vit_small_patch14_reg4_dinov2",
        dict(img_size=42, patch_size=7),
        (28, 28),
    ),
    "dinov2-swiglu": (
        "vit_giant_patch14_dinov2",
        dict(img_size=21, patch_size=7),
        (21, 21),
    ),
}


def classifiers(model):
    return [
        module
        for name, module in model.named_modules()
        if name.split(".")[-1] in ("head", "head_dist")
    ]


def run(model, pixel_values):
    read = []
    hooks = [
        module.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
        for module in classifiers(model)
    ]
    logits = model(pixel_values)
    for hook in hooks:
        hook.remove()
    return torch.cat(read, dim=1), logits


def resized(architecture, arguments, model, size):
    """The model for another size of images, as timm makes it of a checkpoint."""
    other = timm.create_model(architecture, **{**arguments, "img_size": size}, **SIZE).eval()
    state = model.state_dict()
    patch = arguments["patch_size"]
    prefix = 0 if model.no_embed_class else model.num_prefix_tokens
    state["pos_embed"] = resample_abs_pos_embed(
        state["pos_embed"],
        new_size=[size[0] // patch, size[1] // patch],
        old_size=list(model.patch_embed.grid_size),
        num_prefix_tokens=prefix,
    )
    other.load_state_dict(state)
    return other


def write(out, architecture, arguments, size, generator):
    model = timm.create_model(architecture, **arguments, **SIZE).eval()
    if isinstance(arguments["img_size"], list):
        model.pretrained_cfg["crop_mode"] = "squash"
    randomize(model.parameters(), generator, 0.15)
    save_for_hf(
        model,
        out,
        model_args={**arguments, **{k: v for k, v in SIZE.items() if k != "num_classes"}},
        safe_serialization=True,
    )
    own = model.patch_embed.img_size
    if tuple(own) != size:
        model = resized(architecture, arguments, model, size)
    mean = torch.tensor(model.pretrained_cfg["mean"]).view(3, 1, 1)
    std = torch.tensor(model.pretrained_cfg["std"]).view(3, 1, 1)
    pixels = torch.randint(0, 256, (2, 3, *size), generator=generator).float()
    pixel_values = (pixels / 255 - mean) / std
    with torch.no_grad():
        features, logits = run(model, pixel_values)

    adapted = get_peft_model(model, LoraConfig(r=2, lora_alpha=3, target_modules=["qkv"])).eval()
    factors = {name: p for name, p in adapted.named_parameters() if p.requires_grad}
    randomize(factors.values(), generator, 0.6)
    save_adapter(adapted, out / "adapter")
    labels = torch.tensor([1, 2])
    _, adapted_logits = run(adapted, pixel_values)
    torch.nn.functional.cross_entropy(adapted_logits, labels).backward()
    assert (adapted_logits - logits).abs().max() > 0.02
    gradients = {
        name.replace(".default", ""): parameter.grad for name, parameter in factors.items()
    }
    assert all(gradient.abs().max() > 1e-5 for gradient in gradients.values())
    save_file(
        {
            name: value.detach().contiguous()
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


def main(out):
    torch.use_deterministic_algorithms(True)
    for seed, (name, (architecture, arguments, size)) in enumerate(MODELS.items()):
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(100 + seed)
        write(out / name, architecture, arguments, size, generator)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
