"""What two studies reveal about the one person by which they differ (section 2 of the review)."""
import numpy as np

from outcomes import EXACT
from stage import ATTACKER, VICTIM
from verdicts import verdict

RECORDS, PERSON, FLAGGED, CHANGE = 200, 7, 20, 10.0


class Difference:
    """An attack of two studies whose released numbers are subtracted."""

    def __init__(self, stage, seed, name):
        self.stage, self.seed, self.name = stage, seed, name

    def control(self, error):
        verdict(f"{self.name}, seed {self.seed}: without a rule the attack succeeds: error {error:.4f} sd",
                [] if error < EXACT else [f"{error:.4f} sd, not less than {EXACT}"])

    def refused(self, rule, attempt, sqlstate="MP005", leaves="error 1 sd"):
        verdict(f"{self.name}, seed {self.seed}: {rule} alone refuses the second study at the approval: {leaves}",
                self.stage.refusal(("approval", sqlstate), attempt))

    def rounded(self, error):
        # With two studies only, the effect of precision is a figure, not a verdict.
        print(f"figure: {self.name}, seed {self.seed}: precision alone: error {error:.3f} sd", flush=True)


def changed_outcome(stage, seed):
    """The attacker's own outcome, and the same with one value changed: the victim's attribute of that person."""
    attack = Difference(stage, seed, "one value of the own outcome changed")
    draw = np.random.default_rng(seed + 200)
    z, y = draw.standard_normal(RECORDS), draw.standard_normal(RECORDS)
    changed = y + CHANGE * (np.arange(RECORDS) == PERSON)
    own = [stage.table(ATTACKER, ["y"], [[f"p{i}", value] for i, value in enumerate(outcome)])
           for outcome in (y, changed)]
    victim = stage.table(VICTIM, ["z"], [[f"p{i}", z[i]] for i in range(RECORDS)])

    def error(study, **remedy):
        stage.first_contact()
        spec = stage.spec({"attributes": [], "outcome": "y"}, {"attributes": ["z"]}, {"lambda": 0.0}, **remedy)
        first, second = (next(iter(stage.run(f"{study}_{k}_{seed}", spec, table, victim).values()))
                         for k, table in enumerate(own))
        # The mean and variance of the victim's attribute are known, for example from a table of means.
        found = z.mean() + (second["z"] - first["z"]) * RECORDS * z.var() / CHANGE
        return abs(found - z[PERSON]) / z.std()

    attack.control(error("changed"))
    attack.refused("max_leverage", lambda: error("changed_leverage", max_leverage=0.4))
    attack.rounded(error("changed_rounded", precision="statistical"))


def one_less(stage, seed):
    """A flag of 20 persons, and of 20 less one: the outcome of that person."""
    attack = Difference(stage, seed, "20 persons and 20 less one")
    draw = np.random.default_rng(seed + 300)
    y = draw.standard_normal(RECORDS)
    own = [stage.table(ATTACKER, ["f"], [[f"p{i}", int(first <= i < FLAGGED)] for i in range(RECORDS)], ["smallint"])
           for first in (0, 1)]
    victim = stage.table(VICTIM, ["y"], [[f"p{i}", y[i]] for i in range(RECORDS)])

    def error(study, **remedy):
        stage.first_contact()
        spec = stage.spec({"attributes": ["f"]}, {"attributes": [], "outcome": "y"}, {"lambda": 0.0}, **remedy)
        sums = []
        for k, table in enumerate(own):
            model = next(iter(stage.run(f"{study}_{k}_{seed}", spec, table, victim).values()))
            sums.append((FLAGGED - k) * (model["(intercept)"] + model["f"]))
        return abs(sums[0] - sums[1] - y[0]) / y.std()

    attack.control(error("less"))
    attack.refused("max_leverage", lambda: error("less_leverage", max_leverage=0.4))
    attack.rounded(error("less_rounded", precision="statistical"))


def exchanged_person(stage, seed):
    """Replaces a person by one who certainly does not match: the number of matches shows whether the victim has the person."""
    attack = Difference(stage, seed, "one person exchanged")
    draw = np.random.default_rng(seed + 400)
    own = [[f"p{i}", draw.standard_normal()] for i in range(RECORDS)]
    exchanged = [["none", own[0][1]] if i == PERSON else row for i, row in enumerate(own)]
    tables = [stage.table(ATTACKER, ["x"], rows) for rows in (own, exchanged)]
    victim = stage.table(VICTIM, ["y"], [[f"p{i}", draw.standard_normal()] for i in range(RECORDS // 2)])

    def counts(study, **remedy):
        stage.first_contact()
        spec = stage.spec({"attributes": ["x"]}, {"attributes": [], "outcome": "y"}, {"lambda": 0.1}, **remedy)
        found = []
        for k, table in enumerate(tables):
            stage.run(f"{study}_{k}_{seed}", spec, table, victim)
            found.append(stage.matched(ATTACKER, f"{study}_{k}_{seed}"))
        return found

    found = counts("exchanged")
    verdict(f"{attack.name}, seed {seed}: without a rule the counts {found} tell",
            [] if found[0] == found[1] + 1 else ["they do not"])
    attack.refused("min_cohort_change", lambda: counts("exchanged_cohort", min_cohort_change=10), "55000", "no second count")
