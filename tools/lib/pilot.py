"""tools/pilot: the main job on three nodes of this machine, compared with the clear-text solution."""
import argparse
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time

import datasets
import nodes as cluster
import plain_lasso
from processes import CommandError, as_owner, owner, run
from study_run import StudyRun

STUDY = "pilot"
LARGEST_ERROR = 1e-4


def main():
    arguments = parse_arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        if arguments.stop:
            return stop(arguments)
        return pilot(arguments)
    except CommandError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _end(number, _):
    # Only the first signal ends the run, so that a second one does not interrupt the clean-up.
    for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


def parse_arguments():
    parser = argparse.ArgumentParser(prog="tools/pilot", description=__doc__)
    parser.add_argument("--data", choices=("heart_failure", "diabetes"), default="heart_failure")
    parser.add_argument("--records", type=int, default=5000, help="records per side (heart_failure)")
    parser.add_argument("--attributes", type=int, default=30, help="attributes in all (heart_failure)")
    parser.add_argument("--lambda", dest="penalty", type=float, help="0.1 for heart_failure, 1.0 for diabetes")
    parser.add_argument("--port", type=int, help="PostgreSQL on P..P+2, HTTPS on P+3..P+5; default: free ports")
    parser.add_argument("--dir", help="where the nodes live")
    parser.add_argument("--keep", action="store_true", help="leave the nodes running")
    parser.add_argument("--json", metavar="FILE", help="write the result there")
    parser.add_argument("--nodes", action="store_true", help="only start three empty nodes and leave them running")
    parser.add_argument("--stop", action="store_true", help="end the nodes that --nodes or --keep left running")
    parser.add_argument("--automatic", action="store_true",
                        help="one mpc.run_study call instead of the step functions on each node")
    arguments = parser.parse_args()
    if not 2 <= arguments.attributes <= 200:
        parser.error("--attributes must be between 2 and 200")
    if arguments.records < 1:
        parser.error("--records must be at least 1")
    if arguments.penalty is not None and not (arguments.penalty >= 0 and math.isfinite(arguments.penalty)):
        parser.error("--lambda must not be negative")
    if arguments.port is not None and not 1 <= arguments.port <= 65530:
        parser.error("--port must be between 1 and 65530")
    return arguments


def stop(arguments):
    directory = os.path.abspath(arguments.dir or lasting_directory())
    if not os.path.isdir(os.path.join(directory, "nodes")):
        raise CommandError(f"no nodes below {directory}")
    cluster.Nodes(directory).stop()
    cluster.remove(directory)
    print(f"the nodes below {directory} have ended")
    return 0


def lasting_directory():
    """The directory of nodes that keep running, without --dir."""
    return os.path.join(tempfile.gettempdir(), f"pg_mpc_pilot.{os.geteuid()}")


def make_directory(arguments):
    """DIR, made if missing, without leftovers of an earlier run, reachable by the user that runs PostgreSQL."""
    if arguments.dir or arguments.keep or arguments.nodes:
        directory = os.path.abspath(arguments.dir or lasting_directory())
        os.makedirs(directory, mode=0o755, exist_ok=True)
        if not arguments.dir and os.stat(directory).st_uid != os.geteuid():
            raise CommandError(f"{directory} belongs to another user; choose --dir")
    else:
        directory = tempfile.mkdtemp(prefix="pg_mpc.")
        os.chmod(directory, 0o755)
    if cluster.running(directory):
        raise CommandError(f"nodes below {directory} are running; end them with tools/pilot --stop --dir {directory}")
    cluster.remove_contents(directory)
    try:
        run(as_owner(["test", "-x", directory]), cwd="/")
    except CommandError:
        raise CommandError(f"user {owner().pw_name}, who runs PostgreSQL, cannot reach {directory}; choose --dir")
    return directory


def build(directory):
    """Builds the extension into a private copy of PostgreSQL below the directory; returns its bindir."""
    script = ". \"$1/common.sh\"; private_tree \"$2/pg\" \"$2/build.log\""
    made = subprocess.run(["bash", "-euo", "pipefail", "-c", script, "pilot", cluster.TOOLS, directory],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    if made.returncode != 0:
        raise CommandError("the extension could not be built")
    return made.stdout.strip()


def pilot(arguments):
    keep = False
    directory = make_directory(arguments)
    nodes = None
    try:
        nodes = cluster.Nodes(directory, build(directory))
        print(f"starting three nodes below {directory}", flush=True)
        nodes.create(arguments.port)
        status = 0 if arguments.nodes else run_study(nodes, arguments)
        keep = arguments.keep or arguments.nodes
        if keep:
            print_connections(nodes)
        return status
    except CommandError:
        if nodes:
            sys.stderr.write(nodes.end_of_logs())
        keep = arguments.keep and nodes is not None and cluster.running(directory)
        raise
    finally:
        # A second Ctrl-C must not leave servers running.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if not keep:
            if nodes:
                nodes.stop()
            cluster.remove(directory)


def print_connections(nodes):
    print("\nthe nodes are left running:")
    for node in nodes.nodes:
        print(f"  {nodes.psql_path()} -h {node['host']} -p {node['port']} -U {node['user']} {node['dbname']}"
              f"   # {node['party']}")
    print(f"  (the same in {os.path.join(nodes.directory, 'nodes.json')}; end them with "
          f"tools/pilot --stop --dir {nodes.directory})")


def run_study(nodes, arguments):
    data = load(nodes, arguments)
    penalty = data.default_lambda if arguments.penalty is None else arguments.penalty
    print(f"\n{'step':>4} {'name':<10} {'party':<15} {'records':>8} {'bytes':>12} {'seconds':>8}  data status; destroyed")
    study = StudyRun(nodes, data, penalty, STUDY, print_step)
    started = study.propose_and_approve()
    failure = None
    try:
        if arguments.automatic:
            study.run_automatic()
        else:
            study.run_step_by_step()
    except CommandError as error:
        failure = error
    seconds = time.monotonic() - started
    steps = study.all_steps()
    state = study.state()
    join = [row for row in steps if 2 <= row["step"] <= 6]
    kernels, processor = (sum(row[key] or 0 for row in join) for key in ("kernel_seconds", "cpu_seconds"))
    report = {"released": state["state"] == "released", "data": data.name, "lambda": penalty, "seconds": seconds,
              "steps": steps, "n": state["n_matched"], "iterations": None, "max_error": None, "coefficients": [],
              "kernel_share": kernels / processor if processor else None}
    if report["released"]:
        compare(nodes, data, penalty, study, report)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as out:
            json.dump(report, out, indent=1)
            out.write("\n")
    if not report["released"]:
        print(f"\nthe study was not released: state {state['state']}, {state['sqlstate']} {state['last_error']}")
        if failure:
            raise failure
        return 1
    return 0 if report["max_error"] <= LARGEST_ERROR else 1


def load(nodes, arguments):
    if arguments.data == "diabetes":
        data = datasets.diabetes(nodes)
    else:
        data = datasets.heart_failure(nodes, arguments.records, arguments.attributes)
    for side in data.sides:
        outcome = f", outcome {side.outcome}" if side.outcome else ""
        print(f"{side.party}: {side.relation}, {len(side.attributes)} attributes{outcome}", flush=True)
    return data


def print_step(row):
    records = "" if row["records"] is None else row["records"]
    size = "" if row["bytes"] is None else row["bytes"]
    gone = ", ".join(row["destroyed"] or [])
    print(f"{row['step']:>4} {row['name']:<10} {row['party']:<15} {records:>8} {size:>12} {row['seconds']:>8.2f}  "
          f"{row['data_status']}{'; destroyed: ' + gone if gone else ''}", flush=True)


def distance_of_statistical(plain, columns, outcome):
    """The distance of the statistical release from the exact one, in standard errors, computed in the clear."""
    exact = [plain.intercept, *plain.coefficients, plain.r_squared]
    released = plain_lasso.statistical(plain, columns, outcome)
    return max(abs(value - number) / error for (value, error), number in zip(released, exact) if error)


def compare(nodes, data, penalty, study, report):
    """Adds the result of the study and the clear-text one to the report, and prints both."""
    coefficients, fit = study.results()
    columns, outcome = datasets.joined_rows(nodes, data)
    plain = plain_lasso.solve(columns, outcome, penalty)
    expected = {(None, "(intercept)"): plain.intercept}
    names = [(side.party, name) for side in data.sides for name in side.attributes]
    expected.update(zip(names, plain.coefficients))
    found = {(row["party"], row["attribute"]): row["coefficient"] for row in coefficients}
    if found.keys() != expected.keys() or fit["n"] != len(outcome):
        raise CommandError(f"the result has {len(found)} coefficients from {fit['n']} records; the joined rows give "
                           f"{len(expected)} from {len(outcome)}")
    largest = max(map(abs, expected.values())) or 1.0
    print(f"\n{'party':<15} {'attribute':<22} {'study':>16} {'clear text':>16} {'difference':>10}")
    for key in [(None, "(intercept)"), *names]:
        party, attribute = key
        difference = found[key] - expected[key]
        print(f"{party or '':<15} {attribute:<22} {found[key]:>16.9f} {expected[key]:>16.9f} {difference:>10.1e}")
        report["coefficients"].append({"party": party, "attribute": attribute, "coefficient": found[key],
                                       "clear_text": expected[key]})
    report.update(n=fit["n"], iterations=fit["iterations"], rounds=fit["rounds"], r_squared=fit["r_squared"],
                  clear_text_r_squared=plain.r_squared, kkt_residual=plain.kkt_residual,
                  max_error=max(abs(found[key] - expected[key]) for key in expected) / largest)
    print(f"\nrecords matched and complete: {fit['n']}    iterations: {fit['iterations']}    rounds: {fit['rounds']}")
    print(f"largest error: {report['max_error']:.1e} of the largest coefficient (limit {LARGEST_ERROR:.0e})")
    rounding = distance_of_statistical(plain, columns, outcome)
    report["statistical_distance_in_se"] = rounding
    print(f"precision: exact; statistical precision would move a number by at most {rounding:.3f} standard errors")
    print(f"KKT residual of the clear-text solution: {plain.kkt_residual:.1e}")
    print(f"R squared: {fit['r_squared']:.9f}, clear text {plain.r_squared:.9f}")
    print(f"share of the engines' processor time in batch computations, steps 2 to 6: {report['kernel_share']:.2f}")
    print(f"seconds from the first approval to the released result: {report['seconds']:.1f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
