"""Checks that transformers and timm read the models that the vision tests wrote and compute the
features that they computed of the originals.

Usage: python check_saved.py WRITTEN GOLDEN   (packages: requirements-timm.txt beside this file)
       (fairlora-vision/target/golden and fairlora-vision/src/test/resources/golden)
"""

import json
import sys
from pathlib import Path

import timm
import torch
from safetensors.torch import load_file
from transformers import AutoImageProcessor, AutoModel


def transformers_features(path, pixels, expected):
    model, info = AutoModel.from_pretrained(path, output_loading_info=True)
    assert not info["unexpected_keys"] and not info["mismatched_keys"], info
    # Neither the pooler of ViTModel and DeiTModel nor a mask token is in the features.
    aside = ("pooler", "mask_token")
    assert all(any(name in key for name in aside) for key in info["missing_keys"]), info
    processor = AutoImageProcessor.from_pretrained(path)
    mean = torch.tensor(processor.image_mean).view(3, 1, 1)
    std = torch.tensor(processor.image_std).view(3, 1, 1)
    out = model.eval()((pixels / 255 - mean) / std)
    tokens = out.last_hidden_state
    if model.config.model_type == "siglip_vision_model":
        return tokens.mean(dim=1)
    if model.config.model_type == "clip_vision_model":
        pooling = getattr(model.config, "fairlora_pooling", "cls")
        return out.pooler_output if pooling == "cls" else tokens[:, 1:].mean(dim=1)
    if expected.shape[1] == tokens.shape[2]:
        return tokens[:, 0]
    if model.config.model_type == "deit":
        return torch.cat([tokens[:, 0], tokens[:, 1]], dim=1)
    registers = getattr(model.config, "num_register_tokens", 0)
    return torch.cat([tokens[:, 0], tokens[:, 1 + registers :].mean(dim=1)], dim=1)


def timm_features(path, pixels):
    # This version of timm reads no safetensors file from a local directory by itself.
    model = timm.create_model(f"local-dir:{path}", num_classes=0).eval()
    model.load_state_dict(load_file(path / "model.safetensors"))
    mean = torch.tensor(model.pretrained_cfg["mean"]).view(3, 1, 1)
    std = torch.tensor(model.pretrained_cfg["std"]).view(3, 1, 1)
    tokens = model.forward_features((pixels / 255 - mean) / std)
    if hasattr(model, "dist_token"):
        return torch.cat([tokens[:, 0], tokens[:, 1]], dim=1)
    return model.forward_head(tokens, pre_logits=True)


@torch.no_grad()
def main(written, golden):
    paths = [path for peer in ("families", "timm") for path in sorted((written / peer).iterdir())]
    for path in paths:
        expected = load_file(golden / path.parent.name / path.name / "expected.safetensors")
        config = json.loads((path / "config.json").read_text())
        if path.name == "vit-renamed":
            print(f"{path.name}: this version of transformers does not know the names")
            continue
        square_only = ("dinov2", "dinov2_with_registers", "clip_vision_model")
        if config.get("model_type") in square_only and isinstance(config["image_size"], list):
            print(f"{path.name}: transformers wants square images of {config['model_type']}")
            continue
        features = (
            timm_features(path, expected["pixels"])
            if "architecture" in config
            else transformers_features(path, expected["pixels"], expected["features"])
        )
        difference = (features - expected["features"]).abs().max().item()
        print(f"{path.parent.name}/{path.name}: greatest difference {difference:.1e}")
        assert difference < 1e-4


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
