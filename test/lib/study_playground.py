"""Nodes on which a test runs studies step by step.

Terms: step = number of the protocol's step; call = one step called at all its parties at the same time.
Invariant: every wait has a deadline and ends with Failure.
"""
import contextlib
import json
import os
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools", "lib"))

from processes import CommandError, quote  # noqa: E402
from verdicts import verdict  # noqa: E402

CONTROLLERS = ("erasmus_mc", "zilveren_kruis")
THIRD_PARTY = "zorgttp"
# Calls that run at the same time, in the order of the protocol, with the number of its step.
STEPS = (
    (1, {"prepare": "all"}), (2, {"agree_key": "controllers"}), (3, {"scramble": "controllers"}),
    (4, {"push": "controllers", "match": "third"}), (5, {"mask": "controllers"}), (6, {"unmask": "all"}),
    (7, {"share": "all"}), (8, {"lasso": "all"}),
)


class Failure(Exception):
    """The test found something."""


@contextlib.contextmanager
def to_the_end(playground, reports=lambda: []):
    """Runs the body of a test. An exception is a verdict, with the reports. The servers stop in any case."""
    try:
        yield
    except (Failure, CommandError, subprocess.SubprocessError, OSError) as error:
        verdict("the test runs to its end", [str(error), *reports()])
        print(playground.nodes.end_of_logs(40), flush=True)
    finally:
        playground.nodes.stop()


def members(whom):
    return {"all": CONTROLLERS + (THIRD_PARTY,), "controllers": CONTROLLERS, "third": (THIRD_PARTY,)}[whom]


class StudyPlayground:
    def __init__(self, nodes):
        """nodes: of tools/lib/nodes.py."""
        self.nodes = nodes

    def start(self, settings):
        """settings: {party or '': {name: value, or a tuple for a list}}."""
        self.nodes.create(memory_of_server="16MB")
        for node in self.nodes.nodes:
            with self.nodes.session(node, user="postgres") as admin:
                # The floors of a node would refuse small tables. Faults end many attempts before the match.
                wanted = {"pg_mpc.min_matched": "30", "pg_mpc.early_attempts": "0",
                          **settings.get("", {}), **settings.get(node["party"], {})}
                for name, value in wanted.items():
                    listed = ", ".join(map(quote, value if isinstance(value, tuple) else (value,)))
                    admin.query(f"ALTER SYSTEM SET {name} = {listed}")
        self.nodes.stop()  # some settings are read at start only
        for node in self.nodes.nodes:
            self.nodes.start(node)

    def restart(self, party):
        self.nodes.start(self.node(party))

    def node(self, party):
        return next(node for node in self.nodes.nodes if node["party"] == party)

    def ask(self, party, sql, user=None):
        with self.nodes.session(self.node(party), user=user) as session:
            return session.query(sql)

    def load(self, party, columns, rows):
        """The table persons: an identifier and float8 columns."""
        node = self.node(party)
        with self.nodes.session(node) as session:
            session.query(f"CREATE TABLE persons (id text, {', '.join(c + ' float8' for c in columns)})")
        self.nodes.copy_in(node, "COPY persons FROM STDIN", rows)

    # --- studies ---

    def approve(self, study, spec):
        """The first controller of the spec proposes, and all approve; returns the digest."""
        controllers, third = list(spec["controllers"]), spec["third_party"]
        digest = self.ask(controllers[0], f"SELECT mpc.propose_study('{study}', {quote(json.dumps(spec))})")[0]
        for party in (*controllers, third):
            source = "" if party == third else ", source => 'persons'::regclass, identifier => 'id'"
            self.ask(party, f"SELECT mpc.approve_study('{study}', digest => '{digest}'{source})")
        return digest

    def step(self, study, number):
        """Runs one step at all its parties at the same time; the step rows. The first error is raised."""
        call = self.begin_step(study, number)
        call.join()
        if call.errors:
            raise CommandError("\n".join(call.errors.values()))
        return call.rows

    def begin_step(self, study, number, parties=None):
        """parties: only these, if given."""
        return self.begin_call(study, {name: [each for each in members(whom) if parties is None or each in parties]
                                       for name, whom in dict(STEPS)[number].items()})

    def begin_call(self, study, calls):
        return StepCall(self, study, calls)

    def until_engines_end(self):
        for party in CONTROLLERS + (THIRD_PARTY,):
            self.wait(lambda: self.pid_of(party, "pg_mpc engine") is None, f"the engine of {party} to end")

    def state(self, party, study):
        return self.ask(party, f"SELECT state FROM mpc.studies WHERE study = '{study}' ORDER BY version DESC LIMIT 1")[0]

    def wait(self, condition, what, seconds=60, pause=0.05):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise Failure(f"waited {seconds} s in vain for {what}")
            threading.Event().wait(pause)

    # --- processes ---

    def data(self, party):
        return os.path.join(self.nodes.directory, "nodes", party, "data")

    def postmaster(self, party):
        return postmaster_of(self.data(party))

    def processes(self, party):
        """{pid: title} of the processes of the node."""
        return processes_of(self.data(party))

    def pid_of(self, party, what):
        pids = [pid for pid, title in self.processes(party).items() if what in title]
        return pids[0] if pids else None


class StepCall:
    """Steps called at the same time, each in a session of its own; calls: {name of the step: parties}."""

    def __init__(self, playground, study, calls):
        self.errors, self.rows, self.sessions = {}, [], {}
        self._playground, self._threads = playground, {}
        for name, parties in calls.items():
            for party in parties:
                session = self.sessions[party] = playground.nodes.session(playground.node(party))
                self._threads[party] = threading.Thread(target=self._call, args=(party, session, name, study),
                                                        daemon=True)
        for thread in self._threads.values():
            thread.start()

    def _call(self, party, session, name, study):
        try:
            for line in session.query(f"SELECT row_to_json(s) FROM mpc.{name}('{study}') AS s"):
                self.rows.append(json.loads(line))
        except CommandError as error:
            self.errors[party] = str(error)

    def is_under_way(self, party):
        """The call has a backend, or has ended."""
        return not self.runs(party) or self._playground.pid_of(party, "[local]") is not None

    def runs(self, party):
        return self._threads[party].is_alive()

    def has_ended(self):
        return not any(thread.is_alive() for thread in self._threads.values())

    def join(self, timeout=90):
        for thread in self._threads.values():
            thread.join(timeout)
            if thread.is_alive():
                raise Failure("a step did not end within its time")
        for session in self.sessions.values():
            session.close()


def postmaster_of(data):
    with open(os.path.join(data, "postmaster.pid"), encoding="utf-8") as text:
        return int(text.readline())


def _stat(pid):
    """State and parent of a process."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
        return stat.read().rsplit(")", 1)[1].split()[:2]


def state_of(pid):
    """T: it is stopped; empty: it does not exist."""
    try:
        return _stat(pid)[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def processes_of(data):
    """{pid: title} of the processes of the server with this data directory."""
    try:
        parent = postmaster_of(data)
    except FileNotFoundError:
        return {}
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            state, above = _stat(entry)
            with open(f"/proc/{entry}/cmdline", encoding="utf-8", errors="replace") as text:
                title = text.read().replace("\0", " ").strip()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state not in "ZX" and (int(entry) == parent or int(above) == parent):
            found[int(entry)] = "postmaster" if int(entry) == parent else title
    return found
