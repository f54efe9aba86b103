#!/usr/bin/env python3
"""Runs the blocks of docs/quickstart.md, word for word, on three machines with an ordinary Debian cluster each.

A block runs on the machines and as the user that its first line names. It fails if a command fails or if its output differs
from the answer in the document. The test does what the document leaves to people: an empty cluster "main", made by
pg_createcluster as Debian's package does; host names; sending certificates to the others; and repeating a query until
messages and results have arrived.
Usage: quickstart.py DIR SOURCES MAJOR   (as root; the extension is built in SOURCES for PostgreSQL MAJOR)
"""
import os
import re
import shutil
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "test", "lib"), os.path.join(ROOT, "tools", "lib")]

import document  # noqa: E402
from machines import Machine  # noqa: E402
from namespaces import Namespaces  # noqa: E402
from processes import CommandError  # noqa: E402
from verdicts import exit_status, verdict  # noqa: E402

DEADLINE = 60  # for a message, or for the result at another node
PAUSE = 0.2
CERTIFICATE = "/etc/pg_mpc/{}.crt"


class Walk:
    def __init__(self, directory, sources, major):
        self.sources, self.major = sources, major
        self.rows, self.groups = document.read(os.path.join(sources, "docs", "quickstart.md"))
        self.network = Namespaces([row["what"] for row in self.rows])
        hosts = {row["host"]: self.network.address(row["what"]) for row in self.rows}
        self.machines = {}
        try:
            for row in self.rows:
                what = row["what"]
                self.machines[what] = Machine(os.path.join(directory, row["party"]), self.network.inside(what), sources, hosts)
        except BaseException:
            self.end()
            raise

    def end(self):
        for machine in self.machines.values():
            machine.end()
        self.network.remove()

    # --- preconditions of the document ---

    def make_clusters(self):
        def make(what):
            return self.root(what, f"pg_createcluster {self.major} main --start")

        bad = on_all(self.machines, make)
        verdict("each machine has an empty cluster, made by pg_createcluster", bad)
        return not bad

    def root(self, what, text):
        return complaint(what, self.machines[what].run(["bash", "-eu"], text))

    def send_certificates(self, block, what):
        """Copies the certificates that the block reads from the machines of their owners."""
        for row in self.rows:
            path = CERTIFICATE.format(row["party"])
            if row["what"] != what and path in block.text:
                shutil.copy(self.machines[row["what"]].path(path), self.machines[what].path(path))

    def until_messages_have_arrived(self):
        def arrive(what):
            return self.again_until(what, ["psql", "-X", "-A", "-t", "-d", "postgres"],
                                    "SELECT count(*) FROM mpc_internal.outbox", "0")

        return on_all(self.machines, arrive)

    def again_until(self, what, command, text, answer, role="postgres"):
        """Repeats the query until the answer is the one in the document."""
        deadline = time.monotonic() + DEADLINE
        while True:
            told = self.machines[what].run(["runuser", "-u", role, "--", *command], text)
            if told[0] == 0 and document.same(answer, told[1]):
                return []
            if time.monotonic() > deadline:
                return complaint(what, told) or [lines(f"{what}: it printed\n{told[1]}and the document shows\n{answer}")]
            threading.Event().wait(PAUSE)

    # --- the blocks ---

    def go(self):
        for group in self.groups if self.make_clusters() else ():
            calls = [(block, what) for block in group for what in self.machines if block.is_for(what)]
            bad = on_all(calls, lambda call: self.type(*call))
            if not bad and any(block.role == "analyst" for block in group):
                bad = self.until_messages_have_arrived()
            verdict("; ".join(block.name() for block in group), bad)
            if bad:
                break

    def type(self, block, what):
        row = next(row for row in self.rows if row["what"] == what)
        self.send_certificates(block, what)
        text = document.adapted(block, row, self.major)
        if block.language == "sh":
            return self.type_into_shell(what, text)
        command = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "postgres"]
        if block.answer is not None:
            return self.again_until(what, command, text, block.answer, block.role)
        return complaint(what, self.machines[what].run(["runuser", "-u", block.role, "--", *command], text))

    def type_into_shell(self, what, text):
        # One build at a time in one checkout (tools/private_pg). Started servers do not keep the lock.
        lock = ["flock", "--close", os.path.join(self.sources, ".build.lock")]
        return complaint(what, self.machines[what].run([*lock, "bash", "-eu"], text, cwd=self.sources))


def complaint(what, told):
    status, output, errors = told
    return [] if status == 0 else [lines(f"{what}: exit status {status}\n{output[-3000:]}{errors[-3000:]}")]


def lines(text):
    """The text in the form of verdict(): a comment on each line."""
    return text.rstrip().replace("\n", "\n#     ")


def on_all(items, work):
    """Works on all items at the same time; returns the errors."""
    bad = []
    threads = [threading.Thread(target=lambda item=item: bad.extend(work(item))) for item in items]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return bad


def packages_are_named(groups, sources):
    """Checks that the document names the packages that tools/check installs before it builds."""
    script = '. "$1/tools/lib/common.sh"; printf "%s\\n" "${build_packages[@]}"'
    wanted = subprocess.run(["bash", "-euc", script, "packages", sources], capture_output=True, text=True, check=True)
    installs = [block.text for group in groups for block in group if re.search(r"^apt-get install", block.text, re.M)]
    missing = set(wanted.stdout.split()) - set(" ".join(installs).split())
    verdict("the packages of the document are those of the build", [f"missing: {name}" for name in missing])


def main():
    directory, sources, major = sys.argv[1:]
    try:
        walk = Walk(os.path.abspath(directory), os.path.abspath(sources), major)
    except (CommandError, document.DocumentError) as error:
        verdict("three machines and a document", [str(error)])
        return exit_status()
    try:
        packages_are_named(walk.groups, walk.sources)
        walk.go()
    finally:
        walk.end()
    return exit_status()


if __name__ == "__main__":
    sys.exit(main())
