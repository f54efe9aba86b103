#!/usr/bin/env python3
"""Network partitions: four nodes, each in a network namespace of its own, with cables between them that are cut while a
study runs (namespaces.py).

A cut shorter than pg_mpc.step_timeout does not end the study: it is released with the right coefficients. A longer one ends
an automatic study on all three nodes, with a cause that names a party at the cut. Meanwhile another study is released whose
parties do not need the cable. After the cut the next study is released. In step-by-step mode a call ends with an error after
step_timeout, and continues when it is repeated after the cut.
Normally a diagonal over steps, cables and cuts; with PG_MPC_FULL=1 every combination, of which PG_MPC_NETWORK=TEXT runs the
slice whose names contain the text ("short in step 3", "step by step in step 5", "long in step 6").
Usage: partition.py DIR BINDIR   (as root)
"""
import itertools
import os
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

from small_studies import BYSTANDER, HOSPITAL, INSURER, SmallStudies  # noqa: E402
from study_playground import CONTROLLERS, STEPS, THIRD_PARTY, Failure, members, to_the_end  # noqa: E402
from verdicts import exit_status, verdict  # noqa: E402
from namespaces import CUTS, Namespaces  # noqa: E402
from nodes import PARTIES, Nodes, Place  # noqa: E402

STEP_TIMEOUT, OUTAGE = 12, 3  # the match may be announced 8 s after the first push
# Time until a failing study ends: step_timeout, the message to the others, and a margin for a busy machine.
DEADLINE = STEP_TIMEOUT + 20
RECORDS = 1500  # so many that a step takes longer than a query of its state
CABLES = tuple(itertools.combinations((*CONTROLLERS, THIRD_PARTY), 2))
# Step, cable, cut; in an automatic study the step is the one that must have begun.
SHORT = ((2, CABLES[0], "unplugged"), (4, CABLES[1], "silent"), (5, CABLES[2], "one way"), (8, CABLES[0], "silent"))
REPEATED = ((6, CABLES[2], "silent"),)
LONG = ((1, CABLES[0], "silent"), (3, CABLES[2], "unplugged"), (6, CABLES[1], "one way"))


class Partition(SmallStudies):
    def __init__(self, directory, bindir, network):
        parties = (*PARTIES, (BYSTANDER, "controller"))
        self.network = network
        super().__init__(Nodes(directory, bindir, parties,
                               {party: Place(network.address(party), network.inside(party)) for party, _ in parties}),
                         RECORDS)

    # --- a study whose cable is cut in one step ---

    def until_step(self, study, step):
        spec = self.spec(HOSPITAL, INSURER)
        self.approve(study, spec)
        for number in range(1, step):
            self.step(study, number)
        return spec

    def begin_cut(self, study, step, cable, how):
        """Cuts the cable and begins the step at all its parties."""
        self.network.cut(*cable, how)
        call = self.begin_step(study, step)
        for party in call.sessions:
            self.wait(lambda: call.is_under_way(party), f"the call at {party}")
        return call

    def short(self, step, cable, how):
        study = name_of("short", step, cable, how)
        spec = self.until_step(study, step)
        call = self.begin_cut(study, step, cable, how)
        # The length of the outage is the time that is tested.
        threading.Event().wait(OUTAGE)
        held = any(call.runs(party) for party in call.sessions)
        self.network.heal(*cable)
        call.join()
        bad = list(call.errors.values())
        if not held and needs(step, cable):
            bad.append("the step has ended without the cable")
        verdict(f"step {step}, {named(cable)} {how} for {OUTAGE} s: right coefficients",
                bad or self.wrong_after(study, spec, step + 1))
        self.until_healed(cable)

    def repeated(self, step, cable, how):
        """A step-by-step study that is cut for longer than step_timeout waits."""
        name, study = f"step by step in step {step}, {named(cable)} {how} for long", name_of("repeated", step, cable, how)
        spec = self.until_step(study, step)
        call = self.begin_cut(study, step, cable, how)
        call.join()
        said = [f"{party}: {error}" for party, error in call.errors.items()
                if "SQLSTATE MP001" not in error or not any(end in error for end in cable)]
        verdict(f"{name}: the calls say after step_timeout whom they wait for",
                said or ([] if call.errors or not needs(step, cable) else ["no call was held up"]))
        self.network.heal(*cable)
        self.until_reached(cable)
        # TCP retries after a pause as long as the outage, in each direction separately. So a call, also of a later step,
        # may have to be repeated more than once. A call that has succeeded is not repeated.
        errors = self.repeat_step(study, step, call)
        for number in range(step + 1, len(STEPS) + 1):
            errors = errors or self.repeat_step(study, number, self.begin_step(study, number))
        verdict(f"{name}: right coefficients after healing", errors or self.wrong(study, spec))
        self.until_engines_end()

    def repeat_step(self, study, step, call):
        """Repeats the call of a step while it ends because it waits for a peer; returns the errors."""
        call.join()
        end = time.monotonic() + DEADLINE
        while call.errors and time.monotonic() < end and all("SQLSTATE MP001" in each for each in call.errors.values()):
            call = self.begin_step(study, step, call.errors)
            call.join()
        return list(call.errors.values())

    def long(self, step, cable, how):
        name, study = f"step {step}, {named(cable)} {how} for long", name_of("long", step, cable, how)
        spec = self.spec(HOSPITAL, INSURER)
        # The end of the cable that another study does not need.
        spared = INSURER if INSURER in cable else HOSPITAL
        other_spec = self.spec(next(each for each in CONTROLLERS if each != spared), BYSTANDER)
        self.approve(study, spec)
        self.approve("beside_" + study, other_spec)
        with self.nodes.session(self.node(INSURER)) as watcher:
            self.ask(HOSPITAL, f"SELECT mpc.start_study('{study}')")
            # Soon enough to be within the step, which takes longer than a query.
            begun = f"SELECT 1 FROM mpc.stat_study_progress WHERE study = '{study}' AND step >= {step}"
            self.wait(lambda: watcher.query(begun) != [], f"step {step}", pause=0.005)
            self.network.cut(*cable, how)
        began = time.monotonic()
        verdict(f"{name}: a study that does not need the cable is released meanwhile",
                self.wrong_run(BYSTANDER, "beside_" + study, other_spec))
        verdict(f"{name}: every party ends with a cause that names an end of the cable", self.unclear(study, cable))
        took = time.monotonic() - began
        verdict(f"{name}: in time", [] if took < DEADLINE else [f"after {took:.1f} s"])
        self.network.heal(*cable)
        self.until_healed(cable)
        self.approve("after_" + study, spec)
        verdict(f"{name}: after healing the next study is released", self.wrong_run(THIRD_PARTY, "after_" + study, spec))

    def unclear(self, study, cable):
        bad = []
        for party in (*CONTROLLERS, THIRD_PARTY):
            try:
                self.wait(lambda: self.state(party, study) == "failed", f"the end at {party}", DEADLINE)
                cause = self.cause(party, study)
                if not any(end in cause for end in cable if end != party):
                    bad.append(f"{party}: {cause}")
            except Failure as failure:
                bad.append(f"{failure}: {self.state(party, study)}")
        return bad

    def until_reached(self, cable):
        for end, far in (cable, cable[::-1]):
            self.wait(lambda: self.ask(end, f"SELECT ok FROM mpc.ping_peer('{far}')") == ["t"], f"{end} to reach {far}")

    def until_healed(self, cable):
        self.until_reached(cable)
        self.until_engines_end()


def needs(step, cable):
    """Whether the parties at both ends take part in the step and wait for each other in it."""
    taking_part = {party for whom in dict(STEPS)[step].values() for party in members(whom)}
    return set(cable) <= taking_part and (step != 6 or THIRD_PARTY in cable) and step in (2, 6, 8)


def named(cable):
    return " - ".join(cable)


def name_of(kind, step, cable, how):
    return f"{kind}_{step}_{CABLES.index(cable)}_{how.replace(' ', '_')}"


def cases(kind, diagonal):
    if not os.environ.get("PG_MPC_FULL"):
        return diagonal
    # The last steps of an automatic study are too short to cut the cable within them.
    steps = [number for number, _ in STEPS if kind != "long" or number <= 6]
    return [case for case in itertools.product(steps, CABLES, CUTS)
            if os.environ.get("PG_MPC_NETWORK", "") in f"{kind} in step {case[0]}"]


def main():
    directory, bindir = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # run the clean-up below in any case
    network = Namespaces([party for party, _ in PARTIES] + [BYSTANDER])
    try:
        playground = Partition(directory, bindir, network)
        with to_the_end(playground):
            playground.start({"": {"pg_mpc.step_timeout": f"{STEP_TIMEOUT}s"}})
            playground.load_all()
            for case in cases("short", SHORT):
                playground.short(*case)
            for case in cases("step by step", REPEATED):
                playground.repeated(*case)
            for case in cases("long", LONG):
                playground.long(*case)
    finally:
        network.remove()
    return exit_status()


if __name__ == "__main__":
    sys.exit(main())
