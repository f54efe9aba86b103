#!/usr/bin/env python3
"""Prints the gain of attacks on released models under the default disclosure rules, and how often ordinary data are refused.

Usage: python3 tools/studies/release/run.py [--full] [attacks] [remains] [describe] [hidden] [ordinary]
Without names: all five tables, one seed, a few minutes. --full: three seeds and more trials. Needs numpy (python3-numpy).
"""
import collections
import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
try:
    import numpy as np
except ImportError:
    sys.exit("run.py: numpy is missing; apt-get install python3-numpy, and run it with that python3 (/usr/bin/python3)")

import budget
import descriptions
import hidden
import membership
import ordinary
import rules
import values


def repeat(function, seeds, trials):
    """Results of function(rng), seed by seed."""
    return [function(np.random.default_rng(1000 * seed + trial)) for seed in range(seeds) for trial in range(trials)]


def verdict(refusals):
    """How many trials the rules passed, and which rules refused the others."""
    passed = sum(not one for one in refusals)
    causes = collections.Counter(cause for one in refusals for cause in one)
    text = ", ".join(cause for cause, _ in causes.most_common(4))
    return "passes" if passed == len(refusals) else f"{text} (passes {passed} of {len(refusals)})"


def rights(results, columns):
    """A row: right (guess), numbers, verdict, from results (right, guess, numbers, refusals)."""
    right, guess = np.mean([one[0] for one in results]), np.mean([one[1] for one in results])
    return (*columns, f"{right:.2f} ({guess:.2f})", results[0][2], verdict([one[3] for one in results]))


def errors(results, columns):
    error, right = np.mean([one[0] for one in results]), np.mean([one[1] for one in results])
    return (*columns, f"error {error:.2f} sd, right {right:.2f} (0.50)", results[0][2], verdict([one[3] for one in results]))


HEAD = ("attack", "m", "gain (guess)", "numbers", "rules")


def attacks(seeds, trials):
    """Attacks of the review and new ones without the rule that stops them."""
    yield HEAD
    for m, columns, models in ((1000, 28, 28), (1000, 50, 30), (300, 14, 14), (100, 8, 8)):
        few = 1 if columns == 50 else trials
        yield rights(repeat(lambda rng: membership.own_outcomes(m, columns, models, rng), seeds, few),
                     (f"membership: {models} own columns in turn as outcome of {columns}", m))
    for name, alpha in (("lasso", 1.0), ("elastic net", 0.5), ("ridge", 0.0)):
        for own in (True, False):
            yield rights(repeat(lambda rng: membership.paths(1000, 28, 15, alpha, own, rng, exponents=own), seeds, trials),
                         (f"membership: {name} path of 15, {'own' if own else 'other'} outcome", 1000))
    for m, size, columns, studies in ((1000, 12, 2, 8), (300, 12, 2, 8), (100, 12, 2, 8), (1000, 30, 4, 10)):
        yield errors(repeat(lambda rng: values.outcomes(m, size, columns, studies, rng), seeds, trials),
                     (f"outcomes of {size} persons by {studies} studies of {columns} columns", m))
    for m, size in ((1000, 8), (1000, 32), (100, 8)):
        yield errors(repeat(lambda rng: values.attribute(m, size, rng), seeds, trials),
                     (f"an attribute of {size} persons by {size} own outcomes", m))
    for m, share in ((1000, 0.45), (1000, 0.1), (300, 0.1), (100, 0.1)):
        results = repeat(lambda rng: values.changed_outcome(m, share, rng), seeds, 10 * trials)
        yield (f"own outcome changed in one person, {share:g} of its variation", m,
               f"error {np.std([one[0] for one in results]):.2f} sd", 6, verdict([one[1] for one in results]))
    results = repeat(lambda rng: values.group_less_one(1000, 20, rng), seeds, 10 * trials)
    yield ("flag of 20, and of 20 less one", 1000, f"error {np.std([one[0] for one in results]):.2f} sd", 6,
           verdict([one[1] for one in results]))
    for groups, exchanged in ((20, 6), (20, 12)):
        results = repeat(lambda rng: values.exchanged_cohorts(1000, groups, 24, exchanged, rng), seeds, 10 * trials)
        yield rights([(one[0], one[1], groups, one[2]) for one in results],
                     (f"match counts of {groups} tables with {exchanged} of 24 persons", 1000))
    yield rights(repeat(lambda rng: budget.subsets(1000, 28, 30, True, rng), seeds, trials),
                 ("membership: 30 subsets of frozen columns, own outcome", 1000))
    for m, persons, columns in ((1000, 8, 16), (1000, 5, 10), (300, 6, 7)):
        yield errors(repeat(lambda rng: hidden.after_a_refusal(m, persons, columns, rng), seeds, 4 * trials),
                     (f"{columns} columns about {persons} persons, refused, then one by one", m))
    for on_grid in (False, True):
        results = repeat(lambda rng: budget.dithering(1000, 100, rng, on_grid), seeds, 10 * trials)
        yield (f"coefficient from 100 lambdas within 1 SE{', on the grid of lambdas' if on_grid else ''}", 1000,
               f"error {np.median([one[0] for one in results]):.4f} SE", results[0][1], verdict([one[2] for one in results]))


def remains(seeds, trials):
    """The strongest variants that pass: the smallest group, all of the budget."""
    yield HEAD
    for m, columns in ((1000, 28), (1000, 14), (1000, 9), (1000, 50), (300, 14), (300, 8), (100, 8), (100, 5)):
        models = membership.most_models(m, columns, rules.FREE)
        if models:
            yield rights(repeat(lambda rng: membership.own_outcomes(m, columns, models, rng), seeds, 2 * trials),
                         (f"membership: {models} own columns as outcomes of {columns}", m))
    for m, columns in ((1000, 28), (1000, 10), (300, 14), (100, 8)):
        count = 1 + (m // 10) // (columns + 2)
        for name, alpha in (("lasso", 1.0), ("elastic net", 0.5), ("ridge", 0.0)):
            for own, more in ((True, False), (True, True), (False, False)):
                extra = " + R2 and exponents" if more else ""
                yield rights(repeat(lambda rng: membership.paths(m, columns, count, alpha, own, rng, exponents=more), seeds,
                                    2 * trials),
                             (f"membership: {name}, {count} lambdas of {columns}, {'own' if own else 'other'} outcome{extra}", m))
    for m, columns in ((1000, 28), (1000, 10), (300, 14)):
        studies = budget.most_subsets(m, columns)
        for own in (True, False):
            yield rights(repeat(lambda rng: budget.subsets(m, columns, studies, own, rng), seeds, 2 * trials),
                         (f"membership: {studies} subsets of {columns}, {'own' if own else 'other'} outcome", m))
    for m, columns in ((1000, 28), (1000, 10), (1000, 6), (300, 14), (300, 6), (100, 5)):
        yield rights(repeat(lambda rng: budget.combined(m, columns, rng), seeds, 2 * trials),
                     (f"membership: all ways at once, {columns} columns", m))
    for columns, limit in ((8, 100), (14, 100), (14, 200), (20, 200), (20, 500), (28, 500)):
        studies = budget.most_subsets(5000, columns, limit)
        yield rights(repeat(lambda rng: budget.subsets(5000, columns, studies, True, rng), seeds, max(1, trials // 2)),
                     (f"membership: {studies} subsets of {columns}, own outcome, released_numbers {limit}", 5000))
    for m, columns in ((1000, 99), (1000, 50), (1000, 20), (1000, 5), (300, 29), (300, 10), (100, 9), (100, 4)):
        results = repeat(lambda rng: values.within_rules(m, columns, rng), seeds, 4 * trials)
        yield errors([(one[0], one[1], columns + 2, one[2]) for one in results], (f"outcome or attribute by {columns} columns", m))
    for m, columns in ((1000, 20), (300, 10), (100, 8)):
        results = repeat(lambda rng: values.hot_person(m, columns, rng, m), seeds, trials)
        leverage, right = np.mean([one[0] for one in results]), np.mean([one[1] for one in results])
        yield (f"outcome of one unusual record, {columns} columns (leverage {leverage:.2f})", m, f"{right:.2f} (0.50)",
               columns + 2, "passes")
    results = repeat(lambda rng: values.exchanged_cohorts(1000, 3, 24, 12, rng), seeds, 20 * trials)
    yield rights([(one[0], one[1], 3, one[2]) for one in results], ("match counts of 3 tables with 12 of 24 persons", 1000))


def describes(seeds, trials):
    """One describe of all own columns, of the smallest group; and of 800 of 2000 own records with own second moments."""
    for m, columns in ((1000, 60), (1000, 28), (1000, 10), (300, 10), (100, 5)):
        yield rights(repeat(lambda rng: descriptions.memberships(m, columns, rng), seeds, 2 * trials),
                     (f"membership: describe of {columns} own columns", m))
    yield rights(repeat(lambda rng: descriptions.memberships(1000, 28, rng, 800, True), seeds, 2 * trials),
                 ("membership: describe of 28 own columns with own_moments", 1000))


def hidden_rows(seeds, trials):
    """Own rows against joined rows."""
    yield ("few joined rows carry a column", "m", "columns", "carriers", "error (sd)", "right", "union refuses, own rows",
           "union refuses, joined rows only", "joint rule refuses")
    for m, columns, rare in ((1000, 10, 1), (1000, 28, 10), (300, 10, 1), (100, 9, 1)):
        for few in (1, 2, 3, 4, 6, 10):
            row = hidden.few_carriers(m, columns, rare, few, 10 * seeds * trials)
            yield (f"{rare} such columns", m, columns, few, *(f"{value:.2f}" for value in row))
    yield ("versions about the same persons", "m", "columns", "versions", "right", "union, no other own rows",
           "union, other own rows", "joint rule")
    for m, columns in ((1000, 28), (1000, 9), (300, 14), (100, 4)):
        for versions in (1, 2, 3):
            results = repeat(lambda rng: hidden.versions_of_values(m, columns, versions, rng), seeds, 4 * trials)
            yield ("each passes alone", m, columns, versions, f"{np.mean([one[0] for one in results]):.2f}",
                   *(verdict([one[k] for one in results]) for k in (1, 2, 3)))
    yield ("one column per version", "m", "persons", "versions", "right", "rules")
    for m in (1000, 300, 100):
        for versions in (1, 2, 3):
            results = repeat(lambda rng: hidden.after_a_refusal(m, 5, versions, rng), seeds, 10 * trials)
            yield ("5 persons, other own rows", m, 5, versions, f"{np.mean([one[1] for one in results]):.2f}",
                   verdict([one[3] for one in results]))


def main():
    names = [name for name in sys.argv[1:] if name != "--full"]
    full = "--full" in sys.argv
    seeds, trials = (3, 4) if full else (1, 3)
    tables = {"attacks": lambda: attacks(seeds, trials), "remains": lambda: remains(seeds, trials),
              "describe": lambda: describes(seeds, trials),
              "hidden": lambda: hidden_rows(seeds, trials), "ordinary": lambda: ordinary.table(100 if full else 40, 0)}
    for name, make in tables.items():
        if names and name not in names:
            continue
        print(f"\n== {name}", flush=True)
        for row in make():
            print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)


if __name__ == "__main__":
    main()
