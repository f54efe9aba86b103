#!/usr/bin/env python3
"""The crash matrix: a process of a party is killed in a step; afterwards the scan finds no secret of the attempt anywhere,
all three parties have reached a clear end state, and the study can be started anew with fresh keys.

Normally a diagonal that touches each step, each kind of crash and each party; with PG_MPC_FULL=1 every combination.
Usage: crash.py DIR BINDIR SCANNER   (as root)
"""
import itertools
import os
import shutil
import signal
import subprocess
import sys

from playground import CONTROLLERS, STEPS, THIRD_PARTY, Failure, Playground, members
from processes import CommandError

HOSPITAL, INSURER = CONTROLLERS
PARTIES = CONTROLLERS + (THIRD_PARTY,)
STUDY = "heart"
STEP_TIMEOUT = 20
# The title of the process that is killed.
PROCESSES = {"backend": "[local]", "engine": "pg_mpc engine", "listener": "pg_mpc listener",
             "coordinator": "pg_mpc coordinator"}
CRASHES = (*PROCESSES, "postmaster", "immediate shutdown", "power cut")
DIAGONAL = ((1, "backend", HOSPITAL), (2, "engine", INSURER), (3, "listener", HOSPITAL), (4, "coordinator", THIRD_PARTY),
            (5, "postmaster", INSURER), (6, "immediate shutdown", THIRD_PARTY), (7, "power cut", HOSPITAL),
            (8, "engine", THIRD_PARTY))
ENDED = ("failed", "cancelled")
results = []


def verdict(name, bad):
    results.append(not bad)
    print(f"{'not ok' if bad else 'ok'} {len(results)} - {name}", flush=True)
    for line in sorted(set(bad))[:20]:
        print(f"#   {line}", flush=True)


class Crash:
    def __init__(self, playground, step, kind, party):
        self.playground, self.step, self.kind, self.party = playground, step, kind, party
        self.data = playground.data(party)

    def run(self):
        """Steps before, the crash in the step, and the node back again."""
        for number in range(1, self.step):
            self.playground.step(STUDY, number)
        self.playground.read_witness()  # the engines' process ids, while they live
        stopped = self._stop_victim()
        call = self.playground.begin_step(STUDY, self.step)
        for party in call.sessions:
            self.playground.wait(lambda: call.is_under_way(party), f"the call at {party}")
        if self.kind in PROCESSES:
            victim = stopped or self._victim()
            before = self.playground.processes(self.party)
            os.kill(victim, signal.SIGKILL)
            # The server ends all its other processes and starts anew.
            self.playground.wait(lambda: not set(before) - {self.playground.postmaster(self.party)} &
                                 set(self.playground.processes(self.party)), "the server's reset")
        else:
            self._end_server()
            self.playground.restart(self.party)
        self.playground.wait(self._back, f"{self.party} to be back")
        call.join()

    def _victim(self):
        pid = self.playground.pid_of(self.party, PROCESSES[self.kind])
        if pid is None:
            raise Failure(f"{self.party} has no {self.kind}")
        return pid

    # The process stands still while the others do their part of the step, so that it dies within it.
    def _stop_victim(self):
        if self.kind not in PROCESSES or self.kind == "backend" or self.step == 1:
            return None
        victim = self._victim()
        os.kill(victim, signal.SIGSTOP)
        return victim

    def _end_server(self):
        playground = self.playground
        pids = playground.processes(self.party)
        if self.kind == "immediate shutdown":
            os.kill(playground.postmaster(self.party), signal.SIGQUIT)
        elif self.kind == "postmaster":
            os.kill(playground.postmaster(self.party), signal.SIGKILL)
        else:
            # Nothing moves while the copy is made: what a disk would hold at one moment.
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

    def _back(self):
        try:
            self.playground.ask(self.party, "SELECT 1")
            return all(self.playground.pid_of(self.party, PROCESSES[each]) for each in ("listener", "coordinator"))
        except CommandError:
            return False

    def check(self):
        playground = self.playground
        name = f"{self.kind} of {self.party} in step {self.step}"
        bad = []
        # In step 1 a party may not have heard of the attempt yet.
        ends = (*ENDED, "approved") if self.step == 1 else ENDED
        for party in PARTIES:
            try:
                playground.wait(lambda: playground.state(party, STUDY) in ends, f"an end state at {party}", STEP_TIMEOUT)
                playground.wait(lambda: playground.pid_of(party, PROCESSES["engine"]) is None, f"{party}'s engine to end")
            except (Failure, CommandError) as error:
                bad.append(str(error))
        verdict(f"{name}: every party reaches an end state", bad)
        verdict(f"{name}: nothing is left that must be gone", playground.violations(playground.scan(), 8))


def _send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # it has ended meanwhile


def _alive(pid):
    """Also true for a dead process that nobody has asked after yet: its number still blocks a new server."""
    return os.path.exists(f"/proc/{pid}")


def takes_part(step, kind, party):
    """Whether the party has a call of its own in the step; only a backend needs one."""
    return kind != "backend" or any(party in members(whom) for whom in dict(STEPS)[step].values())


def cases():
    if not os.environ.get("PG_MPC_FULL"):
        return DIAGONAL
    # In step 1 the engine does not exist before the call.
    return [case for case in itertools.product([number for number, _ in STEPS], CRASHES, PARTIES)
            if takes_part(*case) and case[:2] != (1, "engine")]


def main():
    directory, bindir, scanner = sys.argv[1:]
    playground = Playground(directory, bindir, scanner)
    try:
        playground.start({"": {"pg_mpc.step_timeout": f"{STEP_TIMEOUT}s", "restart_after_crash": "on"}})
        playground.prepare_study(STUDY)
        for case in cases():
            crash = Crash(playground, *case)
            crash.run()
            crash.check()
        playground.ask(HOSPITAL, f"SELECT FROM mpc.run_study('{STUDY}')")
        verdict("after all crashes the same study is run to its end",
                [party for party in PARTIES if playground.state(party, STUDY) != "released"])
        verdict("no attempt used a secret of another one", playground.repeated())
    except (Failure, CommandError, subprocess.SubprocessError, OSError) as error:
        verdict("the test runs to its end", [str(error)])
        print(playground.nodes.end_of_logs(40), flush=True)
    finally:
        playground.nodes.stop()
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
