"""The roster import's pages: choose a file, put its columns right, look at the changes, confirm."""

import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from flask import (
    Blueprint,
    Flask,
    current_app,
    flash,
    jsonify,
    redirect,
    render_template,
    request,
    send_file,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_wtf.file import FileField, FileRequired
from wtforms import RadioField, SelectField

from rules.days import local_day
from rules.refusals import N_, NotFound, Refusal
from rules.roster_cells import Said
from rules.roster_columns import FIELD_LABELS, HOUSEHOLD_FIELDS, MEMBER_FIELDS, numbers_rows
from services import roster, units
from web.errors import sentence_of
from web.fields import DayField, choices, id_or_none, needed, said
from web.filters import phone
from web.form_sentences import Form
from web.identity import current_actor, now, requires

bp = Blueprint("roster", __name__, url_prefix="/roster")

UPLOAD_BYTES = 21_000_000
STEPS = (
    said(N_("Chọn tệp")),
    said(N_("Nối cột")),
    said(N_("Xem trước")),
    said(N_("Xong")),
)
CHANGED_FIELDS = {
    "name": FIELD_LABELS["name"],
    "unit_id": FIELD_LABELS["unit"],
    "birth_year": FIELD_LABELS["birth"],
    "phone": FIELD_LABELS["phone"],
    "email": FIELD_LABELS["email"],
    "probationary": FIELD_LABELS["status"],
    "code": FIELD_LABELS["code"],
    "exemption": FIELD_LABELS["exempt"],
    "representative": FIELD_LABELS["representative"],
}
BUG = N_("Có lỗi của chương trình nên chưa có gì được nhập. Hãy báo quản trị viên.")


class UploadForm(Form):
    """A workbook, what it lists, and from which day its changes hold."""

    kind = RadioField(
        said(N_("Danh sách của")),
        [needed()],
        choices=choices(
            [("members", said(N_("Đảng viên"))), ("households", said(N_("Hộ gia đình")))]
        ),
        default="members",
    )
    workbook = FileField(said(N_("Tệp danh sách")), [FileRequired(said(N_("Hãy chọn tệp.")))])
    unit = SelectField(said(N_("Đơn vị")), coerce=id_or_none)
    effective_on = DayField(said(N_("Có hiệu lực từ ngày")), [needed()])

    def offer_choices(self) -> None:
        """Fill the list of units, and today."""
        today = local_day(now())
        offered = units.unit_options(current_actor(), today, roles=("staff",))
        self.unit.choices = choices([("", _("Mọi đơn vị tôi phụ trách")), *offered])
        if not self.is_submitted():
            self.effective_on.data = today


@bp.get("")
@requires("staff")
def index() -> ResponseReturnValue:
    """The upload form, and the imports of before."""
    form = UploadForm(formdata=None)
    return _upload_page(form, 200)


def _upload_page(form: UploadForm, status: int) -> ResponseReturnValue:
    form.offer_choices()
    imports = roster.roster_imports(now=now(), by=current_actor())
    return render_template("roster/index.html", form=form, imports=imports, steps=STEPS), status


@bp.post("")
@requires("staff")
def create() -> ResponseReturnValue:
    """Keep the file and go on to its columns; a file that cannot be read is explained here."""
    request.max_content_length = UPLOAD_BYTES
    if current_app.config["WTF_CSRF_ENABLED"]:
        current_app.extensions["csrf"].protect()
    form = UploadForm()
    form.offer_choices()
    if not form.validate():
        return _upload_page(form, 422)
    try:
        import_id = roster.store_upload(
            form.workbook.data.read(),
            form.workbook.data.filename or "",
            kind=form.kind.data,
            unit_id=form.unit.data,
            effective_on=form.effective_on.data,
            now=now(),
            by=current_actor(),
        )
    except Refusal as refusal:
        form.workbook.errors = [sentence_of(refusal)]
        return _upload_page(form, refusal.status if refusal.status != 409 else 422)
    return redirect(url_for("roster.show", import_id=import_id), 303)


# The upload is larger than other requests may be: the token, which stands in the same body, can
# only be checked once the view has raised the limit.
CSRF_EXEMPT = (create,)


@bp.get("/<int:import_id>")
@requires("staff")
def show(import_id: int) -> ResponseReturnValue:
    """The page of the step the import stands at."""
    view = _import(import_id)
    if view.state in ("uploaded", "mapping") or request.args.get("step") == "columns":
        return _columns_page(view, 200)
    pages = {
        "checking": "roster/progress.html",
        "importing": "roster/progress.html",
        "checked": "roster/preview.html",
        "imported": "roster/done.html",
        "failed": "roster/failed.html",
    }
    return render_template(
        pages[view.state],
        view=view,
        steps=STEPS,
        spoken=spoken,
        field_labels=CHANGED_FIELDS,
        **_offers(view),
    )


def _offers(view: roster.ImportView) -> dict[str, Any]:
    """The kinds and parents for units that the file names and nobody knows."""
    if not view.result.get("unknown_units"):
        return {"kinds": [], "parents": []}
    tree = "residential" if view.kind == "households" else "party"
    today = local_day(now())
    return {
        "kinds": [
            (row.code, row.name)
            for row in units.kind_rows()
            if row.tree == tree and row.holds_people
        ],
        "parents": units.unit_options(current_actor(), today, tree=tree, roles=("staff",)),
    }


def _columns_page(
    view: roster.ImportView, status: int, sentence: str | None = None
) -> ResponseReturnValue:
    fields = HOUSEHOLD_FIELDS if view.kind == "households" else MEMBER_FIELDS
    offered = [("", _("Không nhập")), *((field, _(FIELD_LABELS[field])) for field in fields)]
    page = render_template(
        "roster/columns.html",
        view=view,
        steps=STEPS,
        choices=offered,
        sentence=sentence,
        numbers_rows=numbers_rows,
    )
    return page, status


@bp.post("/<int:import_id>/sheet")
@requires("staff")
def choose_sheet(import_id: int) -> ResponseReturnValue:
    """Read another sheet of the workbook."""
    try:
        roster.choose_sheet(import_id, request.form.get("sheet", ""), now=now(), by=current_actor())
    except Refusal as refusal:
        view = _import(import_id)
        if not view.layout.columns:  # the file is gone: there are no columns to show
            raise
        return _columns_page(view, 422, sentence_of(refusal))
    return redirect(url_for("roster.show", import_id=import_id), 303)


@bp.post("/<int:import_id>/columns")
@requires("staff")
def save_columns(import_id: int) -> ResponseReturnValue:
    """Keep the mapping and check the rows."""
    view = _import(import_id)
    allowed = set(HOUSEHOLD_FIELDS if view.kind == "households" else MEMBER_FIELDS)
    meanings = {}
    for column in view.layout.columns:
        chosen = request.form.get(f"column-{column.index}", "")
        meanings[column.index] = chosen if chosen in allowed else None
    try:
        roster.choose_columns(import_id, meanings, now=now(), by=current_actor())
    except Refusal as refusal:
        if not view.layout.columns:
            raise
        return _columns_page(view, 422, sentence_of(refusal))
    return _check(import_id)


@bp.post("/<int:import_id>/answers")
@requires("staff")
def save_answers(import_id: int) -> ResponseReturnValue:
    """Keep who is who among namesakes and check again."""
    answers: dict[int, Any] = {}
    for name, value in request.form.items():
        line = name.removeprefix("who-")
        if name.startswith("who-") and line.isdecimal():
            answers[int(line)] = int(value) if value.isdecimal() else "new"
    roster.answer_namesakes(import_id, answers, now=now(), by=current_actor())
    return _check(import_id)


@bp.post("/<int:import_id>/units")
@requires("staff")
def create_units(import_id: int) -> ResponseReturnValue:
    """Found the chosen units that the file names and nobody knows, and check again."""
    made = roster.create_units(
        import_id,
        request.form.getlist("name"),
        kind_code=request.form.get("kind", ""),
        parent_id=id_or_none(request.form.get("parent")),
        now=now(),
        by=current_actor(),
    )
    flash(_("Đã thêm %(count)s đơn vị.", count=made), "done")
    return _check(import_id)


@bp.post("/<int:import_id>/checks")
@requires("staff")
def check_again(import_id: int) -> ResponseReturnValue:
    """Check the same file once more."""
    return _check(import_id)


def _check(import_id: int) -> ResponseReturnValue:
    if roster.begin_check(import_id, now=now(), by=current_actor()):
        _in_background(roster.check, import_id)
    return redirect(url_for("roster.show", import_id=import_id), 303)


@bp.post("/<int:import_id>/confirmation")
@requires("staff")
def confirm(import_id: int) -> ResponseReturnValue:
    """Write what the preview shows."""
    if roster.begin_import(import_id, now=now(), by=current_actor()):
        _in_background(roster.apply_import, import_id)
    return redirect(url_for("roster.show", import_id=import_id), 303)


@bp.post("/<int:import_id>/deletion")
@requires("staff")
def delete(import_id: int) -> ResponseReturnValue:
    """Forget an import that was not written."""
    roster.discard(import_id, now=now(), by=current_actor())
    flash(_("Đã bỏ tệp, không có gì được nhập."), "done")
    return redirect(url_for("roster.index"), 303)


@bp.get("/<int:import_id>/progress")
@requires("staff")
def progress(import_id: int) -> ResponseReturnValue:
    """How far the work in the background has come, for the page that waits."""
    view = _import(import_id)
    running = view.state in ("checking", "importing")
    state = "running" if running else "failed" if view.state == "failed" else "done"
    rows = int(view.mapping.get("rows") or 100)
    text = _("Đang ghi") if view.state == "importing" else _("Đang kiểm tra từng dòng")
    return jsonify(
        ok=True,
        state=state,
        done=rows * view.progress_percent // 100,
        total=rows,
        text=text if running else "",
        next=None if running else url_for("roster.show", import_id=import_id),
    )


@bp.get("/<int:import_id>/errors")
@requires("staff")
def errors(import_id: int) -> ResponseReturnValue:
    """The user's own workbook with an error column."""
    path = roster.record_download(import_id, now=now(), by=current_actor())
    stem = Path(_import(import_id).file_name).stem or "danh-sach"
    return send_file(
        path.resolve(), as_attachment=True, download_name=f"{stem}-loi{path.suffix}", max_age=0
    )


def _import(import_id: int) -> roster.ImportView:
    return roster.roster_import(import_id, now=now(), by=current_actor())


def spoken(row: dict[str, Any]) -> str:
    """A kept sentence with its values, in the reader's language."""
    return str(_(row["sentence"], **row["params"]))


def shown_value(value: Any) -> str:
    """One value of a change as people write it."""
    if value is None or value == "":
        return str(_("chưa có"))
    if isinstance(value, bool):
        return str(_("Dự bị") if value else _("Chính thức"))
    if isinstance(value, dict):
        return _exemption_text(value)
    return phone(value) if str(value).startswith("+") else str(value)


def _exemption_text(value: dict[str, Any]) -> str:
    parts = [_("miễn")]
    if value.get("from"):
        parts.append(_("từ %(day)s", day=_day(value["from"])))
    if value.get("until"):
        parts.append(_("đến %(day)s", day=_day(value["until"])))
    if value.get("decision"):
        parts.append(_("theo số %(number)s", number=value["decision"]))
    return " ".join(str(part) for part in parts)


def _day(text: str) -> str:
    return date.fromisoformat(text).strftime("%d/%m/%Y")


bp.add_app_template_filter(shown_value, "roster_value")


def _in_background(work: Callable[..., None], import_id: int) -> None:
    """Do the work in a thread of this server; the page asks the database how far it is."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # Flask's own way
    actor, moment = current_actor(), now()

    def run() -> None:
        with app.app_context():
            try:
                work(import_id, now=moment, by=actor)
            except Exception:
                try:
                    roster.fail(import_id, Said(BUG), now=moment)
                except NotFound:
                    return  # discarded meanwhile: nobody waits for it any more
                raise

    threading.Thread(target=run, name=f"roster-{import_id}", daemon=True).start()
