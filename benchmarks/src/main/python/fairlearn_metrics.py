"""Times fairlearn's demographic parity and equalized odds; prints seconds."""

import sys
import time

import numpy as np
from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference

rows, groups = int(sys.argv[1]), int(sys.argv[2])
rng = np.random.default_rng(1)
y = rng.integers(0, 2, rows, dtype=np.int32)
p = np.where(rng.random(rows) < 0.8, y, 1 - y).astype(np.int32)
g = rng.integers(0, groups, rows, dtype=np.int32)
start = time.perf_counter()
demographic_parity_difference(y, p, sensitive_features=g)
equalized_odds_difference(y, p, sensitive_features=g)
print(time.perf_counter() - start)
