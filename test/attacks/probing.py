"""One bit per refusal: whether a person is among the other party's, asked for one person after the other (disclosure.model_budget).

Each study is about a table of one record less than min_matched that certainly match, and one person. It is refused
unless that person matches. Each has a new table, so only the budget of the other party's source counts the attempts.
"""
import numpy as np

from stage import ATTACKER, RELAXED, VICTIM, Refused
from verdicts import verdict

PERSONS = 8
BUDGET = 4
KNOWN = RELAXED["min_matched"] - 1


def refusals(stage, seed):
    draw = np.random.default_rng(seed + 800)
    present = np.arange(PERSONS) % 2 == 0
    draw.shuffle(present)
    known = [f"k{i}" for i in range(KNOWN)]
    others = [f"p{i}" for i in np.flatnonzero(present)] + [f"q{i}" for i in range(40)]
    rows = [[each, draw.standard_normal()] for each in known + others]
    tables = [stage.table(ATTACKER, ["x"], [[each, draw.standard_normal()] for each in [*known, f"p{i}"]])
              for i in range(PERSONS)]

    def answers(study, **remedy):
        """(what the attempts tell, the refusal that tells nothing about the records: it ends the attack)"""
        stage.first_contact()
        victim = stage.table(VICTIM, ["y"], rows)  # a new source: its budget is whole
        found = []
        for i, table in enumerate(tables):
            name = f"{study}_{i}_{seed}"
            spec = stage.spec({"attributes": ["x"]}, {"attributes": [], "outcome": "y"}, {"lambda": 0.1}, **remedy)
            try:
                stage.run(name, spec, table, victim)
                found.append(True)
            except Refused as refused:
                if stage.state(VICTIM, name) != "refused" and "a disclosure rule of the agreed spec" not in refused.said:
                    return found, refused
                found.append(False)
                stage.until_over(name)
        return found, None

    found, ended = answers("probe")
    verdict(f"refusals, seed {seed}: without the rule {PERSONS} attempts tell who of {PERSONS} persons is the other party's",
            [] if ended is None and found == list(present) else [f"{found}, {ended}"])
    found, ended = answers("probe_budget", model_budget=BUDGET)
    left = PERSONS - BUDGET
    verdict(f"refusals, seed {seed}: model_budget alone ends the attack after {BUDGET} attempts: {left} persons are left to guess",
            [] if ended is not None and found == list(present[:BUDGET]) else [f"{found}, {ended}"])
