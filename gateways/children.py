"""Files of unknown origin are opened by a child process, which at worst ends alone."""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

from rules.refusals import Malformed

T = TypeVar("T")
_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Endings:
    """What is said when a child was stopped for time, ended for memory, or could not read."""

    stopped: str
    too_large: str
    broken: str


def in_child(
    module: str,
    arguments: list[str],
    take: Callable[[IO[bytes]], T | None],
    job: bytes,
    *,
    seconds: float,
    endings: Endings,
) -> T:
    """Run a module of ours on a job (its standard input) and take its answer from its output.

    `take` gives None for no answer. After `seconds` of wall time the child is killed; its memory
    and processor time it limits itself (`limit_this_process`). Raises `Malformed`.
    """
    command = [sys.executable, "-m", module, *arguments]
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONIOENCODING": "utf-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        # Each arena of the allocator would count against the limit on memory.
        "MALLOC_ARENA_MAX": "2",
    }
    with subprocess.Popen(
        command,
        cwd=_ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as child:
        watch = threading.Timer(seconds, child.kill)
        watch.start()
        try:
            return _answered(child, take, job, endings)
        finally:
            watch.cancel()
            child.kill()


def _answered(
    child: "subprocess.Popen[bytes]",
    take: Callable[[IO[bytes]], T | None],
    job: bytes,
    endings: Endings,
) -> T:
    if child.stdin is None or child.stdout is None:
        raise RuntimeError("the reader was started without pipes")
    answer: T | None
    try:
        child.stdin.write(job)
        child.stdin.close()
        answer = take(child.stdout)
    except (BrokenPipeError, json.JSONDecodeError, UnicodeDecodeError):
        answer = None
    code = child.wait()
    if answer is None or code != 0:
        raise Malformed(_why_it_ended(code, endings))
    return answer


def _why_it_ended(code: int, endings: Endings) -> str:
    """Stopped for time (killed, or out of CPU), for memory (aborted), or by a file it cannot read."""
    if code in (-signal.SIGKILL, -signal.SIGXCPU):
        return endings.stopped
    return endings.too_large if code < 0 else endings.broken


def limit_this_process(memory_bytes: int, cpu_seconds: int) -> None:
    """In the child: no more memory and processor time than this, and no core dump."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
