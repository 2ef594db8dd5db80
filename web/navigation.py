"""The sections of the program as data, and what every page's frame asks of the server."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast

from flask import Flask, current_app, request
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from rules.refusals import NP_
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
        NP_("menu", "Chỉ tiêu"),
        (
            Entry(NP_("menu", "Bảng chỉ tiêu"), "coverage.index", "target", READERS),
            Entry(NP_("menu", "Đợt học tập"), "campaigns.index", "flag", READERS),
        ),
    ),
    Group(
        NP_("menu", "Kế hoạch"),
        (
            Entry(NP_("menu", "Lịch"), "planning.index", "calendar", EVERYONE),
            Entry(NP_("menu", "Buổi"), "meetings.index", "meeting", EVERYONE),
            Entry(NP_("menu", "Lớp"), "courses.index", "book", EVERYONE),
            Entry(NP_("menu", "Điểm danh"), "attendance.index", "clipboard", TAKERS),
            Entry(NP_("menu", "Báo cáo viên"), "speakers.index", "mic", STAFF),
            Entry(NP_("menu", "Địa điểm"), "venues.index", "pin", STAFF),
        ),
    ),
    Group(
        NP_("menu", "Con người"),
        (
            Entry(NP_("menu", "Đảng viên"), "people.index", "users", STAFF),
            Entry(NP_("menu", "Hộ gia đình"), "people.households", "home", STAFF),
            Entry(NP_("menu", "Đơn vị"), "units.index", "building", READERS),
            Entry(NP_("menu", "Nhập danh sách"), "roster.index", "upload", STAFF),
            Entry(NP_("menu", "Thư mời & hộp thư đi"), "invitations.index", "mail", STAFF),
            Entry(NP_("menu", "Thư trả lời cần xem"), "reply_review.index", "inbox", STAFF),
            Entry(NP_("menu", "Danh sách gọi điện"), "invitations.calls", "phone", TAKERS),
        ),
    ),
    Group(
        NP_("menu", "Báo cáo"),
        (
            Entry(NP_("menu", "Báo cáo"), "reports.index", "chart", READERS),
            Entry(NP_("menu", "Việc đến hạn"), "works.index", "ballot", READERS),
        ),
    ),
    Group(
        NP_("menu", "Hệ thống"),
        (
            Entry(NP_("menu", "Tài khoản"), "accounts.index", "key", ("admin",)),
            Entry(NP_("menu", "Nhật ký"), "audit.index", "history", STAFF),
            Entry(NP_("menu", "Yêu cầu về dữ liệu"), "privacy.index", "key", STAFF),
            Entry(NP_("menu", "Thiết lập"), "settings.index", "settings", ("admin",)),
            Entry(NP_("menu", "Tình trạng hệ thống"), "monitoring.index", "info", ("admin",)),
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

    @cache
    def import_map_below(_root: str) -> Markup:
        scripts = script_names(static_folder)
        imports = {name: static_url(path) for name, path in scripts.items()}
        return htmlsafe_json_dumps({"imports": imports}, dumps=app.json.dumps)

    def import_map() -> Markup:
        return import_map_below(request.script_root)

    app.jinja_env.globals.update(
        navigation=navigation,
        has_endpoint=has_endpoint,
        import_map=import_map,
        theme=chosen_theme,
        language=chosen_language,
    )
