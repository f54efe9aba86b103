"""Ordinary data: the two data sets of the pilot, in the clear and without a database, and artificial designs.

diabetes: as tools/lib/datasets.py splits it. heart_failure: the same persons and values as tools/lib/heart_failure.sql draws,
hash by hash (hashint8extended of PostgreSQL, src/common/hashfn.c).
"""
import csv
import os
import random

import numpy as np

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")
HOSPITAL = ["age", "sex", "bmi", "bp", "tc"]
INSURER = ["ldl", "hdl", "tch", "ltg", "glu"]


def diabetes():
    """(own rows of the hospital, of the insurer with its outcome, joined attributes, joined outcome)"""
    with open(os.path.join(ROOT, "data", "diabetes.csv"), encoding="utf-8", newline="") as text:
        persons = list(csv.DictReader(text))
    sides = []
    for seed, names in ((1, HOSPITAL), (2, INSURER + ["progression"])):
        rows = random.Random(seed).sample(persons, len(persons) * 9 // 10)
        sides.append({row["id"]: [float(row[name]) for name in names] for row in rows})
    return _join(*sides)


def _join(first, second):
    both = sorted(first.keys() & second.keys())
    joined = np.array([first[person] + second[person] for person in both])
    return np.array(list(first.values())), np.array(list(second.values())), joined[:, :-1], joined[:, -1]


def _rotate(x, k):
    return (x << np.uint32(k)) | (x >> np.uint32(32 - k))


def hash_extended(person, seed):
    """hashint8extended for persons of 32 bits: an array of uint64."""
    start = np.uint32((0x9E3779B9 + 4 + 3923095) & 0xFFFFFFFF)
    a = np.full(len(person), start, np.uint32)
    b, c = a.copy(), a.copy()
    b += np.uint32(seed)
    for x, y, z, k in ((0, 2, 1, 4), (1, 0, 2, 6), (2, 1, 0, 8), (0, 2, 1, 16), (1, 0, 2, 19), (2, 1, 0, 4)):
        v = [a, b, c]
        v[x] = (v[x] - v[y]) ^ _rotate(v[y], k)
        v[y] = v[y] + v[z]
        a, b, c = v
    a = a + person.astype(np.uint32)
    for x, y, k in ((2, 1, 14), (0, 2, 11), (1, 0, 25), (2, 1, 16), (0, 2, 4), (1, 0, 14), (2, 1, 24)):
        v = [a, b, c]
        v[x] = (v[x] ^ v[y]) - _rotate(v[y], k)
        a, b, c = v
    return (b.astype(np.uint64) << np.uint64(32)) | c.astype(np.uint64)


def heart_failure(records, attributes=30):
    """The four parts of `records` rows on each side; complete rows only, as the product takes them."""
    first = _side("hospital", np.arange(1, records + 1), (attributes + 1) // 2)
    second = _side("insurer", np.arange(records // 10 + 1, records // 10 + records + 1), attributes // 2)
    return _join(first, second)


def _side(side, p, attributes):
    u = lambda purpose: ((hash_extended(p, 20121 + purpose) & np.uint64(4503599627370495)) + 0.5) / 4503599627370496
    z = lambda purpose: np.sqrt(-2 * np.log(u(1000 + purpose))) * np.cos(2 * np.pi * u(2000 + purpose))
    events = lambda purpose, mean: np.floor(mean * np.exp(0.6 * z(purpose) - 0.18) + u(3000 + purpose))
    severity, burden = z(1), z(2)
    age = np.clip(np.round(74 + 11 * z(3)), 32, 99)
    ejection = np.round(np.clip(41 - 8 * severity + 7 * z(15), 10, 75))
    probnp = np.round(np.exp(7.3 + 0.55 * severity + 0.7 * z(16)))
    creatinine = np.round(np.exp(4.6 + 0.15 * burden + 0.25 * z(17)))
    sodium = np.round(138.5 - 0.9 * severity + 2.9 * z(18), 1)
    haemoglobin = np.round(8.1 - 0.35 * burden + 0.9 * z(19), 2)
    diabetic, copd = u(21) < 0.30 + 0.05 * burden, u(22) < 0.21 + 0.04 * burden
    claims = events(31, 14 * np.exp(0.3 * burden))
    emergency, admissions = events(35, 0.9 * np.exp(0.4 * severity)), events(36, 0.8 * np.exp(0.5 * severity))
    cost = events(37, 5200 * np.exp(0.4 * burden))
    alone, blocker = u(39) < 0.34, u(43) < 0.71
    if side == "hospital":
        columns = [age, np.round(133 - 6 * severity + 18 * z(11)), np.round(76 - 2 * severity + 10 * z(12)),
                   np.round(2.8 + 0.9 * z(13), 2), np.round(27.5 + 4.8 * z(14), 1), ejection, probnp, creatinine, sodium,
                   haemoglobin, np.round(78 + 5 * severity + 13 * z(20)), u(4) < 0.45, diabetic, copd, u(5) < 0.22]
        extra = lambda n: np.round(n + (1 + n / 10.0) * (z(100 + n) + 0.3 * severity), 3)
    else:
        columns = [claims, events(32, 7 * np.exp(0.2 * burden)), events(33, 3.5 * np.exp(0.2 * severity)),
                   events(34, 6.5 * np.exp(0.15 * burden)), emergency, admissions, cost, np.round(np.exp(3.4 + 0.5 * z(38))),
                   alone, u(40) < 0.18 + 0.03 * burden, u(41) < 0.27, np.round(60 * u(42), 1), blocker,
                   np.round(-0.1 + z(44), 2), events(45, 2.2)]
        extra = lambda n: events(300 + n, (1 + n // 7) * np.exp(0.2 * burden))
    columns = (columns + [extra(n) for n in range(16, attributes + 1)])[:attributes]
    hole = u(60 if side == "hospital" else 61) < 0.03
    if side == "insurer":
        days = 6.5 + 0.07 * (age - 74) - 0.10 * (ejection - 41) + 1.9 * (np.log(probnp) - 7.3)
        days += 0.012 * (creatinine - 103) - 0.25 * (sodium - 138.5) - 0.8 * (haemoglobin - 8.1) + 1.4 * copd
        days += 0.9 * diabetic + 1.6 * admissions + 0.7 * emergency + 0.05 * claims + 0.9 * alone + 0.0002 * cost
        columns.append(np.round(np.maximum(0, days - 0.7 * blocker + 3.2 * z(50))))
    rows = np.array(columns, float).T
    return {person: list(row) for person, row, missing in zip(p.tolist(), rows, hole) if not missing}


def normal(rows, columns):
    return lambda rng: rng.standard_normal((rows, columns))


def lognormal(rows, columns, spread=1.0):
    return lambda rng: np.exp(spread * rng.standard_normal((rows, columns)))


def flags(rows, columns, count, share):
    def make(rng):
        X = rng.standard_normal((rows, columns))
        X[:, :count] = rng.random((rows, count)) < share
        return X
    return make
