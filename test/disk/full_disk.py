#!/usr/bin/env python3
"""A full disk: the data directory of one controller is on a small file system, which the test fills during a study.

When the disk is full for longer than the others wait, the attempt ends at all three nodes before anything is opened, and
the node without space names the cause. When it is full for a short time, the study is released with the right coefficients
and all rows of its steps.
Usage: full_disk.py DIR BINDIR   (as root)
"""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

from small_studies import HOSPITAL, INSURER, SmallStudies  # noqa: E402
from study_playground import CONTROLLERS, THIRD_PARTY, to_the_end  # noqa: E402
from verdicts import exit_status, verdict  # noqa: E402
from nodes import Nodes  # noqa: E402

STEP_TIMEOUT = 5
PARTIES = (*CONTROLLERS, THIRD_PARTY)
SPARE = 48 << 20  # beside the data: a segment of the log and what a study writes
# So many models that their result does not fit into existing pages.
LAMBDAS = [round(0.001 * (1 + i), 4) for i in range(40)]


class SmallDisk:
    """The data directory of a party on a file system in memory."""

    def __init__(self, playground, party):
        self.playground, self.data = playground, playground.data(party)
        self.filler = os.path.join(self.data, "filler")
        playground.nodes.stop()
        aside = self.data + ".aside"
        os.rename(self.data, aside)
        os.mkdir(self.data)
        used = sum(os.lstat(os.path.join(root, name)).st_blocks * 512
                   for root, _, names in os.walk(aside) for name in names)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={used + SPARE},mode=0700", "tmpfs", self.data], check=True)
        subprocess.run(["cp", "-a", aside + "/.", self.data], check=True)
        shutil.copystat(aside, self.data)
        status = os.stat(aside)
        os.chown(self.data, status.st_uid, status.st_gid)
        for each in playground.nodes.nodes:
            playground.nodes.start(each)

    def fill(self, party):
        # The promise to store the result needs a new page, because the table has none.
        self.playground.ask(party, "VACUUM FULL mpc_internal.awaited_results", user="postgres")
        # Keeps a segment for the log: without one the server would shut down, which another test covers.
        self.playground.ask(party, "SELECT pg_switch_wal()", user="postgres")
        self.playground.ask(party, "CHECKPOINT", user="postgres")
        with open(self.filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass  # full

    def empty(self):
        os.unlink(self.filler)

    def unmount(self):
        self.playground.nodes.stop()
        subprocess.run(["umount", self.data], check=False)


def begin_and_fill(playground, disk, study):
    """Starts the study, then fills the disk: a full disk would refuse the start."""
    with playground.nodes.session(playground.node(HOSPITAL)) as holder:
        holder.query("BEGIN")
        holder.query("LOCK TABLE persons IN ACCESS EXCLUSIVE MODE")
        playground.ask(HOSPITAL, f"SELECT mpc.start_study('{study}')")
        playground.wait(lambda: playground.state(INSURER, study) == "running", f"{study} to begin")
        disk.fill(INSURER)
        holder.query("COMMIT")


def tried_in_vain(playground, study):
    with open(playground.nodes.log(playground.node(INSURER)), encoding="utf-8") as log:
        return any("could not record" in line and f"study {study}," in line for line in log)


def missing(playground, study):
    """Steps without a row at the party whose disk was full, and whether its ledger is intact."""
    rows = playground.ask(INSURER, f"SELECT name FROM mpc.steps WHERE study = '{study}' ORDER BY step, name")
    usual = ["prepare", "agree_key", "keygen", "scramble", "push", "mask", "unmask", "share", "lasso"]
    bad = [f"no row of {name}" for name in usual if name not in rows]
    if playground.ask(INSURER, "SELECT intact FROM mpc.verify_ledger()") != ["t"]:
        bad.append("the ledger is broken")
    return bad


def main():
    directory, bindir = sys.argv[1:]
    playground, disk = SmallStudies(Nodes(directory, bindir), 300), None
    try:
        with to_the_end(playground):
            playground.start({"": {"pg_mpc.step_timeout": f"{STEP_TIMEOUT}s", "min_wal_size": "32MB", "max_wal_size": "64MB"}})
            playground.load_all()
            disk = SmallDisk(playground, INSURER)
            spec = playground.spec(HOSPITAL, INSURER)
            many = {**spec, "analysis": {"kind": "lasso", "lambda": LAMBDAS, "max_iterations": 60}}

            playground.approve("long", many)
            begin_and_fill(playground, disk, "long")
            for party in (HOSPITAL, THIRD_PARTY):
                playground.wait(lambda: playground.state(party, "long") == "failed", f"the end at {party}")
            disk.empty()
            playground.wait(lambda: playground.state(INSURER, "long") == "failed", f"the end at {INSURER}")
            cause = playground.cause(INSURER, "long") + " ".join(
                playground.ask(INSURER, "SELECT sqlstate FROM mpc.studies WHERE study = 'long'"))
            verdict("full for long: the attempt ends for that reason", [] if "53100" in cause else [cause])
            models = [playground.ask(party, "SELECT count(*) FROM mpc.models WHERE study = 'long'")[0] for party in PARTIES]
            verdict("full for long: no party has a result", [] if set(models) == {"0"} else [str(models)])
            playground.ask(HOSPITAL, "SELECT FROM mpc.run_study('long')")
            states = [playground.state_at_end(party, "long") for party in PARTIES]
            verdict("full for long: the same study runs afterwards", [] if set(states) == {"released"} else [str(states)])

            playground.approve("moment", spec)
            begin_and_fill(playground, disk, "moment")
            playground.wait(lambda: tried_in_vain(playground, "moment"), "a row that the tables do not take")
            disk.empty()
            verdict("full for a moment: right coefficients", playground.wrong("moment", spec))
            verdict("full for a moment: every step has its row", missing(playground, "moment"))
            verdict("every step of the study before has its row", missing(playground, "long"))
    finally:
        if disk is not None:
            disk.unmount()
    return exit_status()


if __name__ == "__main__":
    sys.exit(main())
