"""Fetches the page scripts named in package.json, by exact version, and checks their hashes.

Runs on the standard library alone, and is quiet when everything is already in its place.
Without npm the program still runs (the planning calendar falls back to its list), so a
script that cannot be fetched is a sentence and not a failure, unless --required is given.
"""

import argparse
import base64
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
STAMPS = ROOT / ".setup"
PATIENCE_SECONDS = 180


class Unfetched(Exception):
    """A page script could not be brought here; the message says why."""


def stamp_of(package: str) -> Path:
    return STAMPS / f"page-script-{package.strip('@').replace('/', '-')}"


def is_in_place(package: str, pin: dict[str, Any]) -> bool:
    stamp = stamp_of(package)
    return (
        stamp.is_file()
        and stamp.read_text(encoding="utf-8") == pin["integrity"]
        and all((ROOT / target).is_file() for target in pin["files"].values())
    )


def pack(package: str, version: str, folder: Path) -> Path:
    """The archive of one package, as npm hands it over; npm runs none of its scripts here."""
    npm = shutil.which("npm")
    if npm is None:
        raise Unfetched(
            "npm không có trên máy; hãy cài Node.js rồi chạy lại. "
            "(npm is not installed; install Node.js and run again.)"
        )
    command = [npm, "pack", f"{package}@{version}", "--silent", "--ignore-scripts"]
    try:
        done = subprocess.run(
            [*command, "--pack-destination", str(folder)],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Unfetched(f"npm không trả lời. (npm did not answer: {package}.)") from error
    archives = list(folder.glob("*.tgz"))
    if done.returncode != 0 or len(archives) != 1:
        reason = (done.stderr.strip() or "không rõ").splitlines()[-1]
        raise Unfetched(f"npm không lấy được {package} {version}: {reason}")
    return archives[0]


def check(archive: Path, package: str, integrity: str) -> None:
    algorithm, _, expected = integrity.partition("-")
    found = base64.b64encode(hashlib.new(algorithm, archive.read_bytes()).digest()).decode()
    if found != expected:
        raise Unfetched(
            f"{package} không đúng mã băm đã ghim trong package.json, nên không được dùng. "
            "(Its hash is not the pinned one; it was thrown away.)"
        )


def unpack(archive: Path, files: dict[str, str]) -> None:
    with tarfile.open(archive) as box:
        for source, target in files.items():
            content = box.extractfile(source)
            if content is None:
                raise Unfetched(f"thiếu {source} trong {archive.name}")
            path = ROOT / target
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.read())


def fetch(package: str, version: str, pin: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        archive = pack(package, version, Path(folder))
        check(archive, package, pin["integrity"])
        unpack(archive, pin["files"])
    STAMPS.mkdir(exist_ok=True)
    stamp_of(package).write_text(pin["integrity"], encoding="utf-8")


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--dev", action="store_true", help="also what only the tests need")
    arguments.add_argument("--required", action="store_true", help="fail when one is missing")
    chosen = arguments.parse_args()
    package_json = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    wanted = dict(package_json["dependencies"])
    if chosen.dev:
        wanted |= package_json["devDependencies"]
    for package, version in wanted.items():
        pin = package_json["pageScripts"][package]
        if is_in_place(package, pin):
            continue
        print(f"→ {package} {version}", flush=True)
        try:
            fetch(package, version, pin)
        except Unfetched as error:
            print(f"  {error}", file=sys.stderr)
            if chosen.required:
                return 1
            print(
                "  Chương trình vẫn chạy; lịch kế hoạch hiện dạng danh sách. "
                "(The program still runs; the planning calendar shows as a list.)",
                file=sys.stderr,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
