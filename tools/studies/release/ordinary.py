"""Measures how often ordinary data are refused, and by which rule."""
import collections

import numpy as np

import data
import rules

# False refusals of the review of disclosure, whose leverage rule added 2^-10 to the correlations and had other stretches.
REVIEW = {"lognormal 1 1000 x 10": 0.33, "flags 1.3 % (10) 1000 x 30": 0.08, "flags 2 % (10) 1000 x 30": 0.0,
          "flags 5 % (10) 1000 x 30": 0.0, "normal 1000 x 30": 0.0, "normal 300 x 29": 0.0, "normal 100 x 9": 0.0}


def designs():
    """(name, function of a generator that gives attributes and outcome of the joined rows)"""
    first, second, X, y = data.diabetes()
    yield f"diabetes {len(X)} x 10", lambda rng: (X, y)
    yield "diabetes, sample of 300", _sample(X, y, 300)
    yield "diabetes, sample of 110", _sample(X, y, 110)
    for records, attributes in ((5000, 30), (1000, 30), (5000, 100), (400, 30)):
        _, _, Z, outcome = data.heart_failure(records, attributes)
        yield f"heart failure {len(Z)} x {attributes}", lambda rng, Z=Z, outcome=outcome: (Z, outcome)
    _, _, Z, outcome = data.heart_failure(5000, 30)
    few = [0, 1, 3, 5, 6, 9, 15, 18, 20, 23]
    for size, columns in ((1000, list(range(30))), (300, list(range(0, 30, 2))), (300, few), (150, few)):
        yield f"heart failure, sample of {size} x {len(columns)}", _sample(Z[:, columns], outcome, size)
    logs = Z.copy()
    for j in range(30):
        if len(np.unique(Z[:, j])) > 10 and Z[:, j].min() >= 0 and j not in (0, 26):
            logs[:, j] = np.log1p(Z[:, j])
    yield "the same in logarithms, 300 x 10", _sample(logs[:, few], outcome, 300)
    for rows, columns in ((5000, 30), (1000, 30), (1000, 10), (300, 29), (300, 14), (100, 9), (100, 5)):
        yield f"normal {rows} x {columns}", _with_outcome(data.normal(rows, columns))
    for rows, columns, spread in ((5000, 30, 1.0), (1000, 10, 1.0), (300, 10, 1.0), (1000, 10, 0.5), (300, 10, 0.5)):
        yield f"lognormal {spread:g} {rows} x {columns}", _with_outcome(data.lognormal(rows, columns, spread))
    for rows, columns, count, share in ((1000, 30, 10, 0.05), (1000, 30, 10, 0.02), (1000, 30, 10, 0.013), (300, 10, 4, 0.05)):
        yield f"flags {100 * share:g} % ({count}) {rows} x {columns}", _with_outcome(data.flags(rows, columns, count, share))


def _sample(X, y, size):
    def make(rng):
        chosen = rng.choice(len(X), size, False)
        return X[chosen], y[chosen]
    return make


def _with_outcome(make):
    def both(rng):
        X = make(rng)
        return X, (X - X.mean(0)) @ rng.standard_normal(X.shape[1]) / X.std() + rng.standard_normal(len(X))
    return both


JOINT = ["level count", "dominance", "leverage", "mean leverage", "VIF"]


def refusals(make, trials, seed=0):
    """Shares of trials refused by any joint rule and by each; by the union rule on the first and second half of columns;
    mean of the largest trace beyond its share, of the estimated and of the largest VIF."""
    counted, figures = collections.Counter(), []
    for trial in range(trials):
        rng = np.random.default_rng(1000 * seed + trial)
        X, y = make(rng)
        causes = rules.joint(X, y, rng)
        counted.update(set(causes))
        counted["any"] += bool(causes)
        half = (X.shape[1] + 1) // 2
        own = rules.union(X[:, :half]) + rules.union(np.column_stack([X[:, half:], y]))
        counted["union"] += bool(own)
        trace, _, vif = rules.design_figures(X[rng.permutation(len(X))])
        figures.append((trace - X.shape[1] / rules.stretches(X.shape[1], len(X)), vif))
    return {key: counted[key] / trials for key in ["any", *JOINT, "union"]}, np.mean(figures, 0)


def table(trials, seed):
    yield ("data (rows x attributes)", "refused", *JOINT, "union", "review", "T - d/G", "VIF")
    for name, make in designs():
        share, (trace, vif) = refusals(make, trials, seed)
        of_review = f"{REVIEW[name]:.2f}" if name in REVIEW else "-"
        yield (name, *(f"{share[key]:.2f}" for key in ["any", *JOINT, "union"]), of_review, f"{trace:.2f}", f"{vif:.0f}")
