"""Attacks of a controller that chooses its columns, outcome and penalties to find which of its own records matched.

The own table has 2m records, m of them matched. A group of them has columns of values about -1 and 1, all others have 0.
right = share of the group that is classified correctly, guess = the larger of the two shares.
"""
import functools

import numpy as np

import rules
from model import Release, path
from posterior import Observation, log_ratios, memberships

PRIOR = 0.5


def group_columns(rows, size, columns, rng):
    X = np.zeros((rows, columns))
    X[:size] = rng.choice([-1.0, 1.0], (size, columns)) * (1 + 0.2 * rng.random((size, columns)))
    return X


@functools.lru_cache(maxsize=None)
def smallest_group(m, columns):
    """Joined records of the smallest group whose columns pass the rules in at least 7 of 10 draws."""
    for size in sorted({int(m * f) for f in np.geomspace(0.005, 1, 70)}):
        if size < 2 * columns:
            continue
        passed = 0
        for seed in range(10):
            rng = np.random.default_rng(500 + seed)
            own = group_columns(2 * m, 2 * size, columns, rng)
            joined = np.vstack([own[:size], np.zeros((m - size, columns))])
            passed += not (rules.joint(joined, None, rng) or rules.union(own))
        if passed >= 7:
            return size
    return m


class Table:
    """Own table of the attacker: columns, and which of its records matched (secret)."""

    def __init__(self, m, group, columns, rng):
        self.m, self.group = m, group
        self.matched = np.zeros(2 * m, bool)
        self.matched[rng.permutation(2 * m)[:m]] = True
        self.V = group_columns(2 * m, group, columns, rng)
        self.bits = self.matched[:group] * 1.0

    def right(self, estimate):
        known = estimate[:self.group] > PRIOR
        return (known == (self.bits > 0.5)).mean(), max(self.bits.mean(), 1 - self.bits.mean())


def own_outcome(V, explained, rng):
    """An outcome that the columns explain to this part, 0 where they are 0."""
    group = np.flatnonzero((V != 0).any(1))
    y = np.zeros(len(V))
    fit = V[group] @ rng.standard_normal(V.shape[1])
    y[group] = np.sqrt(explained) * fit / fit.std() + np.sqrt(1 - explained) * rng.standard_normal(len(group))
    return y


def edge_bits(X, y, m, matched):
    """Which side of an edge each exponent shows, when the expected ratio lies on one."""
    both = np.column_stack([X, y])
    expected = log_ratios(both, np.full(len(X), PRIOR), m)[0]
    return np.sign(log_ratios(both, matched, m)[0] - expected)


def paths(m, columns, models, alpha, own, rng, group=None, explained=0.9, r_squared=False, exponents=False):
    """One study with several lambdas. alpha 1 lasso, 0 ridge. Returns right, guess, numbers, refusals."""
    size = group or 2 * smallest_group(m, columns)
    table = Table(m, size, columns, rng)
    V, joined = table.V, table.matched
    if own:
        y = own_outcome(V, explained, rng)
    else:
        y = V @ rng.standard_normal(columns) * np.sqrt(explained / columns)
        y += np.sqrt(1 - explained) * np.sqrt(size / len(V)) * rng.standard_normal(len(V))
    X, target = V[joined], y[joined]
    steepest = np.abs(X.T @ (target - target.mean())).max() / m
    scale = (V[:size] ** 2).mean() * size / len(V)
    largest, least = (5 * scale, 0.05 * scale) if alpha == 0 else (0.9 * steepest / alpha, 0.01 * steepest / alpha)
    observations = []
    for penalty in path(largest, least, models):
        bits = edge_bits(V[:size], y[:size], m, table.bits) if own and exponents and not observations else None
        observations.append(Observation(Release(X, target, penalty, alpha), V[:size], y[:size] if own else None,
                                        r_squared or exponents, bits))
    count = len(observations)
    spread = 2 * m * target.std() * np.sqrt(scale)
    w = memberships(observations, size, 0 if own else columns + 1, spread)
    studies = [("own" if own else "other", columns, count)]
    owned = np.column_stack([V, y]) if own else V
    refusals = rules.joint(X, target, rng) + rules.union(owned) + rules.budget(studies, m)
    return (*table.right(w), count * (columns + 2), sorted(set(refusals)))


def own_outcomes(m, columns, models, rng, free=rules.FREE, group=None, r_squared=False, sets=1):
    """The columns themselves as outcomes, one least-squares study each on all other columns of the set.

    A first study with all columns and the counterpart's outcome commits them. sets: versions of the data.
    r_squared: with many models those equations are too far from linear for the Gauss-Newton steps and make the estimate
    worse."""
    size = group or 2 * smallest_group(m, columns)
    table = Table(m, size, columns * sets, rng)
    studies = [("other", columns, 1)] + [("other", columns, 1)] * (sets - 1)
    observations, refusals = [], set()
    for k in range(models):
        first = columns * (k % sets)
        place = first + k // sets
        others = [j for j in range(first, first + columns) if j != place]
        V, y = table.V[:, others], table.V[:, place]
        release = Release(V[table.matched], y[table.matched])
        observations.append(Observation(release, V[:size], y[:size], r_squared))
        studies.append((f"own.{place}", columns - 1, 1))
    for first in range(0, columns * sets, columns):
        refusals |= set(rules.joint(table.V[table.matched][:, first:first + columns], None, rng))
    refusals |= set(rules.union(table.V)) | set(rules.budget(studies, m, free))
    refusals |= set(rules.versions([(range(s * columns, (s + 1) * columns), True) for s in range(sets)]))
    return (*table.right(memberships(observations, size)), rules.charged(studies, free), sorted(refusals))


def most_models(m, columns, free, sets=1):
    """How many studies of own_outcomes fit the budget."""
    count = 0
    while count < columns * sets:
        studies = [("other", columns, 1)] * sets + [(f"own.{k}", columns - 1, 1) for k in range(count + 1)]
        if rules.budget(studies, m, free):
            break
        count += 1
    return count
