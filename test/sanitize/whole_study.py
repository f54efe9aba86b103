#!/usr/bin/env python3
"""Whole studies between three servers whose module was built with sanitizers: one step by step, one automatic, one
cancelled. A report of any process of any server fails the test, as do wrong coefficients. Controls: an engine that reads
behind a heap block, overflows an integer or has a data race is reported.

The runtime of the sanitizers is preloaded, because the server is built without them. Leaks are not checked: a server frees
most of its memory by ending. In these builds the C++ heap is that of the sanitizer (base/cleansing_heap.h).
Usage: whole_study.py DIR BINDIR KIND RUNTIME...   (KIND: a key of KINDS; RUNTIME: the libraries to load first)
"""
import os
import re
import signal
import sys
from typing import NamedTuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

from small_studies import HOSPITAL, INSURER, SmallStudies  # noqa: E402
from study_playground import THIRD_PARTY, to_the_end  # noqa: E402
from verdicts import exit_status, verdict  # noqa: E402
from nodes import PARTIES, Nodes, Place  # noqa: E402
from processes import CommandError  # noqa: E402

RECORDS = 150


class Kind(NamedTuple):
    """Sanitizers that go together."""

    mark: str  # what a process that runs with them has mapped
    options: tuple  # for the environment of the servers
    finding: re.Pattern  # a report's first line; they write to standard error, which is the server's log
    controls: dict  # {name of a mutant (base/mutants.h): what the sanitizers call it}


KINDS = {
    "address": Kind("libasan", ("ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0",
                                "UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1"),
                    re.compile(r"AddressSanitizer|runtime error:"),
                    {"reads_past_block": "heap-buffer-overflow", "overflows": "signed integer overflow"}),
    # The postmaster of PostgreSQL 15 forks within a signal handler, so ThreadSanitizer takes all its children for signal handlers.
    "thread": Kind("libtsan", ("TSAN_OPTIONS=second_deadlock_stack=1:report_signal_unsafe=0",),
                   re.compile(r"ThreadSanitizer"), {"races": "data race"}),
}


class Reports:
    """What the sanitizers wrote into the logs of the servers."""

    def __init__(self, nodes, finding):
        self._nodes, self._finding, self._read = nodes, finding, {}

    def take(self):
        """The reports since the last call, one string each."""
        found = []
        for node in self._nodes.nodes:
            with open(self._nodes.log(node), encoding="utf-8", errors="replace") as log:
                log.seek(self._read.get(node["party"], 0))
                lines = log.read().splitlines()
                self._read[node["party"]] = log.tell()
            while lines:
                if self._finding.search(lines[0]):
                    found.append(f"{node['party']}: " + " | ".join(line.strip() for line in lines[:25]))
                    del lines[:25]
                else:
                    del lines[0]
        return found


def under_sanitizers(kind, runtime, mutant=""):
    """The prefix of the command that starts a server."""
    return ["env", "LD_PRELOAD=" + ":".join(runtime), *kind.options, f"PG_MPC_MUTANT={mutant}"]


def studies(playground):
    spec = playground.spec(HOSPITAL, INSURER)
    playground.approve("by_hand", spec)
    verdict("a study step by step: right coefficients", playground.wrong_after("by_hand", spec, 1))
    playground.approve("automatic", spec)
    verdict("an automatic study: right coefficients", playground.wrong_run(THIRD_PARTY, "automatic", spec))
    playground.approve("given_up", spec)
    for number in range(1, 6):
        playground.step("given_up", number)
    playground.ask(INSURER, "SELECT mpc.cancel_study('given_up')")
    playground.until_engines_end()
    verdict("a cancelled study ends", [party for party, _ in PARTIES if playground.state(party, "given_up") != "cancelled"])


def control(playground, reports, kind, runtime, mutant):
    """The engine of the third party runs the mutant in every step."""
    playground.nodes.places[THIRD_PARTY].inside = under_sanitizers(kind, runtime, mutant)
    playground.nodes.stop()
    reports.take()
    for party, _ in PARTIES:
        playground.restart(party)
    playground.approve(mutant, playground.spec(HOSPITAL, INSURER))
    try:
        playground.ask(HOSPITAL, f"SELECT FROM mpc.run_study('{mutant}')")
    except CommandError:
        pass  # the engine ends at the report
    playground.until_engines_end()
    found = reports.take()
    right = found and kind.controls[mutant] in found[0] and "do_what_sanitizers_find" in found[0]
    verdict(f"control: an engine that {mutant} is reported", [] if right else found or ["no report"])


def sanitized(kind, pid):
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        return kind.mark in maps.read()


def main():
    directory, bindir, name, *runtime = sys.argv[1:]
    kind = KINDS[name]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    places = {party: Place(inside=under_sanitizers(kind, runtime)) for party, _ in PARTIES}
    playground = SmallStudies(Nodes(directory, bindir, places=places), RECORDS)
    reports = Reports(playground.nodes, kind.finding)
    with to_the_end(playground, reports.take):
        playground.start({"": {"pg_mpc.step_timeout": "120s"}})
        without = [f"process {pid} of {party}: {title}" for party, _ in PARTIES
                   for pid, title in playground.processes(party).items() if not sanitized(kind, pid)]
        verdict("control: every process of every server runs with the sanitizers", without)
        playground.load_all()
        studies(playground)
        playground.nodes.stop()  # includes reports at the end of the server
        verdict("no sanitizer has anything to report", reports.take())
        for mutant in kind.controls:
            control(playground, reports, kind, runtime, mutant)
    return exit_status()


if __name__ == "__main__":
    sys.exit(main())
