"""Three nodes on which a curious controller attacks through SQL, with one rule at a time.

Terms: attacker = the first controller: it proposes, and chooses its own table and columns; victim = the second one;
       relaxed = every rule that a spec can turn off is off and numbers are exact; remedy = the one rule that is on in an
       attack.
Each attack is the first contact between the parties: the records of earlier ones are deleted before it.
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

from study_playground import CONTROLLERS, THIRD_PARTY, Failure, StudyPlayground  # noqa: E402
from processes import CommandError, quote  # noqa: E402

ATTACKER, VICTIM = CONTROLLERS
RELAXED = {"min_matched": 30, "max_parameter_ratio": 1, "min_level_count": 0, "max_dominance": 1, "model_budget": 1000,
           "min_cohort_change": 0, "max_leverage": 1, "max_vif": None, "max_columns": 1000, "versions": 1000,
           "released_numbers": 1000000}


class Refused(Exception):
    """An approval or a study ended with an error; where: approval or run, sqlstate, said."""

    def __init__(self, where, error):
        super().__init__(str(error))
        self.where, self.said = where, str(error)
        self.sqlstate = self.said.partition("SQLSTATE ")[2][:5]


class Stage(StudyPlayground):
    def __init__(self, nodes):
        super().__init__(nodes)
        self._tables = 0

    def first_contact(self):
        for party in (*CONTROLLERS, THIRD_PARTY):
            self.ask(party, "UPDATE mpc_internal.source_uses SET counterpart = NULL, data_version = NULL", user="postgres")
            self.ask(party, "DELETE FROM mpc_internal.heard_data", user="postgres")

    def table(self, party, columns, rows, types=None):
        """A new table with an identifier and these columns (types: float8 unless said); its name."""
        self._tables += 1
        name, node = f"table_{self._tables}", self.node(party)
        types = types or ["float8"] * len(columns)
        self.ask(party, f"CREATE TABLE {name} (id text, {', '.join(map(' '.join, zip(columns, types)))})")
        self.nodes.copy_in(node, f"COPY {name} FROM STDIN", [[key, *map(value_text, values)] for key, *values in rows])
        return name

    def spec(self, attacker, victim, analysis, precision="exact", **rules):
        """attacker, victim: {"attributes": ..., "outcome": ...}; rules: those that are on, {name: threshold}."""
        return {"controllers": {ATTACKER: attacker, VICTIM: victim}, "third_party": THIRD_PARTY, "key_bits": 2048,
                "analysis": {"kind": "lasso", "standardize": False, **analysis}, "release": {"precision": precision},
                "disclosure": {**RELAXED, **rules}}

    def propose(self, study, spec):
        try:
            digest = self.ask(ATTACKER, f"SELECT mpc.propose_study('{study}', {quote(json.dumps(spec))})")[0]
        except CommandError as error:
            raise Refused("proposal", error) from error
        for party in (VICTIM, THIRD_PARTY):
            self.wait(lambda: self.ask(party, f"SELECT 1 FROM mpc.studies WHERE digest = '{digest}'"), f"{study} at {party}")
        return digest

    def approve_one(self, party, study, digest, source=None):
        bound = f", source => '{source}'::regclass, identifier => 'id'" if source else ""
        try:
            self.ask(party, f"SELECT mpc.approve_study('{study}', digest => '{digest}'{bound})")
        except CommandError as error:
            raise Refused("approval", error) from error

    def approve_all(self, study, digest, sources):
        """sources: {party: table}. Approvals that new data of another party made void are given once more."""
        bound = {**sources, THIRD_PARTY: None}
        for party, source in bound.items():
            self.approve_one(party, study, digest, source)
        for controller in sources:
            brought = self.decision(controller, study, controller)
            for party in bound:
                if party == controller:
                    continue
                self.wait(lambda: self.decision(party, study, controller)[1:] == brought[1:], f"the data of {controller} at {party}")
                if self.decision(party, study, party)[0] == "void":
                    self.approve_one(party, study, digest, bound[party])

    def decision(self, at, study, party):
        """[decision, commitment of the data] of a party, as another one knows it."""
        found = self.ask(at, f"""SELECT decision, commitment FROM mpc.approvals
            WHERE study = '{study}' AND party = '{party}' ORDER BY version DESC LIMIT 1""")
        return found[0].split("|") if found else [None, None]

    def run(self, study, spec, attacker, victim):
        """Proposes, approves and runs a study on these tables; returns the models: {lambda: {attribute: coefficient}}."""
        digest = self.propose(study, spec)
        self.approve_all(study, digest, {ATTACKER: attacker, VICTIM: victim})
        self.run_at(ATTACKER, study)
        self.until_over(study)
        models = {}
        for line in self.ask(ATTACKER, f"SELECT row_to_json(c) FROM mpc.coefficients('{study}') AS c"):
            row = json.loads(line)
            models.setdefault(row["lambda"], {})[row["attribute"]] = row["coefficient"]
        return models

    def run_at(self, party, study):
        try:
            self.ask(party, f"SELECT FROM mpc.run_study('{study}')")
        except CommandError as error:
            raise Refused("run", error) from error

    def until_over(self, study):
        for party in (*CONTROLLERS, THIRD_PARTY):
            self.wait(lambda: self.state(party, study) != "running", f"the end of {study} at {party}")

    def matched(self, party, study):
        """The number of matched records that a party knows, or None."""
        found = self.ask(party, f"SELECT n_matched FROM mpc.studies WHERE study = '{study}' ORDER BY version DESC LIMIT 1")[0]
        return int(found) if found else None

    def refusal(self, wanted, attempt):
        """Errors unless the attempt is refused as expected: (where, sqlstate)."""
        try:
            attempt()
        except Refused as refused:
            found = refused.where, refused.sqlstate
            return [] if found == wanted else [f"{found} instead of {wanted}: {refused.said}"]
        return ["nothing was refused"]


def value_text(value):
    return repr(float(value)) if isinstance(value, float) or hasattr(value, "dtype") else str(value)
