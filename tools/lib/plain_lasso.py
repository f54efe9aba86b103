"""The clear-text solution that the pilot compares with: cyclic coordinate descent on the joined rows.

Minimises 1/(2n) ||y - b0 - Xb||^2 + lambda * sum_j s_j |b_j|, s_j the population standard deviation of column j.
Standard library only; it shares no code with the extension. The Karush-Kuhn-Tucker residual measures
the error of any solution.
"""
import json
import math
import sys
from operator import mul

SWEEPS = 100000


class Solution:
    def __init__(self, intercept, coefficients, r_squared, kkt_residual):
        self.intercept = intercept
        self.coefficients = coefficients
        self.r_squared = r_squared
        self.kkt_residual = kkt_residual


def standardised(column):
    """(z, mean, sd); a constant column becomes zeros with sd 0."""
    n = len(column)
    mean = math.fsum(column) / n
    centred = [value - mean for value in column]
    sd = math.sqrt(math.fsum(map(mul, centred, centred)) / n)
    if sd <= 1e-13 * max(1.0, abs(mean)):
        return [0.0] * n, mean, 0.0
    return [value / sd for value in centred], mean, sd


def solve(columns, outcome, penalty):
    """The lasso of `outcome` on `columns` (lists of floats of equal length)."""
    n = len(outcome)
    z, means, sds = zip(*(standardised(column) for column in columns))
    y_mean = math.fsum(outcome) / n
    y = [value - y_mean for value in outcome]
    total = math.fsum(map(mul, y, y)) / n
    gram = [[math.fsum(map(mul, a, b)) / n if j <= i else 0.0 for j, b in enumerate(z)] for i, a in enumerate(z)]
    for i, row in enumerate(gram):
        for j in range(i):
            gram[j][i] = row[j]
    target = [math.fsum(map(mul, a, y)) / n for a in z]
    beta = _descend(gram, target, penalty, sds)
    explained = 2 * math.fsum(map(mul, beta, target)) - math.fsum(
        b * math.fsum(map(mul, row, beta)) for b, row in zip(beta, gram))
    coefficients = [b / sd + 0.0 if sd > 0 else 0.0 for b, sd in zip(beta, sds)]  # + 0.0: no -0
    intercept = y_mean - math.fsum(map(mul, coefficients, means))
    scale = max(max(map(abs, target)), 1e-300)
    return Solution(intercept, coefficients, explained / total if total > 0 else 0.0,
                    _kkt_residual(gram, target, beta, penalty, sds) / scale)


def rounded(value, error, part):
    """value on the grid of the statistical release: the largest power of two that is at most error / part."""
    grid = 2.0 ** math.floor(math.log2(error / part))
    return math.floor(value / grid + 0.5) * grid


def statistical(solution, columns, outcome, part=8):
    """What release.precision "statistical" would release (part 2: "coarse"), by the rule of docs/disclosure.md.

    (value, standard error) of the intercept, then of each coefficient, then of R squared. A constant column has the
    error None and the value 0.
    """
    n = len(outcome)
    spread = standardised(outcome)[2] * math.sqrt(max(1 - solution.r_squared, 0.5) / n)
    released = [(rounded(solution.intercept, spread, part), spread)]
    for column, coefficient in zip(columns, solution.coefficients):
        sd = standardised(column)[2]
        released.append((rounded(coefficient, spread / sd, part), spread / sd) if sd > 0 else (0.0, None))
    return released + [(rounded(solution.r_squared, 1 / math.sqrt(n), part), 1 / math.sqrt(n))]


def _descend(gram, target, penalty, sds):
    """Cyclic coordinate descent until convergence."""
    d = len(target)
    beta = [0.0] * d
    gradient = list(target)  # target - gram * beta
    for _ in range(SWEEPS):
        moved = 0.0
        for j in range(d):
            if sds[j] == 0:
                continue
            raw = gradient[j] + beta[j]
            new = math.copysign(max(abs(raw) - penalty, 0.0), raw)
            step = new - beta[j]
            if step != 0.0:
                beta[j] = new
                row = gram[j]
                gradient = [g - step * r for g, r in zip(gradient, row)]
                moved = max(moved, abs(step))
        if moved <= 1e-15 * max(1e-300, max(map(abs, beta))):
            break
    return beta


def _kkt_residual(gram, target, beta, penalty, sds):
    """Largest violation of the optimality conditions, in units of the standardised gradient."""
    worst = 0.0
    for j, b in enumerate(beta):
        if sds[j] == 0:
            continue
        gradient = target[j] - math.fsum(map(mul, gram[j], beta))
        if b != 0.0:
            worst = max(worst, abs(gradient - math.copysign(penalty, b)))
        else:
            worst = max(worst, abs(gradient) - penalty)
    return worst


def main():
    """Reads {"names", "lambda", "rows"} (the outcome is each row's last value), writes the solution as JSON."""
    given = json.load(sys.stdin)
    *columns, outcome = zip(*given["rows"])
    solution = solve(columns, outcome, given["lambda"])
    coefficients = dict(zip(given["names"], solution.coefficients))
    json.dump({"n": len(outcome), "coefficients": {"(intercept)": solution.intercept, **coefficients},
               "r_squared": solution.r_squared, "kkt_residual": solution.kkt_residual}, sys.stdout)


if __name__ == "__main__":
    main()
