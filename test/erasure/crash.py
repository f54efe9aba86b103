#!/usr/bin/env python3
"""The crash matrix: a process of a party is killed in a step. Afterwards the scan finds no secret of the attempt, all three
parties have reached a final state, and the study can be started again with fresh keys.

Normally a diagonal that covers each step, each kind of crash and each party; with PG_MPC_FULL=1 every combination, of
which PG_MPC_CRASH=TEXT runs the slice whose names contain the text ("in step 3", "power cut of zorgttp").
A party that dies in step 1 before it has received the attempt is not in it. The two others wait for its mpc.prepare, which
joins them, and any party may cancel.
Usage: crash.py DIR BINDIR SCANNER   (as root)
"""
import itertools
import os
import shutil
import signal
import subprocess
import sys

from playground import CONTROLLERS, THIRD_PARTY, Failure, Playground
from processes import CommandError
from study_playground import STEPS, members, to_the_end
from verdicts import exit_status, verdict

HOSPITAL, INSURER = CONTROLLERS
PARTIES = CONTROLLERS + (THIRD_PARTY,)
STUDY = "heart"
STEP_TIMEOUT = 20
TOLD = 12  # seconds until a party must know that another one has ended
# The title of the process that is killed.
PROCESSES = {"backend": "[local]", "engine": "pg_mpc engine", "listener": "pg_mpc listener",
             "coordinator": "pg_mpc coordinator"}
STANDING_STILL = tuple(PROCESSES)[1:]  # before they are killed; a backend exists only while the call runs
CRASHES = (*PROCESSES, "postmaster", "immediate shutdown", "power cut")
DIAGONAL = ((1, "backend", HOSPITAL), (2, "engine", INSURER), (3, "listener", HOSPITAL), (4, "coordinator", THIRD_PARTY),
            (5, "postmaster", INSURER), (6, "immediate shutdown", THIRD_PARTY), (7, "power cut", HOSPITAL),
            (8, "engine", THIRD_PARTY))
ENDED = ("failed", "cancelled")


class Crash:
    def __init__(self, playground, step, kind, party):
        self.playground, self.step, self.kind, self.party = playground, step, kind, party
        self.data = playground.data(party)

    def run(self):
        """Runs the steps before, makes the crash in the step, and waits until the node works again."""
        for number in range(1, self.step):
            self.playground.step(STUDY, number)
        self.playground.read_witness()  # the process ids of running engines
        stopped, held = self._stop_victim(), self._hold_peer()
        try:
            call = self.playground.begin_step(STUDY, self.step)
            for party in call.sessions:
                self.playground.wait(lambda: call.is_under_way(party), f"the call at {party}")
            self._crash(stopped)
        finally:
            if held:
                os.kill(held, signal.SIGCONT)
        call.join()

    def _crash(self, stopped):
        if self.kind in PROCESSES:
            kill(self.playground, self.party, stopped or self._victim())
        else:
            self._end_server()
            self.playground.restart(self.party)
            until_back(self.playground, self.party)

    def _victim(self):
        pid = self.playground.pid_of(self.party, PROCESSES[self.kind])
        if pid is None:
            raise Failure(f"{self.party} has no {self.kind}")
        return pid

    # The process is stopped while the others do their part of the step, so that it dies within the step.
    def _stop_victim(self):
        if self.kind not in STANDING_STILL or self.step == 1:
            return None
        victim = self._victim()
        os.kill(victim, signal.SIGSTOP)
        return victim

    # A backend or a server dies while the call runs. The last step is so short that the study could have been released by
    # then, so the engine of another party is stopped meanwhile.
    def _hold_peer(self):
        if self.step != len(STEPS) or self.kind in STANDING_STILL:
            return None
        peer = next(each for each in PARTIES if each != self.party)
        held = self.playground.pid_of(peer, PROCESSES["engine"])
        os.kill(held, signal.SIGSTOP)
        return held

    def _end_server(self):
        playground = self.playground
        pids = playground.processes(self.party)
        if self.kind == "immediate shutdown":
            os.kill(playground.postmaster(self.party), signal.SIGQUIT)
        elif self.kind == "postmaster":
            os.kill(playground.postmaster(self.party), signal.SIGKILL)
        else:
            # All processes are stopped while the copy is made, so it equals the disk at one time.
            for pid in pids:
                _send(pid, signal.SIGSTOP)
            subprocess.run(["cp", "-a", self.data, self.data + ".copy"], check=False, stderr=subprocess.DEVNULL)
            for pid in pids:
                _send(pid, signal.SIGKILL)
        playground.wait(lambda: not any(_alive(pid) for pid in pids), "the server's end")
        if self.kind == "power cut":
            shutil.rmtree(self.data)
            os.rename(self.data + ".copy", self.data)
            os.unlink(os.path.join(self.data, "postmaster.pid"))

    def check(self):
        name = name_of(self.step, self.kind, self.party)
        if self.step == 1 and not all_ended(self.playground, TOLD):
            join_and_cancel(self.playground, name, self.party)
        else:
            check_ends(self.playground, name)


def kill(playground, party, victim):
    """Kills the process; the server restarts all others. Waits until the node works again."""
    before = set(playground.processes(party)) - {playground.postmaster(party)}
    os.kill(victim, signal.SIGKILL)
    playground.wait(lambda: not before & set(playground.processes(party)), "the server's reset")
    until_back(playground, party)


def until_back(playground, party):
    def back():
        try:
            # When the coordinator answers, it has begun to inform the peers of its restart.
            asked = "SELECT (mpc_internal.coordinator_status() ->> 'listener')::boolean"
            return playground.ask(party, asked, user="postgres") == ["t"]
        except CommandError:
            return False
    playground.wait(back, f"{party} to be back")


def at_end(playground, party):
    # In step 1 a party may not know the attempt yet.
    ended = playground.state(party, STUDY) in (*ENDED, "approved")
    return ended and playground.pid_of(party, PROCESSES["engine"]) is None


def all_ended(playground, seconds):
    try:
        for party in PARTIES:
            playground.wait(lambda: at_end(playground, party), "an end", seconds)
        return True
    except Failure:
        return False


def check_ends(playground, name):
    bad = []
    for party in PARTIES:
        try:
            playground.wait(lambda: at_end(playground, party), f"{party} to reach an end state", STEP_TIMEOUT)
        except (Failure, CommandError) as error:
            bad.append(f"{error}; it is {playground.state(party, STUDY)}")
    verdict(f"{name}: every party reaches an end state", bad)
    verdict(f"{name}: every secret is destroyed", playground.violations(playground.scan(), 8))
    playground.set_witness_aside()


def attempts(playground):
    return {party: playground.ask(party, f"SELECT attempt FROM mpc.stat_study_progress WHERE study = '{STUDY}'")
            for party in PARTIES}


def join_and_cancel(playground, name, party):
    """For a party that was not in the attempt of the two others: its next mpc.prepare joins it, and a cancellation at one of
    the others ends the attempt at all three."""
    others = [each for each in PARTIES if each != party]
    before = attempts(playground)
    verdict(f"{name}: it had not been given the attempt in which the others are",
            [] if not before[party] and before[others[0]] == before[others[1]] != [] else [str(before)])
    playground.ask(party, f"SELECT FROM mpc.prepare('{STUDY}')")
    after = attempts(playground)
    joined = all(after[each] == before[others[0]] for each in PARTIES)
    verdict(f"{name}: it joins that attempt", [] if joined else [str(after)])
    playground.read_witness()
    playground.ask(others[0], f"SELECT mpc.cancel_study('{STUDY}')")
    check_ends(playground, f"{name}, cancelled by {others[0]}")


def third_party_forgets(playground):
    """In step-by-step mode the third party assigns an attempt id before it joins the attempt, and keeps it in memory only."""
    for party in CONTROLLERS:
        playground.ask(party, f"SELECT FROM mpc.prepare('{STUDY}')")
    playground.read_witness()
    kill(playground, THIRD_PARTY, playground.pid_of(THIRD_PARTY, PROCESSES["coordinator"]))
    verdict("coordinator of the third party before its step 1: both controllers are informed",
            [] if all_ended(playground, TOLD) else [str(attempts(playground))])
    check_ends(playground, "coordinator of the third party before its step 1")


def dies_before_it_asks(playground):
    """Stops the coordinator of the third party, so a controller that dies now has not received the attempt."""
    for party in (THIRD_PARTY, INSURER):
        playground.ask(party, f"SELECT FROM mpc.prepare('{STUDY}')")
    still = playground.pid_of(THIRD_PARTY, PROCESSES["coordinator"])
    os.kill(still, signal.SIGSTOP)
    try:
        call = playground.begin_call(STUDY, {"prepare": (HOSPITAL,)})
        playground.wait(lambda: call.is_under_way(HOSPITAL), "the call of mpc.prepare")
        kill(playground, HOSPITAL, playground.pid_of(HOSPITAL, PROCESSES["coordinator"]))
        call.join()
    finally:
        os.kill(still, signal.SIGCONT)
    join_and_cancel(playground, "a controller that dies before it asks for the attempt", HOSPITAL)


def _send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # it has ended


def _alive(pid):
    """Also true for a zombie process: its number still blocks a new server."""
    return os.path.exists(f"/proc/{pid}")


def takes_part(step, kind, party):
    """Whether the party has a call in the step; only the crash of a backend needs one."""
    return kind != "backend" or any(party in members(whom) for whom in dict(STEPS)[step].values())


def cases():
    if not os.environ.get("PG_MPC_FULL"):
        return DIAGONAL
    # In step 1 the engine does not exist before the call.
    return [case for case in itertools.product([number for number, _ in STEPS], CRASHES, PARTIES)
            if takes_part(*case) and case[:2] != (1, "engine") and os.environ.get("PG_MPC_CRASH", "") in name_of(*case)]


def name_of(step, kind, party):
    return f"{kind} of {party} in step {step}"


def main():
    directory, bindir, scanner = sys.argv[1:]
    playground = Playground(directory, bindir, scanner)
    with to_the_end(playground):
        playground.start({"": {"pg_mpc.step_timeout": f"{STEP_TIMEOUT}s", "restart_after_crash": "on"}})
        playground.prepare_study(STUDY)
        third_party_forgets(playground)
        dies_before_it_asks(playground)
        for case in cases():
            crash = Crash(playground, *case)
            crash.run()
            crash.check()
        playground.ask(HOSPITAL, f"SELECT FROM mpc.run_study('{STUDY}')")
        verdict("after all crashes the same study is run to its end",
                [party for party in PARTIES if playground.state(party, STUDY) != "released"])
        verdict("no attempt used a secret of another one", playground.repeated())
    return exit_status()


if __name__ == "__main__":
    sys.exit(main())
