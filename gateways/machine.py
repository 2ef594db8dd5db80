"""Where the program runs: the machine and the folder, and the small file that names the installation."""

import contextlib
import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

NAME = "installation.json"
_MACHINE_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))


@dataclass(frozen=True)
class Named:
    """What the file says: the installation's id, and a hash of the place it was written for."""

    id: str
    place: str


def place_of(folder: Path) -> str:
    """A hash of this machine and this folder: it differs wherever the folder is copied to."""
    machine = ""
    for file in _MACHINE_IDS:
        with contextlib.suppress(OSError):
            machine = machine or file.read_text(encoding="ascii").strip()
    return hashlib.sha256(f"{machine}\n{folder.resolve()}".encode()).hexdigest()[:32]


def named(folder: Path) -> Named | None:
    """Read the file beside the database; None when there is none that can be read."""
    try:
        values = json.loads((folder / NAME).read_text(encoding="utf-8"))
        return Named(str(values["id"]), str(values["place"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def name_it(folder: Path, installation: str, *, replace: bool) -> Named:
    """Write the file, whole or not at all; without `replace` one that is there already counts."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=f".{NAME}.")
    content = {"id": installation, "place": place_of(folder)}
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(content, stream)
            stream.flush()
            os.fsync(stream.fileno())
        if replace:
            os.replace(temporary, folder / NAME)
        else:
            with contextlib.suppress(FileExistsError):
                os.link(temporary, folder / NAME)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
    return named(folder) or Named(installation, content["place"])
