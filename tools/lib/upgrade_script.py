"""Writes the upgrade script of the extension from one install script to another.

Usage: python3 tools/lib/upgrade_script.py OLD NEW HAND >pg_mpc--A--B.sql
  OLD   install script of the released version (extension/released/pg_mpc--A.sql)
  NEW   install script of the version under development (pg_mpc--B.sql)
  HAND  what cannot be derived (extension/upgrade/next.sql): changed tables, removed objects; below the line "-- data"
        what is written into new tables

The script refuses to run while a study runs. It has HAND up to its data, then every statement of NEW that OLD does not
have, in the order of NEW, with changed functions and views as CREATE OR REPLACE, then the data. Exit 1 when HAND does not
name an object of OLD that is missing in NEW, or a table that has changed. t/013_upgrade.pl tests the result by comparing
catalogs.
"""
import os
import re
import sys

# Quoted text, dollar-quoted text, comments, ends of statements, anything else.
TOKEN = re.compile(r"'(?:[^']|'')*'|(\$\w*\$).*?\1|\"[^\"]*\"|--[^\n]*|;|[^;'\"$-]+|[-$]", re.S)
NAMED = re.compile(r"CREATE (?:UNIQUE )?(FUNCTION|PROCEDURE|AGGREGATE|VIEW|TABLE|TYPE|INDEX|SEQUENCE|SCHEMA|OPERATOR|TRIGGER)"
                   r" ([\w.\"]+|mpc\.\S+|\S+)\s*(.*)", re.S)
DROPPED = re.compile(r"DROP (?:FUNCTION|PROCEDURE|AGGREGATE|VIEW|TABLE|TYPE|INDEX|TRIGGER) ([\w.]+)")
VERSION = re.compile(r"pg_mpc--([0-9.]+)\.sql$")

NO_STUDY_RUNS = """\
-- Engines and the coordinator report to the functions that are replaced here.
DO $$
DECLARE
  running pg_catalog.text;
BEGIN
  SELECT s.study INTO running FROM mpc_internal.studies AS s WHERE s.run_state OPERATOR(pg_catalog.=) 'running' LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = pg_catalog.format('study "%s" is running', running),
      DETAIL = 'The extension is not updated under a running study.',
      HINT = 'Wait for its end, or cancel it with mpc.cancel_study, then update again.';
  END IF;
END
$$;
"""


def statements_of(text):
    """The statements of a script, without comments, psql's commands and the semicolon, in order."""
    text = "\n".join(line for line in text.split("\n") if not line.startswith("\\"))
    found, current = [], ""
    for token in TOKEN.finditer(text):
        piece = token.group(0)
        if piece == ";":
            found.append(current.strip())
            current = ""
        elif not piece.startswith("--"):
            current += piece
    if current.strip():
        raise SystemExit("the script ends within a statement: " + current.strip()[:80])
    return found


def argument_types(text):
    """The types that identify a function: the text begins with its argument list."""
    depth, arguments, current = 0, [], ""
    for character in text[text.index("("):]:
        depth += (character == "(") - (character == ")")
        if (character == "," and depth == 1) or depth == 0:
            arguments.append(current.strip())
            current = ""
            if depth == 0:
                break
        elif not (character == "(" and depth == 1):
            current += character
    types = []
    for argument in arguments:
        words = re.split(r"\s+DEFAULT\s|\s*=\s*", argument)[0].split()
        if not words or words[0] == "OUT":
            continue
        words = words[1:] if words[0] in ("IN", "INOUT", "VARIADIC") else words
        types.append(" ".join(words[1:] or words))
    return ", ".join(types)


class Statement:
    def __init__(self, text):
        self.text = text
        named = NAMED.match(text)
        self.kind, self.name = (named.group(1), named.group(2).rstrip("(")) if named else (text.split()[0], "")
        self.key = text
        if self.kind in ("FUNCTION", "PROCEDURE"):
            self.key = (self.kind, self.name, argument_types(text))
        elif self.kind in ("VIEW", "TABLE"):
            self.key = (self.kind, self.name)

    def mentions(self, names):
        return any(re.search(r"(?<![\w.])" + re.escape(name) + r"(?![\w.])", self.text) for name in names)


def upgrade(old_text, new_text, hand):
    """The statements to run after HAND, and what HAND lacks."""
    dropped = set(DROPPED.findall(hand))
    old = [s for s in map(Statement, statements_of(old_text))]
    new = [s for s in map(Statement, statements_of(new_text))]
    # Dropping an object drops its comments, privileges and triggers too, so they are made again.
    kept = {s.text for s in old if not s.mentions(dropped)}
    new_keys = {s.key for s in new}
    lacking = []
    for statement in old:
        if statement.kind in ("COMMENT", "GRANT", "REVOKE", "SELECT", "DO") or statement.name in dropped:
            continue
        changed = statement.kind == "TABLE" and statement.text not in {s.text for s in new}
        named = re.search(r"(?<![\w.])" + re.escape(statement.name or statement.text) + r"(?![\w.])", hand)
        if (statement.key not in new_keys or changed) and not named:
            lacking.append(f"{statement.kind.lower()} {statement.name or statement.text}")
    old_keys = {s.key for s in old if s.name not in dropped}
    lines = []
    for statement in new:
        if statement.kind == "REVOKE":  # ON ALL FUNCTIONS covers new functions; it changes nothing for the others
            lines.append(statement.text)
        elif statement.text in kept or (statement.kind == "TABLE" and statement.key in old_keys):
            continue
        elif statement.kind in ("FUNCTION", "PROCEDURE", "VIEW") and statement.key in old_keys:
            lines.append(re.sub(r"^CREATE ", "CREATE OR REPLACE ", statement.text))
        else:
            lines.append(statement.text)
    return lines, lacking


def read(path):
    with open(path, encoding="utf-8") as stream:
        return stream.read()


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    old_path, new_path, hand_path = sys.argv[1:]
    versions = [VERSION.search(os.path.basename(path)) for path in (old_path, new_path)]
    if not all(versions) or versions[0].group(1) == versions[1].group(1):
        sys.exit("the names of the scripts must give two versions; tools/release opens the next one")
    hand, _, data = read(hand_path).partition("\n-- data\n")
    lines, lacking = upgrade(read(old_path), read(new_path), hand)
    if lacking:
        sys.exit("\n".join(f"{hand_path} does not say what becomes of {what}" for what in lacking))
    print(f"\\echo Use \"ALTER EXTENSION pg_mpc UPDATE TO '{versions[1].group(1)}'\" to load this file. \\quit\n")
    print(NO_STUDY_RUNS)
    print(hand)
    print("-- what is new or has changed, from the install scripts (tools/lib/upgrade_script.py)\n")
    for line in lines:
        print(line + ";\n")
    print(data)


if __name__ == "__main__":
    main()
