"""Lists of `manage.py recommend` beside the models of public libraries, in the same run: `make bench-recommender`.

Each set is split; MailAI and each public model choose and tune inside the history, and what shoppers then bought is
looked at once. The data is not part of the project (--data FOLDER, default ../shared/data/behaviour). Options after
ARGS=: --only SET, --budget SECONDS (ours), --peer-seconds SECONDS (tuning of each public model), --seed N, --no-peers.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from bench.imports import Place
from bench.recommender_peers import MODELS
from bench.recommender_sets import TASKS, Task, scores, write
from bench.shop import finished
from recommender.core.intervals import bootstrap

PEERS = "bench.recommender_peers"
ROOT = Path(__file__).resolve().parents[1]
MOST_SECONDS, MOST_MB = 360.0, 1536.0
BUDGET = 300.0


def run(command: list[str], folder: Path) -> dict[str, Any]:
    """Run a program to its end; return its last line with wall seconds, CPU seconds and peak MB."""
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, env=Place(folder).environment, text=True, stdout=subprocess.PIPE)
    assert process.stdout is not None
    out = process.stdout.read()
    _pid, status, usage = os.wait4(process.pid, 0)
    # The object must not wait for what has been waited for.
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(process.returncode)
    return json.loads(out.splitlines()[-1]) | {
        "seconds": time.perf_counter() - started,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / 1024,
    }


def ours(task: Task, folder: Path, budget: float, seed: int) -> dict[str, Any]:
    """Run `manage.py recommend`, the lists in ours.csv."""
    items = folder / "items.csv.gz"
    options = {
        "--history": folder / "history.csv", "--users": folder / "users.csv", "--out": folder / "ours.csv",
        "--repeats": "drop" if task.new else "keep", "--budget": budget, "--seed": seed,
    } | ({"--items": items} if items.exists() else {})  # fmt: skip
    named = [str(part) for pair in options.items() for part in pair]
    return run([sys.executable, "manage.py", "recommend", "--algorithm", "auto", "--json", *named], folder)


def line(name: str, found: dict[str, Any], marks: dict[str, np.ndarray], ahead: dict[str, float] | None) -> None:
    """Print one row of the table."""
    difference = f"{ahead['value']:+8.4f} ({ahead['low']:+.4f} to {ahead['high']:+.4f})" if ahead else ""
    print(f"{name:22} {marks['ndcg'].mean():8.4f} {marks['precision'].mean():7.4f} {found['seconds']:8.1f} "
          f"{found['cpu']:8.1f} {found['peak_mb']:8.0f}   {difference}", flush=True)  # fmt: skip


def measured(name: str, given: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    """Measure one set; return its figures and what is beyond its limit."""
    task = TASKS[name]
    with tempfile.TemporaryDirectory(prefix="mailai-bench-") as place:
        folder = Path(place)
        truth: pl.DataFrame = write(task, given.data, folder)
        print(f"\n{name}: {truth['user_id'].n_unique():,} shoppers; asked {task.ndcg:.3f}\n{'':22} {'NDCG@10':>8} "
              f"{'P@10':>7} {'seconds':>8} {'CPU':>8} {'peak MB':>8}   ours over it (95 %)", flush=True)  # fmt: skip
        found = {"ours": ours(task, folder, given.budget, given.seed)}
        marks = {"ours": scores(truth, folder / "ours.csv")}
        line("ours", found["ours"], marks["ours"], None)
        ahead: dict[str, dict[str, float]] = {}
        for model in [] if given.no_peers else MODELS:
            repeats = "drop" if task.new else "keep"
            command = [sys.executable, "-m", PEERS, model, place, repeats, str(given.seed), str(given.peer_seconds)]
            found[model] = run(command, folder)
            marks[model] = scores(truth, folder / f"{model}.csv")
            ahead[model] = dict(bootstrap(marks["ours"]["ndcg"] - marks[model]["ndcg"], given.seed))
            line(model, found[model], marks[model], ahead[model])
    rows = {
        one: {"ndcg": float(marks[one]["ndcg"].mean()), "precision": float(marks[one]["precision"].mean())}
        | {key: found[one][key] for key in ("seconds", "cpu", "peak_mb")}
        | {"ours_over": ahead.get(one)}
        for one in found
    }
    return {"asked": task.ndcg, "models": rows, "chosen": found["ours"]["algorithm"]}, over(name, task, rows)


def over(name: str, task: Task, rows: dict[str, dict[str, Any]]) -> list[str]:
    """Return what is beyond its limit."""
    mine, wrong = rows["ours"], []
    if mine["ndcg"] < task.ndcg:
        wrong.append(f"{name}: NDCG {mine['ndcg']:.4f} < {task.ndcg:.3f}")
    if mine["precision"] < task.precision:
        wrong.append(f"{name}: precision {mine['precision']:.4f} < {task.precision:.3f}")
    if mine["seconds"] > MOST_SECONDS:
        wrong.append(f"{name}: {mine['seconds']:.0f} s > {MOST_SECONDS:.0f}")
    if mine["peak_mb"] > MOST_MB:
        wrong.append(f"{name}: {mine['peak_mb']:.0f} MB > {MOST_MB:.0f}")
    peers = {one: row for one, row in rows.items() if one != "ours"}
    if peers:
        best = max(peers, key=lambda one: peers[one]["ndcg"])
        low = peers[best]["ours_over"]["low"]
        print(f"{'best single':22} {best}: {peers[best]['ndcg']:.4f}")
        if low <= 0:
            wrong.append(f"{name}: not surely better than {best} (from {low:+.4f})")
    return wrong


def main() -> int:
    """Print the tables and one JSON line; 1 when a figure is beyond its limit."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "behaviour")
    options.add_argument("--only", choices=["", *TASKS], default="")
    options.add_argument("--budget", type=float, default=BUDGET)
    options.add_argument("--peer-seconds", type=float, default=60.0)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--no-peers", action="store_true", help="only ours")
    given = options.parse_args()
    if not given.data.is_dir():
        options.error(f"there is no folder {given.data}; --data names it")
    result: dict[str, Any] = {"budget": given.budget, "seed": given.seed}
    wrong: list[str] = []
    for name in [given.only] if given.only else TASKS:
        result[name], beyond = measured(name, given)
        wrong += beyond
    return finished(result, wrong)


if __name__ == "__main__":
    sys.exit(main())
