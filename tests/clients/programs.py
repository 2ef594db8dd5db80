"""Which of the programs that people use are here; a missing one is said loudly and fails in CI."""

from pathlib import Path

import pytest

from tests.conftest import in_ci

SETUP = Path(__file__).resolve().parents[2] / ".setup" / "clients"


def needs(found: object, name: str) -> None:
    """Go on when the program was found; else skip, or fail where everything must run."""
    if found:
        return
    sentence = f"{name} was not found: NOT TESTED WITH IT. Run scripts/install-test-programs."
    if in_ci():
        pytest.fail(sentence)
    pytest.skip(sentence)


def installed(name: str) -> str | None:
    """A program of the clients' own environment, which scripts/install-test-programs makes."""
    path = SETUP / "bin" / name
    return str(path) if path.exists() else None
