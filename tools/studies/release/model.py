"""What a study releases, in the clear: the penalised model of docs/concepts.md, rounded as src/disclosure/precision.h says."""
import math

import numpy as np

LAMBDA_STEPS = 16  # points per factor of 2 (src/analysis/penalised/lambda_grid.h)


def power(value):
    """Largest power of two that is at most the value."""
    return 2.0 ** np.floor(np.log2(value))


def on_lambda_grid(value):
    return value if value == 0 else 2.0 ** (round(math.log2(value) * LAMBDA_STEPS) / LAMBDA_STEPS)


def path(largest, smallest, count):
    """At most count lambdas of the public grid between two values, largest first."""
    wanted = np.geomspace(largest, smallest, count) if count > 1 else [smallest]
    return sorted({on_lambda_grid(value) for value in wanted}, reverse=True)


def fit(X, y, penalty, alpha):
    """Minimises 1/2m |y - b0 - Xb|^2 + penalty (alpha |b|_1 + (1 - alpha)/2 |b|^2). Returns b0, b, R^2."""
    m, d = X.shape
    mean, outcome_mean = X.mean(0), y.mean()
    Z = X - mean
    G = Z.T @ Z / m
    c = Z.T @ (y - outcome_mean) / m
    if alpha == 0 or penalty == 0:
        b = np.linalg.solve(G + (penalty + 1e-14) * np.eye(d), c)
    else:
        b = _descend(G, c, penalty * alpha, penalty * (1 - alpha))
    rest = y - outcome_mean - Z @ b
    return outcome_mean - mean @ b, b, 1 - rest @ rest / max(((y - outcome_mean) ** 2).sum(), 1e-300)


def _descend(G, c, l1, l2):
    """Coordinate descent on second moments."""
    b = np.zeros(len(c))
    gradient = c.copy()
    for _ in range(2000):
        largest = 0.0
        for j in range(len(c)):
            if G[j, j] == 0:
                continue
            partial = gradient[j] + G[j, j] * b[j]
            new = math.copysign(max(abs(partial) - l1, 0.0), partial) / (G[j, j] + l2)
            if new != b[j]:
                gradient -= G[:, j] * (new - b[j])
                largest = max(largest, abs(new - b[j]) * math.sqrt(G[j, j]))
                b[j] = new
        if largest < 1e-10:
            break
    return b


class Release:
    """One released model: coefficients, intercept and R^2 on their grids; exponents of the grids are public, too."""

    def __init__(self, X, y, penalty=0.0, alpha=0.0, fraction=8):
        m = len(y)
        self.rows, self.penalty, self.alpha = m, penalty, alpha
        b0, b, r2 = fit(X, y, penalty, alpha)
        sd = X.std(0)
        unit = 1 / (fraction * math.sqrt(m)) if fraction else 2.0 ** -28
        spread = y.std() * math.sqrt(max(1 - r2, 0.5))
        self.grid = power(spread / np.where(sd > 0, sd, 1) * unit)
        self.intercept_grid = power(spread * unit)
        self.r2_grid = power(unit)
        self.b = np.round(b / self.grid) * self.grid
        self.b0 = np.round(b0 / self.intercept_grid) * self.intercept_grid
        self.r2 = np.round(r2 / self.r2_grid) * self.r2_grid

    def numbers(self):
        return len(self.b) + 2


class Equations:
    """Linear equations A v = r + noise about unknown v that an attacker collects, and their best linear estimate."""

    def __init__(self, unknowns):
        self.unknowns = unknowns
        self.rows, self.values, self.noise = [], [], []

    def add(self, A, values, noise):
        """noise: covariance matrix of the block, or variances."""
        A = np.atleast_2d(A)
        noise = np.asarray(noise, float)
        self.rows.append(A)
        self.values.append(np.atleast_1d(values))
        self.noise.append(np.diag(np.atleast_1d(noise)) if noise.ndim < 2 else noise)

    def estimate(self, mean, variance):
        """Posterior mean of v with prior mean and (independent) variance, scalars or vectors."""
        A, r = np.vstack(self.rows), np.concatenate(self.values)
        R = np.zeros((len(r), len(r)))
        at = 0
        for block in self.noise:
            R[at:at + len(block), at:at + len(block)] = block
            at += len(block)
        mean, variance = mean * np.ones(self.unknowns), variance * np.ones(self.unknowns)
        S = (A * variance) @ A.T + R
        scale = 1 / np.sqrt(np.maximum(np.diag(S), 1e-300))
        S = S * scale[:, None] * scale + 1e-9 * np.eye(len(r))
        return mean + variance * (A.T @ (scale * np.linalg.solve(S, scale * (r - A @ mean))))
