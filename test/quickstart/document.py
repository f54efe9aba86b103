"""Reads the code blocks of a document in which a label says where each of them is typed.

Terms: label   = first line of a block: "# hospital, as root" in a shell, "-- hospital and insurer, as analyst" in psql;
                 with ", at the same time" the block runs at the same time as the one before;
       answer  = a block of plain text after a labelled one: the output of that one.
The first table of the document has a row per machine. Column "what" is its name in labels. An assignment in a shell block
("party=erasmus_mc host=...") takes its value from the row of the machine, in the column of that name.
"""
import re

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
LABEL = re.compile(r"^(?:#|--) (?P<where>[a-z ]+), as (?P<role>[a-z]+)(?P<beside>, at the same time)?$")
EVERYWHERE = "every machine"
LANGUAGES = ("sh", "sql")


class DocumentError(Exception):
    """The document is not complete."""


class Block:
    def __init__(self, language, text, label, line):
        self.language, self.text, self.line = language, text, line
        self.where, self.role, self.beside = label["where"], label["role"], bool(label["beside"])
        self.answer = None

    def is_for(self, what):
        return self.where == EVERYWHERE or what in self.where.split(" and ")

    def name(self):
        return f"line {self.line}: {self.where}, as {self.role}"


def read(path):
    """The rows of the table and the blocks, in groups of those that run at the same time."""
    with open(path, encoding="utf-8") as stream:
        text = stream.read()
    return machines_of(text), groups_of(blocks_of(text))


def machines_of(text):
    rows = [[cell.strip().strip("`") for cell in line.strip("| ").split("|")]
            for line in re.search(r"(?:^\|.*\n)+", text, re.M).group().splitlines()]
    return [dict(zip(rows[0], row)) for row in rows[2:]]


def blocks_of(text):
    blocks = []
    for found in BLOCK.finditer(text):
        language, body = found.groups()
        line = text.count("\n", 0, found.start()) + 1
        if language in LANGUAGES:
            label = LABEL.match(body.split("\n", 1)[0])
            if not label:
                raise DocumentError(f"line {line}: the block does not say where and as whom it is typed")
            blocks.append(Block(language, body, label, line))
        elif language == "text":
            if not blocks or blocks[-1].answer is not None:
                raise DocumentError(f"line {line}: an answer without a question")
            blocks[-1].answer = body
    return blocks


def groups_of(blocks):
    groups = []
    for block in blocks:
        if block.beside and groups:
            groups[-1].append(block)
        else:
            groups.append([block])
    return groups


def adapted(block, machine, major):
    """The text with the values of this machine: the document gives those of the first one, and Debian 12's PostgreSQL."""
    text = block.text
    if block.language == "sh":
        text = re.sub(r"(postgresql-(?:server-dev-)?)15\b", rf"\g<1>{major}", text)
        for column, value in machine.items():
            text = re.sub(rf"(^| )({column})=\S+", rf"\g<1>\g<2>={value}", text, flags=re.M)
    return text


def same(answer, printed):
    """Whether both are equal, apart from blanks at the ends of lines and empty lines at the end."""
    return _lines(answer) == _lines(printed)


def _lines(text):
    return [line.rstrip() for line in text.rstrip().splitlines()]
