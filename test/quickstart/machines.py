"""Machines of a test: each has its own directories, processes and network, and shares everything else (root only).

A machine is a process in namespaces of its own. The directories that a command may write are below DIR. They are mounted
over the real ones in the mount namespace of the machine: as a copy, or empty where the machine must begin empty. The network
is that of namespaces.py. A machine ends when this process ends, for whatever reason.

Terms: keeper = process 1 of a machine. It runs as long as its standard input is open, and reaps orphans.
Invariants: nothing outside DIR changes: not the real /etc, no cluster of PostgreSQL, no packages.
"""
import os
import shutil
import subprocess

from processes import CommandError, run

COPIED = ("/etc", "/usr/lib/postgresql", "/usr/share/postgresql", "/var/lib/dpkg")
EMPTY = {"/run": ("lock",), "/home": (), "/var/log": ("postgresql",), "/var/lib/postgresql": (),
         "/var/lib/apt": ("lists/partial",), "/var/cache/apt": ("archives/partial",)}
OF_POSTGRES = ("/var/log/postgresql", "/var/lib/postgresql")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# The first line printed is the process id of this shell outside its namespace. Where / is not a mount point, as in a chroot,
# its mount can only be made private from the root of the mount namespace.
KEEPER = r"""
set -eu
sed -n 's/^PPid:[[:space:]]*//p' /proc/self/status
mount --make-rprivate / 2>/dev/null || nsenter --mount=/proc/self/ns/mnt mount --make-rprivate /
while [ $# -gt 0 ]; do
  mount --rbind "$1" "$2"
  shift 2
done
mount -t proc proc /proc
echo ready
exec 3<&0
cat <&3 >/dev/null &
wait
"""


def _below(path, directory):
    return path.startswith(directory + "/")


class Machine:
    """inside: the prefix of a command line that runs it in the network of the machine; kept: a directory that commands need
    unchanged; hosts: {name: address}."""

    def __init__(self, directory, inside, kept, hosts):
        self.directory, self._kept = directory, kept
        mounts = [*self._kept_below(), *((self.path(path), path) for path in (*self._copies(), *self._empty_ones()))]
        # Mounts that hide DIR itself are made last.
        mounts.sort(key=lambda mount: _below(directory, mount[1]))
        self._add_hosts(hosts)
        words = [path for mount in mounts for path in mount]
        self._keeper = subprocess.Popen(
            [*inside, "unshare", "--mount", "--propagation", "unchanged", "--pid", "--fork", "sh", "-c", KEEPER, "keeper", *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/", start_new_session=True)
        self._process = self._keeper.stdout.readline().strip()
        if self._keeper.stdout.readline().strip() != "ready":
            raise CommandError(f"no machine of its own: {self._keeper.stderr.read().strip()}")

    def path(self, path):
        """The path of a file of the machine outside it."""
        return self.directory + path

    def _copies(self):
        for path in COPIED:
            os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
            run(["cp", "-a", path, self.path(path)])
        # The machine has its own list of clusters.
        for path in (self.path("/etc/postgresql"), self.path("/etc/pg_mpc")):
            shutil.rmtree(path, ignore_errors=True)
        os.mkdir(self.path("/etc/postgresql"))
        return COPIED

    def _empty_ones(self):
        for path, inner in EMPTY.items():
            for each in ("", *inner):
                os.makedirs(os.path.join(self.path(path), each), exist_ok=True)
        for path in OF_POSTGRES:
            shutil.chown(self.path(path), "postgres", "postgres")
        return EMPTY

    def _kept_below(self):
        """The kept directory inside the mount that hides it."""
        if not any(_below(self._kept, path) for path in EMPTY):
            return ()
        os.makedirs(self.path(self._kept))
        return ((self._kept, self.path(self._kept)),)

    def _add_hosts(self, hosts):
        with open(self.path("/etc/hosts"), "a", encoding="utf-8") as out:
            out.writelines(f"{address}\t{name}\n" for name, address in hosts.items())

    def run(self, command, text, cwd="/"):
        """Runs a command in the machine with the text as its input; returns (status, output, errors)."""
        done = subprocess.run(
            ["nsenter", f"--target={self._process}", "--mount", "--pid", "--net", "--root", "--",
             "env", "-i", f"--chdir={cwd}", f"PATH={PATH}", "HOME=/root", "LANG=C.UTF-8", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive",
             *command],
            input=text, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def end(self):
        """Never raises: it is the clean-up."""
        self._keeper.stdin.close()
        self._keeper.wait()
