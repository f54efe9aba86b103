"""Attacks that use the difference between own rows and joined rows.

The union rule checks all own complete rows, the joint rule only the joined ones, and only the columns of one study. A
controller may have records that certainly do not match. Their values have no effect on the model and make a column look
ordinary. Two figures: a column that few joined rows carry, and several versions of the data about the same persons.
"""
import numpy as np

import rules
from membership import group_columns, smallest_group
from model import Equations, Release


def own_table(joined, ballast, rng):
    """Joined rows and `ballast` times as many others, whose values are normal wherever the column is used at all."""
    rest = rng.standard_normal((int(ballast * len(joined)), joined.shape[1]))
    return np.vstack([joined, rest])


def carriers(m, columns, rare, few, rng):
    """`rare` columns that only `few` joined rows carry (other rows 0), among ordinary ones; each a group of its own."""
    X = rng.standard_normal((m, columns))
    for j in range(rare):
        X[:, j] = 0
        X[j * few:(j + 1) * few, j] = rng.choice([-1.0, 1.0], few) * (1 + 0.2 * rng.random(few))
    return X


def few_carriers(m, columns, rare, few, trials, seed=0):
    """Returns error and right of the carriers' outcomes, shares of trials in which the union rule on own rows refuses, on
    the joined rows alone would, and in which the joint rule refuses."""
    scores, verdicts = [], []
    for trial in range(trials):
        rng = np.random.default_rng(1000 * seed + trial)
        X, y = carriers(m, columns, rare, few, rng), rng.standard_normal(m)
        release = Release(X, y)
        Z = X - X.mean(0)
        H = Z.T @ Z
        equations = Equations(m)
        equations.add(Z.T, H @ release.b, (H * release.grid ** 2 / 12) @ H.T)
        estimate, truth = equations.estimate(0, 1)[:rare * few], y[:rare * few]
        scores.append((((estimate - truth) ** 2).mean(), ((estimate > 0) == (truth > 0)).mean()))
        own = own_table(X, 1, rng)
        verdicts.append((bool(rules.union(own)), bool(rules.union(X)), bool(rules.joint(X, y, rng))))
    error, right = np.mean(scores, 0)
    return (np.sqrt(error), right, *np.mean(verdicts, 0))


def versions_of_values(m, columns, versions, rng):
    """Outcomes of one group by several versions of the own data, each of which passes the joint rule by itself.

    Returns right, refusals of the union rule when the own table is the joined rows (twice), and with ballast."""
    size = smallest_group(m, columns)
    y, used, refused = rng.standard_normal(m), [], set()
    equations = Equations(size)
    for _ in range(versions):
        X = group_columns(m, size, columns, rng)
        used.append(X)
        release = Release(X, y)
        H = np.hstack([X.T @ X, X.sum(0)[:, None]])
        errors = np.append(release.grid, release.intercept_grid) ** 2 / 12
        equations.add(X[:size].T, H @ np.append(release.b, release.b0), (H * errors) @ H.T)
        refused |= set(rules.joint(X, y, rng))
    union = np.hstack(used)
    estimate, truth = equations.estimate(0, 1), y[:size]
    return (((estimate > 0) == (truth > 0)).mean(), rules.union(np.vstack([union, union[::-1]])),
            rules.union(own_table(union, 4, rng)), sorted(refused))


def after_a_refusal(m, persons, columns, rng):
    """A study of all own columns about a few persons is refused by the joint rule, then each column has a study of its own.

    The columns are known by then, so without a rule against it these studies bring no new data. Returns error and right of
    the persons' outcomes, charged numbers, and what refuses."""
    y, equations, refused = rng.standard_normal(m), Equations(persons), set()
    X = np.zeros((m, columns))
    X[:persons] = rng.choice([-1.0, 1.0], (persons, columns)) * (1 + 0.2 * rng.random((persons, columns)))
    for j in range(columns):
        one = X[:, [j]]
        release = Release(one, y)
        refused |= set(rules.joint(one, y, rng))
        H = np.array([[(one ** 2).sum(), one.sum()]])
        errors = np.array([release.grid[0], release.intercept_grid]) ** 2 / 12
        equations.add(one[:persons].T, H @ [release.b[0], release.b0], (H * errors) @ H.T)
    estimate, truth = equations.estimate(0, 1), y[:persons]
    own = own_table(X, 4, rng)
    charged = columns + 2 + rules.charged([("other", 1, 1)] * columns)
    together = bool(rules.joint(X, y, rng))
    refused |= set(rules.union(own)) | set(rules.versions([(range(columns), not together)] + [([j], True) for j in range(columns)]))
    if charged > rules.default_numbers(m):
        refused.add("released numbers")
    return (np.sqrt(((estimate - truth) ** 2).mean()), ((estimate > 0) == (truth > 0)).mean(), charged, sorted(refused))
