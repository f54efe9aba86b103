"""The disclosure rules of the product at their defaults, in the clear: what src/disclosure/{precheck,dominance,joint_design,own_design}.cpp,
src/study/disclosure.cpp and extension/{47_disclosure,48_data_versions}.sql decide.

Each function returns the list of rules that refuse. An empty list means that the study passes.
docs/design/release_rules.md has the formulas and their sources.
"""
import math

import numpy as np

MIN_MATCHED = 100
MAX_PARAMETER_RATIO = 0.1
MIN_LEVEL_COUNT = 10
MAX_DOMINANCE = 0.5
MAX_LEVERAGE = 0.4
MAX_VIF = 200
RECORDS_PER_COLUMN = 10
RECORDS_PER_NUMBER = 10
MOST_NUMBERS = 100
VERSIONS = 3
MODEL_BUDGET = 100
MIN_COHORT_CHANGE = 10
FREE = "party"  # the models that are not charged: the first one of each party's outcomes ("party"), of each outcome ("outcome")


def squares_limit(d, m):
    """Largest sum of squared leverages."""
    return d * max(0.05, 2 * d / m) + 0.3


def stretches(d, m):
    """Number of stretches of the joint leverage rule (design_stretches)."""
    wanted = min(max(65536 // (d * (d + 1) // 2), 16), 128)
    return min(wanted, max(m // 4, 8), m)


def _two_valued(column):
    return len(np.unique(column)) <= 2


def joint(X, y, rng):
    """Rules of the precheck bit on joined rows X and outcome y (None: not looked at). rng draws the secret order."""
    m, d = X.shape
    refusals = []
    if m < MIN_MATCHED:
        refusals.append("min_matched")
    if (d + 1) / m > MAX_PARAMETER_RATIO or d > m // RECORDS_PER_COLUMN:
        refusals.append("columns")
    columns = list(X.T) + ([y] if y is not None else [])
    refusals += _levels([column for column in columns if _two_valued(column)], m)
    order = rng.permutation(m)
    if any(_dominated(column[order]) for column in columns if not _two_valued(column)):
        refusals.append("dominance")
    return refusals + design(X[order])


def _levels(flags, m):
    flags = [(flag == flag.max()).astype(int) for flag in flags if flag.max() > flag.min()]
    if not flags:
        return []
    F = np.array(flags)
    ones = F.sum(1)
    differ = ones[:, None] + ones[None, :] - 2 * (F @ F.T)
    counts = np.concatenate([ones, differ[np.triu_indices(len(F), 1)]])
    few = lambda n: ((n > 0) & (n < MIN_LEVEL_COUNT)).any()
    return ["level count"] if few(counts) or few(m - counts) else []


def _dominated(column):
    z = (column - column.mean()) ** 2
    if z.sum() == 0:
        return False
    groups = max(64, math.ceil(16 / MAX_DOMINANCE ** 2))
    sums = np.array([part.sum() for part in np.array_split(z, min(groups, len(z)))])
    return (sums ** 2).sum() > MAX_DOMINANCE ** 2 * z.sum() ** 2


def design(X):
    """The joint design on rows that are already in the secret order: leverage by stretches, mean leverage, VIF."""
    m, d = X.shape
    trace, spread, vif = design_figures(X)
    G = stretches(d, m)
    refusals = []
    if trace > MAX_LEVERAGE + d / G + 0.05:
        refusals.append("leverage")
    if spread > squares_limit(d, m):
        refusals.append("mean leverage")
    if vif > 0.97 * MAX_VIF:
        refusals.append("VIF")
    return refusals


def design_figures(X):
    """(largest trace of a stretch, estimate of the sum of squared leverages, largest VIF) as the product computes them."""
    m, d = X.shape
    Z = X - X.mean(0)
    sd = Z.std(0)
    Z = Z[:, sd > 0] / sd[sd > 0]
    if Z.shape[1] == 0:
        return 0.0, d * d / m, 0.0
    shift = 2.0 ** math.floor(-math.log2(16 * d * MAX_VIF))
    inverse = np.linalg.inv(Z.T @ Z / m + shift * np.eye(Z.shape[1]))
    h = np.einsum("ij,jk,ik->i", Z, inverse, Z) / m
    parts = np.array_split(h, stretches(d, m))
    T = np.array([part.sum() for part in parts])
    share = np.array([len(part) for part in parts]) / m
    return T.max(), ((T - share * T.sum()) ** 2).sum() + d * d / m, np.diag(inverse).max()


def union(X):
    """The owner's rule over all of its own columns, on its own rows (DesignCheck, require_union). NaN = missing."""
    n = len(X)
    leverage, squares, vif, d = union_figures(X)
    refusals = []
    if leverage > MAX_LEVERAGE:
        refusals.append("union leverage")
    if squares > squares_limit(d, n):
        refusals.append("union mean leverage")
    if vif > MAX_VIF:
        refusals.append("union VIF")
    if d > n // RECORDS_PER_COLUMN:
        refusals.append("union columns")
    return refusals


def union_figures(X):
    """(largest leverage, sum of squared leverages, largest VIF, columns that vary)"""
    n = len(X)
    Z = X - np.nanmean(X, 0)
    Z = np.where(np.isnan(Z), 0, Z)
    sd = np.sqrt((Z ** 2).mean(0))
    Z = Z[:, sd > 1e-12] / sd[sd > 1e-12]
    d = Z.shape[1]
    C = Z.T @ Z / n
    h = np.einsum("ij,jk,ik->i", Z, np.linalg.inv(C + 2.0 ** -10 * np.eye(d)), Z) / n
    vif = np.diag(np.linalg.inv(C)).max() if np.linalg.cond(C) < 1e9 else 1e9
    return h.max(), (h ** 2).sum(), vif, d


def cohorts(persons):
    """Persons of one party's studies, as boolean rows: each pair differs in nobody or in enough."""
    for i in range(len(persons)):
        for j in range(i):
            changed = int((persons[i] != persons[j]).sum())
            if 0 < changed < max(MIN_COHORT_CHANGE, math.ceil(persons[i].sum() / 100)):
                return ["cohorts"]
    return []


def charged(models, free=FREE):
    """Released numbers that count: models = list of (outcome, attributes, number of models in the study).

    An outcome is party or party.column. Exact numbers, which count four times, are left aside."""
    seen, total = set(), 0
    for outcome, attributes, count in models:
        key = outcome.split(".")[0] if free == "party" else outcome
        total += (attributes + 2) * (count - (key not in seen))
        seen.add(key)
    return total


def default_numbers(m):
    """The default of released_numbers."""
    return min(m // RECORDS_PER_NUMBER, MOST_NUMBERS)


def budget(models, m, free=FREE):
    """released_numbers and model_budget over the studies with one counterpart."""
    refusals = []
    if charged(models, free) > default_numbers(m):
        refusals.append("released numbers")
    if sum(count for _, _, count in models) > MODEL_BUDGET:
        refusals.append("model budget")
    return refusals


def versions(studies):
    """Versions of one party's data, as its counterpart numbers them (heard_number): studies = list of (columns, released)."""
    heard = []  # (number, columns, released)
    for columns, released in studies:
        columns = frozenset(columns)
        number = min((n for n, known, passed in heard if columns <= known and (passed or not any(
            other == n and (done or not columns <= kept) for other, kept, done in heard))),
            default=max((n for n, _, _ in heard), default=0) + 1)
        heard.append((number, columns, released))
    return ["versions"] if max((n for n, _, _ in heard), default=0) > VERSIONS else []
