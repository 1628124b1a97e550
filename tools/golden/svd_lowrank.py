"""Writes the golden file of the randomised singular value decomposition: torch.svd_lowrank on a
tall and a wide matrix.

Usage: python svd_lowrank.py OUT_FILE   (packages: requirements.txt beside this file)
       (fairlora-core/src/test/resources/golden/svd_lowrank.safetensors)

NAME is tall or wide, N the number of subspace iterations, 0, 1 or 3:
    NAME.matrix     (m, n)
    NAME.random     (min(m, n), 4), the random numbers that torch drew
    NAME.N.s        (4), the singular values
    NAME.N.product  (m, n), U diag(s) V^T
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

RANK, SEED = 4, 70


def main(out):
    tensors = {}
    generator = torch.Generator().manual_seed(SEED)
    for name, shape in {"tall": (14, 9), "wide": (8, 17)}.items():
        matrix = torch.randn(shape, generator=generator)
        torch.manual_seed(SEED)
        tensors[name + ".matrix"] = matrix
        tensors[name + ".random"] = torch.randn(min(shape), RANK)
        for iterations in [0, 1, 3]:
            torch.manual_seed(SEED)
            u, s, v = torch.svd_lowrank(matrix, RANK, niter=iterations)
            tensors[f"{name}.{iterations}.s"] = s
            tensors[f"{name}.{iterations}.product"] = u @ torch.diag(s) @ v.T
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, out)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
