"""`flask account create`: one address on stdout, refusals on stderr."""

from flask import Flask

from models import db
from tests.world import build_world


def test_an_account_is_created_and_its_link_printed(app: Flask) -> None:
    with app.app_context():
        build_world()
    runner = app.test_cli_runner()
    done = runner.invoke(
        args=["account", "create", "moi@test.invalid", "--role", "staff", "--unit", "DB1"]
    )
    assert done.exit_code == 0
    assert "/sign-in/" in done.stdout
    assert len(done.stdout.split()) == 1
    path = "/" + done.stdout.strip().split("/", 3)[3]
    client = app.test_client()
    assert client.get(path).status_code == 200
    assert client.post(path).status_code == 303
    assert client.post(path).status_code == 410


def test_a_refusal_is_one_sentence_on_stderr(app: Flask) -> None:
    with app.app_context():
        build_world()
        db.session.remove()
    runner = app.test_cli_runner()
    for args in (
        ["an@test.invalid", "--role", "staff"],
        ["b@test.invalid", "--role", "staff", "--unit", "XYZ"],
    ):
        refused = runner.invoke(args=["account", "create", *args])
        assert refused.exit_code == 1
        assert refused.stdout == ""
        assert refused.stderr.strip().count("\n") == 0
    assert (
        runner.invoke(args=["account", "create", "b@test.invalid", "--role", "king"]).exit_code == 2
    )
