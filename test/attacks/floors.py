"""A spec looser than the setting pg_mpc.KEY of a node: refused for every key, at the approval, or at the start when the
setting is made after the approval. In the control the setting is off: then the same study is approved and released.
Also the limit of attempts that end before the match, pg_mpc.early_attempts.
"""
import numpy as np

from processes import quote
from stage import ATTACKER, THIRD_PARTY, VICTIM
from verdicts import verdict

# The setting of the victim, stricter than the spec of the attacker (RELAXED in stage.py).
FLOORS = {"min_matched": "100", "max_parameter_ratio": "0.1", "min_level_count": "10", "max_dominance": "0.5", "model_budget": "100",
          "min_cohort_change": "10", "min_lambda": "0.2", "max_leverage": "0.4", "max_vif": "200", "max_columns": "20",
          "versions": "3", "released_numbers": "100", "own_moments": "off", "precision": "statistical"}
MOST = 2  # early attempts


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
    verdict(f"floors, seed {seed}: each setting made after the approval refuses the start, and no count is announced", bad + told)

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


def early_attempts(stage, seed):
    """Attempts that end before the match, because the attacker does not use the table that it approved. Each reveals one
    bit of a time."""
    tables = {party: stage.table(party, [name], [[f"p{i}", i % 17] for i in range(150)]) for party, name in ((ATTACKER, "x"), (VICTIM, "y"))}
    spec = stage.spec({"attributes": ["x"]}, {"attributes": [], "outcome": "y"}, {"lambda": 0.1})
    study = f"early_{seed}"
    stage.first_contact()
    stage.approve_all(study, stage.propose(study, spec), tables)
    stage.ask(ATTACKER, f"UPDATE {tables[ATTACKER]} SET x = x + 1")

    def attempts(count, sqlstate):
        bad = []
        for k in range(count):
            bad += [f"attempt {k + 1}: {each}" for each in stage.refusal(("run", sqlstate), lambda: stage.run_at(ATTACKER, study))]
            stage.until_over(study)
        return bad

    off = setting(stage, "early_attempts")
    bad = attempts(MOST + 2, "55000")
    seen = int(stage.ask(VICTIM, "SELECT count(*) FROM mpc_internal.early_attempts", user="postgres")[0])
    verdict(f"early attempts, seed {seed}: without a limit {MOST + 2} of them begin at the victim",
            bad + ([] if seen >= MOST + 2 else [f"{seen} did"]))
    stage.ask(VICTIM, "DELETE FROM mpc_internal.early_attempts", user="postgres")
    set_floor(stage, "early_attempts", str(MOST))
    verdict(f"early attempts, seed {seed}: {MOST} a day end, then every start ends with 53400",
            attempts(MOST, "55000") + attempts(1, "53400"))
    set_floor(stage, "early_attempts", off)
