"""Every sentence of the source has its English, and English pages show no Vietnamese of ours."""

import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask, render_template_string, session
from flask.testing import FlaskClient
from flask_babel import get_domain
from sqlalchemy import String, select
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from gateways import languages
from gateways.holidays import day_notes
from gateways.mail import html_body
from models import Account, db
from services import letters
from services.demo.loading import ADMIN, load_demo
from services.meeting_facts import organizer_of
from tests.world import add_meeting, build_world, signed_in

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = ROOT / "translations/en/LC_MESSAGES/messages.po"
VIETNAMESE = re.compile("[À-ỹ]")
PLACE = re.compile(r"%\(\w+\)[a-z]|%%|\{\w+\}")
QUOTED = re.compile("“[^”]*”")
NAMES_IN_SENTENCES = ("Hiền", "Tuyên Huấn")
"""A given name as an example in a hint, and our own name."""
SPOKEN_ATTRIBUTES = ("aria-label", "title", "placeholder", "alt")
OURS = ("Tuyên Huấn", "Tiếng Việt", "Hộ ")
"""Our own name, a language by its own name, and what households go by: Hộ 12."""
LEAST_PAGES = 50


@cache
def english() -> Catalog:
    with CATALOGUE.open("rb") as file:
        return read_po(file, locale="en")


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> list[Message]:
    """What scripts/collect-translations finds in the source today."""
    path = tmp_path_factory.mktemp("sentences") / "messages.pot"
    subprocess.run([str(ROOT / "scripts/collect-translations"), str(path)], check=True)
    with path.open("rb") as file:
        return [message for message in read_po(file) if message.id]


def test_every_sentence_of_the_source_has_its_english(sentences: list[Message]) -> None:
    missing = [
        sentence.id
        for sentence in sentences
        if (entry := english().get(sentence.id, sentence.context)) is None or not entry.string
    ]
    assert not missing, f"{len(missing)}: run `make translations`, then translate {missing}"


def test_the_catalogue_has_no_guesses_and_nothing_that_the_source_lost(
    sentences: list[Message],
) -> None:
    known = {(sentence.id, sentence.context) for sentence in sentences}
    entries = [entry for entry in english() if entry.id]
    assert [entry.id for entry in entries if entry.fuzzy] == []
    assert [entry.id for entry in entries if (entry.id, entry.context) not in known] == []
    assert not english().obsolete


def test_the_places_in_a_sentence_are_the_same_in_english() -> None:
    for entry in english():
        places = PLACE.findall(str(entry.id)) if entry.id else []
        assert sorted(places) == sorted(PLACE.findall(str(entry.string))), entry.id


def test_english_sentences_hold_vietnamese_only_in_quotation_marks() -> None:
    for entry in english():
        rest = without(str(entry.string), NAMES_IN_SENTENCES) if entry.id else ""
        assert not VIETNAMESE.search(rest), entry.string


def test_the_catalogue_says_nothing_of_the_machine_it_was_collected_on() -> None:
    for entry in english():
        assert not entry.locations


@pytest.fixture
def in_english(app: Flask, tmp_path: Path) -> Iterator[Flask]:
    """The application with the catalogue as it is in the source, compiled for this test."""
    folder = tmp_path / "en/LC_MESSAGES"
    folder.mkdir(parents=True)
    with (folder / "messages.mo").open("wb") as file:
        write_mo(file, english())
    settings = app.extensions["babel"]
    before, settings.translation_directories = settings.translation_directories, [str(tmp_path)]
    forget_translations(app)
    yield app
    settings.translation_directories = before
    forget_translations(app)


def forget_translations(app: Flask) -> None:
    with app.app_context():
        get_domain().cache.clear()


class Page(HTMLParser):
    """What a page says: its text, what its attributes hold for readers, and where it leads.

    Messages to be passed on are Vietnamese for every reader and say so (`lang="vi"`).
    """

    def __init__(self, answer: TestResponse) -> None:
        super().__init__()
        self.said: list[str] = []
        self.links: list[str] = []
        self._not_for_readers = ""
        self.feed(answer.get_data(as_text=True))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "style" or dict(attrs).get("lang") == "vi":
            self._not_for_readers = tag
        for name, value in attrs:
            if value and (name in SPOKEN_ATTRIBUTES or name.startswith("data-")):
                self.said.append(value)
            if value and tag == "a" and name == "href":
                self.links.append(value)

    def handle_endtag(self, tag: str) -> None:
        if tag == self._not_for_readers:
            self._not_for_readers = ""

    def handle_data(self, data: str) -> None:
        if not self._not_for_readers and data.strip():
            self.said.append(" ".join(data.split()))


def vietnamese_in_the_database() -> list[str]:
    """Names, topics and notes: data, which stay as people wrote them."""
    found: set[str] = set()
    for table in db.metadata.sorted_tables:
        columns = [column for column in table.columns if isinstance(column.type, String)]
        for row in db.session.execute(select(*columns)) if columns else ():
            found.update(value for value in row if value)
    return [value for value in found if VIETNAMESE.search(value)]


def holidays_around(year: int) -> list[str]:
    """Holidays go by their Vietnamese names in every language."""
    return [note.name for note in day_notes(date(year - 1, 1, 1), date(year + 1, 12, 31)).values()]


def without(text: str, data: list[str] | tuple[str, ...]) -> str:
    """What is left of a text when quotations and data are taken out, cut short by … or not."""
    text = QUOTED.sub("", text)
    if text.endswith("…") and any(value.startswith(text[:-1]) for value in data):
        return ""
    for value in data:
        if not VIETNAMESE.search(text):
            break
        text = text.replace(value, "")
    return text


def pages_by_links(client: FlaskClient, app: Flask) -> Iterator[tuple[str, Page]]:
    """Every page reached by links from the first one, one of each kind."""
    matcher = app.url_map.bind("localhost")
    ahead: list[str] = ["/"]
    seen: set[str] = {"static"}
    while ahead:
        path = ahead.pop(0).partition("#")[0].partition("?")[0]
        try:
            endpoint = matcher.match(path, method="GET")[0]
        except HTTPException:
            continue
        if endpoint in seen:
            continue
        seen.add(endpoint)
        answer = client.get(path, follow_redirects=True)
        assert answer.status_code == 200, (path, answer.status_code)
        if answer.mimetype == "text/html":
            page = Page(answer)
            ahead += page.links
            yield endpoint, page


@pytest.mark.backends("sqlite")
def test_english_pages_show_no_vietnamese_but_names(in_english: Flask) -> None:
    app, now = in_english, datetime.now(UTC)
    with app.app_context():
        load_demo(scale="ward", seed=1, now=now, progress=lambda text, percent: None)
        data = [*vietnamese_in_the_database(), *holidays_around(now.year), *OURS]
        data.sort(key=len, reverse=True)
        admin = db.session.scalars(select(Account).where(Account.email == ADMIN.email)).one()
        client = signed_in(app.test_client(), admin)
        db.session.remove()
    client.post("/preferences", data={"language": "en"})
    left, visited = {}, set()
    for endpoint, page in pages_by_links(client, app):
        visited.add(endpoint)
        said = {text for text in page.said if VIETNAMESE.search(text)}.difference(data)
        if foreign := [text for text in said if VIETNAMESE.search(without(text, data))]:
            left[endpoint] = foreign
    assert left == {}
    assert len(visited) >= LEAST_PAGES, visited


def test_numbers_dates_and_times_are_written_as_english_readers_expect(in_english: Flask) -> None:
    page = (
        "{{ at|date }} {{ at|time }} {{ 4947|number }} {{ '97.5'|percent_text }} {{ at|weekday }}"
    )
    with in_english.test_request_context():
        session["language"] = "en"
        shown = render_template_string(page, at=datetime(2026, 11, 23, 0, 30, tzinfo=UTC))
    assert shown == "23/11/2026 7:30 4,947 97.5% Monday"


def test_mail_goes_out_in_the_person_s_language(
    in_english: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(languages, "TRANSLATIONS", tmp_path)
    with in_english.app_context():
        world = build_world()
        meeting, person = add_meeting(world), world.people["chi"]
        person.language = "en"
        session = db.session()
        organizer = organizer_of(session)
        guest = letters.person_guest(session, meeting, person)
        occasion = letters.occasion_of(meeting)
        letter = letters.letter_of("request", occasion, guest, organizer)
        subject = letters.subject_of("request", occasion.facts, language="en")
        db.session.remove()
    body = html_body(letter)
    assert subject == "Invitation: Học tập nghị quyết (15:30–17:30, Monday, 23/11/2026)"
    assert letter.greeting == "Dear Comrade Đỗ Thị Kim Chi,"
    assert '<html lang="en">' in body
    assert "I will attend" in body
    assert "Kính gửi" not in body


def test_a_refusal_is_spoken_in_the_reader_s_language(in_english: Flask) -> None:
    client = in_english.test_client()
    client.post("/preferences", data={"language": "en"})
    answer = client.get("/no-such-page", headers={"Accept": "application/json"})
    assert answer.json is not None
    assert answer.json["message"] == "This page was not found. The link may be old."
