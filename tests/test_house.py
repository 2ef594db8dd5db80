"""The house rules that a machine can check: imports, lengths, and what is written where."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

SPREADSHEETS = {"openpyxl", "docx", "xlsxwriter", "python_calamine", "defusedxml"}
WEB_LIBRARIES = {
    "flask", "flask_babel", "flask_login", "flask_wtf", "wtforms", "werkzeug",
    "babel", "markupsafe", "jinja2", "segno",
}  # fmt: skip


@dataclass(frozen=True)
class Room:
    """What a room may import: rooms of ours, and libraries of others (the standard one always)."""

    ours: set[str]
    others: set[str] = field(default_factory=set)


ROOMS = {
    "rules": Room({"rules"}),
    "planner": Room({"planner", "rules"}, {"ortools"}),
    "models": Room({"models", "rules"}, {"sqlalchemy", "flask_sqlalchemy"}),
    "gateways": Room(
        {"gateways", "rules"},
        SPREADSHEETS
        | {
            "icalendar",
            "holidays",
            "phonenumbers",
            "argon2",
            "jinja2",
            "markupsafe",
            "segno",
            "pyrage",
            "prometheus_client",
        },
    ),
    "services": Room(
        {"services", "models", "gateways", "planner", "rules"}, {"sqlalchemy", "alembic"}
    ),
    "web": Room({"web", "services", "rules"}, WEB_LIBRARIES),
    "cli": Room({"cli", "services", "rules"}, {"click", "flask", "flask_babel"}),
    "scheduler": Room({"scheduler", "services", "rules"}, {"apscheduler"}),
    "migrations": Room({"migrations"}, {"alembic", "sqlalchemy", "flask"}),
    "config.py": Room(set()),
    "torture": Room(
        {
            "torture",
            "tests",
            "app",
            "scheduler",
            "services",
            "models",
            "gateways",
            "planner",
            "rules",
            "migrations",
        },
        {"sqlalchemy", "alembic", "psycopg", "time_machine", "apsw", "openpyxl", "playwright"},
    ),
}

# Whole files with a reason to see further than their room.
EXCEPTIONS = {
    "scheduler/__main__.py": Room({"app"}, {"flask"}),
}

OUR_ROOMS = {
    "app", "bench", "cli", "config", "gateways", "migrations", "models", "planner", "rules",
    "scheduler", "scripts", "services", "tests", "torture", "web",
}  # fmt: skip

# "path:function": why it is longer than forty lines.
LONG_FUNCTIONS: dict[str, str] = {}
LONGEST_FUNCTION = 40

CLOCKS = {
    ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"),
    ("time", "time"), ("time", "localtime"), ("time", "gmtime"),
}  # fmt: skip
CLOCKLESS_ROOMS = ("rules", "planner", "models", "services")

FEATURES = [
    "people", "roster", "units", "campaigns", "meetings", "courses", "planning", "attendance",
    "coverage", "invitations", "reminders", "feeds", "reports", "accounts", "privacy",
]  # fmt: skip

# Written in halves, so that this file does not hold what it looks for.
UNFINISHED = re.compile(r"\b(?:TO" + "DO|FIX" + "ME)\b")
ELSEWHERE = (
    "pypi" + ".org", "pythonhosted" + ".org", "registry.npm" + "js", "jsdelivr" + ".net",
    "unpkg" + ".com", "googleapis" + ".com", "cdnjs" + ".",
    "/wo" + "rk/", "/ro" + "ot/", "/op" + "t/wheels", "/t" + "mp/", "file" + ":///op",
)  # fmt: skip


@cache
def kept_files() -> tuple[Path, ...]:
    """Every text file of the project: what git keeps or would keep."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git work tree: which files are kept is unknown")
    files = (ROOT / name for name in listed.stdout.splitlines())
    return tuple(file for file in files if file.is_file() and _is_text(file))


def _is_text(file: Path) -> bool:
    with file.open("rb") as stream:
        return b"\0" not in stream.read(4096)


def sources(place: str) -> Iterator[tuple[str, ast.Module]]:
    """The Python files of a room, by their path from the root."""
    path = ROOT / place
    files = [path] if path.is_file() else sorted(path.rglob("*.py"))
    for file in files:
        yield file.relative_to(ROOT).as_posix(), parsed(file)


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))


def imported_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The top-level name of everything imported, with its line; a relative import is named '.'."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name.partition(".")[0]
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." if node.level else (node.module or "").partition(".")[0]


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("place", sorted(ROOMS))
def test_a_room_imports_only_what_the_table_allows(place: str) -> None:
    wrong = []
    for path, tree in sources(place):
        room, more = ROOMS[place], EXCEPTIONS.get(path, Room(set()))
        allowed = room.ours | room.others | more.ours | more.others | sys.stdlib_module_names
        wrong += [
            f"{path}:{line} imports {name}"
            for line, name in imported_names(tree)
            if name not in allowed
        ]
    assert wrong == []


def test_nobody_imports_the_scheduler() -> None:
    importers = [
        f"{path}:{line}"
        for place in [*ROOMS, "app.py"]
        if place not in ("scheduler", "torture")
        for path, tree in sources(place)
        for line, name in imported_names(tree)
        if name == "scheduler"
    ]
    assert importers == []


def test_imports_stand_at_the_top_of_the_file() -> None:
    hidden = [
        f"{path}:{line} imports {name} inside {function.name}"
        for place in [*ROOMS, "app.py", "scripts"]
        for path, tree in sources(place)
        for function in functions(tree)
        for line, name in imported_names(function)
    ]
    assert hidden == []


def test_every_room_is_in_the_table_and_none_is_named_like_a_library() -> None:
    rooms = {file.relative_to(ROOT).parts[0] for file in kept_files() if file.suffix == ".py"}
    assert {room.removesuffix(".py") for room in rooms} <= OUR_ROOMS
    assert OUR_ROOMS & sys.stdlib_module_names == set()


@pytest.mark.parametrize("place", CLOCKLESS_ROOMS)
def test_nothing_below_the_doors_reads_a_clock(place: str) -> None:
    readers = [
        f"{path}:{node.lineno}"
        for path, tree in sources(place)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) in CLOCKS
    ]
    assert readers == []


def test_no_function_is_longer_than_forty_lines_without_a_reason() -> None:
    long = {
        f"{path}:{function.name}"
        for place in [*ROOMS, "app.py", "scripts"]
        for path, tree in sources(place)
        if not path.startswith("migrations/versions/")
        for function in functions(tree)
        if (function.end_lineno or function.lineno) - function.lineno + 1 > LONGEST_FUNCTION
    }
    assert long == set(LONG_FUNCTIONS)


def test_every_module_opens_with_a_sentence() -> None:
    silent = [
        path
        for place in [*ROOMS, "app.py", "scripts"]
        for path, tree in sources(place)
        if tree.body and not (ast.get_docstring(tree) or "").strip()
    ]
    assert silent == []


def test_the_readme_names_every_setting() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    settings = {
        node.value
        for node in ast.walk(parsed(ROOT / "config.py"))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"[A-Z][A-Z_]{3,}", node.value)
        and node.value != "INBOX"
    }
    assert len(settings) > 10
    assert {name for name in settings if f"`{name}`" not in readme} == set()


def test_the_readme_maps_every_feature() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [feature for feature in FEATURES if f"| `{feature}` |" not in readme] == []


def test_the_readme_explains_every_library() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8").lower()
    names = [
        re.split(r"[=\[]", line)[0]
        for name in ("requirements.in", "requirements-dev.in")
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
        if line and not line.startswith(("-", "#"))
    ]
    assert [name for name in names if f"`{name}`" not in readme] == []


def test_every_requirement_is_pinned_and_hashed() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
        lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
        loose = [line[:40] for line in lines if "==" not in line or "--hash=sha256:" not in line]
        assert loose == []


def test_no_kept_file_names_a_package_host_or_a_place_on_one_machine() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{number} holds {place}"
        for file in kept_files()
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        for place in ELSEWHERE
        if place in line
    ]
    assert found == []


def test_nothing_is_left_for_later_in_a_comment() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{number}"
        for file in kept_files()
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if UNFINISHED.search(line)
    ]
    assert found == []
