"""Outcomes of chosen persons from one model: columns that only one person has (B3), and constant columns
beside an outlier (B7). Error: root mean square over the chosen persons, in standard deviations of the outcome;
guessing the mean has error 1.
"""
import numpy as np

from stage import ATTACKER, VICTIM
from verdicts import verdict

RECORDS, CHOSEN, SHIFT = 300, 5, 25.0
TINY = 1e-5
EXACT = 0.01  # an attack with a smaller error has succeeded


class Outcomes:
    def __init__(self, stage, seed):
        self.stage, self.seed = stage, seed
        self.draw = np.random.default_rng(seed + 100)
        self.x = self.draw.standard_normal(RECORDS)
        self.y = np.round(np.exp(1 + 0.8 * self.draw.standard_normal(RECORDS)))
        self.victim = stage.table(VICTIM, ["y"], [[f"p{i}", self.y[i]] for i in range(RECORDS)])

    def error(self, study, names, table, values, **remedy):
        """Runs the study; the error of predicting the persons whose values these are: {record: values of the columns}."""
        self.stage.first_contact()
        spec = self.stage.spec({"attributes": names}, {"attributes": [], "outcome": "y"}, {"lambda": TINY}, **remedy)
        model = next(iter(self.stage.run(f"{study}_{self.seed}", spec, table, self.victim).values()))
        errors = [model["(intercept)"] + sum(model[name] * v for name, v in zip(names, row)) - self.y[i]
                  for i, row in values.items()]
        return float(np.sqrt(np.mean(np.square(errors))) / self.y.std())

    def control(self, attack, error, most=EXACT):
        verdict(f"{attack}, seed {self.seed}: without a rule the attack succeeds: error {error:.4f} sd",
                [] if error < most else [f"{error:.4f} sd, not less than {most}"])

    def refused(self, attack, rule, where, attempt):
        verdict(f"{attack}, seed {self.seed}: {rule} alone refuses it at the {where}: error 1 sd",
                self.stage.refusal((where, "MP005"), attempt))


def chosen_persons(stage, seed):
    """x and, for each chosen person, x + 25 at that person."""
    attack = Outcomes(stage, seed)
    persons = range(CHOSEN)
    names = ["x"] + [f"x{k}" for k in persons]
    rows = [[attack.x[i]] + [attack.x[i] + (SHIFT if i == k else 0.0) for k in persons] for i in range(RECORDS)]
    values = {i: rows[i] for i in persons}
    table = stage.table(ATTACKER, names, [[f"p{i}", *row] for i, row in enumerate(rows)])
    attack.control("chosen persons", attack.error("shift", names, table, values))
    attack.refused("chosen persons", "max_leverage", "approval",
                   lambda: attack.error("shift_leverage", names, table, values, max_leverage=0.4))
    # As many invented records, which do not match, keep the rules of the attacker's node from refusing the columns.
    invented = []
    for i in range(RECORDS):
        x = float(attack.draw.standard_normal())
        invented.append([f"none{i}", x] + [x + SHIFT * (attack.draw.random() < 0.5) for _ in persons])
    hidden = stage.table(ATTACKER, names, [[f"p{i}", *row] for i, row in enumerate(rows)] + invented)
    attack.control("chosen persons among invented records", attack.error("hidden", names, hidden, values))
    attack.refused("chosen persons among invented records", "max_leverage", "run",
                   lambda: attack.error("hidden_leverage", names, hidden, values, max_leverage=0.4))
    # Rounding one model does not protect a record with a coefficient of its own: this is a figure, not a verdict.
    error = attack.error("shift_rounded", names, table, values, precision="statistical")
    print(f"figure: chosen persons, seed {seed}: precision alone: error {error:.3f} sd", flush=True)


def numeric_flags(stage, seed):
    """A flag of one person, as a number: 1 for all others, 3 for the person."""
    attack = Outcomes(stage, seed)
    persons = range(CHOSEN)
    names = [f"flag{k}" for k in persons]
    rows = [[3 if i == k else 1 for k in persons] for i in range(RECORDS)]
    values = {i: rows[i] for i in persons}
    table = stage.table(ATTACKER, names, [[f"p{i}", *row] for i, row in enumerate(rows)], ["smallint"] * CHOSEN)
    attack.control("numeric flags", attack.error("flag", names, table, values))
    attack.refused("numeric flags", "min_level_count", "run",
                   lambda: attack.error("flag_level", names, table, values, min_level_count=10))


def outlier_beside_constants(stage, seed):
    """Constant columns must not offset a record that dominates a column, whatever min_level_count is."""
    attack = Outcomes(stage, seed)
    attack.x[7] = 2000.0
    names = ["x", "never", "never2"]
    table = stage.table(ATTACKER, names, [[f"p{i}", attack.x[i], "f", "f"] for i in range(RECORDS)],
                        ["float8", "boolean", "boolean"])
    values = {7: [attack.x[7], 0, 0]}
    # 17 standard deviations of x from its mean: the fixed-point error of the coefficient counts as often.
    attack.control("outlier beside constants", attack.error("constants", names, table, values), 0.05)
    for level in (0, 1):
        attack.refused(f"outlier beside constants, min_level_count {level}", "max_dominance", "run",
                       lambda: attack.error(f"constants_dominance_{level}", names, table, values, max_dominance=0.5,
                                            min_level_count=level))
