"""Which of a controller's own records matched, from a path of lasso models (B2).

For every lambda and every column j in the model, sum over the joined records of x_j (y - b0 - x b) is m lambda sign(b_j).
With w = 1 for the own records that joined, that is linear in w and in the sums over y and over the victim's column,
which are unknown, too. More equations than unknowns, without rounding, give w.
"""
import numpy as np

from stage import ATTACKER, VICTIM, Refused
from verdicts import verdict

RECORDS, JOINED, COLUMNS = 200, 128, 24
# On the public grid of lambdas, so that exact and rounded models have the same ones.
PENALTIES = [float(f"{2.0 ** (-k / 16):.6g}") for k in range(32, 92)]
NUMBERS = 4 * (len(PENALTIES) - 1) * (COLUMNS + 1 + 2)  # exact numbers of the path without its first model
GUESSING = max(JOINED, RECORDS - JOINED) / RECORDS
MOST = GUESSING + 3 * np.sqrt(GUESSING * (1 - GUESSING) / RECORDS)
OWN = [f"x{j}" for j in range(COLUMNS)]


def memberships(stage, seed):
    draw = np.random.default_rng(seed)
    own = draw.standard_normal((RECORDS, COLUMNS))
    joined = np.zeros(RECORDS, bool)
    joined[draw.permutation(RECORDS)[:JOINED]] = True
    z = draw.standard_normal(JOINED)
    y = 5 + 0.7 * z + draw.standard_normal(JOINED)
    victim = [[f"p{i}", z[k], y[k]] for k, i in enumerate(np.flatnonzero(joined))]
    victim += [[f"q{i}", draw.standard_normal(), 5 + draw.standard_normal()] for i in range(40)]
    tables = (stage.table(ATTACKER, OWN, [[f"p{i}", *own[i]] for i in range(RECORDS)]),
              stage.table(VICTIM, ["z", "y"], victim))

    def models(study, **remedy):
        stage.first_contact()
        spec = stage.spec({"attributes": OWN}, {"attributes": ["z"], "outcome": "y"},
                          {"lambda": PENALTIES, "max_iterations": 120}, **remedy)
        return stage.run(f"{study}_{seed}", spec, *tables)

    right = best_guess(models("path_exact"), own, joined)
    verdict(f"memberships, seed {seed}: without a rule the attack succeeds: {right:.3f} right (guessing {GUESSING:.3f})",
            [] if right >= 0.95 else [f"{right:.3f}, less than 0.95"])
    try:
        right = best_guess(models("path_rounded", precision="statistical"), own, joined)
        verdict(f"memberships, seed {seed}: precision alone: {right:.3f} right, at most {MOST:.3f}",
                [] if right <= MOST else [f"{right:.3f}, more than {MOST:.3f}"])
    except Refused as refused:
        verdict(f"memberships, seed {seed}: precision alone", [f"no models: {refused}"])
    verdict(f"memberships, seed {seed}: released_numbers alone refuses the path when it is proposed",
            stage.refusal(("proposal", "54000"), lambda: models("path_budget", released_numbers=None)))
    verdict(f"memberships, seed {seed}: where it allows one path, it refuses another one after the match",
            stage.refusal(("run", "MP005"), lambda: models("path_again", released_numbers=NUMBERS)))
    verdict(f"memberships, seed {seed}: model_budget alone refuses the path",
            stage.refusal(("run", "MP005"), lambda: models("path_models", model_budget=len(PENALTIES) - 1)))
    verdict(f"memberships, seed {seed}: max_columns alone refuses {COLUMNS} columns of {RECORDS} records at the approval",
            stage.refusal(("approval", "MP005"), lambda: models("path_columns", max_columns=None)))


def best_guess(models, own, joined):
    """The largest share of correct memberships among many least squares solutions, of which an attacker cannot choose it."""
    equations, right_sides = equations_of(models, own)
    share = JOINED / RECORDS
    expected, spread = np.zeros(equations.shape[1]), np.full(equations.shape[1], 30 * np.sqrt(JOINED))
    expected[:RECORDS], spread[:RECORDS] = share, np.sqrt(share * (1 - share))
    left, values, right = np.linalg.svd(equations * spread, full_matrices=False)
    seen = left.T @ (right_sides - equations @ expected)
    best = 0.0
    for ridge in 10.0 ** np.arange(-9, 3.1, 0.5):
        found = (right.T @ (values / (values ** 2 + ridge ** 2) * seen))[:RECORDS]
        chosen = np.zeros(RECORDS, bool)
        chosen[np.argsort(found)[RECORDS - JOINED:]] = True
        best = max(best, float(np.mean(chosen == joined)))
    return best


def equations_of(models, own):
    """Unknowns: the memberships; then for the intercept and every own column its sums with y and with z."""
    rows, right_sides = [], []
    unknowns = RECORDS + 2 * (COLUMNS + 1)
    for penalty, model in models.items():
        predicted = own @ np.array([model[name] for name in OWN]) + model["(intercept)"]
        for j in range(-1, COLUMNS):
            coefficient = model[OWN[j]] if j >= 0 else 0.0
            if j >= 0 and coefficient == 0:
                continue
            row = np.zeros(unknowns)
            row[:RECORDS] = (own[:, j] if j >= 0 else 1.0) * predicted
            row[RECORDS + 2 * (j + 1)] = -1
            row[RECORDS + 2 * (j + 1) + 1] = model["z"]
            rows.append(row)
            right_sides.append(-JOINED * penalty * np.sign(coefficient))
    rows.append(np.concatenate([np.ones(RECORDS), np.zeros(unknowns - RECORDS)]))
    right_sides.append(JOINED)
    return np.array(rows), np.array(right_sides)
