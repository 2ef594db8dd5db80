"""Mails that come back, read: every client's answer, and whatever else arrives."""

import os
import time
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateways.errors import GatewayError
from gateways.replies import MAIL_BYTES, message_key, read_mail
from tests import reply_corpus
from tests.reply_corpus import CHI, STAMP, Facts

FACTS = Facts()


@pytest.mark.parametrize(
    "client",
    [
        reply_corpus.thunderbird,
        reply_corpus.outlook,
        reply_corpus.bare_line_feeds,
        reply_corpus.attached_only,
    ],
)
def test_every_clients_answer_says_the_same(client: Callable[[Facts], bytes]) -> None:
    mail = read_mail(client(FACTS))
    assert (mail.kind, mail.from_address) == ("reply", CHI)
    answer = mail.answer
    assert answer is not None
    assert (answer.method, answer.uid, answer.events) == ("REPLY", FACTS.uid, 1)
    assert (answer.attendees, answer.partstat) == ((CHI,), "ACCEPTED")
    assert (answer.sequence, answer.stamped_at) == (0, STAMP)


def test_an_address_is_compared_without_its_case_and_scheme() -> None:
    facts = replace(FACTS, attendee="CHI@Test.Invalid", sender="Chi@TEST.invalid")
    mail = read_mail(reply_corpus.outlook(facts).replace(b"mailto:", b"MAILTO:"))
    assert mail.from_address == CHI
    assert mail.answer is not None
    assert mail.answer.attendees == (CHI,)


def test_two_attendees_are_both_seen() -> None:
    answer = read_mail(reply_corpus.two_attendees(FACTS)).answer
    assert answer is not None
    assert answer.attendees == (CHI, "hien@test.invalid")


def test_an_alarms_attendee_is_not_the_one_who_answers() -> None:
    alarm = "BEGIN:VALARM\nATTENDEE:mailto:alarm@x.invalid\nEND:VALARM"
    answer = read_mail(reply_corpus.outlook(FACTS, alarm)).answer
    assert answer is not None
    assert answer.attendees == (CHI,)


def test_a_counter_brings_its_proposal_and_comment() -> None:
    mail = read_mail(reply_corpus.counter(FACTS))
    assert mail.kind == "counter"
    assert mail.answer is not None
    assert mail.answer.starts_at == datetime(2026, 11, 29, 1, tzinfo=UTC)
    assert mail.answer.ends_at == datetime(2026, 11, 29, 3, tzinfo=UTC)
    assert mail.answer.comment == "Xin lùi một ngày"


@pytest.mark.parametrize(
    ("written", "meant"),
    [("SEQUENCE:2", 2), ("X-NONE:2", 0), ("SEQUENCE:two", 2**31 - 1), ("SEQUENCE:-1", 2**31 - 1)],
)
def test_a_sequence_that_is_no_number_is_not_taken_for_an_old_one(written: str, meant: int) -> None:
    content = reply_corpus.thunderbird(FACTS).replace(b"SEQUENCE:0", written.encode())
    answer = read_mail(content).answer
    assert answer is not None
    assert answer.sequence == meant


@pytest.mark.parametrize(
    "writers", ["chi@test.invalid, evil@x.invalid", "chi@test.invalid)<e@x.y>"]
)
def test_a_sender_who_can_be_read_in_two_ways_is_nobody(writers: str) -> None:
    content = reply_corpus.thunderbird(FACTS)
    start, end = content.index(b"From: "), content.index(b"\r\n")
    mail = read_mail(content[:start] + f"From: {writers}".encode() + content[end:])
    assert mail.from_address != CHI


def test_an_absence_note_is_automatic_and_a_letter_is_a_letter() -> None:
    assert read_mail(reply_corpus.out_of_office(FACTS)).kind == "automatic"
    assert read_mail(reply_corpus.handwritten(FACTS)).kind == "letter"
    vietnamese = reply_corpus.handwritten(FACTS).replace(
        b"Subject: ", b"Precedence: bulk\nSubject: "
    )
    assert read_mail(vietnamese).kind == "automatic"


@pytest.mark.parametrize(
    ("status", "action", "is_final"),
    [("5.1.1", "failed", True), ("4.4.1", "delayed", False), ("4.2.2", "failed", False)],
)
def test_a_returned_letter_names_its_address_and_whether_it_is_for_good(
    status: str, action: str, is_final: bool
) -> None:
    mail = read_mail(reply_corpus.bounce("<7@localhost>", status=status, action=action))
    assert mail.kind == "bounce"
    assert mail.bounce is not None
    assert (mail.bounce.address, mail.bounce.is_final) == (CHI, is_final)
    assert mail.bounce.message_id == "<7@localhost>"


def test_the_same_message_id_is_the_same_mail() -> None:
    first = reply_corpus.thunderbird(FACTS)
    assert message_key(first) == message_key(reply_corpus.outlook(FACTS))
    other = reply_corpus.outlook(replace(FACTS, message_id="<2@client.invalid>"))
    assert message_key(first) != message_key(other)
    assert message_key(b"no head") != message_key(b"another")


def test_a_bomb_is_read_quickly_or_refused() -> None:
    began = time.monotonic()
    answer = read_mail(reply_corpus.bomb(FACTS)).answer
    assert answer is None or len(answer.comment) <= 2000
    with pytest.raises(GatewayError):
        read_mail(b"x" * (MAIL_BYTES + 1))
    nested = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
        for n in range(5000)
    )
    try:
        read_mail(nested[:MAIL_BYTES])
    except GatewayError as error:
        assert error.permanent
    long_header = b"To: " + b"((((" * 60_000 + b"\r\n\r\n"
    assert read_mail(long_header[:MAIL_BYTES]).to_addresses == ()
    assert time.monotonic() - began < 5


def read_all(how_many: int, seed: int) -> None:
    for content in reply_corpus.mutations(how_many, seed):
        try:
            mail = read_mail(content)
        except GatewayError as error:
            assert error.permanent
            continue
        texts = [mail.from_address, mail.subject, *mail.to_addresses]
        if mail.answer is not None:
            answer = mail.answer
            texts += [answer.uid, answer.partstat, answer.method, *answer.attendees]
            assert 0 <= answer.sequence < 2**31
            assert len(answer.uid) <= 255
        marks = {unicodedata.category(mark) for text in texts for mark in text}
        assert marks.isdisjoint({"Cc", "Cs", "Zl", "Zp"})


def test_mutated_mails_raise_one_kind_of_error_and_leave_clean_words() -> None:
    read_all(int(os.environ.get("MUTATIONS", "3000")), seed=1)
