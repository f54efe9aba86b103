"""Runs one study on three nodes from SQL: proposal, approvals, the eight steps, the result.

Step by step: a psql session of each node calls its step functions in order, all three at the same time.
Automatic: one node calls mpc.run_study, and the engines of the peers join.
"""
import json
import threading
import time

from processes import CommandError, quote

CONTROLLER_STEPS = ("prepare", "agree_key", "scramble", "push", "mask", "unmask", "share", "lasso")
THIRD_PARTY_STEPS = ("prepare", "match", "unmask", "share", "lasso")


class StudyRun:
    def __init__(self, nodes, data, penalty, study, on_step):
        self._nodes = nodes
        self._data = data
        self._penalty = penalty
        self._study = quote(study)
        self._on_step = on_step
        self._print_lock = threading.Lock()
        self._seen = set()

    def propose_and_approve(self):
        """Returns the time of the first approval."""
        proposer = self._nodes.nodes[0]
        spec = json.dumps(self._data.spec(self._penalty))
        with self._nodes.session(proposer) as session:
            digest = session.query(f"SELECT mpc.propose_study({self._study}, {quote(spec)})")[0]
        started = time.monotonic()
        for node in self._nodes.nodes:
            arguments = f"{self._study}, digest => {quote(digest)}"
            for side in self._data.sides:
                if side.party == node["party"]:
                    arguments += (f", source => {quote(side.relation)}::regclass"
                                  f", identifier => {quote(side.identifier)}")
            with self._nodes.session(node) as session:
                session.query(f"SELECT mpc.approve_study({arguments})")
        return started

    def run_automatic(self):
        """mpc.run_study on the first node; the other nodes' rows are read from mpc.steps at the end."""
        starter = self._nodes.nodes[0]
        with self._nodes.session(starter, notice=self._say) as session:
            session.query(f"SELECT FROM mpc.run_study({self._study})")

    def run_step_by_step(self):
        """Runs the steps of each node in a session of its own; the first error cancels the study and is raised."""
        failures = []
        sessions = [self._nodes.session(node) for node in self._nodes.nodes]
        threads = [threading.Thread(target=self._steps_of, args=(session, sessions, failures), daemon=True)
                   for session in sessions]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except BaseException:
            for session in sessions:
                session.cancel()
            raise
        finally:
            for session in sessions:
                session.close()
        if failures:
            raise CommandError(failures[0])

    def _steps_of(self, session, sessions, failures):
        steps = THIRD_PARTY_STEPS if session.node["role"] == "third_party" else CONTROLLER_STEPS
        try:
            for name in steps:
                for line in session.query(f"SELECT row_to_json(s) FROM mpc.{name}({self._study}) AS s"):
                    self._report(json.loads(line))
        except CommandError as error:
            # Only the first failure is the cause; the others are cancelled because of it.
            with self._print_lock:
                first = not failures
                failures.append(str(error))
            if first:
                for other in sessions:
                    if other is not session:
                        other.cancel()
                self._cancel(session)

    def _cancel(self, session):
        try:
            session.query(f"SELECT mpc.cancel_study({self._study})")
        except CommandError:
            pass  # the study may have ended already; the first failure is reported

    def _say(self, line):
        with self._print_lock:
            print(line, flush=True)

    def _report(self, row):
        key = (row["party"], row["step"], row["name"])
        with self._print_lock:
            if key not in self._seen:
                self._seen.add(key)
                self._on_step(row)

    def all_steps(self):
        """The step rows that each node keeps of this study, in order; prints those not yet printed."""
        rows = []
        for node in self._nodes.nodes:
            with self._nodes.session(node) as session:
                for line in session.query(f"SELECT row_to_json(s) FROM mpc.steps AS s WHERE study = {self._study}"):
                    rows.append(json.loads(line))
        order = {node["party"]: index for index, node in enumerate(self._nodes.nodes)}
        rows.sort(key=lambda row: (row["step"], order[row["party"]]))
        for row in rows:
            self._report(row)
        return rows

    def state(self):
        """(state, n_matched) at the first node."""
        with self._nodes.session(self._nodes.nodes[0]) as session:
            lines = session.query("SELECT row_to_json(s) FROM (SELECT state, n_matched, sqlstate, last_error FROM "
                                  f"mpc.studies WHERE study = {self._study} ORDER BY version DESC LIMIT 1) AS s")
        return json.loads(lines[0])

    def results(self):
        """(coefficients, fit) at the first node."""
        with self._nodes.session(self._nodes.nodes[0]) as session:
            coefficients = session.query(f"SELECT row_to_json(c) FROM mpc.coefficients({self._study}) AS c")
            fit = session.query(f"SELECT row_to_json(f) FROM mpc.fit({self._study}) AS f")
        return [json.loads(line) for line in coefficients], json.loads(fit[0])
