"""`python -m torture NAME …` runs one scenario and prints one JSON object; exit 1 when a promise broke.

A scenario is a module of this folder with

    NAME = "outbox"
    QUICK = [("--db", "sqlite", "--kills", "40")]      arguments of its runs in `make torture-quick`
    FULL = [("--db", "sqlite", "--kills", "300")]      the same for `make torture`
    def add_arguments(parser: argparse.ArgumentParser) -> None
    def run(options: argparse.Namespace) -> Outcome    options.seed is always set

`python -m torture suite quick` runs every scenario's QUICK runs, each as a process of its own, one
after the other or in `--lanes` side by side, and ends with one line that sums up.
"""

import argparse
import json
import pkgutil
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from types import ModuleType

import torture

ROOT = Path(__file__).resolve().parent.parent
SUITES = ("quick", "full")
BUSY = "outbox"
"""Its runs start hundreds of processes: side by side they only slow each other down, so they go one
after another, in one lane."""
LONG = ("migrate", "time", "sync", "dst", "ics", "backup")
"""Of the others these begin first, in this order, so that no lane ends with one of them alone."""


def scenarios() -> dict[str, ModuleType]:
    """Every module of this folder that names itself a scenario."""
    found = {}
    for info in pkgutil.iter_modules(torture.__path__):
        if info.name == "__main__":
            continue
        module = import_module(f"torture.{info.name}")
        if hasattr(module, "NAME"):
            found[module.NAME] = module
    return found


def main() -> int:
    """Run what was asked for; 0 when every promise was kept, 1 when not, 2 on wrong usage."""
    known = scenarios()
    parser = argparse.ArgumentParser(prog="python -m torture", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    for name, module in sorted(known.items()):
        sentence = (module.__doc__ or "").split("\n")[0]
        command = commands.add_parser(name, help=sentence, description=sentence)
        command.add_argument(
            "--seed", type=int, default=None, help="repeats a run's random choices"
        )
        module.add_arguments(command)
    suite = commands.add_parser("suite", help="all scenarios' runs of one length")
    suite.add_argument("length", choices=SUITES)
    suite.add_argument("--only", nargs="*", default=sorted(known), choices=sorted(known))
    suite.add_argument("--lanes", type=int, default=1, help="how many runs at the same time")
    suite.add_argument("--output", type=Path, help="also append each run's JSON to this file")
    options = parser.parse_args()
    if options.name == "suite":
        return run_suite({name: known[name] for name in options.only}, options)
    options.seed = random.randrange(2**31) if options.seed is None else options.seed
    return run_one(known[options.name], options)


def run_one(module: ModuleType, options: argparse.Namespace) -> int:
    """Run a scenario here and print what it found."""
    began = time.monotonic()
    outcome = module.run(options)
    arguments = {key: str(value) for key, value in vars(options).items() if key != "name"}
    print(
        json.dumps(
            {"scenario": module.NAME, "seed": options.seed}
            | outcome.as_json()
            | {"seconds": round(time.monotonic() - began, 1), "arguments": arguments},
            ensure_ascii=False,
        ),
        flush=True,
    )
    for sentence in outcome.broken:
        print(f"✗ {module.NAME}: {sentence}", file=sys.stderr)
    return 1 if outcome.broken else 0


def run_suite(known: dict[str, ModuleType], options: argparse.Namespace) -> int:
    """Run each scenario's runs of that length; one that fails does not stop the others."""
    began = time.monotonic()
    runs = [
        (name, arguments)
        for name, module in sorted(known.items(), key=_turn)
        for arguments in getattr(module, options.length.upper(), ())
    ]
    busy = iter([run for run in runs if run[0] == BUSY])
    others = iter([run for run in runs if run[0] != BUSY])

    def lane(*waiting: Iterator[tuple[str, Sequence[str]]]) -> list[str]:
        """Take run after run, as the other lanes do from the same; gives those that failed."""
        return [
            " ".join((name, *arguments))
            for part in waiting
            for name, arguments in part
            if _run_apart(name, arguments, options.output)
        ]

    with ThreadPoolExecutor(options.lanes) as lanes:
        first = lanes.submit(lane, busy, others)
        rest = [lanes.submit(lane, others) for _ in range(options.lanes - 1)]
    failed = [run for one in (first, *rest) for run in one.result()]
    summary = {"suite": options.length, "runs": len(runs), "failed": failed, "kept": not failed}
    print(json.dumps(summary | {"seconds": round(time.monotonic() - began)}), flush=True)
    return 1 if failed else 0


def _turn(item: tuple[str, ModuleType]) -> tuple[int, str]:
    """The long ones in their order, then the others by name."""
    name = item[0]
    return LONG.index(name) if name in LONG else len(LONG), name


def _run_apart(name: str, arguments: Sequence[str], output: Path | None) -> int:
    print(f"→ torture {' '.join((name, *arguments))}", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "torture", name, *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    print(done.stdout, end="", flush=True)
    if output is not None:
        with output.open("a", encoding="utf-8") as stream:
            stream.write(done.stdout)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
