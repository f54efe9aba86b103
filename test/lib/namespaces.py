"""A separate network for nodes on one machine: each in a network namespace, each pair joined by a cable (root only).

Terms: cable = a pair of veth devices between two namespaces; a change of one cable affects no other pair of nodes;
       cut   = a fault of a cable: unplugged (both ends lose the route), silent (every frame is lost, and no end is
               informed) or one way (only the frames of the second end are lost).
Invariants: nothing outside these namespaces changes. remove() removes them, and the next run removes those of a killed
one. A wrong hardware address in the neighbour table of the sender makes frames lost, so no packet filter and no queueing
discipline of the kernel is needed.
"""
import itertools
import os
import re
import subprocess

from processes import CommandError

NETWORK = "192.0.2."  # an address for documentation (RFC 5737), where no host answers
NAME = "pg_mpc."
NOWHERE = "02:00:00:00:ff:ff"
CUTS = ("unplugged", "silent", "one way")


def ip(*words, inside=()):
    """inside: the prefix of the command (Namespaces.inside)."""
    done = subprocess.run([*inside, "ip", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CommandError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


class Namespaces:
    def __init__(self, names):
        self._index = {name: index for index, name in enumerate(names)}
        remove_leftovers()
        for name in names:
            ip("netns", "add", self._space(name))
            ip("link", "set", "lo", "up", inside=self.inside(name))
            ip("address", "add", self.address(name) + "/32", "dev", "lo", inside=self.inside(name))
        for one, other in itertools.combinations(names, 2):
            ip("link", "add", self._device(other), "address", self._hardware(one, other), "netns", self._space(one),
               "type", "veth", "peer", "name", self._device(one), "address", self._hardware(other, one),
               "netns", self._space(other))
            self.heal(one, other)

    def _space(self, name):
        return f"{NAME}{os.getpid()}.{self._index[name]}"

    def _device(self, towards):
        return f"to{self._index[towards]}"

    def _hardware(self, of, towards):
        return f"02:00:00:00:{self._index[of]:02x}:{self._index[towards]:02x}"

    def address(self, name):
        return f"{NETWORK}{self._index[name] + 1}"

    def inside(self, name):
        """The prefix of a command line that runs it in the namespace. ip -n and ip netns exec also make a mount namespace,
        which may fail in a chroot or a container."""
        return ["nsenter", f"--net=/run/netns/{self._space(name)}"]

    def cut(self, one, other, how):
        if how == "unplugged":
            for end, far in ((one, other), (other, one)):
                ip("link", "set", self._device(far), "down", inside=self.inside(end))
            return
        for end, far in ((other, one),) if how == "one way" else ((one, other), (other, one)):
            self._neighbour(end, far, NOWHERE)

    def heal(self, one, other):
        for end, far in ((one, other), (other, one)):
            ip("link", "set", self._device(far), "up", inside=self.inside(end))
        for end, far in ((one, other), (other, one)):
            self._neighbour(end, far, self._hardware(far, end))
            ip("route", "replace", self.address(far) + "/32", "dev", self._device(far), "src", self.address(end),
               inside=self.inside(end))

    def _neighbour(self, end, far, hardware):
        ip("neighbour", "replace", self.address(far), "lladdr", hardware, "dev", self._device(far), "nud", "permanent",
           inside=self.inside(end))

    def remove(self):
        """Never raises: it is the clean-up."""
        for name in self._index:
            subprocess.run(["ip", "netns", "delete", self._space(name)], check=False)


def remove_leftovers():
    """Namespaces of runs that have ended without remove()."""
    for line in ip("netns", "list").splitlines():
        found = re.match(re.escape(NAME) + r"(\d+)\.\d+\b", line)
        if found and not os.path.exists(f"/proc/{found.group(1)}"):
            ip("netns", "delete", line.split()[0])
