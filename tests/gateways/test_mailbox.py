"""Mail kept in the local mailbox and read back."""

from datetime import UTC, datetime
from pathlib import Path

from gateways.calendar import Method
from gateways.mail import compose
from gateways.mailbox import LocalMailbox
from tests.gateways.test_mail import ENVELOPE, LETTER, calendar


def keep(box: LocalMailbox, content: bytes) -> str:
    return box.send(ENVELOPE.sender.address, ENVELOPE.recipient.address, content, lambda: None)


def test_a_kept_invitation_shows_its_text_and_its_calendar_facts(tmp_path: Path) -> None:
    box = LocalMailbox(tmp_path / "instance" / "mailbox")
    assert box.listing() == []
    content = compose(ENVELOPE, LETTER, calendar(Method.REQUEST), Method.REQUEST)
    answer = keep(box, content)
    (listed,) = box.listing()
    assert listed.key in answer
    assert listed.subject == ENVELOPE.subject
    assert "Trần Thị Chi" in listed.recipient
    assert listed.sent_at == datetime(2026, 11, 23, 0, 30, tzinfo=UTC)
    shown = box.message(listed.key)
    assert shown is not None
    assert "Mời đồng chí dự buổi học" in shown.text
    assert ("METHOD", "REQUEST") in shown.calendar
    assert ("SEQUENCE", "0") in shown.calendar
    assert shown.source == content


def test_a_key_that_leads_elsewhere_finds_nothing(tmp_path: Path) -> None:
    box = LocalMailbox(tmp_path / "mailbox")
    (tmp_path / "secret").write_text("x")
    assert box.message("../../secret") is None
