"""Writes the golden file of LinearEraserTest: LEACE by its authors' package.

python tools/golden/leace.py fairlora-core/src/test/resources/golden/leace.json
"""

import json
import sys
from importlib.metadata import version

import torch
from concept_erasure import LeaceFitter

EXAMPLES, FEATURES, CLASSES = 60, 4, 3


def main(target):
    generator = torch.Generator().manual_seed(11)
    values = torch.randint(0, CLASSES, (EXAMPLES,), generator=generator)
    mixing = torch.randn(FEATURES, FEATURES, generator=generator)
    means = 2 * torch.randn(CLASSES, FEATURES, generator=generator)
    x = torch.randn(EXAMPLES, FEATURES, generator=generator) @ mixing + means[values]
    # What is written is what is read: three decimals.
    x = (x * 1000).round().double() / 1000
    fitter = LeaceFitter.fit(
        x, torch.nn.functional.one_hot(values, CLASSES).double(), shrinkage=False
    )
    erased = fitter.eraser(x)
    with open(target, "w") as file:
        json.dump(
            {
                "concept-erasure": version("concept-erasure"),
                "features": [[round(v, 3) for v in row] for row in x.tolist()],
                "values": values.tolist(),
                "erased": [[round(v, 8) for v in row] for row in erased.tolist()],
            },
            file,
        )
        file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
