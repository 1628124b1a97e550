"""Writes the golden files of fairlora-metrics from fairlearn, aif360, scikit-learn and statsmodels.

    python3 -m venv VENV && VENV/bin/pip install -r tools/golden/requirements-metrics.txt
    VENV/bin/python tools/golden/metrics.py

Each line of the files is a JSON object. NaN and infinities are written as null.
"""

import gzip
import json
import math
import pathlib
import warnings

import numpy as np

warnings.filterwarnings("ignore")

import pandas as pd  # noqa: E402
from aif360.datasets import BinaryLabelDataset  # noqa: E402
from aif360.metrics import BinaryLabelDatasetMetric  # noqa: E402
from aif360.sklearn.metrics import (  # noqa: E402
    average_predictive_value_difference,
    between_group_generalized_entropy_error,
    coefficient_of_variation,
    generalized_entropy_index,
)
from fairlearn.metrics import (  # noqa: E402
    MetricFrame,
    demographic_parity_difference,
    demographic_parity_ratio,
    equal_opportunity_difference,
    equal_opportunity_ratio,
    equalized_odds_difference,
    equalized_odds_ratio,
    false_negative_rate,
    false_positive_rate,
    selection_rate,
    true_negative_rate,
    true_positive_rate,
)
from scipy import stats  # noqa: E402
from sklearn.metrics import (  # noqa: E402
    accuracy_score,
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
    log_loss,
    precision_score,
    roc_auc_score,
    roc_curve,
)
from statsmodels.stats.contingency_tables import mcnemar  # noqa: E402
from statsmodels.stats.multitest import multipletests  # noqa: E402
from statsmodels.stats.proportion import proportion_confint  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
TARGET = HERE.parents[1] / "fairlora-metrics/src/test/resources/io/fairlora/metrics"

RATES = {
    "selection_rate": selection_rate,
    "true_positive_rate": true_positive_rate,
    "false_positive_rate": false_positive_rate,
    "true_negative_rate": true_negative_rate,
    "false_negative_rate": false_negative_rate,
    "accuracy": accuracy_score,
    "balanced_accuracy": balanced_accuracy_score,
    "precision": precision_score,
    "f1": f1_score,
}


def number(value):
    value = float(np.squeeze(value))
    return value if math.isfinite(value) else None


def attempt(function, *args, **kwargs):
    try:
        return number(function(*args, **kwargs))
    except (ValueError, ZeroDivisionError, IndexError):
        return None


def random_table(rng, index):
    groups = 1 if index % 20 == 0 else int(rng.integers(2, 9))
    n = int(rng.integers(max(2 * groups, 6), 80))
    # Two rows of each group: fairlearn's selection_rate returns an array for a group of one.
    sure = np.repeat(np.arange(groups), 2)
    g = rng.permutation(np.concatenate([sure, rng.integers(0, groups, n - 2 * groups)]))
    base = rng.uniform(0.1, 0.9, groups)
    skill = rng.uniform(0.4, 0.95, groups)
    y = (rng.random(n) < base[g]).astype(int)
    p = np.where(rng.random(n) < skill[g], y, 1 - y)
    kind = index % 10
    if kind == 1:
        y[:] = 1
    elif kind == 2:
        y[:] = 0
    elif kind == 3:
        p[:] = 1
    elif kind == 4:
        p[:] = 0
    elif kind == 5:
        y[g == 0] = 1
        p[g == groups - 1] = 0
    w = np.round(rng.uniform(0.1, 4, n), 2) if index % 2 else None
    return y, p, g, w


def frame(y, p, g, w):
    params = None if w is None else {name: {"sample_weight": w} for name in RATES}
    return MetricFrame(metrics=RATES, y_true=y, y_pred=p, sensitive_features=g, sample_params=params)


def differential_fairness(p, g, w):
    """The class-based API: the scikit-learn one counts the classes within each group."""
    data = BinaryLabelDataset(
        df=pd.DataFrame({"p": p, "g": g, "w": np.ones(len(p)) if w is None else w}, dtype=float),
        label_names=["p"],
        protected_attribute_names=["g"],
        instance_weights_name="w",
    )
    return BinaryLabelDatasetMetric(data).smoothed_empirical_differential_fairness()


def confusion_line(rng, index):
    y, p, g, w = random_table(rng, index)
    f = frame(y, p, g, w)
    line = {
        "y": "".join(map(str, y)),
        "p": "".join(map(str, p)),
        "g": "".join(map(str, g)),
        "overall": {k: number(v) for k, v in f.overall.items()},
        "by_group": {k: [number(v) for v in f.by_group[k]] for k in RATES},
    }
    if w is not None:
        line["w"] = [float(x) for x in w]
    for how in ("between_groups", "to_overall"):
        line["difference_" + how] = {k: number(v) for k, v in f.difference(method=how).items()}
        line["ratio_" + how] = {k: number(v) for k, v in f.ratio(method=how).items()}
    both = dict(sensitive_features=g, sample_weight=w)
    line["fairlearn"] = {
        "demographic_parity_difference": attempt(demographic_parity_difference, y, p, **both),
        "demographic_parity_ratio": attempt(demographic_parity_ratio, y, p, **both),
        "equal_opportunity_difference": attempt(equal_opportunity_difference, y, p, **both),
        "equal_opportunity_ratio": attempt(equal_opportunity_ratio, y, p, **both),
        "equalized_odds_difference": attempt(equalized_odds_difference, y, p, **both),
        "equalized_odds_ratio": attempt(equalized_odds_ratio, y, p, **both),
        "equalized_odds_difference_mean": attempt(
            equalized_odds_difference, y, p, agg="mean", **both
        ),
        "equalized_odds_ratio_mean": attempt(equalized_odds_ratio, y, p, agg="mean", **both),
    }
    benefit = 1 + p - y
    aif = {}
    for alpha in (-1, 0, 0.5, 1, 2, 3):
        aif["gei_%g" % alpha] = attempt(generalized_entropy_index, benefit, alpha=alpha)
    aif["gei_between"] = attempt(
        between_group_generalized_entropy_error, y, p, prot_attr=g, alpha=2
    )
    aif["cv"] = attempt(coefficient_of_variation, benefit)
    if len(set(g)) > 1:
        aif["edf"] = number(differential_fairness(p, g, w))
        s = pd.Series(y, index=pd.Index(g, name="g"))
        q = pd.Series(p, index=s.index)
        one = s.index.isin([0, 1])
        aif["apvd"] = attempt(
            average_predictive_value_difference,
            s[one],
            q[one],
            prot_attr="g",
            priv_group=1,
            sample_weight=None if w is None else w[one],
        )
    line["aif360"] = aif
    return line


def calibration_error(y, s, w, bins=15):
    edges = np.linspace(0, 1, bins + 1)
    ids = np.searchsorted(edges[1:-1], s)
    total = 0.0
    for b in range(bins):
        inside = ids == b
        total += abs(np.sum(w[inside] * y[inside]) - np.sum(w[inside] * s[inside]))
    return total / np.sum(w)


def abroca(y, s, g, w, a, b):
    curves = []
    for group in (a, b):
        inside = g == group
        fpr, tpr, _ = roc_curve(
            y[inside], s[inside], sample_weight=w[inside], drop_intermediate=False
        )
        curves.append((fpr, tpr))
    grid = np.unique(np.concatenate([curves[0][0], curves[1][0]]))
    total = 0.0
    for left, right in zip(grid[:-1], grid[1:]):
        ends = []
        for fpr, tpr in curves:
            i = np.searchsorted(fpr, left, side="right") - 1
            slope = (tpr[i + 1] - tpr[i]) / (fpr[i + 1] - fpr[i])
            ends.append((tpr[i] + slope * (left - fpr[i]), tpr[i] + slope * (right - fpr[i])))
        d0 = ends[0][0] - ends[1][0]
        d1 = ends[0][1] - ends[1][1]
        if d0 * d1 >= 0:
            total += (right - left) * abs(d0 + d1) / 2
        else:
            cross = d0 / (d0 - d1)
            total += (right - left) * (abs(d0) * cross + abs(d1) * (1 - cross)) / 2
    return total


def score_line(rng, index):
    groups = int(rng.integers(2, 6))
    n = int(rng.integers(20, 120))
    g = rng.permutation(np.concatenate([np.arange(groups), rng.integers(0, groups, n - groups)]))
    y = rng.integers(0, 2, n)
    s = np.clip(rng.normal(0.4 + 0.2 * y, 0.25), 0, 1)
    s = np.round(s, 1 if index % 3 == 0 else 2 if index % 3 == 1 else 6)
    if index % 10 == 4:
        y[g == 0] = 1
    w = np.round(rng.uniform(0.1, 4, n), 2) if index % 2 else None
    weights = np.ones(n) if w is None else w
    line = {
        "y": "".join(map(str, y)),
        "s": [float(x) for x in s],
        "g": "".join(map(str, g)),
        "by_group": [],
    }
    if w is not None:
        line["w"] = [float(x) for x in w]
    for group in [None] + list(range(groups)):
        inside = np.ones(n, bool) if group is None else g == group
        yy, ss, ww = y[inside], s[inside], weights[inside]
        both = len(set(yy)) == 2
        figures = {
            "roc_auc": number(roc_auc_score(yy, ss, sample_weight=ww)) if both else None,
            "brier_score": number(brier_score_loss(yy, ss, sample_weight=ww, pos_label=1)),
            "log_loss": number(log_loss(yy, ss, sample_weight=ww, labels=[0, 1])),
            "mean_score": number(np.average(ss, weights=ww)),
            "expected_calibration_error": number(calibration_error(yy, ss, ww)),
        }
        if group is None:
            line["overall"] = figures
        else:
            line["by_group"].append(figures)
    if all(len(set(y[g == k])) == 2 for k in (0, 1)):
        line["abroca"] = number(abroca(y, s, g, weights, 0, 1))
    return line


def intervals(rng):
    for _ in range(60):
        n = int(rng.integers(1, 400))
        k = int(rng.integers(0, n + 1))
        level = float(rng.choice([0.8, 0.9, 0.95, 0.99]))
        yield {
            "k": k,
            "n": n,
            "confidence": level,
            "wilson": list(map(float, proportion_confint(k, n, 1 - level, "wilson"))),
            "clopper_pearson": list(map(float, proportion_confint(k, n, 1 - level, "beta"))),
        }
    for _ in range(20):
        p = np.round(rng.random(int(rng.integers(1, 12))) ** 3, 6)
        yield {
            "p": [float(x) for x in p],
            "holm": [float(x) for x in multipletests(p, method="holm")[1]],
        }
    for _ in range(20):
        b, c = map(int, rng.integers(0, 40, 2))
        yield {
            "b": b,
            "c": c,
            "mcnemar": float(mcnemar([[5, b], [c, 5]], exact=True).pvalue),
        }
    for _ in range(20):
        n1, n2 = map(int, rng.integers(2, 8, 2))
        x = [int(v) for v in rng.integers(0, 2, n1)]
        y = [int(v) for v in rng.integers(0, 2, n2)]
        if 0 < sum(x) + sum(y) < n1 + n2:
            test = stats.permutation_test(
                (x, y),
                lambda a, b: abs(np.mean(a) - np.mean(b)),
                alternative="greater",
                n_resamples=np.inf,
            )
            yield {
                "successes": [sum(x), sum(y)],
                "trials": [n1, n2],
                "permutation": float(test.pvalue),
            }


def write(name, lines):
    TARGET.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    with open(TARGET / name, "wb") as file:
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
            packed.write(text.encode())
    print(name, len(text), (TARGET / name).stat().st_size)


if __name__ == "__main__":
    generator = np.random.default_rng(20261125)
    write("confusion.jsonl.gz", [confusion_line(generator, i) for i in range(200)])
    write("scores.jsonl.gz", [score_line(generator, i) for i in range(100)])
    write("intervals.jsonl.gz", list(intervals(generator)))
