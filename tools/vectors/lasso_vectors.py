#!/usr/bin/python3
"""Makes the reference vectors test/vectors/lasso/*.json.

Usage: tools/vectors/lasso_vectors.py            (needs python3-sklearn and python3-mpmath; r-cran-glmnet if present)

Convention: minimise 1/(2n) ||y - b0 - X b||^2 + lambda * (alpha * sum_j s_j |b_j| + (1 - alpha)/2 * sum_j (s_j b_j)^2)
with s_j = population standard deviation of column j when standardize, else 1; coefficients in original units. alpha = 1
is the lasso, 0 ridge. scikit-learn finds the support (ridge needs none); the system of its active columns is then solved
with 50 digits, and the optimality conditions are checked with 50 digits for every column, so the stored doubles are the
exact solution rounded once. The results of scikit-learn and glmnet are stored as differences (the largest absolute one
over the largest coefficient).

The packages: ElasticNet(alpha=lambda, l1_ratio=alpha) and Ridge(alpha=n*lambda) on the columns over s_j. glmnet divides
the outcome by its deviation sd_y and takes lambda in units of the outcome for both parts, so its quadratic part is
1/sd_y of ours: with l1 = lambda*alpha and l2 = lambda*(1-alpha)*sd_y, glmnet's lambda is l1 + l2, its alpha l1/(l1 + l2).

Synthetic data is computed with integers only, so that every language makes the same bits (see generate). All values are
integers over 65536. test/unit/support/lasso_vectors.h has the same generator in C++; "checksum" compares the two.
"""
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile

import mpmath
import numpy
import sklearn
from sklearn.linear_model import ElasticNet, Lasso, Ridge

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUT = os.path.join(ROOT, "test", "vectors", "lasso")
GLMNET = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lasso_glmnet.R")
WORD = 1 << 64
UNIT = 65536
mpmath.mp.dps = 50


class Generator:
    """Knuth's 64-bit linear congruential generator; bell() sums twelve 16-bit draws (deviation close to UNIT)."""

    def __init__(self, seed):
        self.state = seed

    def draw(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % WORD
        return self.state >> 48

    def bell(self):
        return sum(self.draw() for _ in range(12)) - 6 * UNIT


def generate(p):
    """Records of integers: x[0] = e, x[j] = (rho*x[j-1] + innovation*e) >> 10; binary columns compare e with threshold;
    y = (sum beta*x + noise*e) >> 4 on these; then column j is shifted left by j % 3 and moved by j units, except
    binary columns (0 or UNIT) and constant ones (3 units). duplicate [k, j]: column k repeats column j."""
    g, xs, ys = Generator(p["seed"]), [], []
    for _ in range(p["n"]):
        raw, row = [], []
        for j in range(p["d"]):
            e = g.bell()
            value = e if j == 0 else (p["rho"] * raw[j - 1] + p["innovation"] * e) >> 10
            raw.append(value)
            row.append((UNIT if e > p["threshold"] else 0) if j in p["binary"] else value)
        ys.append((sum(b * x for b, x in zip(p["beta"], row)) + p["noise"] * g.bell()) >> 4)
        row = [x if j in p["binary"] else (x << (j % 3)) + j * UNIT for j, x in enumerate(row)]
        for j in p["constant"]:
            row[j] = 3 * UNIT
        for k, j in p["duplicate"]:
            row[k] = row[j]
        xs.append(row)
    return xs, ys


def checksum(xs, ys):
    total = 0
    for i, (row, y) in enumerate(zip(xs, ys)):
        total += (i + 1) * (sum((j + 1) * x for j, x in enumerate(row)) + 97 * y)
    return "%016x" % (total % WORD)


class Problem:
    """Exact moments of a data set, columns centred."""

    def __init__(self, x, y, duplicate=()):
        self.x, self.y = x, y
        self.skip = {k for k, _ in duplicate}  # solved without; reported as zero
        n, d = x.shape
        columns = [[mpmath.mpf(float(v)) for v in x[:, j]] for j in range(d)] + [[mpmath.mpf(float(v)) for v in y]]
        self.means = [sum(c) / n for c in columns]
        columns = [[v - m for v in c] for c, m in zip(columns, self.means)]
        self.n, self.d = n, d
        self.moment = [[None] * (d + 1) for _ in range(d + 1)]
        for i in range(d + 1):
            for j in range(i + 1):
                self.moment[i][j] = self.moment[j][i] = mpmath.fdot(columns[i], columns[j]) / n

    def weights(self, standardize):
        return [mpmath.sqrt(self.moment[j][j]) if standardize else mpmath.mpf(1) for j in range(self.d)]

    def lambda_max(self, standardize):
        w = self.weights(standardize)
        return max(abs(self.moment[j][self.d]) / w[j] for j in range(self.d) if self.moment[j][j] > 0)

    def gradient(self, b, quadratic):
        return [self.moment[j][self.d] - sum(self.moment[j][k] * b[k] for k in range(self.d) if b[k] != 0) -
                quadratic[j] * b[j] for j in range(self.d)]

    def kkt(self, b, penalty, quadratic):
        """Largest violation of the optimality conditions, over the largest lambda of a nonzero solution."""
        worst = mpmath.mpf(0)
        for j, g in enumerate(self.gradient(b, quadratic)):
            excess = abs(g - penalty[j] * mpmath.sign(b[j])) if b[j] != 0 else max(abs(g) - penalty[j], 0)
            worst = max(worst, excess / (penalty[j] / self.lam if penalty[j] else 1))
        return worst / self.lambda_max(self.standardize)

    def start(self, lam, alpha, weights):
        """scikit-learn on columns divided by their weights; columns without variation stay out."""
        skip = self.skip if alpha == 1 else ()
        keep = [j for j in range(self.d) if self.moment[j][j] > 0 and j not in skip]
        z = (self.x[:, keep] - self.x[:, keep].mean(0)) / numpy.array([float(weights[j]) for j in keep])
        if alpha == 1:
            model = Lasso(alpha=lam, tol=1e-15, max_iter=2000000)
        elif alpha > 0:
            model = ElasticNet(alpha=lam, l1_ratio=alpha, tol=1e-15, max_iter=2000000)
        else:
            model = Ridge(alpha=self.n * lam, solver="cholesky")
        b = numpy.zeros(self.d)
        b[keep] = model.fit(z, self.y - self.y.mean()).coef_ / numpy.array([float(weights[j]) for j in keep])
        return b

    def solve(self, lam, standardize, alpha):
        self.lam, self.standardize = mpmath.mpf(lam), standardize
        weights = self.weights(standardize)
        penalty = [self.lam * mpmath.mpf(alpha) * w for w in weights]
        quadratic = [self.lam * (1 - mpmath.mpf(alpha)) * w * w for w in weights]
        start = self.start(lam, alpha, weights)
        scale = max(abs(start).max(), 1e-300)
        active = [j for j in range(self.d) if abs(start[j]) > (1e-9 * scale if alpha > 0 else 0)]
        b = [mpmath.mpf(0)] * self.d
        if active:
            gram = mpmath.matrix([[self.moment[i][j] + (quadratic[j] if i == j else 0) for j in active]
                                  for i in active])
            right = mpmath.matrix([self.moment[j][self.d] - penalty[j] * int(numpy.sign(start[j])) for j in active])
            for j, value in zip(active, mpmath.lu_solve(gram, right)):
                assert alpha == 0 or mpmath.sign(value) == numpy.sign(start[j]), "sign of column %d" % j
                b[j] = value
        assert self.kkt(b, penalty, quadratic) < mpmath.mpf(10) ** -35, "support of scikit-learn is not the optimal one"
        return self.report(b, penalty, quadratic, start, scale, alpha)

    def report(self, b, penalty, quadratic, start, scale, alpha):
        d, rounded = self.d, [float(v) for v in b]
        residual = (self.moment[d][d] - 2 * sum(b[j] * self.moment[j][d] for j in range(d)) +
                    sum(b[i] * b[j] * self.moment[i][j] for i in range(d) for j in range(d) if b[i] and b[j]))
        return {"lambda": float(self.lam), "alpha": alpha, "standardize": self.standardize,
                "intercept": float(self.means[d] - sum(b[j] * self.means[j] for j in range(d))),
                "coefficients": rounded, "nonzero": sum(v != 0 for v in rounded),
                "r_squared": float(1 - residual / self.moment[d][d]),
                "kkt": float(self.kkt([mpmath.mpf(v) for v in rounded], penalty, quadratic)),
                "sklearn_difference": float(max(abs(start - numpy.array(rounded))) / scale)}


def glmnet_difference(x, y, fit, duplicate):
    """Largest difference to glmnet over the largest coefficient; None without glmnet or for a zero solution."""
    if shutil.which("Rscript") is None or fit["nonzero"] == 0:
        return None
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        for row, value in zip(x, y):
            file.write(",".join("%.17g" % v for v in [*row, value]) + "\n")
        file.flush()
        l1 = fit["lambda"] * fit["alpha"]
        l2 = fit["lambda"] * (1 - fit["alpha"]) * float(numpy.std(y))
        run = subprocess.run(["Rscript", GLMNET, file.name, "%.17g" % (l1 + l2), "%.17g" % (l1 / (l1 + l2)),
                              str(fit["standardize"]).upper()], capture_output=True, text=True, check=True)
    theirs = numpy.array([float(v) for v in run.stdout.split()])[1:]
    for k, j in duplicate if fit["alpha"] == 1 else ():  # only the sum over identical columns is determined
        theirs[j] += theirs[k]
        theirs[k] = 0
    ours = numpy.array(fit["coefficients"])
    return float(abs(theirs - ours).max() / abs(ours).max())


def write(name, about, data, x, y, cases, duplicate=()):
    problem, fits = Problem(x, y, duplicate), []
    for lam, standardize, relative, alpha in cases:
        if relative:
            lam = float("%.6g" % float(lam * problem.lambda_max(standardize)))
        fit = problem.solve(lam, standardize, alpha)
        fit["lambda_over_max"] = float("%.6g" % float(lam * alpha / problem.lambda_max(standardize)))
        fit["glmnet_difference"] = glmnet_difference(x, y, fit, duplicate)
        fits.append(fit)
        print("%-18s lambda %-10g alpha %-3g %-5s nonzero %2d kkt %.1e sklearn %.1e glmnet %s" %
              (name, lam, alpha, standardize, fit["nonzero"], fit["kkt"], fit["sklearn_difference"],
               fit["glmnet_difference"]), flush=True)
    document = {"name": name, "about": about, "data": data, "made_with": "scikit-learn " + sklearn.__version__ +
                ", refined with 50 digits", "fits": fits}
    with open(os.path.join(OUT, name + ".json"), "w") as file:
        json.dump(document, file, indent=1)
        file.write("\n")


def diabetes():
    with open(os.path.join(ROOT, "data", "diabetes.csv")) as file:
        rows = list(csv.reader(file))
    attributes = rows[0][1:-1]
    table = numpy.array([[float(v) for v in row[1:]] for row in rows[1:]])
    cases = [(lam, s, False, 1) for lam in (0.1, 1, 5, 20) for s in (True, False)]
    cases += [(lam, s, False, alpha) for alpha in (0.5, 0.1) for lam in (0.05, 1, 20) for s in (True, False)]
    cases += [(lam, s, False, 0) for lam in (0.001, 0.1, 30) for s in (True, False)]
    write("diabetes", "442 patients, 10 attributes, disease progression after one year (see data/README.md)",
          {"csv": "data/diabetes.csv", "attributes": attributes, "outcome": rows[0][-1]}, table[:, :-1], table[:, -1],
          cases)


def synthetic(name, about, seed, n, d, rho, innovation, fractions, nets=(), **more):
    """fractions: lambdas of the lasso over the largest one; nets: (alpha, lambda) of elastic nets and ridge."""
    beta = [(24, 0, -12, 0, 8, 0, 0, -4, 0, 2)[j % 10] if j < 20 else 0 for j in range(d)]
    p = {"seed": seed, "n": n, "d": d, "rho": rho, "innovation": innovation, "beta": beta, "noise": 16,
         "threshold": 0, "binary": [], "constant": [], "duplicate": []}
    p.update(more)
    xs, ys = generate(p)
    data = {"generator": p, "checksum": checksum(xs, ys)}
    cases = [(f, s, True, 1) for f in fractions for s in (True, False)]
    cases += [(lam, s, False, alpha) for alpha, lam in nets for s in (True, False)]
    write(name, about, data, numpy.array(xs) / UNIT, numpy.array(ys) / UNIT, cases, p["duplicate"])


def main():
    os.makedirs(OUT, exist_ok=True)
    diabetes()
    usual = (0.01, 0.1, 0.5)
    nets = ((0.5, 0.02), (0.5, 0.5), (0.1, 0.1), (0, 0.0005), (0, 0.1), (0, 5))
    synthetic("ar1_50", "neighbouring columns correlated 0.5", 50, 1000, 10, 512, 887, (*usual, 0.9))
    synthetic("ar1_90", "neighbouring columns correlated 0.9", 90, 1000, 10, 922, 446, (*usual, 0.9), nets)
    synthetic("ar1_99", "neighbouring columns correlated 0.99", 99, 1000, 10, 1014, 143, usual)
    synthetic("wide", "fewer records than columns", 4060, 40, 60, 512, 887, (0.1, 0.3, 0.7),
              ((0.5, 0.3), (0.1, 0.1), (0, 0.01), (0, 1)))
    synthetic("hundred", "100 columns, neighbours correlated 0.5", 100, 400, 100, 512, 887, (0.03, 0.3, 0.9),
              ((0.5, 0.1), (0, 0.1)))
    synthetic("constant", "column 3 is constant", 3, 300, 6, 512, 887, usual, ((0.5, 0.1), (0.1, 2)), constant=[3])
    synthetic("duplicate", "column 5 repeats column 0: the lasso determines only the sum of their coefficients", 5, 300,
              6, 512, 887, usual, ((0.5, 0.1), (0, 0.01)), duplicate=[[5, 0]])
    synthetic("zero", "lambda above the largest one with a nonzero solution", 7, 200, 5, 512, 887, (1.001, 2),
              ((0.5, 3),))
    synthetic("binary", "columns 1, 4 and 6 are 0/1, with rare ones", 11, 800, 8, 512, 887, usual,
              ((0.3, 0.05), (0, 0.02)), binary=[1, 4, 6], threshold=98304)


if __name__ == "__main__":
    sys.exit(main())
