"""The page to copy the counts from."""

from datetime import UTC, datetime, timedelta

from tests.world import add_meeting, build_world, signed_in


def test_the_counts_stand_ready_to_copy_with_a_word_while_they_may_change(app, db):
    world = build_world()
    meeting = add_meeting(world, at=datetime.now(UTC) + timedelta(minutes=20))
    address = f"/attendance/{meeting.id}/summary"
    page = signed_in(app.test_client(), world.accounts["an"]).get(address)
    assert page.status_code == 200
    assert "Chưa điểm danh: 3" in page.text
    assert "Sổ chưa nộp" in page.text
    assert "Hiền" not in page.text
    assert app.test_client().get(address).status_code == 302
