"""Three nodes with the build of the erasure test, one study at a time step by step, and the scan for destroyed secrets.

Terms: rule = a row of docs/secrets.md: where a secret may be, and after which step it must be destroyed;
       scan = a search of all files and of the memory of all processes of the three nodes.
Invariants: a secret may be found only in the private memory of the engine of a party that has it, and only until the
step of its rule. TLS keys and source data may also be elsewhere at their own node. Runs as root: engines are not dumpable.
"""
import os
import re
import secrets as randomness
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

from study_playground import CONTROLLERS, ROOT, THIRD_PARTY, Failure, StudyPlayground  # noqa: E402
from nodes import Nodes  # noqa: E402
from processes import as_owner, owner, run  # noqa: E402
from witness import Secret, all_records, records, set_aside, with_forms  # noqa: E402

RECORDS, MATCHED = 80, 60
# Secrets that an engine draws at random, so no other engine may have the same one.
DRAWN = ("half of the joint key", "private prime", "random share", "DCF seed", "truth table", "agreement key")
SOURCE_SECRETS = ("identifiers of the source", "attribute values of the source")


class Rule:
    """The step after which a secret is destroyed, at the controllers and at the third party (0: it never exists there)."""

    def __init__(self, cells):
        self.name, self.gone = cells[0], {}
        # These exist within steps and are destroyed at the end of each.
        self.passing = cells[3].startswith("each step")
        for party in CONTROLLERS:
            self.gone[party] = self._step(cells[3])
        self.gone[THIRD_PARTY] = self._step(cells[4])

    @staticmethod
    def _step(cell):
        if cell.startswith(("never", "each step")):
            return 0
        if cell.startswith("with the server"):
            return 99
        return int(re.match(r"step (\d)", cell).group(1))


def rules():
    """The rows of the first table of docs/secrets.md, by name."""
    found = {}
    with open(os.path.join(ROOT, "docs", "secrets.md"), encoding="utf-8") as text:
        for line in text:
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if line.startswith("|") and len(cells) == 6 and not set(cells[0]) <= set("-: ") and cells[0] != "secret":
                found[cells[0]] = Rule(cells)
    return found


class Find:
    def __init__(self, secret, form, place, kind, address):
        self.secret, self.form, self.place, self.kind, self.address = secret, form, place, kind, address

    def __str__(self):
        return f"{self.secret} ({self.form}) in {self.place}, {self.kind} at {self.address}"


class Playground(StudyPlayground):
    def __init__(self, directory, bindir, scanner):
        super().__init__(Nodes(directory, bindir))
        self.directory, self.scanner, self.rules = directory, scanner, rules()
        self.witness = os.path.join(directory, "witness")
        os.makedirs(self.witness, mode=0o700)
        os.chown(self.witness, owner().pw_uid, owner().pw_gid)
        os.environ["PG_MPC_WITNESS"] = self.witness
        self.source, self._commons, self._party_of = [], [], {}
        self.replica = None  # of one node, if any: it is scanned like a node

    def start(self, settings):
        super().start(settings)
        for party in CONTROLLERS:
            self._load(party)

    # --- data: random, so that a find cannot be a coincidence ---

    def _load(self, party):
        columns = ("x1", "x2") if party == CONTROLLERS[0] else ("x3", "y")
        rows = []
        for i in range(RECORDS):
            if i < MATCHED:
                identifier = self._common(i)
            else:
                identifier = "person " + randomness.token_hex(12)
                self.source.append(Secret("identifiers of the source", identifier.encode(), [party]))
            values = [int.from_bytes(randomness.token_bytes(6), "big") / 2 ** 47 - 1 for _ in columns]
            for value in values[:1]:
                self.source.append(Secret("attribute values of the source", _float8(value), [party]))
            rows.append([identifier, *map(repr, values)])
        self.load(party, columns, rows)
        # Statistics hold values, which the planner reads for the query of the engine, here of a view.
        # Few common values, because more would be compressed and the scan could not find them.
        for statement in ("ALTER TABLE persons RENAME TO people", f"CREATE INDEX ON people (({columns[0]} + 0))",
                          f"CREATE STATISTICS together (mcv) ON {', '.join(columns)} FROM people",
                          "ALTER STATISTICS together SET STATISTICS 20", "ANALYZE people",
                          f"CREATE VIEW persons AS SELECT * FROM people WHERE {columns[0]} + 0 > -2"):
            self.ask(party, statement)

    def _common(self, i):
        while len(self._commons) <= i:
            self._commons.append("person " + randomness.token_hex(12))
        return self._commons[i]

    # --- studies ---

    def prepare_study(self, study, min_matched=30, **analysis):
        """Proposes and approves a study. analysis: further members of its analysis."""
        spec = {"controllers": {CONTROLLERS[0]: {"attributes": ["x1", "x2"]},
                                CONTROLLERS[1]: {"attributes": ["x3"], "outcome": "y"}},
                "third_party": THIRD_PARTY, "key_bits": 2048, "analysis": {"kind": "lasso", "lambda": 0.01, **analysis},
                "release": {"precision": "exact"}, "disclosure": {"min_matched": min_matched, "released_numbers": 1000000}}
        self.approve(study, spec)

    # --- secrets ---

    def read_witness(self):
        """All secrets that were witnessed, with the parties that witnessed them, and what derives from them."""
        for party in CONTROLLERS + (THIRD_PARTY,):
            self._party_of.update({str(pid): party for pid in self.processes(party)})
        by_value = {}
        for pid, name, value in records(self.witness):
            secret = by_value.setdefault((name, value), Secret(name, value, []))
            secret.parties.add(self._party_of.get(pid, "nobody"))  # the engine ended before its memory was read
        return with_forms(by_value.values())

    def repeated(self):
        """Secrets drawn by one engine that another one had drawn before."""
        drawn, bad = {}, []
        for pid, name, value in all_records(self.witness):
            if name not in DRAWN:
                continue
            if drawn.setdefault(value, pid) != pid:
                bad.append(f"{name} of processes {pid} and {drawn[value]}")
        return bad

    def tls_keys(self):
        """The private scalars of the nodes' certificates."""
        for party in CONTROLLERS + (THIRD_PARTY,):
            path = os.path.join(self.directory, "nodes", party, "certificates", party + ".key")
            text = run(as_owner(["openssl", "pkey", "-in", path, "-noout", "-text"]), cwd="/")
            digits = re.search(r"priv:\n((?:\s+[0-9a-f:]+\n)+)", text).group(1)
            yield Secret("TLS private key", bytes.fromhex(re.sub(r"[\s:]", "", digits)).lstrip(b"\0"), [party])

    def wire(self):
        """The files with what the peers sent to the listeners, without TLS."""
        return [os.path.join(self.witness, name) for name in os.listdir(self.witness) if name.startswith("wire.")]

    def set_witness_aside(self):
        """Excludes the secrets of ended engines, which were not found, from later scans."""
        set_aside(self.witness)

    def forget_witness(self):
        for name in os.listdir(self.witness):
            os.unlink(os.path.join(self.witness, name))

    def leak(self, name):
        """Makes the build keep one copy of each secret of this name from now on."""
        with open(os.path.join(self.witness, "leak"), "w", encoding="utf-8") as out:
            out.write(name)

    def stop_at(self, name):
        """Makes an engine stop when it has witnessed a secret of this name, from now on."""
        with open(os.path.join(self.witness, "stop"), "w", encoding="utf-8") as out:
            out.write(name)

    def stop_nowhere(self):
        os.unlink(os.path.join(self.witness, "stop"))

    # --- scanning ---

    def scan(self, also=(), secrets=None, memory=True):
        """All finds in files and processes of the three nodes, and in the files or directories `also`."""
        secrets = secrets if secrets is not None else [*self.read_witness(), *self.source, *self.tls_keys()]
        patterns, places = (os.path.join(self.directory, name) for name in ("patterns", "places"))
        with open(patterns, "w", encoding="utf-8") as out:
            for secret in secrets:
                out.write(f"{secret.name}\t{secret.window}\t{secret.value.hex()}\n")
        with open(places, "w", encoding="utf-8") as out:
            for party in CONTROLLERS + (THIRD_PARTY,):
                out.write(os.path.join(self.directory, "nodes", party, "data") + "\n")
                out.write(os.path.join(self.directory, "nodes", party, "log") + "\n")
                if memory:
                    out.writelines(f"pid:{pid}\n" for pid in self.processes(party))
            if self.replica is not None:
                out.writelines(each + "\n" for each in (self.replica.data, self.replica.log))
                if memory:
                    out.writelines(f"pid:{pid}\n" for pid in self.replica.processes())
            out.writelines(each + "\n" for each in also)
        answer = subprocess.run([self.scanner, patterns, places], capture_output=True, text=True, check=False)
        for path in (patterns, places):
            os.unlink(path)
        if answer.returncode != 0:
            raise Failure(f"the scanner failed: {answer.stderr}")
        finds = []
        for line in answer.stdout.splitlines():
            cells = line.split("\t")
            if cells[0] == "scanned":
                self.scanned, self.patterns = int(cells[1]), int(cells[2])
            else:
                finds.append(Find(secrets[int(cells[1])], *cells[2:]))
        return finds

    def violations(self, finds, step, within_next=False):
        """The finds that no rule allows after this step, or within the next one, as text."""
        processes = {f"pid:{pid}": (party, title) for party in CONTROLLERS + (THIRD_PARTY,)
                     for pid, title in self.processes(party).items()}
        if self.replica is not None:
            processes.update({f"pid:{pid}": (self.replica.party, "replica, " + title)
                              for pid, title in self.replica.processes().items()})
        bad = []
        for find in finds:
            party, title = processes.get(find.place, self._owner_of_file(find.place))
            if not self._allowed(find, party, title, step, within_next):
                bad.append(f"after step {step}: {find} ({party}, {title})")
        return bad

    def _owner_of_file(self, path):
        for party in CONTROLLERS + (THIRD_PARTY,):
            if f"/{party}/" in path or path.endswith(("/" + party, f"/{party}.sql")):
                return party, "file"
        return "nobody", "file"

    def _allowed(self, find, party, title, step, within_next):
        name = find.secret.name
        engine = "pg_mpc engine" in title
        if name == "TLS private key":
            return party in find.secret.parties and title != "file"
        if name in SOURCE_SECRETS:
            in_engine = engine and find.kind != "shared"
            return party in find.secret.parties and (not in_engine or step < self.rules[name].gone[party])
        if not engine or find.kind == "shared":
            return False
        rule = self.rules[name]
        if rule.passing:
            return within_next and party in find.secret.parties
        has_it = party in find.secret.parties or party == THIRD_PARTY and rule.gone[THIRD_PARTY] != 0 or \
            name in ("DCF seed", "truth table", "half of the joint key") and rule.gone[party] != 0
        return has_it and step < rule.gone[party]


def _float8(value):
    return struct.pack("<d", value)
