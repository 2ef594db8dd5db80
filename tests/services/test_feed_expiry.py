"""Addresses that nobody uses, and those of people who left, are as if they had never been."""

from datetime import date, datetime, timedelta

import pytest
from flask_sqlalchemy import SQLAlchemy

from models import FeedToken, JobRun, Membership, Person, Setting
from rules.permissions import SYSTEM
from rules.refusals import NotFound
from services import feed_expiry, feeds
from tests.services.test_feeds import token_of
from tests.world import NOW, TODAY, World, build_world


@pytest.fixture
def world(db: SQLAlchemy) -> World:
    return build_world()


@pytest.fixture
def token(world: World) -> str:
    return token_of(feeds.create_member_feed("DV001", now=NOW, by=SYSTEM))


def nights(count: int, last: datetime) -> None:
    """Let the nightly job run on so many nights in a row."""
    for night in reversed(range(count)):
        at = last - timedelta(days=night)
        feed_expiry.end_unused(at, now=at)


def is_alive(token: str, at: datetime) -> bool:
    """Whether a phone that asks then still gets its calendar."""
    try:
        feeds.feed_content(feeds.feed_state(token, kind="member", now=at))
    except NotFound:
        return False
    return True


def ended(db: SQLAlchemy) -> bool:
    db.session.rollback()
    db.session.expire_all()
    return db.session.query(FeedToken).one().revoked_at is not None


def test_an_address_ends_ninety_days_after_its_last_fetch(token: str, db: SQLAlchemy) -> None:
    assert is_alive(token, NOW + timedelta(days=10))
    nights(30, NOW + timedelta(days=100))
    assert not ended(db)
    assert feeds.last_good(token, kind="member") is not None
    nights(1, NOW + timedelta(days=101))
    assert ended(db)
    assert not is_alive(token, NOW + timedelta(days=101))
    assert feeds.last_good(token, kind="member") is None, "not even while the database is away"


def test_one_that_was_never_fetched_ends_ninety_days_after_it_was_made(
    token: str, db: SQLAlchemy
) -> None:
    nights(20, NOW + timedelta(days=90))
    assert not ended(db)
    nights(1, NOW + timedelta(days=91))
    assert ended(db)


def test_a_phone_that_asks_keeps_it_alive(token: str, db: SQLAlchemy) -> None:
    for month in range(1, 13):
        at = NOW + timedelta(days=30 * month)
        nights(30, at)
        assert is_alive(token, at)


def test_the_board_chooses_how_long(token: str, db: SQLAlchemy) -> None:
    db.session.add(Setting(key="feed_expiry_days", value="30"))
    db.session.commit()
    _, (row,) = feeds.member_feeds("DV001", now=NOW, by=SYSTEM)
    assert row.expires_on == TODAY + timedelta(days=30)
    assert feeds.own_feed(token).expiry_days == 30
    nights(10, NOW + timedelta(days=31))
    assert ended(db)


def test_nothing_ends_unused_before_a_week_of_watching(token: str, db: SQLAlchemy) -> None:
    late = NOW + timedelta(days=200)
    nights(6, late)
    assert not ended(db), "the program was away, or is a backup put back: phones had no chance"
    nights(1, late + timedelta(days=1))
    assert ended(db)


def test_a_night_counts_once(token: str, db: SQLAlchemy) -> None:
    late = NOW + timedelta(days=200)
    for _ in range(10):
        feed_expiry.end_unused(late, now=late)
    assert db.session.query(JobRun).filter_by(job=feed_expiry.JOB).count() == 1
    assert not ended(db)


def leave(db: SQLAlchemy, person_id: int, on: date) -> Membership:
    row = db.session.query(Membership).filter_by(person_id=person_id, valid_to=None).one()
    row.valid_to = on
    db.session.commit()
    return row


def test_it_ends_the_night_a_member_has_left(token: str, world: World, db: SQLAlchemy) -> None:
    leave(db, world.people["chi"].id, TODAY + timedelta(days=3))
    nights(1, NOW + timedelta(days=2))
    assert not ended(db)
    nights(1, NOW + timedelta(days=3))
    assert ended(db)


def test_who_only_moves_to_another_cell_keeps_it(token: str, world: World, db: SQLAlchemy) -> None:
    row = leave(db, world.people["chi"].id, TODAY + timedelta(days=3))
    db.session.add(
        Membership(
            person_id=row.person_id,
            unit_id=world.units["cell-2"].id,
            standing=row.standing,
            valid_from=TODAY + timedelta(days=5),
        )
    )
    db.session.commit()
    nights(10, NOW + timedelta(days=12))
    assert not ended(db)


def test_it_ends_with_its_owner_s_life(token: str, world: World, db: SQLAlchemy) -> None:
    db.session.get_one(Person, world.people["chi"].id).died_on = TODAY
    db.session.commit()
    nights(1, NOW)
    assert ended(db)


def test_what_ended_is_renewed_in_one_step(token: str, db: SQLAlchemy) -> None:
    late = NOW + timedelta(days=100)
    nights(10, late)
    assert ended(db)
    again = token_of(feeds.create_member_feed("DV001", now=late, by=SYSTEM))
    assert is_alive(again, late)
