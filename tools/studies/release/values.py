"""Values of chosen persons of the other party, and of one person between two studies.

error = root mean square error of the estimate in standard deviations of the value; right = share of values that are
correctly classified as above or below the median (guess 0.50).
"""
import numpy as np

import rules
from membership import group_columns, smallest_group
from model import Equations, Release


def _scores(estimate, truth):
    return np.std(estimate - truth), ((estimate > 0) == (truth > 0)).mean()


def signs(m, size, columns, rng):
    """Columns of -1 and 1 on the group and 0 elsewhere."""
    X = np.zeros((m, columns))
    X[:size] = rng.choice([-1.0, 1.0], (size, columns))
    return X


def outcomes(m, size, columns, studies, rng):
    """The other party's outcome by several least-squares studies, each with new own columns about the group."""
    y = rng.standard_normal(m)
    equations, used, refusals = Equations(size), [], set()
    for _ in range(studies):
        X = signs(m, size, columns, rng)
        used.append(X)
        refusals |= set(rules.joint(X, y, rng))
        _add_sums(equations, Release(X, y), X, size)
    union = np.hstack(used)
    refusals |= set(rules.union(_own(union))) | set(rules.budget([("other", columns, 1)] * studies, m))
    refusals |= set(rules.versions([(range(k * columns, (k + 1) * columns), True) for k in range(studies)]))
    estimate = equations.estimate(0, 1)
    return (*_scores(estimate, y[:size]), rules.charged([("other", columns, 1)] * studies), sorted(refusals))


def _own(joined):
    """Own table: the joined rows and as many that did not match, with the same columns in another order."""
    return np.vstack([joined, joined[::-1]])


def _add_sums(equations, release, X, size):
    """Sums of x_j y over the group, from a least-squares fit."""
    H = np.hstack([X.T @ X, X.sum(0)[:, None]])
    errors = np.append(release.grid, release.intercept_grid) ** 2 / 12
    equations.add(X[:size].T, H @ np.append(release.b, release.b0), (H * errors) @ H.T)


def within_rules(m, columns, rng, repeats=1):
    """The same with columns that pass: the smallest group, one version of the data. Values are those of the outcome, or of
    an attribute of the other party when the columns are used as own outcomes: both are one sum per column."""
    size = smallest_group(m, columns)
    X, y = group_columns(m, size, columns, rng), rng.standard_normal(m)
    equations = Equations(size)
    for _ in range(repeats):
        release = Release(X, y)
        _add_sums(equations, release, X, size)
    return (*_scores(equations.estimate(0, 1), y[:size]), sorted(set(rules.joint(X, y, rng) + rules.union(_own(X)))))


def hadamard(n):
    H = np.ones((1, 1))
    while len(H) < n:
        H = np.block([[H, H], [H, -H]])
    return H


def attribute(m, size, rng):
    """An attribute of the other party by own outcomes of -1 and 1 on a group: one study each."""
    x, H = rng.standard_normal(m), hadamard(size)
    equations, refusals, used = Equations(size), set(), []
    for k in range(size):
        y = np.zeros(m)
        y[:size] = H[k]
        used.append(y)
        refusals |= set(rules.joint(x[:, None], y, rng))
        release = Release(x[:, None], y)
        equations.add((y - y.mean())[:size], m * x.var() * release.b[0], [(m * release.grid[0] * x.var()) ** 2 / 12])
    studies = [(f"own.{k}", 1, 1) for k in range(size)]
    refusals |= set(rules.union(_own(np.array(used).T))) | set(rules.budget(studies, m))
    refusals |= set(rules.versions([([k], True) for k in range(size)]))
    return (*_scores(equations.estimate(0, 1), x[:size]), rules.charged(studies), sorted(refusals))


def hot_person(m, columns, rng, ordinary_rows):
    """One person with values as large as the rules allow, all others ordinary: the outcome of that person."""
    X = rng.standard_normal((m, columns))
    direction = rng.standard_normal(columns)
    best = None
    for amplitude in np.geomspace(1, 40, 30):
        trial = X.copy()
        trial[0] = direction * amplitude
        own = np.vstack([trial, rng.standard_normal((ordinary_rows, columns))])
        passed = sum(not rules.joint(trial, None, np.random.default_rng(seed)) for seed in range(4))
        if passed >= 2 and not rules.union(own):
            best = trial
    best = X if best is None else best
    Z = best - best.mean(0)
    leverage = Z[0] @ np.linalg.solve(Z.T @ Z, Z[0])
    known = []
    for _ in range(400):
        y = rng.standard_normal(m)
        release = Release(best, y)
        # The best combination of the coefficients for person 0 is its own prediction; the others add noise.
        predicted = Z[0] @ release.b
        known.append((predicted > 0) == (y[0] > y.mean()))
    return leverage, np.mean(known)


def changed_outcome(m, share, rng, fraction=8):
    """Own outcome changed in one person so that it holds this share of the variation: the attribute of that person."""
    x, y = rng.standard_normal(m), rng.standard_normal(m)
    step = np.sqrt(share / (1 - share) * m)
    changed = y.copy()
    changed[0] += step
    first, second = Release(x[:, None], y, fraction=fraction), Release(x[:, None], changed, fraction=fraction)
    estimate = (second.b[0] - first.b[0]) * m * x.var() / step + x.mean()
    refusals = rules.joint(x[:, None], changed, rng) + rules.union(_own(np.array([y, changed]).T))
    return estimate - x[0], refusals


def group_less_one(m, size, rng, fraction=8):
    """A flag of a group, and of the group without one person, in two studies: the outcome of that person."""
    y = rng.standard_normal(m)
    sums, flags, refusals = [], [], []
    for first in (0, 1):
        flag = np.zeros(m)
        flag[first:size] = 1
        flags.append(flag)
        release = Release(flag[:, None], y, fraction=fraction)
        sums.append((size - first) * (release.b0 + release.b[0]))
        refusals += rules.joint(flag[:, None], y, rng)
    refusals += rules.union(_own(np.array(flags).T)) + rules.versions([([0], True), ([1], True)])
    return sums[0] - sums[1] - y[0], sorted(set(refusals))


def exchanged_cohorts(m, groups, size, exchanged, rng):
    """Match counts of own tables of the same size with different persons of a chosen group: which of them matched.

    Returns right, guess, refusals. exchanged: persons of the group in each table."""
    bits = (rng.random(size) < 0.5) * 1.0
    equations, persons = Equations(size), []
    for _ in range(groups):
        chosen = np.zeros(size)
        chosen[rng.permutation(size)[:exchanged]] = 1
        persons.append(np.append(chosen, np.ones(m)) > 0)
        equations.add(chosen, [chosen @ bits], [1e-6])
    refusals = rules.cohorts(persons) + rules.versions([([k], True) for k in range(groups)])
    known = equations.estimate(0.5, 0.25) > 0.5
    return (known == (bits > 0.5)).mean(), max(bits.mean(), 1 - bits.mean()), sorted(set(refusals))
