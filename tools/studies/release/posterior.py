"""The best estimate of membership bits from released models: Gauss-Newton steps to the mode of their posterior distribution.

Unknown are the weights w of the persons of a group (1 = matched, prior mean 1/2, variance 1/4) and, for an outcome that the
attacker does not know, its sum and its sums with the columns. Released numbers are functions of them: the fit with weights,
observed with the variance grid^2/12 of rounding. Rows outside the group have values 0, and all rows together are m.
"""
import numpy as np


class Observation:
    """One released model: own columns X of the group, its outcome y or None when that is the other party's."""

    def __init__(self, release, X, y, r_squared=False, exponents=None):
        self.release, self.X, self.y = release, X, y
        self.r_squared, self.exponents = r_squared, exponents
        penalised = release.alpha > 0 and release.penalty > 0
        self.active = np.flatnonzero(release.b) if penalised else np.arange(X.shape[1])

    def residual_and_slope(self, w, sums):
        """(observed minus predicted, derivatives by w, derivatives by sums, variances) at these unknowns."""
        r, X, m = self.release, self.X[:, self.active], self.release.rows
        k = len(self.active)
        l1, l2 = r.penalty * r.alpha, r.penalty * (1 - r.alpha)
        own = self.y is not None
        first = X.T @ w
        K = np.zeros((k + 1, k + 1))
        K[:k, :k] = (X * w[:, None]).T @ X + (m * l2 + 1e-9) * np.eye(k)
        K[:k, k] = K[k, :k] = first
        K[k, k] = m
        target = np.append(X.T @ (w * self.y), w @ self.y) if own else np.append(sums[self.active], sums[-1])
        target[:k] -= m * l1 * np.sign(r.b[self.active])
        inverse = np.linalg.inv(K)
        theta = inverse @ target
        fitted = X @ theta[:k]
        y = self.y if own else np.zeros(len(w))
        rest = y - theta[k] - fitted
        by_w = inverse @ np.vstack([X.T * rest, y - fitted])
        by_sums = np.zeros((k + 1, len(sums)))
        if not own:
            by_sums[:, np.append(self.active, len(sums) - 1)] = inverse
        residual = np.append(r.b[self.active], r.b0) - theta
        variance = np.append(r.grid[self.active], r.intercept_grid) ** 2 / 12
        if not own or not self.r_squared:
            return residual, by_w, by_sums, variance
        gradient = np.append(-2 * m * (l1 * np.sign(r.b[self.active]) + l2 * theta[:k]), 0)
        rss = w @ rest ** 2 + (m - w.sum()) * theta[k] ** 2
        tss = w @ y ** 2 - (w @ y) ** 2 / m
        slope = -(rest ** 2 - theta[k] ** 2 + gradient @ by_w) / tss + rss / tss ** 2 * (y ** 2 - 2 * (w @ y) / m * y)
        residual = np.append(residual, r.r2 - (1 - rss / tss))
        by_w, by_sums = np.vstack([by_w, slope]), np.vstack([by_sums, np.zeros(len(sums))])
        variance = np.append(variance, r.r2_grid ** 2 / 12)
        if self.exponents is not None:
            residual, by_w, variance = self._edges(w, residual, by_w, variance)
            by_sums = np.zeros((len(residual), len(sums)))
        return residual, by_w, by_sums, variance

    def _edges(self, w, residual, by_w, variance):
        """exponents: per column +1 or -1, on which side of an edge the ratio of the deviations of column and outcome lies.

        The attacker scaled its columns so that the ratio that it expects lies on an edge of the grid."""
        m, X = self.release.rows, np.column_stack([self.X, self.y])
        ratio, slope = log_ratios(X, w, m)
        expected, by_prior = log_ratios(X, np.full(len(w), 0.5), m)
        spread = np.sqrt((by_prior ** 2).sum(1)) / 2
        seen = expected + self.exponents * np.sqrt(2 / np.pi) * spread
        return (np.append(residual, seen - ratio), np.vstack([by_w, slope]),
                np.append(variance, (1 - 2 / np.pi) * spread ** 2))


def log_ratios(X, w, m):
    """log of the variance of the last column over that of each other, and the derivatives by w."""
    mean = X.T @ w / m
    variance = (X ** 2).T @ w / m - mean ** 2
    slope = (X.T ** 2 - 2 * mean[:, None] * X.T) / m / variance[:, None]
    logs = np.log(variance)
    return logs[-1] - logs[:-1], slope[-1] - slope[:-1]


def memberships(observations, persons, sums=0, spread=1.0, steps=4):
    """Estimated weights. sums: number of unknown sums of the outcome, with prior deviation spread."""
    w, c = np.full(persons, 0.5), np.zeros(sums)
    prior = np.append(np.full(persons, 0.25), np.full(sums, spread ** 2))
    for _ in range(steps):
        parts = [each.residual_and_slope(w, c) for each in observations]
        residual = np.concatenate([part[0] for part in parts])
        slope = np.vstack([np.hstack([part[1], part[2]]) for part in parts])
        noise = np.concatenate([part[3] for part in parts])
        offset = np.append(w - 0.5, c)
        innovation = residual + slope @ offset  # linearised at the prior mean
        S = (slope * prior) @ slope.T + np.diag(noise)
        scale = 1 / np.sqrt(np.diag(S))
        S = S * scale[:, None] * scale + 1e-10 * np.eye(len(S))
        step = prior * (slope.T @ (scale * np.linalg.solve(S, scale * innovation)))
        w, c = 0.5 + step[:persons], step[persons:]
        w = np.clip(w, -0.5, 1.5)
    return w
