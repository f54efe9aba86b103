"""Reads the secrets of a study, which the engines of a test build have witnessed, and computes the forms in which code
could have left them.

Terms: witness = file, one per process, into which a test build writes each secret when it is created (src/base/witness.h);
       form    = a value computed from a secret that reveals or replaces it: products of the primes, padded keys, hash
                 states, key schedules (key_forms.py), bits one to a byte.
Invariant: a form has the name of its secret, so the same rule of docs/secrets.md applies to it.
"""
import os
import time

import key_forms

WINDOW = 16
SET_ASIDE = "past."  # before the process id, in the names of witnesses that are no longer searched for


class Secret:
    def __init__(self, name, value, parties, form="", window=WINDOW):
        self.name, self.value, self.parties, self.form = name, value, set(parties), form
        self.window = min(window, len(value))

    def __str__(self):
        return f"{self.name}, {self.form}" if self.form else self.name


def records(directory):
    """(process id, name, value) of all that was witnessed and not set aside."""
    return _records_of_all(directory, "")


def all_records(directory):
    """The same with those set aside, whose process id has SET_ASIDE before it."""
    yield from _records_of_all(directory, "")
    yield from _records_of_all(directory, SET_ASIDE)


def set_aside(directory):
    for pid in os.listdir(directory):
        if pid.isdigit():
            os.rename(os.path.join(directory, pid), os.path.join(directory, f"{SET_ASIDE}{pid}.{time.monotonic_ns()}"))


def _records_of_all(directory, prefix):
    for pid in os.listdir(directory):
        if pid.isdigit() if not prefix else pid.startswith(prefix):
            for name, value in _records_of(os.path.join(directory, pid)):
                yield pid, name, value


def _records_of(path):
    """(name, value) of one file: a line "name TAB size", then the bytes."""
    with open(path, "rb") as text:
        data = text.read()
    at = 0
    while at < len(data):
        end = data.index(b"\n", at)
        name, size = data[at:end].decode().split("\t")
        yield name, data[end + 1:end + 1 + int(size)]
        at = end + 1 + int(size)


def _of_primes(p, q):
    size = (p.bit_length() + 7) // 8
    return [("product of the primes", number.to_bytes(width, "big")) for number, width in (
        (p * p, 2 * size), (q * q, 2 * size), (pow(p, -1, q), size), (pow(q, -1, p), size), (p - pow(q, -1, p), size),
        (q - pow(p, -1, q), size), ((p - 1) * (q - 1) // 2, 2 * size))]


def _forms(secret):
    """(form, bytes) of one secret."""
    if secret.name in ("joint key", "pair secret of the attempt", "pairwise key", "key within HKDF"):
        yield from key_forms.hmac_forms(secret.value)
    if secret.name == "seal key":
        yield from key_forms.hash_key_forms(secret.value)
        yield from key_forms.gcm_table(secret.value)
    if secret.name in ("seal key", "PRF key"):
        yield "AES schedule", key_forms.aes_schedule(secret.value)
    if secret.name == "truth table":
        yield "bits", key_forms.bits_of(secret.value)


def with_forms(found):
    """The secrets and all their forms."""
    forms, primes, halves = [], {}, {}
    for secret in found:
        for form, value in _forms(secret):
            # 16 bytes of 0 and 1 could be a coincidence, so the whole value is searched for.
            window = len(value) if form == "bits" else WINDOW
            forms.append(Secret(secret.name, value, secret.parties, form, window))
        if secret.name == "private prime":
            primes.setdefault(tuple(secret.parties), []).append(int.from_bytes(secret.value, "big"))
        if secret.name == "half of the joint key":
            halves.setdefault(tuple(secret.parties), []).append(int.from_bytes(secret.value, "big"))
    for parties, values in primes.items():
        for p, q in zip(values[::2], values[1::2]):
            forms += [Secret("private prime", value, parties, form) for form, value in _of_primes(p, q)]
    # The joint key is derived from the sum of two halves. Here it is unknown which halves belong to one attempt.
    of = list(halves.items())
    for i, (parties, values) in enumerate(of):
        for others, more in of[i + 1:]:
            sums = [((a + b) % 2 ** 256).to_bytes(32, "big") for a in values for b in more]
            forms += [Secret("joint key", value, {*parties, *others}, "sum of the halves") for value in sums]
    return [*found, *forms]
