"""Runs programs for the pilot: as the unprivileged user, in psql sessions, on free ports.

Terms: owner = the user that runs PostgreSQL: the caller, or postgres when the caller is root.
Standard library only.
"""
import os
import pwd
import signal
import socket
import subprocess
import threading


class CommandError(Exception):
    """A program failed; the text is its output."""


def owner():
    """The passwd entry of the user that runs PostgreSQL (it refuses root)."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        raise CommandError("user postgres does not exist: install postgresql, or run as another user than root")


def as_owner(command):
    """The command line that runs `command` as the owner."""
    return command if os.geteuid() != 0 else ["runuser", "-u", owner().pw_name, "--", *command]


def run(command, **options):
    """Runs a program and returns its standard output; CommandError with its output if it fails."""
    done = subprocess.run(command, stdin=options.pop("stdin", subprocess.DEVNULL), capture_output=True, text=True,
                          **options)
    if done.returncode != 0:
        raise CommandError(f"{' '.join(command[:6])} failed:\n{(done.stdout + done.stderr).strip()}")
    return done.stdout


def free_ports(count):
    """`count` different TCP ports on which no process listens."""
    held = [socket.socket() for _ in range(count)]
    try:
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()


def port_is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


class Psql:
    """One psql session on a node. `notice` is called with each line that the server or psql writes to stderr."""

    END = "--end of answer--"

    def __init__(self, psql, node, user=None, notice=None):
        self.node = node
        self._notice = notice
        self._complaints = []
        self._process = subprocess.Popen(
            [psql, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=0",
             "-h", node["host"], "-p", str(node["port"]), "-d", node["dbname"], "-U", user or node["user"]],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1,
            env={**os.environ, "PGOPTIONS": "", "PGAPPNAME": "pg_mpc pilot", "LC_ALL": "C.UTF-8"},
            start_new_session=True)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._lock = threading.Lock()

    def _listen(self):
        for line in self._process.stderr:
            line = line.rstrip("\n")
            if line == self.END:
                self._answered.set()
                continue
            self._complaints.append(line)
            if self._notice:
                self._notice(line)

    def query(self, sql):
        """Runs one statement and returns the lines of its answer; CommandError when the server reports an error."""
        with self._lock:
            self._complaints = []
            self._answered = threading.Event()
            # End marks in both streams separate the answer from the next one; :ERROR tells whether the statement failed.
            self._write(f"{sql.rstrip().rstrip(';')}\n;\n\\echo {self.END} :SQLSTATE :ERROR\n\\warn {self.END}\n")
            lines = []
            for line in self._process.stdout:
                line = line.rstrip("\n")
                if line.startswith(self.END):
                    # Standard error is another pipe, with a mark of its own.
                    self._answered.wait(timeout=10)
                    if line.endswith(" true"):
                        state = line.removeprefix(self.END).split()[0]
                        raise CommandError(f"{self.node['party']}: SQLSTATE {state}: " + "\n".join(self._complaints))
                    return lines
                lines.append(line)
        raise CommandError(f"{self.node['party']}: the connection was lost\n" + "\n".join(self._complaints))

    def _write(self, text):
        try:
            self._process.stdin.write(text)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise CommandError(f"{self.node['party']}: psql ended\n" + "\n".join(self._complaints))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def cancel(self):
        """Cancels the statement that another thread is waiting for."""
        try:
            self._process.send_signal(signal.SIGINT)
        except ProcessLookupError:
            pass

    def close(self):
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def quote(text):
    """A SQL string literal."""
    return "'" + str(text).replace("'", "''") + "'"
