"""Figures for monitoring systems and the administrators' page: who may see them, and what they say."""

import logging
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from gateways import logs
from models import BackupRun, OutgoingMessage, Setting, db
from services import clock, feeds, installation
from tests.world import World, build_world, signed_in

NOW = datetime.now(UTC)


@pytest.fixture
def world(app: Flask) -> World:
    with app.app_context():
        built = build_world()
        db.session.remove()
        return built


def figures(answer: object) -> dict[str, float]:
    """The samples of an answer, read by the library's own reader of the format."""
    return {
        sample.name + "".join(sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.get_data(as_text=True))  # type: ignore[attr-defined]  # prometheus_client has no types here
        for sample in family.samples
    }


def test_the_figures_tell_how_mail_clock_and_backups_stand(app: Flask, client: FlaskClient) -> None:
    now = datetime.now(UTC)
    with app.app_context():
        clock.record_tick("here:1", now=now - timedelta(seconds=5))
        db.session.add(
            BackupRun(kind="scheduled", file_name="x.db", at=now - timedelta(hours=1), fault="")
        )
        db.session.add(
            OutgoingMessage(
                kind="notice", to_address="chi@test.invalid", subject="Thư", body=b"",
                message_id="<1@x>", dedup_key="1", state="queued",
                due_at=now - timedelta(minutes=2), created_at=now,
            )
        )  # fmt: skip
        db.session.commit()
        db.session.remove()
    client.get("/healthz")
    answer = client.get("/metrics")
    assert answer.status_code == 200
    found = figures(answer)
    assert found["tuyenhuan_database_up"] == 1
    assert 4 < found["tuyenhuan_clock_tick_age_seconds"] < 60
    assert 119 < found["tuyenhuan_outbox_oldest_due_seconds"] < 180
    assert 3599 < found["tuyenhuan_backup_age_seconds"] < 3700
    assert found["tuyenhuan_outbox_messagesqueued"] == 1
    assert found["tuyenhuan_backup_failed"] == 0
    assert found["tuyenhuan_request_seconds_count2xxhealth.show"] >= 1
    assert "chi" not in answer.get_data(as_text=True).lower().replace("which", "")


@pytest.mark.parametrize(
    ("environment", "headers", "status"),
    [
        ({"REMOTE_ADDR": "127.0.0.1"}, {}, 200),
        ({"REMOTE_ADDR": "203.0.113.9"}, {}, 404),
        ({"REMOTE_ADDR": "127.0.0.1"}, {"X-Forwarded-For": "127.0.0.1"}, 404),
        ({"REMOTE_ADDR": "203.0.113.9"}, {"X-Forwarded-For": "127.0.0.1"}, 404),
        ({"REMOTE_ADDR": "203.0.113.9"}, {"Authorization": "Bearer đúng"}, 404),
        ({"REMOTE_ADDR": "203.0.113.9"}, {"Authorization": "Bearer right"}, 200),
    ],
)
def test_only_this_machine_or_the_token_reads_the_figures(
    app: Flask,
    client: FlaskClient,
    environment: dict[str, str],
    headers: dict[str, str],
    status: int,
) -> None:
    from dataclasses import replace

    app.config["SETTINGS"] = replace(app.config["SETTINGS"], metrics_token="right")
    headers = {name: value.encode().decode("latin-1") for name, value in headers.items()}
    answer = client.get("/metrics", environ_overrides=environment, headers=headers)
    assert answer.status_code == status


def test_the_administrators_page_shows_what_was_backed_up_and_rehearsed(
    app: Flask, client: FlaskClient, world: World
) -> None:
    with app.app_context():
        db.session.add_all(
            BackupRun(kind=kind, file_name="tuyenhuan-x.db", at=NOW, fault=fault)
            for kind, fault in (("scheduled", ""), ("rehearsal", "thiếu 3 dòng"))
        )
        db.session.commit()
        db.session.remove()
        page = signed_in(client, world.accounts["quan"]).get("/system").get_data(as_text=True)
    assert "tuyenhuan-x.db" in page
    assert "thiếu 3 dòng" in page
    assert "Bộ hẹn giờ" in page


def test_a_copy_says_so_and_is_adopted_by_an_administrator(
    app: Flask, client: FlaskClient, world: World
) -> None:
    with app.app_context():
        db.session.add(Setting(key=installation.KEY, value="another place"))
        db.session.commit()
        db.session.remove()
        administrator = signed_in(client, world.accounts["quan"])
        assert "Đây là bản sao" in administrator.get("/system").get_data(as_text=True)
        assert administrator.post("/system/adoption").status_code == 303
        assert "Đây là bản sao" not in administrator.get("/system").get_data(as_text=True)
        assert not installation.this_is_a_copy()


def test_a_feeds_token_reaches_no_log_line_even_when_it_breaks(
    app: Flask, client: FlaskClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    app.config["SETTINGS"] = replace(app.config["SETTINGS"], log_format="json")
    written = StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logs.formatter("json"))
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [*root.handlers, handler])
    monkeypatch.setattr(logging.getLogger("web.requests"), "level", logging.INFO)
    token = "Zk3vQ0bN7r1xYt5LwPa8_hC2dE4fG6jM9sUoTiRyBnA"
    client.get(f"/feeds/{token}.ics")
    client.get(f"/subscriptions/{token}")

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"no feed for {token} of chi@test.invalid at /feeds/{token}.ics")

    monkeypatch.setattr(feeds, "feed_state", broken)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    client.get(f"/feeds/{token}.ics")
    lines = written.getvalue()
    assert '"endpoint": "feeds.member_feed"' in lines
    assert '"what": "a feed failed' in lines
    assert token not in lines
    assert "chi@test.invalid" not in lines


def sign_in(app: Flask, client: FlaskClient, world: World, who: str) -> None:
    with app.app_context():
        signed_in(client, world.accounts[who])
        db.session.remove()


def test_a_leap_of_the_clock_is_shown_everywhere_and_confirmed_by_an_administrator(
    app: Flask, client: FlaskClient, world: World
) -> None:
    with app.app_context():
        clock.hold(NOW - timedelta(days=400), NOW, now=NOW)
        db.session.remove()
    app.extensions.pop("banners", None)
    sign_in(app, client, world, "an")
    assert "Đồng hồ nhảy vọt" in client.get("/invitations/").text
    assert client.post("/system/time-confirmations").status_code == 403
    sign_in(app, client, world, "quan")
    page = client.get("/system").text
    assert "Giờ đúng, cho gửi tiếp" in page
    assert client.post("/system/time-confirmations").status_code == 303
    assert "Giờ đúng, cho gửi tiếp" not in client.get("/system").text
    assert client.post("/system/time-confirmations").status_code == 409


def test_what_is_wrong_with_a_clock_is_named_on_the_page(
    app: Flask, client: FlaskClient, world: World
) -> None:
    with app.app_context():
        clock.record_tick("here:1", now=datetime.now(UTC), trouble="Việc “remind” lỗi 3 lần liền.")
        db.session.remove()
    app.extensions.pop("banners", None)
    sign_in(app, client, world, "quan")
    page = client.get("/system").text
    assert "Việc “remind” lỗi 3 lần liền." in page
    assert page.count("Bộ hẹn giờ có trục trặc.") == 2
