"""The sections of the program as data, and what every page's frame asks of the server."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from flask import Flask, current_app, request

from rules.refusals import N_
from web.identity import current_actor
from web.preferences import chosen_language, chosen_theme

STAFF = ("admin", "staff")
READERS = ("admin", "staff", "reader")
TAKERS = ("admin", "staff", "instructor")
EVERYONE = ("admin", "staff", "instructor", "reader")


@dataclass(frozen=True)
class Entry:
    """One line of the sidebar; `label` is Vietnamese and translated when shown."""

    label: str
    endpoint: str
    icon: str
    roles: tuple[str, ...]

    @property
    def is_current(self) -> bool:
        """The page shown is this one, or belongs to the same feature and has no line of its own."""
        shown = request.endpoint or ""
        if shown in ENDPOINTS:
            return shown == self.endpoint
        return self.endpoint == f"{shown.partition('.')[0]}.index"


@dataclass(frozen=True)
class Group:
    """A titled part of the sidebar."""

    label: str
    entries: tuple[Entry, ...]


GROUPS = (
    Group(
        N_("Chỉ tiêu"),
        (
            Entry(N_("Bảng chỉ tiêu"), "coverage.index", "target", READERS),
            Entry(N_("Đợt học tập"), "campaigns.index", "flag", READERS),
        ),
    ),
    Group(
        N_("Kế hoạch"),
        (
            Entry(N_("Lịch"), "planning.index", "calendar", EVERYONE),
            Entry(N_("Buổi"), "meetings.index", "meeting", EVERYONE),
            Entry(N_("Lớp"), "courses.index", "book", EVERYONE),
            Entry(N_("Điểm danh"), "attendance.index", "clipboard", TAKERS),
            Entry(N_("Báo cáo viên"), "speakers.index", "mic", STAFF),
            Entry(N_("Địa điểm"), "venues.index", "pin", STAFF),
        ),
    ),
    Group(
        N_("Con người"),
        (
            Entry(N_("Đảng viên"), "people.index", "users", STAFF),
            Entry(N_("Hộ gia đình"), "people.households", "home", STAFF),
            Entry(N_("Đơn vị"), "units.index", "building", READERS),
            Entry(N_("Nhập danh sách"), "roster.index", "upload", STAFF),
            Entry(N_("Thư mời & hộp thư đi"), "invitations.index", "mail", STAFF),
            Entry(N_("Thư trả lời cần xem"), "reply_review.index", "inbox", STAFF),
            Entry(N_("Danh sách gọi điện"), "invitations.calls", "phone", TAKERS),
        ),
    ),
    Group(N_("Báo cáo"), (Entry(N_("Báo cáo"), "reports.index", "chart", READERS),)),
    Group(
        N_("Hệ thống"),
        (
            Entry(N_("Tài khoản"), "accounts.index", "key", ("admin",)),
            Entry(N_("Nhật ký"), "audit.index", "history", STAFF),
            Entry(N_("Thiết lập"), "settings.index", "settings", ("admin",)),
        ),
    ),
)
ENDPOINTS = frozenset(entry.endpoint for group in GROUPS for entry in group.entries)


def navigation() -> list[Group]:
    """The groups with the entries that exist and that the person may open; no empty groups."""
    roles = set(current_actor().roles)
    shown = []
    for group in GROUPS:
        entries = tuple(
            entry
            for entry in group.entries
            if has_endpoint(entry.endpoint) and roles.intersection(entry.roles)
        )
        if entries:
            shown.append(Group(group.label, entries))
    return shown


def has_endpoint(endpoint: str) -> bool:
    """Whether the program has this page."""
    return endpoint in current_app.view_functions


def script_names(static_folder: Path) -> dict[str, str]:
    """Each script's bare import name and its path: `js/table.js` is `table`."""
    scripts = sorted((static_folder / "js").rglob("*.js"))
    return {
        script.relative_to(static_folder / "js").with_suffix("").as_posix(): script.relative_to(
            static_folder
        ).as_posix()
        for script in scripts
    }


def init_app(app: Flask) -> None:
    """Give templates the sidebar, the import map and the reader's choices."""
    static_url = cast(Callable[[str], str], app.jinja_env.globals["static_url"])
    static_folder = Path(app.static_folder or "static")

    def import_map() -> dict[str, dict[str, str]]:
        scripts = script_names(static_folder)
        return {"imports": {name: static_url(path) for name, path in scripts.items()}}

    app.jinja_env.globals.update(
        navigation=navigation,
        has_endpoint=has_endpoint,
        import_map=import_map,
        theme=chosen_theme,
        language=chosen_language,
    )
