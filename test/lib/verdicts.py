"""Prints the verdicts of a test in Python: one line "ok N - name" or "not ok N - name" each, followed by the errors.

tools/check counts the lines; the exit status is 0 only if every verdict was good.
"""
MOST_LINES = 20
results = []


def verdict(name, bad):
    """bad: what was wrong, empty if nothing."""
    results.append(not bad)
    print(f"{'not ok' if bad else 'ok'} {len(results)} - {name}", flush=True)
    for line in sorted(set(bad))[:MOST_LINES]:
        print(f"#   {line}", flush=True)


def exit_status():
    return 0 if results and all(results) else 1
