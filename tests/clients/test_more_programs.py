"""The same objects in programs too large for every run: again the same meetings and times."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateways.calendar import Method, event_block, feed, invitation, published
from tests.clients.more_readers import MORE_READERS
from tests.clients.readers import Reader, by_icalendar
from tests.clients.test_objects import CHI, FACTS, LIFE, OFFICE, numbered, revised
from tests.world import NOW

pytestmark = [pytest.mark.clients, pytest.mark.full]


def objects() -> Iterator[tuple[str, bytes]]:
    """Feeds of four sizes, a course, a letter's file, and every stage of an invitation's life."""
    for count in (0, 1, 200, 1000):
        blocks = [event_block(numbered(number), OFFICE) for number in range(count)]
        yield f"feed of {count}", feed("Lịch học tập", blocks)
    course = [numbered(number) for number in (0, 1, 2, 4, 5, 6, 7, 8, 9, 10)]
    course[3] = revised(course[3], starts_at=course[3].starts_at - timedelta(hours=1))
    course[7] = revised(course[7], cancelled=True)
    yield "one moved, one cancelled", feed("Lớp", [event_block(one, OFFICE) for one in course])
    yield "a course's letter", published(event_block(one, OFFICE) for one in course)
    facts = FACTS
    for number, (name, edit) in enumerate((("request", {}), *LIFE)):
        facts = revised(facts, **edit)
        method = Method.CANCEL if facts.cancelled else Method.REQUEST
        stamp = NOW + timedelta(minutes=number)
        yield f"mail: {name}", invitation(facts, OFFICE, CHI, method=method, stamp=stamp)
        yield f"feed: {name}", feed("Lịch", [event_block(facts, OFFICE)])
    gone = invitation(FACTS, OFFICE, CHI, method=Method.CANCEL, stamp=NOW, removed=True)
    yield "mail: taken off the list", gone


OBJECTS = dict(objects())


@pytest.mark.parametrize("reader", MORE_READERS, ids=lambda one: one.__name__)
def test_each_reads_every_object_as_the_library_that_wrote_it(
    reader: Reader, tmp_path: Path
) -> None:
    for name, content in OBJECTS.items():
        assert reader(content, tmp_path) == by_icalendar(content), name
