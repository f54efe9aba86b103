"""Columns about the same few persons in successive versions of the data: the outcomes of those persons (disclosure.versions).

Each version is a column of -1 and 1 at these persons and 0 at all others. A model without a penalty reveals the sum of
their outcomes with these signs, so as many versions as persons reveal every outcome.
"""
import numpy as np

from outcomes import EXACT
from stage import ATTACKER, VICTIM, Refused
from verdicts import verdict

RECORDS, PERSONS = 200, 5
# Independent rows; after three of them two directions of the outcomes are unknown.
SIGNS = np.array([[1, 1, 1, 1, 1], [1, -1, 1, -1, 1], [1, 1, -1, -1, 1], [1, -1, -1, 1, 1], [1, 1, 1, 1, -1]])
MOST = 3


def versions(stage, seed):
    draw = np.random.default_rng(seed + 600)
    y = draw.standard_normal(RECORDS)
    columns = [np.concatenate([signs, np.zeros(RECORDS - PERSONS)]) for signs in SIGNS]
    own = [stage.table(ATTACKER, ["f"], [[f"p{i}", float(f[i])] for i in range(RECORDS)]) for f in columns]
    victim = stage.table(VICTIM, ["y"], [[f"p{i}", y[i]] for i in range(RECORDS)])

    def attack(study, **remedy):
        """(error, versions used, the refusal that ended it)"""
        stage.first_contact()
        spec = stage.spec({"attributes": ["f"]}, {"attributes": [], "outcome": "y"}, {"lambda": 0.0}, **remedy)
        sums, refused = [], None
        for k, (f, table) in enumerate(zip(columns, own)):
            try:
                model = next(iter(stage.run(f"{study}_{k}_{seed}", spec, table, victim).values()))
            except Refused as refusal:
                refused = refusal
                break
            sums.append(model["f"] * (f @ f) + model["(intercept)"] * f.sum())
        return error_of(sums), len(sums), refused

    def error_of(sums):
        # The mean is known, for example from a table of means, and is the best guess where the sums decide nothing.
        rows = SIGNS[:len(sums)]
        found = y.mean() + np.linalg.lstsq(rows, np.array(sums) - rows.sum(1) * y.mean(), rcond=None)[0]
        return float(np.sqrt(np.mean((found - y[:PERSONS]) ** 2)) / y.std())

    error, used, refused = attack("versions_many")
    verdict(f"versions, seed {seed}: without the rule {used} versions succeed: error {error:.4f} sd",
            [] if refused is None and error < EXACT else [f"{error:.4f} sd, {refused}"])
    allowed = error_of([SIGNS[k] @ y[:PERSONS] for k in range(MOST)])  # what three versions reveal
    error, used, refused = attack("versions_few", versions=MOST)
    verdict(f"versions, seed {seed}: versions alone refuses version {MOST + 1} at the approval: error {error:.3f} sd, with {MOST} {allowed:.3f}",
            ([] if refused is not None and (refused.where, refused.sqlstate) == ("approval", "MP005") else [f"{refused}"])
            + ([] if used == MOST else [f"{used} versions were used"])
            + ([] if error > max(0.1, 0.99 * allowed) else ["the estimate is better than that of the versions allowed"]))
