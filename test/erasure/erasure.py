#!/usr/bin/env python3
"""The erasure test runs a study step by step on three nodes. After every step it searches for the secrets of the study
(playground.py): in all files and all memory of the nodes and of a streaming replica, in the write-ahead logs as pg_waldump
prints them, in all network traffic without TLS, and in a base backup and a dump made while the keys existed.

Controls: it finds source data in its own tables, keys before their destruction, and a copy that the build leaks on purpose.
Usage: erasure.py DIR BINDIR SCANNER   (as root)
"""
import os
import re
import shutil
import signal
import sys

import key_forms
from copies import Replica, backups, end_of_logs, oldest_of_logs, write_ahead_logs
from playground import CONTROLLERS, SOURCE_SECRETS, THIRD_PARTY, Playground
from study_playground import STEPS, state_of, to_the_end
from verdicts import exit_status, verdict
from witness import Secret

PARTIES = CONTROLLERS + (THIRD_PARTY,)
# What the scan must find after a step as a control: secret (and its form), step.
ALIVE = (("private prime", 3), ("private prime", 5), ("hashed identifier", 2), ("random share", 5), ("additive share", 6),
         ("Shamir share", 7), ("pair secret of the attempt", 5), ("TLS private key", 1), ("seal key, AES schedule", 2),
         ("seal key, GCM hash key", 2), ("seal key, GCM table", 2), ("PRF key, AES schedule", 7))
# The shared memory of the server is in files, which the scan reads; the log keeps all segments.
SETTINGS = {"log_statement": "all", "dynamic_shared_memory_type": "mmap", "wal_keep_size": "512MB",
            "shared_preload_libraries": ("pg_mpc", "pg_stat_statements")}


def shared_segments(playground):
    """Dynamic shared memory of the nodes."""
    return {(party, name) for party in PARTIES
            for name in os.listdir(os.path.join(playground.data(party), "pg_dynshmem"))}


def listeners(playground):
    return {f"pid:{playground.pid_of(party, 'pg_mpc listener')}" for party in PARTIES}


def study(playground):
    segments = shared_segments(playground)
    verdict("control: shared memory in files is among what is scanned",
            [f"no segment at {party}" for party in PARTIES if party not in {owner for owner, _ in segments}])
    for party in PARTIES:
        playground.ask(party, "CREATE EXTENSION pg_stat_statements", user="postgres")
    since, oldest = end_of_logs(playground), oldest_of_logs(playground)
    playground.prepare_study("heart")
    sent = 0
    for number, _ in STEPS:
        sent += sum(row["bytes"] or 0 for row in playground.step("heart", number))
        copies = [backups(playground, "backup")] if number == 5 else []
        playground.replica.catch_up()
        logs = write_ahead_logs(playground, "wal", since)
        finds = playground.scan([*copies, logs, *playground.wire()])
        verdict(f"after step {number} every secret is destroyed that must be", playground.violations(finds, number))
        read_as_text(playground, logs, number)
        shutil.rmtree(logs)
        for name in [name for name, step in ALIVE if step == number]:
            there = [find for find in finds if str(find.secret) == name and find.place.startswith("pid:")]
            verdict(f"control: {name} is found before its destruction (step {number})", [] if there else ["not found"])
        places = listeners(playground)
        held = [str(find) for find in finds if find.place in places and find.kind != "shared" and
                find.secret.name != "TLS private key"]
        verdict(f"the listeners hold ciphertext only (step {number})", held)
        if number == 1:
            for name in SOURCE_SECRETS:
                there = [find for find in finds if find.secret.name == name and find.kind == "file"]
                verdict(f"control: {name} are found in the tables of their own node", [] if there else ["not found"])
                there = [find for find in there if find.place.startswith(playground.replica.data)]
                verdict(f"control: {name} are found in the replica", [] if there else ["not found"])
        if number == 7:
            verdict("a study makes no shared memory", [f"{name} at {party}" for party, name in
                                                       shared_segments(playground) - segments])
    verdict("control: the replica has followed to the last step",
            [] if playground.replica.ask("SELECT max(step) FROM mpc.steps WHERE study = 'heart'") == ["8"] else ["no"])
    verdict("no file of the write-ahead logs was removed meanwhile",
            [] if oldest_of_logs(playground) == oldest else ["one was"])
    copies_at_the_end(playground)
    statements(playground)
    wire(playground, sent)


def read_as_text(playground, logs, number):
    """Control: the text of the write-ahead log has the rows of steps."""
    bad = []
    for party in PARTIES:
        wanted = playground.ask(party, "SELECT 'rel [0-9]+/[0-9]+/' || pg_relation_filenode('mpc_internal.steps')",
                                user="postgres")[0]
        with open(os.path.join(logs, party, "records"), encoding="utf-8", errors="replace") as text:
            if not re.search(wanted + r"\b", text.read()):
                bad.append(f"no step row at {party}")
    verdict(f"control: the write-ahead logs after step {number} have been read as text", bad)


def compact(playground):
    """A study whose comparisons are truth tables. They exist within step 8 only, so the engine that draws the first one is
    stopped during the scan."""
    playground.prepare_study("compact", comparison="compact")
    for number in range(1, 8):
        playground.step("compact", number)
    engines = [playground.pid_of(party, "pg_mpc engine") for party in PARTIES]
    playground.stop_at("truth table")
    call = playground.begin_step("compact", 8)
    playground.wait(lambda: any(state_of(pid) == "T" for pid in engines), "a truth table")
    finds = playground.scan(playground.wire())
    misplaced = playground.violations(finds, 7, within_next=True)
    playground.stop_nowhere()

    def has_ended():
        for pid in engines:
            if state_of(pid) == "T":
                os.kill(pid, signal.SIGCONT)
        return call.has_ended()
    playground.wait(has_ended, "the end of step 8")
    call.join()
    verdict("within step 8 nothing is where it must not be", misplaced)
    places = {f"pid:{pid}" for pid in engines}
    there = [find for find in finds if find.secret.name == "truth table" and find.place in places]
    verdict("control: a truth table is found within step 8", [] if there else ["not found"])
    states = {party: playground.state(party, "compact") for party in PARTIES}
    verdict("a study with truth tables is released", [] if set(states.values()) == {"released"} else [str(states)])
    playground.until_engines_end()
    verdict("after a study with truth tables nothing is left",
            playground.violations(playground.scan(playground.wire()), 8))


def all_listed(playground):
    witnessed = {secret.name for secret in playground.read_witness()}
    listed = set(playground.rules) - set(SOURCE_SECRETS) - {"TLS private key"}
    verdict("docs/secrets.md lists exactly the secrets that the scan searches for",
            [f"only in one of the two: {name}" for name in witnessed ^ listed])


def statements(playground):
    """The data of pg_stat_statements, in files and shared memory, has been scanned with them."""
    kept = [party for party in PARTIES if playground.ask(
        party, "SELECT count(*) > 0 FROM pg_stat_statements WHERE query LIKE '%mpc.lasso%'", user="postgres") != ["t"]]
    verdict("control: pg_stat_statements was at work", kept)


def copies_at_the_end(playground):
    copies = backups(playground, "backup_at_the_end")
    logs = write_ahead_logs(playground, "wal")
    finds = playground.scan([copies, logs], memory=False)
    print(f"# the last scan: {playground.scanned >> 20} MB, {playground.patterns} patterns", flush=True)
    verdict("nothing in base backups, dumps and write-ahead logs", playground.violations(finds, 8))
    for party in CONTROLLERS:
        stream = os.path.join(logs, party, "stream")
        verdict(f"control: the source of {party} is found in the stream of its write-ahead log",
                [] if any(find.place == stream for find in finds) else ["not found"])
    for party in PARTIES:
        with open(os.path.join(logs, party, "records"), encoding="utf-8", errors="replace") as text:
            verdict(f"control: the log of {party} was read as text", [] if "INSERT" in text.read() else ["no record"])


def wire(playground, sent):
    """What an attacker can read who has recorded the network and later gets the private TLS keys of all three nodes."""
    recorded = playground.wire()
    size = sum(os.path.getsize(path) for path in recorded)
    verdict("control: all that was sent has been recorded", [] if size >= sent > 0 else [f"{size} of {sent} bytes"])
    attempt = playground.ask(CONTROLLERS[0], "SELECT attempt FROM mpc_internal.studies WHERE study = 'heart'",
                             user="postgres")[0]
    # Each frame names its attempt.
    here = playground.scan(recorded, [Secret("attempt of the study", bytes.fromhex(attempt), [])], memory=False)
    # The listeners that ran before the settings changed received nothing of the study.
    heard = {path for path in recorded if "pid:" + path.rsplit(".", 1)[1] in listeners(playground)}
    verdict("control: the attempt of the study is found in the recording at every node",
            [] if len(heard) == 3 and {find.place for find in here if find.form == "raw"} >= heard else ["not found"])
    finds = [find for find in playground.scan(recorded, memory=False) if find.place in recorded]
    verdict("a recording of the network without TLS holds no secret", [str(find) for find in finds])


def refused(playground):
    playground.prepare_study("too_few", min_matched=61)
    for number in (1, 2, 3):
        playground.step("too_few", number)
    playground.read_witness()  # the process ids of running engines
    call = playground.begin_step("too_few", 4)
    call.join()
    verdict("a disclosure rule refuses at all parties",
            [party for party in PARTIES if "disclosure rule" not in call.errors.get(party, "")])
    playground.until_engines_end()
    verdict("after a refused study nothing is left", playground.violations(playground.scan(), 8))


def cancelled(playground):
    playground.prepare_study("given_up")
    for number in range(1, 7):
        playground.step("given_up", number)
    playground.read_witness()
    playground.ask(CONTROLLERS[1], "SELECT mpc.cancel_study('given_up')")
    playground.until_engines_end()
    verdict("after a cancelled study nothing is left", playground.violations(playground.scan(), 8))


def leaking(playground, name, last, form=""):
    """A build that leaks one copy, or a form of it: it is found after the step in which the secret must be destroyed."""
    playground.forget_witness()
    playground.leak(f"{form} of {name}" if form else name)
    playground.prepare_study("leaky")
    for number in range(1, last + 1):
        playground.step("leaky", number)
    bad = [line for line in playground.violations(playground.scan(), last) if name in line and form in line]
    verdict(f"control: a leaked {form or 'copy'} of the {name} is found", [] if bad else ["not found"])
    playground.ask(CONTROLLERS[0], "SELECT mpc.cancel_study('leaky')")
    playground.until_engines_end()
    verdict("the leaked copy died with its engine", playground.violations(playground.scan(), 8))


def main():
    directory, bindir, scanner = sys.argv[1:]
    playground = Playground(directory, bindir, scanner)
    with to_the_end(playground):
        playground.start({"": SETTINGS, CONTROLLERS[0]: {"log_min_messages": "debug5"}})
        playground.replica = Replica(playground, CONTROLLERS[0])
        try:
            verdict("control: the forms of keys that the test computes are right", key_forms.check())
            study(playground)
            compact(playground)
            all_listed(playground)
            refused(playground)
            cancelled(playground)
            leaking(playground, "joint key", 2)
            leaking(playground, "joint key", 2, "HMAC state")
        finally:
            playground.replica.stop()
    return exit_status()


if __name__ == "__main__":
    sys.exit(main())
