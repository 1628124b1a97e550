"""Writes the golden files of the vision tests: a tiny random ViT of transformers, a LoRA adapter
of PEFT on it, and the logits of both.

Usage: python peft_vit.py OUT_DIR [ADAPTER_COPY]   (packages: requirements.txt beside this file)

OUT_DIR/model/               config.json, model.safetensors   (ViTForImageClassification)
OUT_DIR/adapter/             adapter_config.json, adapter_model.safetensors   (PEFT)
OUT_DIR/expected.safetensors pixels_uint8 (F32 values 0..255, batch x 3 x H x W),
                             pixel_values (normalised as (x / 255 - 0.5) / 0.5),
                             features (LN(x)[:, 0]), logits, adapted_features, adapted_logits
ADAPTER_COPY                 a second copy of OUT_DIR/adapter/, for the tests of another module
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import ViTConfig, ViTForImageClassification


def randomize(module, generator, scale):
    """Makes every parameter random, so that no term is silently zero or one."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * scale)


def outputs(model, vit, pixel_values):
    with torch.no_grad():
        features = vit(pixel_values).last_hidden_state[:, 0]
        return features, model(pixel_values).logits


def main(out, adapter_copies):
    torch.manual_seed(20)
    torch.use_deterministic_algorithms(True)
    generator = torch.Generator().manual_seed(21)

    config = ViTConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        image_size=24,
        patch_size=8,
        num_labels=3,
    )
    model = ViTForImageClassification(config).eval()
    randomize(model, generator, 0.1)

    shutil.rmtree(out, ignore_errors=True)
    model.save_pretrained(out / "model")

    pixels = torch.randint(0, 256, (5, 3, 24, 24), generator=generator).float()
    pixel_values = (pixels / 255 - 0.5) / 0.5
    features, logits = outputs(model, model.vit, pixel_values)

    adapted = get_peft_model(
        model,
        LoraConfig(
            r=4,
            lora_alpha=6,
            target_modules=["query", "value"],
            modules_to_save=["classifier"],
        ),
    ).eval()
    randomize(
        torch.nn.ParameterList(p for n, p in adapted.named_parameters() if p.requires_grad),
        generator,
        0.2,
    )
    adapted.save_pretrained(out / "adapter")
    (out / "adapter" / "README.md").unlink()  # an empty template
    # PEFT records where the model came from, which here is nowhere, and sets in any order.
    path = out / "adapter" / "adapter_config.json"
    settings = json.loads(path.read_text())
    settings["base_model_name_or_path"] = "model"
    settings["target_modules"].sort()
    path.write_text(json.dumps(settings, indent=2, sort_keys=True))

    adapted_features, adapted_logits = outputs(
        adapted, adapted.base_model.model.vit, pixel_values
    )
    for copy in adapter_copies:
        shutil.copytree(out / "adapter", copy, dirs_exist_ok=True)
    assert (adapted_logits - logits).abs().max() > 0.1
    save_file(
        {
            name: value.contiguous()
            for name, value in {
                "pixels_uint8": pixels,
                "pixel_values": pixel_values,
                "features": features,
                "logits": logits,
                "adapted_features": adapted_features,
                "adapted_logits": adapted_logits,
            }.items()
        },
        out / "expected.safetensors",
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(argument) for argument in sys.argv[2:]])
