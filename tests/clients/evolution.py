"""Evolution-Data-Server, which Evolution and GNOME Calendar show, in a D-Bus session of its own."""

import json
import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.clients.readers import Told

SCRIPT = Path(__file__).with_name("evolution_session.py")
PYTHON = "/usr/bin/python3"
SERVICE = Path("/usr/libexec/evolution-calendar-factory")


def is_here() -> bool:
    """Whether the service, its description for Python and a D-Bus session can be had."""
    if not SERVICE.exists() or shutil.which("dbus-run-session") is None:
        return False
    asked = "import gi; gi.require_version('ECal', '2.0')"
    return subprocess.run([PYTHON, "-c", asked], check=False, capture_output=True).returncode == 0


class Evolution:
    """One running service with an empty home; `subscribe` first."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="evolution"))
        runtime = self.folder / "run"
        runtime.mkdir(mode=0o700)
        self._log = (self.folder / "log").open("wb")
        self._process = subprocess.Popen(
            ["dbus-run-session", "--", PYTHON, str(SCRIPT)],
            env={
                "HOME": str(self.folder),
                "XDG_RUNTIME_DIR": str(runtime),
                "PATH": os.environ["PATH"],
                "LANG": "C.UTF-8",
                "TZ": "Asia/Ho_Chi_Minh",
                "GIO_USE_VFS": "local",
                "GSETTINGS_BACKEND": "memory",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )

    def subscribe(self, url: str) -> None:
        self._ask({"do": "subscribe", "url": url})

    def refresh(self) -> None:
        self._ask({"do": "refresh"})

    def kept(self) -> list[Told]:
        """Every event that it holds now."""
        return sorted(Told(**one) for one in self._ask({"do": "kept"}))

    def stop(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(15)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(15)
        self._process.stdout.close()
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _ask(self, what: dict[str, str]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(what).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, (self.folder / "log").read_text(errors="replace")[-3000:]
        return json.loads(line)
