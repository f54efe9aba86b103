"""Counts without a decision of their owner: the number of matches of a source that was swapped after its approval (B4), and
the size of the table of the other party, from the memory limit of the third party (B5).
"""
import re

import numpy as np

from processes import CommandError
from stage import ATTACKER as OTHER, THIRD_PARTY, VICTIM as CURIOUS  # here the second controller is curious
from study_playground import Failure
from verdicts import verdict

SMALLEST_MEMORY = "16MB"
BEYOND_HALF = 8 * 1024 * 1024 // 64 + 1  # records of 64 bytes at the third party


def swapped_source(stage, seed):
    """The attacker approves again with another table and starts; the third party cooperates."""
    draw = np.random.default_rng(seed + 500)
    name = f"swapped source, seed {seed}"
    own = stage.table(OTHER, ["x"], [[f"p{i}", draw.standard_normal()] for i in range(200)])
    people = [f"p{i}" for i in range(100, 180)] + [f"q{i}" for i in range(40)]
    asked = [*people[:-1], "p17"]  # tests whether p17 is a person of the other party
    tables = [stage.table(CURIOUS, ["y"], [[each, draw.standard_normal()] for each in ids]) for ids in (people, asked)]
    spec = stage.spec({"attributes": ["x"]}, {"attributes": [], "outcome": "y"}, {"lambda": 0.1})
    stage.first_contact()
    found = []
    for k, table in enumerate(tables):
        stage.run(f"decided_{k}_{seed}", spec, own, table)
        found.append(stage.matched(CURIOUS, f"decided_{k}_{seed}"))
    verdict(f"{name}: with a decision on either table the counts {found} tell", [] if found[1] == found[0] + 1 else ["they do not"])

    stage.first_contact()
    study = f"swapped_{seed}"
    digest = stage.propose(study, spec)
    stage.approve_all(study, digest, {OTHER: own, CURIOUS: tables[0]})
    stage.approve_one(CURIOUS, study, digest, tables[1])
    bad = []
    try:
        for party in (OTHER, THIRD_PARTY):
            stage.wait(lambda: stage.decision(party, study, party)[0] == "void", f"the void approval of {party}", 20)
        stage.approve_one(THIRD_PARTY, study, digest)
        stage.wait(lambda: stage.decision(CURIOUS, study, THIRD_PARTY)[0] == "approved", "the third party's approval")
    except Failure as failure:
        bad = [str(failure)]
    verdict(f"{name}: commitments alone: the approvals of the others are void", bad)
    try:
        stage.ask(CURIOUS, f"SELECT FROM mpc.run_study('{study}')")
        bad = ["the study ran"]
    except CommandError as error:
        said = str(error)
        bad = [] if "SQLSTATE 55000" in said and OTHER in said else [said]
    verdict(f"{name}: commitments alone: the start ends with 55000, which names {OTHER}", bad)
    verdict(f"{name}: commitments alone: no count is announced",
            [f"{party} was told {stage.matched(party, study)}" for party in (OTHER, CURIOUS, THIRD_PARTY)
             if stage.matched(party, study) is not None])


def memory_limit(stage, seed):
    """A table too large for the third party: the error of its owner reveals nothing about the other table."""
    stage.ask(THIRD_PARTY, f"ALTER SYSTEM SET pg_mpc.memory = '{SMALLEST_MEMORY}'", user="postgres")
    stage.ask(THIRD_PARTY, "SELECT pg_reload_conf()", user="postgres")
    stage.wait(lambda: stage.ask(THIRD_PARTY, "SHOW pg_mpc.memory") == [SMALLEST_MEMORY], "the smaller memory")
    large = stage.table(CURIOUS, ["y"], [])
    stage.ask(CURIOUS, f"INSERT INTO {large} SELECT 'p' || i, hashint4(i) & 1023 FROM generate_series(1, {BEYOND_HALF}) AS i")
    told = {}
    for size in (50, 5000):
        own = stage.table(OTHER, ["x"], [])
        stage.ask(OTHER, f"INSERT INTO {own} SELECT 'p' || i, hashint4(i) & 1023 FROM generate_series(1, {size}) AS i")
        stage.first_contact()
        study = f"memory_{size}_{seed}"
        spec = stage.spec({"attributes": ["x"]}, {"attributes": [], "outcome": "y"}, {"lambda": 0.1})
        digest = stage.propose(study, spec)
        stage.approve_all(study, digest, {OTHER: own, CURIOUS: large})
        try:
            stage.ask(CURIOUS, f"SELECT FROM mpc.run_study('{study}')")
            said = "the study ran"
        except CommandError as error:
            said = str(error)
        stage.until_over(study)
        told[size] = [without_times(said).replace(study, "STUDY"), stage.matched(CURIOUS, study),
                      *stage.ask(CURIOUS, f"SELECT state, sqlstate, last_error FROM mpc.studies WHERE study = '{study}'")]
    same = told[50] == told[5000]
    verdict(f"memory of the third party, seed {seed}: a table beyond its own half is refused, alike for 50 and 5000 records of the other",
            [] if same and told[50][1] is None and "memory" in told[50][0] else [str(each) for each in told.values()])
    stage.ask(THIRD_PARTY, "ALTER SYSTEM RESET pg_mpc.memory", user="postgres")
    stage.ask(THIRD_PARTY, "SELECT pg_reload_conf()", user="postgres")


def without_times(said):
    return re.sub(r"[0-9.]+ s\b", "... s", said)
