"""Quick studies on small tables, step by step or automatic. Their coefficients are compared with the clear-text solution
at all three nodes.
"""
import random

from study_playground import CONTROLLERS, STEPS, THIRD_PARTY, Failure, StudyPlayground  # first: it sets the path for the other imports
from plain_lasso import solve
from processes import CommandError

HOSPITAL, INSURER = CONTROLLERS
BYSTANDER = "apotheek"  # a controller of other studies, in tests with a fourth node
COLUMNS = {HOSPITAL: ("x1", "x2"), INSURER: ("x3", "y"), BYSTANDER: ("x4", "z")}
PENALTY, TOLERANCE = 0.01, 1e-6


class SmallStudies(StudyPlayground):
    def __init__(self, nodes, records):
        super().__init__(nodes)
        self._records, self.values = records, {}

    def load_all(self):
        """The same persons everywhere; each side has its own order."""
        draw = random.Random(7)
        for name in ("x1", "x2", "x3", "x4", "noise"):
            self.values[name] = [draw.uniform(-0.5, 0.5) for _ in range(self._records)]
        x1, x2, x3, x4, noise = self.values.values()
        self.values["y"] = [2 * a - 3 * b + 0.5 * c + 0.3 * e for a, b, c, e in zip(x1, x2, x3, noise)]
        self.values["z"] = [a + b - x + e for a, b, x, e in zip(x1, x3, x4, noise)]
        for party, columns in COLUMNS.items():
            if not any(node["party"] == party for node in self.nodes.nodes):
                continue
            rows = [[f"person {i}", *(repr(self.values[name][i]) for name in columns)] for i in range(self._records)]
            draw.shuffle(rows)
            self.load(party, columns, rows)

    def spec(self, one, other):
        """A study of two controllers; the last column of the second one is the outcome."""
        return {"controllers": {one: {"attributes": list(COLUMNS[one][:1] if other == BYSTANDER else COLUMNS[one])},
                                other: {"attributes": list(COLUMNS[other][:-1]), "outcome": COLUMNS[other][-1]}},
                "third_party": THIRD_PARTY, "key_bits": 2048, "analysis": {"kind": "lasso", "lambda": PENALTY},
                "release": {"precision": "exact"}, "disclosure": {"model_budget": 1000, "released_numbers": 1000000}}

    def wrong(self, study, spec):
        """The errors of a study that should be released at all its parties with the clear-text coefficients."""
        names = [name for each in spec["controllers"].values() for name in each["attributes"]]
        outcome = next(each["outcome"] for each in spec["controllers"].values() if "outcome" in each)
        right = dict(zip(names, solve([self.values[name] for name in names], self.values[outcome], PENALTY).coefficients))
        bad = []
        for party in (*spec["controllers"], spec["third_party"]):
            state = self.state_at_end(party, study)
            if state != "released":
                bad.append(f"{state} at {party}: {self.cause(party, study)}")
                continue
            found = dict(line.split("|") for line in self.ask(
                party, f"SELECT attribute, coefficient FROM mpc.coefficients('{study}') WHERE party IS NOT NULL"))
            if not all(abs(float(found[name]) - right[name]) <= TOLERANCE * max(map(abs, right.values())) for name in right):
                bad.append(f"{party} has {found} instead of {right}")
        return bad

    def state_at_end(self, party, study):
        """Waits for the end: a party may store its result slightly later than another one."""
        try:
            self.wait(lambda: self.state(party, study) != "running", f"the end of {study} at {party}", 20)
        except Failure:
            pass  # the state says it
        return self.state(party, study)

    def cause(self, party, study):
        return " ".join(self.ask(party, f"SELECT last_error FROM mpc.studies WHERE study = '{study}'"))

    def wrong_after(self, study, spec, step):
        """Runs the steps from this one on; returns the errors of the result."""
        try:
            for number in range(step, len(STEPS) + 1):
                self.step(study, number)
        except CommandError as error:
            return [str(error)]
        return self.wrong(study, spec)

    def wrong_run(self, starter, study, spec):
        try:
            self.ask(starter, f"SELECT FROM mpc.run_study('{study}')")
        except CommandError as error:
            return [str(error)]
        return self.wrong(study, spec)
