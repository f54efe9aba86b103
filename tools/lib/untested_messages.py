"""Lists the error messages of src and extension that appear in no expected output, TAP, isolation or unit test.

Usage: python3 tools/lib/untested_messages.py [--all]   (--all: also internal errors, XX000, which no test can cause)
A message counts as tested when three of its words in a row, or all if it has fewer, appear in a test. The list is for
reading, not a check: no test can cause some errors (no memory, a broken random number generator).
"""
import glob
import os
import re
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SQL = re.compile(r"ERRCODE = ([^,]+),\s*MESSAGE = (?:CASE[^']*|format\()?'((?:[^']|'')*)'")
CORE = re.compile(r"\bError\(\s*ErrorCode::(\w+),\s*((?:\"(?:[^\"\\]|\\.)*\"|[^\";,])*)")
GLUE = re.compile(r"errcode\(ERRCODE_(\w+)\),?\s*errmsg\(\"((?:[^\"\\]|\\.)*)\"")
LITERAL = re.compile(r"\"((?:[^\"\\]|\\.)*)\"")
WINDOW = 3


def read(*patterns):
    for pattern in patterns:
        for path in sorted(glob.glob(os.path.join(ROOT, pattern), recursive=True)):
            with open(path, encoding="utf-8", errors="replace") as stream:
                yield os.path.relpath(path, ROOT), stream.read()


def messages():
    """(file, code, message with % for what is filled in)"""
    for path, text in read("extension/*.sql"):
        for code, message in SQL.findall(text):
            yield path, code.strip("'"), re.sub(r"%(\d\$)?[sLI]", "%", message.replace("''", "'"))
    for path, text in read("src/**/*.cpp", "src/**/*.h"):
        for code, parts in CORE.findall(text):
            literals = LITERAL.findall(parts)
            if literals:
                yield path, code, "%".join(literals).replace('\\"', '"')
        for code, message in GLUE.findall(text):
            yield path, code.lower(), message.replace('\\"', '"')


def windows(message):
    for piece in message.split("%"):
        words = re.findall(r"\w+", piece)
        size = min(WINDOW, len(words))
        for start in range(len(words) - size + 1 if size else 0):
            yield " ".join(words[start:start + size])


def main():
    tests = " ".join(re.sub(r"\W+", " ", text) for _, text in read(
        "expected/*.out", "t/*.pl", "test/isolation/expected/*.out", "test/unit/**/*.cpp", "test/erasure/*.py"))
    found = list(messages())
    lacking = []
    for path, code, message in found:
        if code == "internal" and "--all" not in sys.argv[1:]:
            continue
        parts = list(windows(message))
        longest = max((len(part.split()) for part in parts), default=0)
        if not any(len(part.split()) == longest and f" {part} " in tests for part in parts):
            lacking.append(f"{path}: {code}: {message}")
    print("\n".join(lacking))
    print(f"{len(found)} messages, {len(lacking)} of those looked at are in no test")


if __name__ == "__main__":
    main()
