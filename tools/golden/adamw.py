"""Writes the golden file of AdamWTest: some steps of PyTorch's AdamW.

python tools/golden/adamw.py fairlora-core/src/test/resources/golden/adamw.json
"""

import json
import sys

import torch

RATES = [0.1, 0.05, 0.2, 0.01, 0.03, 0.002]


def main(target):
    generator = torch.Generator().manual_seed(5)
    start = {
        "matrix": torch.randn(2, 3, generator=generator),
        "vector": torch.randn(3, generator=generator),
    }
    parameters = {name: torch.nn.Parameter(value.clone()) for name, value in start.items()}
    optimizer = torch.optim.AdamW(
        [
            {"params": [parameters["matrix"]], "weight_decay": 0.1},
            {"params": [parameters["vector"]], "weight_decay": 0.0},
        ],
        betas=(0.9, 0.999),
        eps=1e-8,
        foreach=False,
    )
    steps = []
    for rate in RATES:
        for group in optimizer.param_groups:
            group["lr"] = rate
        step = {"rate": rate, "gradients": {}, "after": {}}
        for name, parameter in parameters.items():
            parameter.grad = torch.randn(parameter.shape, generator=generator)
            step["gradients"][name] = parameter.grad.flatten().tolist()
        optimizer.step()
        for name, parameter in parameters.items():
            step["after"][name] = parameter.detach().flatten().tolist()
        steps.append(step)
    moments = {
        name: {
            "mean": optimizer.state[parameter]["exp_avg"].flatten().tolist(),
            "variance": optimizer.state[parameter]["exp_avg_sq"].flatten().tolist(),
        }
        for name, parameter in parameters.items()
    }
    start = {name: value.flatten().tolist() for name, value in start.items()}
    with open(target, "w") as file:
        json.dump(
            {"torch": torch.__version__, "start": start, "steps": steps, "moments": moments},
            file,
            indent=1,
        )
        file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
