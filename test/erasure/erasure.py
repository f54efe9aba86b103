#!/usr/bin/env python3
"""The erasure test: a study by hand on three nodes; after every step all files and all memory of the nodes are searched
for the real secrets of the study (playground.py), also in a base backup and a dump taken while the keys were alive.

Controls: what must be there is found (source data in its own tables, keys while they live), and a copy that the build
leaks on purpose is found. Usage: erasure.py DIR BINDIR SCANNER   (as root)
"""
import os
import subprocess
import sys

from playground import CONTROLLERS, SOURCE_SECRETS, STEPS, THIRD_PARTY, Failure, Playground
from processes import CommandError, as_owner, owner, run

# What must be found after a step, or the scan sees nothing: secret, step.
ALIVE = (("private prime", 3), ("private prime", 5), ("hashed identifier", 2), ("random share", 5), ("additive share", 6),
         ("Shamir share", 7), ("pair secret of the attempt", 5), ("TLS private key", 1))
results = []


def verdict(name, bad):
    results.append(not bad)
    print(f"{'not ok' if bad else 'ok'} {len(results)} - {name}", flush=True)
    for line in sorted(set(bad))[:20]:
        print(f"#   {line}", flush=True)


def copies(playground, name):
    """A base backup and a dump of every node; the directory."""
    directory = os.path.join(playground.directory, name)
    os.mkdir(directory)
    os.chown(directory, owner().pw_uid, owner().pw_gid)
    for party in CONTROLLERS + (THIRD_PARTY,):
        node = playground.node(party)
        where = ["-h", node["host"], "-p", str(node["port"]), "-U", "postgres"]
        run(as_owner([os.path.join(playground.nodes.bindir, "pg_basebackup"), "-D", os.path.join(directory, party),
                      "-c", "fast", *where]), cwd=playground.directory)
        run(as_owner([os.path.join(playground.nodes.bindir, "pg_dump"), "-f", os.path.join(directory, party + ".sql"),
                      *where, "postgres"]), cwd=playground.directory)
    return directory


def listeners(playground):
    return {f"pid:{playground.pid_of(party, 'pg_mpc listener')}" for party in CONTROLLERS + (THIRD_PARTY,)}


def study(playground):
    playground.prepare_study("heart")
    also = []
    for number, _ in STEPS:
        playground.step("heart", number)
        if number == 5:
            also.append(copies(playground, "backup"))
        finds = playground.scan(also)
        verdict(f"after step {number} nothing is left that must be gone", playground.violations(finds, number))
        for name in [name for name, step in ALIVE if step == number]:
            there = [find for find in finds if find.secret.name == name and find.place.startswith("pid:")]
            verdict(f"control: {name} is found while it lives (step {number})", [] if there else ["not found"])
        held = [str(find) for find in finds if find.place in listeners(playground) and find.kind != "shared" and
                find.secret.name != "TLS private key"]
        verdict(f"the listeners hold ciphertext only (step {number})", held)
        if number == 1:
            for name in SOURCE_SECRETS:
                there = [find for find in finds if find.secret.name == name and find.kind == "file"]
                verdict(f"control: {name} are found in the tables of their own node", [] if there else ["not found"])
    also.append(copies(playground, "backup_at_the_end"))
    verdict("nothing in base backups and dumps", playground.violations(playground.scan(also, memory=False), 8))
    print(f"# the last scan: {playground.scanned >> 20} MB, {playground.patterns} patterns", flush=True)
    witnessed = {secret.name for secret in playground.read_witness()}
    listed = set(playground.rules) - set(SOURCE_SECRETS) - {"TLS private key"}
    verdict("docs/secrets.md lists exactly the secrets that the scan looks for",
            [f"only in one of the two: {name}" for name in witnessed ^ listed])


def leaking(playground, name, last):
    """A build that leaks one copy: found after the step in which the secret should have died."""
    playground.forget_witness()
    playground.leak(name)
    playground.prepare_study("leaky")
    for number in range(1, last + 1):
        playground.step("leaky", number)
    bad = [line for line in playground.violations(playground.scan(), last) if name in line]
    verdict(f"control: a leaked copy of the {name} is found", [] if bad else ["not found"])
    playground.ask(CONTROLLERS[0], "SELECT mpc.cancel_study('leaky')")
    for party in CONTROLLERS + (THIRD_PARTY,):
        playground.wait(lambda: playground.pid_of(party, "pg_mpc engine") is None, f"the engine of {party} to end")
    verdict("after a cancelled study nothing is left", playground.violations(playground.scan(), 8))


def main():
    directory, bindir, scanner = sys.argv[1:]
    playground = Playground(directory, bindir, scanner)
    try:
        playground.start({"": {"log_statement": "all"}, CONTROLLERS[0]: {"log_min_messages": "debug5"}})
        study(playground)
        leaking(playground, "joint key", 2)
    except (Failure, CommandError, subprocess.SubprocessError, OSError) as error:
        verdict("the test runs to its end", [str(error)])
        print(playground.nodes.end_of_logs(), flush=True)
    finally:
        playground.nodes.stop()
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
