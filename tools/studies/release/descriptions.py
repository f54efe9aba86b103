"""Which of a controller's own records matched? What describe tells: means and standard deviations of the own columns,
and their correlations where disclosure.own_moments allows them.

The table and the group of the attacker are those of membership.py. An attacker that knows the group's columns has two equations
per column about the bits of the group: linear in the bits for the mean, and for the mean of the squares.
"""
import numpy as np

import rules
from membership import PRIOR, Table, smallest_group
from model import Equations, power

FRACTION = 8


def rounded(value, grid):
    return np.round(value / grid) * grid


def description(X):
    """Means and standard deviations of the columns as describe releases them, with their grids."""
    m = len(X)
    mean, sd = X.mean(0), X.std(0)
    grid = power(np.where(sd > 0, sd, 1) / (FRACTION * np.sqrt(m)))
    sd_grid = power(np.where(sd > 0, sd, 1) / (FRACTION * np.sqrt(2 * m)))
    return rounded(mean, grid), grid, rounded(sd, sd_grid), sd_grid


def memberships(m, columns, rng, group=None, own_moments=False):
    """One describe of all own columns. own_moments: with their correlations. Returns right, guess, numbers, refusals."""
    size = group or 2 * smallest_group(m, columns)
    table = Table(m, size, columns, rng)
    X = table.V[table.matched]
    mean, grid, sd, sd_grid = description(X)
    V = table.V[:size]
    equations = Equations(size)
    equations.add(V.T / m, mean, grid ** 2 / 12)
    # sd^2 = mean of squares - mean^2, both known up to their rounding
    noise = (2 * sd * sd_grid) ** 2 / 12 + (2 * mean * grid) ** 2 / 12
    equations.add((V ** 2).T / m, sd ** 2 + mean ** 2, noise)
    numbers = 2 * columns
    if own_moments:
        j, k = np.triu_indices(columns, 1)
        r_grid = power(1 / (FRACTION * np.sqrt(m)))
        r = rounded(np.corrcoef(X.T)[j, k], r_grid)
        equations.add((V[:, j] * V[:, k]).T / m, r * sd[j] * sd[k] + mean[j] * mean[k], (r_grid * sd[j] * sd[k]) ** 2 / 12)
        numbers += len(j)
    estimate = equations.estimate(PRIOR, PRIOR * (1 - PRIOR))
    refusals = rules.joint(X, None, rng) + rules.union(table.V)
    return (*table.right(estimate), numbers, sorted(set(refusals)))
