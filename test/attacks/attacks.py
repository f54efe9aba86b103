#!/usr/bin/env python3
"""The attacks of the second security review on three real nodes. Each runs with only the rule that must stop it, and
without that rule, where it must succeed (README.md lists them).

One seed, with PG_MPC_FULL=1 three. PG_MPC_ATTACKS=TEXT runs the attacks whose name contains the text.
Usage: attacks.py DIR BINDIR   (python3-numpy)
"""
import os
import signal
import sys
import time

import stage as stage_of_attacks  # first: it sets the path for the other imports
from counts import memory_limit, swapped_source
from differences import changed_outcome, exchanged_person, one_less
from floors import early_attempts, floors
from memberships import memberships
from outcomes import chosen_persons, numeric_flags, outlier_beside_constants
from probing import refusals
from versions import versions
from nodes import Nodes
from stage import Refused
from study_playground import to_the_end
from verdicts import exit_status, verdict

ATTACKS = (memberships, chosen_persons, numeric_flags, outlier_beside_constants, changed_outcome, one_less, exchanged_person,
           versions, refusals, floors, early_attempts, swapped_source, memory_limit)


def main():
    directory, bindir = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # run the clean-up below in any case
    stage = stage_of_attacks.Stage(Nodes(directory, bindir))
    with to_the_end(stage):
        stage.start({})
        for seed in (1, 2, 3) if os.environ.get("PG_MPC_FULL") else (1,):
            for attack in ATTACKS:
                if os.environ.get("PG_MPC_ATTACKS", "") not in attack.__name__:
                    continue
                began = time.monotonic()
                try:
                    attack(stage, seed)
                except Refused as refused:
                    verdict(f"{attack.__name__}, seed {seed}: the attack without a rule runs", [str(refused)])
                print(f"{attack.__name__}, seed {seed}: {time.monotonic() - began:.1f} s", flush=True)
    return exit_status()


if __name__ == "__main__":
    sys.exit(main())
