"""Creates, starts, connects, stops and removes PostgreSQL nodes on one machine, normally three.

Terms: place = where the server of a node runs: its address, and a prefix of its command lines (`nsenter --net=FILE`).

Layout of DIR:  pg/ private copy of PostgreSQL with the extension (tools/private_pg)
                nodes/<party>/{data,certificates,log}   nodes.json   s/<n> socket directories (0700)
Invariants: nothing outside DIR is written, except a socket directory below the temporary directory of the system when
the path of DIR is too long for a Unix socket. PostgreSQL listens on Unix sockets only. HTTPS listens on the address of
the place only, by default localhost.
"""
import json
import os
import shutil
import subprocess
import tempfile

from processes import CommandError, Psql, as_owner, free_ports, owner, port_is_free, quote, run

PARTIES = (("erasmus_mc", "controller"), ("zilveren_kruis", "controller"), ("zorgttp", "third_party"))
DATABASE = "postgres"  # the default of pg_mpc.database, which exists before the server starts
ANALYST = "analyst"
LONGEST_SOCKET_PATH = 107
TOOLS = os.path.dirname(os.path.abspath(__file__))


class Place:
    def __init__(self, address="localhost", inside=()):
        self.address, self.inside = address, list(inside)


class Nodes:
    def __init__(self, directory, bindir=None, parties=PARTIES, places=None):
        """parties: (name, role) each; places: {party: Place}, without it all are on localhost."""
        self.parties = parties
        self.places = places or {party: Place() for party, _ in parties}
        self.directory = os.path.abspath(directory)
        self.bindir = bindir or self._find_bindir()
        self.nodes = []

    def _find_bindir(self):
        for found, _, files in os.walk(os.path.join(self.directory, "pg")):
            if "pg_ctl" in files:
                return found
        raise CommandError(f"no PostgreSQL tree below {self.directory}")

    # --- making and starting ---

    def create(self, port=None, memory_of_server="128MB"):
        """Makes and starts the nodes and writes nodes.json."""
        ports = self._ports(port)
        sockets = self._socket_directory()
        for index, (party, role) in enumerate(self.parties):
            host = os.path.join(sockets, str(index))
            self.own_directory(host)
            self.nodes.append({"party": party, "role": role, "host": host, "port": ports[index], "dbname": DATABASE,
                               "user": ANALYST, "https": ports[len(self.parties) + index]})
        for node in self.nodes:
            self._initialise(node, memory_of_server)
        for node in self.nodes:
            self.start(node)
        for node in self.nodes:
            self._introduce(node)
        public = [{key: value for key, value in node.items() if key != "https"} for node in self.nodes]
        with open(os.path.join(self.directory, "nodes.json"), "w", encoding="utf-8") as out:
            json.dump(public, out, indent=1)
            out.write("\n")

    def _ports(self, port):
        count = 2 * len(self.parties)
        if port is None:
            return free_ports(count)
        wanted = list(range(port, port + count))
        taken = [each for each in wanted if not port_is_free(each)]
        if taken:
            raise CommandError(f"port {', '.join(map(str, taken))} is in use; choose another --port")
        return wanted

    def _socket_directory(self):
        inside = os.path.join(self.directory, "s")
        if len(os.path.join(inside, "0", ".s.PGSQL.65535.lock")) <= LONGEST_SOCKET_PATH:
            self.own_directory(inside)
            return inside
        outside = tempfile.mkdtemp(prefix="pg_mpc_s.")
        os.chown(outside, owner().pw_uid, owner().pw_gid)
        os.symlink(outside, inside)
        return outside

    def own_directory(self, path):
        os.makedirs(path, mode=0o700, exist_ok=True)
        os.chown(path, owner().pw_uid, owner().pw_gid)

    def _home(self, node):
        return os.path.join(self.directory, "nodes", node["party"])

    def _data(self, node):
        return os.path.join(self._home(node), "data")

    def log(self, node):
        """What the node's server writes to its standard error."""
        return os.path.join(self._home(node), "log")

    def _initialise(self, node, memory_of_server):
        home, place = self._home(node), self.places[node["party"]]
        self.own_directory(os.path.dirname(home))
        self.own_directory(home)
        run(as_owner([os.path.join(self.bindir, "initdb"), "-D", self._data(node), "-U", "postgres", "-A", "trust",
                      "-E", "UTF8", "--locale=C.UTF-8", "-N"]), cwd=self.directory)
        certificates = os.path.join(home, "certificates")
        with open(os.path.join(TOOLS, "make_certificate"), encoding="utf-8") as script:
            # Without a host it is a certificate for localhost.
            hosts = [place.address] if place.inside else []
            run(as_owner(["bash", "-s", node["party"], certificates, *hosts]), stdin=script, cwd=self.directory)
        settings = {
            "shared_preload_libraries": "pg_mpc",
            "listen_addresses": "",
            "unix_socket_directories": node["host"],
            "unix_socket_permissions": "0700",
            "port": node["port"],
            "shared_buffers": memory_of_server,
            "logging_collector": "off",
            "log_line_prefix": "%m [%p] ",
            "pg_mpc.party": node["party"],
            "pg_mpc.listen_addresses": place.address,
            "pg_mpc.port": node["https"],
            "pg_mpc.certificate_file": os.path.join(certificates, node["party"] + ".crt"),
            "pg_mpc.private_key_file": os.path.join(certificates, node["party"] + ".key"),
        }
        lines = "".join(f"{name} = {quote(value)}\n" for name, value in settings.items())
        run(as_owner(["tee", "-a", os.path.join(self._data(node), "postgresql.conf")]), stdin=_text(lines),
            cwd=self.directory)

    def start(self, node):
        log = self.log(node)
        try:
            run([*self.places[node["party"]].inside,
                 *as_owner([os.path.join(self.bindir, "pg_ctl"), "start", "-w", "-t", "60", "-s", "-D", self._data(node),
                            "-l", log])], cwd=self.directory)
        except CommandError as error:
            with open(log, encoding="utf-8", errors="replace") as text:
                raise CommandError(f"{error}\n{text.read()[-3000:]}")

    def _introduce(self, node):
        """The extension, the analyst, and the peers."""
        with self.session(node, user="postgres") as admin:
            admin.query("CREATE EXTENSION pg_mpc")
            admin.query(f"CREATE ROLE {ANALYST} LOGIN IN ROLE mpc_admin, mpc_study, mpc_reader")
            admin.query(f"GRANT CREATE ON SCHEMA public TO {ANALYST}")
        with self.session(node) as analyst:
            for peer in self.nodes:
                if peer is not node:
                    url = f"https://{self.places[peer['party']].address}:{peer['https']}"
                    analyst.query(f"SELECT mpc.add_peer({quote(peer['party'])}, {quote(url)}, "
                                  f"certificate => {quote(self.certificate(peer))})")

    def certificate(self, node):
        path = os.path.join(self._home(node), "certificates", node["party"] + ".crt")
        return run(as_owner(["cat", path]), cwd=self.directory)

    # --- using ---

    def psql_path(self):
        return os.path.join(self.bindir, "psql")

    def session(self, node, user=None, notice=None):
        return Psql(self.psql_path(), node, user, notice)

    def copy_in(self, node, statement, rows):
        """COPY ... FROM STDIN with rows of values (None is NULL)."""
        text = "".join("\t".join("\\N" if value is None else str(value) for value in row) + "\n" for row in rows)
        run([self.psql_path(), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", node["host"], "-p", str(node["port"]), "-d",
             node["dbname"], "-U", node["user"], "-c", statement], stdin=_text(text))

    def run_file(self, node, path, variables):
        command = [self.psql_path(), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", node["host"], "-p", str(node["port"]),
                   "-d", node["dbname"], "-U", node["user"], "-f", path]
        for name, value in variables.items():
            command += ["-v", f"{name}={value}"]
        run(command)

    def end_of_logs(self, lines=15):
        """Returns the last lines of each server log, for a failed run."""
        parts = []
        for node in self.nodes:
            try:
                text = run(as_owner(["tail", "-n", str(lines), self.log(node)]),
                           cwd=self.directory)
            except CommandError:
                continue
            parts.append(f"--- log of {node['party']} ---\n{text}")
        return "".join(parts)

    # --- ending ---

    def stop(self):
        """Stops every node below DIR that runs. Never raises: it is the clean-up."""
        home = os.path.join(self.directory, "nodes")
        for party in sorted(os.listdir(home)) if os.path.isdir(home) else []:
            data = os.path.join(home, party, "data")
            if os.path.exists(os.path.join(data, "postmaster.pid")):
                subprocess.run(as_owner([os.path.join(self.bindir, "pg_ctl"), "stop", "-w", "-t", "30", "-s", "-m",
                                         "fast", "-D", data]), cwd=self.directory, stdin=subprocess.DEVNULL,
                               start_new_session=True, check=False)


def running(directory):
    """True if a node below the directory runs."""
    home = os.path.join(directory, "nodes")
    for party in os.listdir(home) if os.path.isdir(home) else []:
        try:
            with open(os.path.join(home, party, "data", "postmaster.pid"), encoding="utf-8") as pid:
                os.kill(int(pid.readline()), 0)
                return True
        except (OSError, ValueError):
            continue
    return False


def remove_contents(directory):
    """Removes what Nodes and the build made below the directory."""
    sockets = os.path.join(directory, "s")
    if os.path.islink(sockets):
        shutil.rmtree(os.path.realpath(sockets), ignore_errors=True)
        os.unlink(sockets)
    for name in ("s", "nodes", "pg"):
        shutil.rmtree(os.path.join(directory, name), ignore_errors=True)
    for name in ("nodes.json", "build.log"):
        if os.path.exists(os.path.join(directory, name)):
            os.unlink(os.path.join(directory, name))


def remove(directory):
    """Removes what Nodes made, and the directory itself if nothing else is in it."""
    remove_contents(directory)
    if not os.listdir(directory):
        os.rmdir(directory)


def _text(content):
    """A readable file that holds the text (standard input of a program)."""
    held = tempfile.TemporaryFile("w+", encoding="utf-8")
    held.write(content)
    held.seek(0)
    return held
