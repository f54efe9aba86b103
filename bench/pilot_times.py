"""Turns the JSON of tools/pilot into benchmark lines: pilot.total, keygen, join, lasso, and one line per step and party.

join = the time from the first approval until the shares exist, without step 8; keygen = the part of it that the slower
controller spent on its key pair (both work at the same time); kernel_share = processor time of batch computations divided by
that of the engines in steps 2 to 6, at all three nodes.
"""
import json
import sys

with open(sys.argv[1], encoding="utf-8") as text:
    run = json.load(text)


def line(name, seconds):
    if seconds is not None:
        print(json.dumps({"name": name, "value": round(seconds, 4), "unit": "s", "baseline": None,
                          "baseline_value": None, "ratio": None}))


def slowest(*names):
    times = [step["seconds"] for step in run["steps"] if step["name"] in names]
    return max(times) if times else None


lasso = slowest("lasso")
line("pilot.total", run["seconds"])
line("pilot.keygen", slowest("keygen"))
line("pilot.join", run["seconds"] - lasso)
line("pilot.lasso", lasso)
if run["kernel_share"] is not None:
    print(json.dumps({"name": "pilot.kernel_share", "value": round(run["kernel_share"], 3), "unit": "of processor time",
                      "baseline": None, "baseline_value": None, "ratio": None}))
for step in run["steps"]:
    line(f"pilot.step.{step['step']}.{step['name']}.{step['party']}", step["seconds"])
