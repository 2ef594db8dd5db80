"""One thread that watches the deadlines of works done one after the other."""

import threading
import time

from gateways.deadlines import Deadline


def watching() -> int:
    return sum(thread.name == "deadline" for thread in threading.enumerate())


def was_cut(deadline: Deadline) -> bool:
    return deadline.is_over


def test_what_takes_too_long_is_cut_once_and_what_does_not_is_left_alone() -> None:
    cuts: list[float] = []
    deadline = Deadline(lambda: cuts.append(time.monotonic()))
    with deadline.within(60):
        pass
    assert not was_cut(deadline)
    began = time.monotonic()
    with deadline.within(0.2):
        while not cuts and time.monotonic() < began + 10:
            time.sleep(0.01)
        time.sleep(0.3)
    assert was_cut(deadline)
    assert len(cuts) == 1
    assert cuts[0] - began >= 0.2
    with deadline.within(60):
        pass
    assert not was_cut(deadline)
    assert len(cuts) == 1
    deadline.end()


def test_what_was_done_in_time_is_not_cut_later() -> None:
    cuts: list[bool] = []
    deadline = Deadline(lambda: cuts.append(True))
    for _ in range(20):
        with deadline.within(0.05):
            pass
    time.sleep(0.3)
    assert cuts == []
    deadline.end()


def test_a_later_work_has_its_own_time_though_the_thread_wakes_for_an_earlier_one() -> None:
    cuts: list[bool] = []
    deadline = Deadline(lambda: cuts.append(True))
    with deadline.within(0.2):
        pass
    with deadline.within(30):
        time.sleep(0.5)
    assert cuts == []
    assert not was_cut(deadline)
    deadline.end()


def test_there_is_one_thread_and_none_after_the_end() -> None:
    before = watching()
    deadline = Deadline(lambda: None)
    for _ in range(50):
        with deadline.within(60):
            pass
    assert watching() == before + 1
    deadline.end()
    for _ in range(500):
        if watching() == before:
            break
        time.sleep(0.01)
    assert watching() == before
