"""Attacks that use the same columns: many studies on subsets of them, and lambdas that differ little.

All that linear models reveal about memberships is in the second moments of the own columns. The budget of released numbers
limits how many of them are revealed.
"""
import numpy as np

import rules
from membership import Table, own_outcome, smallest_group
from model import Release, on_lambda_grid
from posterior import Observation, memberships


def _embedded(release, subset, columns):
    """Converts the release of a subset of columns to one of all columns."""
    for name, fill in (("b", 0.0), ("grid", 1.0)):
        full = np.full(columns, fill)
        full[subset] = getattr(release, name)
        setattr(release, name, full)
    return release


def _by_subset(V, y, joined, size, subset, own):
    """Least squares on some of the columns, as an observation of all of them; own: the outcome is the attacker's."""
    release = _embedded(Release(V[joined][:, subset], y[joined]), subset, V.shape[1])
    one = Observation(release, V[:size], y[:size] if own else None, r_squared=own)
    one.active = subset
    return one


def subsets(m, columns, studies, own, rng, group=None):
    """Least squares on random halves of the frozen columns. Returns right, guess, charged numbers, refusals."""
    size = group or 2 * smallest_group(m, columns)
    table = Table(m, size, columns, rng)
    V, joined = table.V, table.matched
    if own:
        y = own_outcome(V, 0.9, rng)
    else:
        y = V @ rng.standard_normal(columns) * np.sqrt(0.5 / columns) + np.sqrt(0.5) * rng.standard_normal(len(V))
    observations, models = [], [("own" if own else "other", columns, 1)]
    for k in range(studies):
        subset = np.sort(rng.permutation(columns)[:columns // 2]) if k else np.arange(columns)
        observations.append(_by_subset(V, y, joined, size, subset, own))
        if k:
            models.append(("own" if own else "other", len(subset), 1))
    spread = 2 * m * y[joined].std() * np.sqrt((V[joined] ** 2).mean())
    w = memberships(observations, size, 0 if own else columns + 1, spread)
    owned = np.column_stack([V, y]) if own else V
    refusals = rules.joint(V[joined], y[joined], rng) + rules.union(owned) + rules.budget(models, m)
    return (*table.right(w), rules.charged(models), sorted(set(refusals)))


def combined(m, columns, rng):
    """All attacks at once on one group: the free models of both outcomes, then half of the budget for subsets with an own
    outcome and R², half for own columns in turn as the outcome. Returns right, guess, charged numbers, refusals."""
    size = 2 * smallest_group(m, columns)
    table = Table(m, size, columns, rng)
    V, joined = table.V, table.matched
    y = own_outcome(V, 0.9, rng)
    theirs = V @ rng.standard_normal(columns) * np.sqrt(0.5 / columns) + np.sqrt(0.5) * rng.standard_normal(len(V))
    observations = [Observation(Release(V[joined], theirs[joined]), V[:size], None),
                    Observation(Release(V[joined], y[joined]), V[:size], y[:size], r_squared=True)]
    models = [("other", columns, 1), ("own", columns, 1)]
    for k in range(columns):
        subset = np.sort(rng.permutation(columns)[:columns // 2])
        by_subset, by_column = ("own", len(subset), 1), (f"own.{k}", columns - 1, 1)
        others = [j for j in range(columns) if j != k]
        if rules.budget(models + [by_subset], m):
            break
        observations.append(_by_subset(V, y, joined, size, subset, True))
        models.append(by_subset)
        if rules.budget(models + [by_column], m):
            break
        observations.append(Observation(Release(V[joined][:, others], V[joined][:, k]), V[:size][:, others], V[:size, k]))
        models.append(by_column)
    # Models of own columns have one column fewer, without the sums of the other party's outcome.
    spread = 2 * m * theirs[joined].std() * np.sqrt((V[joined] ** 2).mean())
    w = memberships(observations, size, columns + 1, spread)
    refusals = rules.joint(V[joined], y[joined], rng) + rules.union(np.column_stack([V, y])) + rules.budget(models, m)
    return (*table.right(w), rules.charged(models), sorted(set(refusals)))


def most_subsets(m, columns, limit=None):
    """Studies of subsets that fit released_numbers: the default, or a limit of the spec; and model_budget."""
    count = 1
    while count < rules.MODEL_BUDGET - 1:
        studies = [("own", columns, 1)] + [("own", columns // 2, 1)] * count
        if rules.charged(studies) > (limit or rules.default_numbers(m)):
            break
        count += 1
    return count


def dithering(m, lambdas, rng, on_grid=True):
    """One column, many lambdas within one standard error: the error of the coefficient, in standard errors.

    on_grid: lambdas lie on the public grid, so that only few of them differ. Returns error, numbers, refusals."""
    x = rng.standard_normal(m)
    y = 0.3 * x + rng.standard_normal(m)
    variance, covariance = x.var(), ((x - x.mean()) * y).mean()
    error = y.std() / np.sqrt(m * variance)
    low, high = -np.inf, np.inf
    wanted = np.linspace(error * variance, 2 * error * variance, lambdas)
    tried = sorted({on_lambda_grid(value) for value in wanted}) if on_grid else wanted
    for penalty in tried:
        release = Release(x[:, None], y, penalty, 1.0)
        b, half = release.b[0], release.grid[0] / 2
        low, high = max(low, (b - half) * variance + penalty), min(high, (b + half) * variance + penalty)
    models = [("other", 1, len(tried))]
    return abs((low + high) / 2 - covariance) / variance / error, rules.charged(models), rules.budget(models, m)


def exact_gradient(m, paths, rng, on_grid=True):
    """Where a coefficient becomes 0, by paths of 100 lambdas: half of the interval of its gradient, in standard errors.

    Zeros count as numbers, so the budget ends it after one path at most."""
    x = rng.standard_normal(m)
    y = 0.3 * x + rng.standard_normal(m)
    gradient = abs(((x - x.mean()) * (y - y.mean())).mean())
    low, high = 0.0, 1.0
    for _ in range(paths):
        tried = np.linspace(low, high, 102)[1:-1]
        if on_grid:
            tried = np.array(sorted({on_lambda_grid(value) for value in tried}))
        below = tried[tried < gradient]
        above = tried[tried >= gradient]
        low = max(low, below.max()) if len(below) else low
        high = min(high, above.min()) if len(above) else high
    models = [("other", 1, 100)] * paths
    return (high - low) / 2 / (y.std() / np.sqrt(m)), rules.charged(models), rules.budget(models, m)

