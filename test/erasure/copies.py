"""Copies of a node that its administrator or a thief of its disks could have: base backup, dump, write-ahead log as text and
as the stream of its records, streaming replica.

Terms: stream = the write-ahead log without page headers, which would split records that cross a page.
Invariants: all files are below DIR/<kind>/<party>, which names the node of a find.
"""
import os
import subprocess

from playground import CONTROLLERS, THIRD_PARTY
from processes import as_owner, free_ports, owner, quote, run
from study_playground import processes_of

WAL_PAGE = 8192
LONG_HEADER_FLAG, LONG_HEADER, SHORT_HEADER = 0x0002, 40, 24


def _directory(playground, name):
    path = os.path.join(playground.directory, name)
    os.mkdir(path)
    os.chown(path, owner().pw_uid, owner().pw_gid)
    return path


def _program(playground, name):
    return os.path.join(playground.nodes.bindir, name)


def _base_backup(playground, party, target, *options):
    node = playground.node(party)
    run(as_owner([_program(playground, "pg_basebackup"), "-D", target, "-c", "fast", "-h", node["host"], "-p",
                  str(node["port"]), "-U", "postgres", *options]), cwd=playground.directory)


def backups(playground, name):
    """Makes a base backup and a dump of every node; returns the directory."""
    directory = _directory(playground, name)
    for party in CONTROLLERS + (THIRD_PARTY,):
        node = playground.node(party)
        _base_backup(playground, party, os.path.join(directory, party))
        run(as_owner([_program(playground, "pg_dump"), "-f", os.path.join(directory, party + ".sql"), "-h", node["host"],
                      "-p", str(node["port"]), "-U", "postgres", "postgres"]), cwd=playground.directory)
    return directory


def _segments(wal):
    """The files of the write-ahead log from the oldest on, without preallocated ones."""
    names = sorted(name for name in os.listdir(wal) if len(name) == 24)
    used = []
    for name in names:
        with open(os.path.join(wal, name), "rb") as segment:
            head = segment.read(LONG_HEADER)
        # The page header has the position; in a recycled file it is another one.
        size, address = int.from_bytes(head[32:36], "little"), int.from_bytes(head[8:16], "little")
        if size and address // size == int(name[8:16], 16) * (2 ** 32 // size) + int(name[16:], 16):
            used.append(name)
    return used


def _stream_of(wal, segments, target):
    with open(target, "wb") as out:
        for name in segments:
            with open(os.path.join(wal, name), "rb") as segment:
                while page := segment.read(WAL_PAGE):
                    long_header = int.from_bytes(page[2:4], "little") & LONG_HEADER_FLAG
                    out.write(page[LONG_HEADER if long_header else SHORT_HEADER:])


def end_of_logs(playground):
    """{party: (position up to which its write-ahead log has been written, the file with it)}."""
    asked = "SELECT l || ' ' || pg_walfile_name(l) FROM pg_current_wal_lsn() AS l"
    return {party: tuple(playground.ask(party, asked, user="postgres")[0].split())
            for party in CONTROLLERS + (THIRD_PARTY,)}


def oldest_of_logs(playground):
    """{party: the oldest file of its write-ahead log}."""
    return {party: _segments(os.path.join(playground.data(party), "pg_wal"))[0]
            for party in CONTROLLERS + (THIRD_PARTY,)}


def write_ahead_logs(playground, name, since=None):
    """Writes the log of every node as pg_waldump prints it, with full page images where it can save them, and as stream, both
    from the positions `since` (end_of_logs) or from the beginning; returns the directory."""
    directory = _directory(playground, name)
    version = int(run([_program(playground, "pg_waldump"), "--version"]).split()[2].split(".")[0])
    for party in CONTROLLERS + (THIRD_PARTY,):
        wal = os.path.join(playground.data(party), "pg_wal")
        target = os.path.join(directory, party)
        os.mkdir(target)
        command = [_program(playground, "pg_waldump"), "--bkp-details", "-p", wal]
        if version >= 16:
            command.append("--save-fullpage=" + os.path.join(target, "pages"))
        segments = _segments(wal)
        if since is not None:
            position, first = since[party]
            command += ["--start", position]
            segments = [each for each in segments if each >= first]
        with open(os.path.join(target, "records"), "wb") as out:
            # pg_waldump ends with an error at the end of the log.
            subprocess.run([*command, segments[0]], stdout=out, stderr=subprocess.DEVNULL, check=False)
        _stream_of(wal, segments, os.path.join(target, "stream"))
    return directory


class Replica:
    """A hot standby of one node, from a new base backup."""

    def __init__(self, playground, party):
        self.playground, self.party = playground, party
        home = os.path.join(_directory(playground, "replica"), party)
        self.data, self.log = os.path.join(home, "data"), os.path.join(home, "log")
        playground.nodes.own_directory(home)
        _base_backup(playground, party, self.data, "-R")
        self.node = {**playground.node(party), "port": free_ports(1)[0]}
        run(as_owner([_program(playground, "pg_ctl"), "start", "-w", "-s", "-t", "60", "-D", self.data, "-l", self.log,
                      "-o", f"-c port={self.node['port']}"]), cwd=playground.directory)

    def ask(self, sql):
        with self.playground.nodes.session(self.node) as session:
            return session.query(sql)

    def catch_up(self):
        """Waits until it has replayed all that the node has written so far."""
        position = self.playground.ask(self.party, "SELECT pg_current_wal_lsn()", user="postgres")[0]
        replayed = f"SELECT pg_last_wal_replay_lsn() >= {quote(position)}::pg_lsn"
        self.playground.wait(lambda: self.ask(replayed) == ["t"], "the replica to catch up")

    def processes(self):
        return processes_of(self.data)

    def stop(self):
        """Never raises: it is the clean-up."""
        subprocess.run(as_owner([_program(self.playground, "pg_ctl"), "stop", "-w", "-s", "-m", "fast", "-D", self.data]),
                       cwd=self.playground.directory, check=False)
