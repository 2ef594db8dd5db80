"""More programs that read the same objects, too large to be installed for every run."""

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path

from tests.clients.programs import SETUP, needs
from tests.clients.readers import Reader, Told

HERE = Path(__file__).parent
PATIENCE = 60


def by_ruby_icalendar(content: bytes, folder: Path) -> list[Told]:
    """ruby-icalendar, which many Ruby on Rails services read with."""
    needs(shutil.which("ruby"), "ruby-icalendar")
    return _told(json.loads(_said(["ruby", str(HERE / "read.rb")], content, folder)))


def by_sabre(content: bytes, folder: Path) -> list[Told]:
    """sabre/vobject, which Nextcloud and SabreDAV are built on; its own checks find no fault."""
    needs(shutil.which("php"), "sabre/vobject (with php)")
    said = json.loads(_said(["php", str(HERE / "read.php")], content, folder))
    assert said["faults"] == []
    return _told(said["events"])


def by_kcalendarcore(content: bytes, folder: Path) -> list[Told]:
    """KCalendarCore, which KOrganizer and Kalendar read with."""
    return _told(json.loads(_said([_kcalendarcore()], content, folder)))


@cache
def _kcalendarcore() -> str:
    """Our few lines over the library, compiled once; they are older than the library's newest."""
    needs(shutil.which("g++") and shutil.which("pkg-config"), "KCalendarCore (with g++)")
    asked = ["pkg-config", "--cflags", "--libs", "KF5CalendarCore"]
    flags = subprocess.run(asked, capture_output=True, text=True, check=False)
    needs(flags.returncode == 0, "KCalendarCore")
    made = SETUP / "read-kcalendarcore"
    made.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [
            "g++",
            "-std=c++17",
            "-fPIC",
            "-o",
            str(made),
            str(HERE / "read.cpp"),
            *flags.stdout.split(),
        ],
        check=True,
        timeout=300,
    )
    return str(made)


def _said(command: list[str], content: bytes, folder: Path) -> str:
    file = folder / "read.ics"
    file.write_bytes(content)
    done = subprocess.run(
        [*command, str(file)], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def _told(events: list[dict[str, object]]) -> list[Told]:
    return sorted(Told(**one) for one in events)  # type: ignore[arg-type]  # read from JSON


MORE_READERS: tuple[Reader, ...] = (by_ruby_icalendar, by_sabre, by_kcalendarcore)
