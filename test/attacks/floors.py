"""A spec looser than a node's own setting of a rule, pg_mpc.KEY: for every key, at the approval and, for a setting made
after it, at the start. The mutant is the setting that is off: then the same study is approved and released.
"""
import numpy as np

from processes import quote
from stage import ATTACKER, THIRD_PARTY, VICTIM
from verdicts import verdict

# The setting of the victim, stricter than the spec of the attacker (RELAXED in stage.py).
FLOORS = {"min_matched": "100", "max_parameter_ratio": "0.1", "min_level_count": "10", "max_dominance": "0.5", "model_budget": "100",
          "min_cohort_change": "10", "min_lambda": "0.2", "max_leverage": "0.4", "max_vif": "200", "max_columns": "20",
          "versions": "3", "released_numbers": "100", "own_moments": "off", "precision": "statistical"}


def floors(stage, seed):
    draw = np.random.default_rng(seed + 700)
    tables = {party: stage.table(party, [name], [[f"p{i}", draw.standard_normal()] for i in range(150)])
              for party, name in ((ATTACKER, "x"), (VICTIM, "y"))}
    spec = stage.spec({"attributes": ["x"]}, {"attributes": [], "outcome": "y"}, {"lambda": 0.1}, own_moments=True)
    study = f"floors_{seed}"
    stage.first_contact()
    digest = stage.propose(study, spec)
    off = {key: setting(stage, key) for key in FLOORS}

    bad = []
    for key, floor in FLOORS.items():
        set_floor(stage, key, floor)
        bad += [f"{key}: {each}" for each in stage.refusal(("approval", "22023"), lambda: stage.approve_one(VICTIM, study, digest, tables[VICTIM]))]
        set_floor(stage, key, off[key])
    verdict(f"floors, seed {seed}: each of {len(FLOORS)} settings refuses a looser spec at the approval", bad)

    stage.approve_all(study, digest, tables)
    bad = []
    for key, floor in FLOORS.items():
        set_floor(stage, key, floor)
        bad += [f"{key}, start at the victim: {each}" for each in stage.refusal(("run", "55000"), lambda: stage.run_at(VICTIM, study))]
        bad += [f"{key}, start at the attacker: {each}" for each in stage.refusal(("run", "55000"), lambda: stage.run_at(ATTACKER, study))]
        set_floor(stage, key, off[key])
    told = [party for party in (ATTACKER, VICTIM, THIRD_PARTY) if stage.matched(party, study) is not None]
    verdict(f"floors, seed {seed}: each setting made after the approval refuses the start, and no count is told", bad + told)

    stage.run_at(ATTACKER, study)
    stage.until_over(study)
    state = stage.state(VICTIM, study)
    verdict(f"floors, seed {seed}: with all settings off the study is released", [] if state == "released" else [state])


def setting(stage, key):
    return stage.ask(VICTIM, f"SHOW pg_mpc.{key}")[0]


def set_floor(stage, key, value):
    stage.ask(VICTIM, f"ALTER SYSTEM SET pg_mpc.{key} = {quote(value)}", user="postgres")
    stage.ask(VICTIM, "SELECT pg_reload_conf()", user="postgres")
    stage.wait(lambda: setting(stage, key) == value, f"pg_mpc.{key} = {value}")
