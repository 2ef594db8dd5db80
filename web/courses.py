"""Theory classes on screen: the list, a class with its learners and results, enrolling."""

from collections.abc import Callable, Sequence

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import IntegerField, SelectField, StringField
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from rules.courses import LABELS
from rules.days import local_day
from rules.refusals import N_, Malformed, NotFound, Refusal
from services import course_results, courses, meeting_lists, meetings, units
from services.courses import CourseFields, Outsider
from services.meeting_lists import MeetingFilter
from web.errors import sentence_of
from web.fields import DayField, attempt, choices, id_or_none
from web.form_sentences import Form
from web.identity import current_actor, now, requires

bp = Blueprint("courses", __name__, url_prefix="/courses")

STATES = (
    ("planned", _l("Dự kiến")),
    ("open", _l("Đang mở")),
    ("finished", _l("Đã bế giảng")),
    ("cancelled", _l("Đã huỷ")),
)
RESULTS = tuple((value, _l(label)) for value, label in LABELS.items())


class CourseForm(Form):
    """A course as staff fill it in."""

    code = StringField(_l("Mã lớp"), [InputRequired(), Length(max=40)])
    title = StringField(_l("Tên lớp"), [InputRequired(), Length(max=300)])
    type_code = SelectField(_l("Loại lớp"))
    organiser_id = SelectField(_l("Đơn vị mở lớp"), coerce=id_or_none)
    opens_on = DayField(_l("Khai giảng"), [InputRequired()])
    closes_on = DayField(_l("Bế giảng"), [InputRequired()])
    periods = IntegerField(_l("Số tiết"), [Optional(), NumberRange(min=0, max=2000)])
    capacity = IntegerField(_l("Số chỗ"), [Optional(), NumberRange(min=1, max=100_000)])
    state = SelectField(_l("Trạng thái"), choices=choices(STATES), default="planned")

    def offer(self) -> None:
        """Fill the lists."""
        self.type_code.choices = choices(courses.course_types())
        self.organiser_id.choices = choices(
            units.unit_options(current_actor(), local_day(now()), tree="party", roles=("staff",))
        )

    def fields(self) -> CourseFields:
        """The form as the services take it."""
        return CourseFields(
            code=self.code.data,
            type_code=self.type_code.data,
            title=self.title.data,
            organiser_id=self.organiser_id.data,
            opens_on=self.opens_on.data,
            closes_on=self.closes_on.data,
            periods=self.periods.data or 0,
            capacity=self.capacity.data,
            state=self.state.data,
        )


@bp.get("/")
@requires()
def index() -> str:
    """The courses one organises or has sent learners to."""
    actor, today = current_actor(), local_day(now())
    year = request.args.get("year", "")
    listed = courses.course_list(
        state=request.args.get("state", ""),
        year=int(year) if year.isdecimal() and len(year) == 4 else None,
        words=request.args.get("q", ""),
        page=id_or_none(request.args.get("page")) or 1,
        today=today,
        by=actor,
    )
    return render_template(
        "courses/index.html",
        listed=listed,
        states=STATES,
        years=[(str(each), str(each)) for each in range(today.year + 1, today.year - 8, -1)],
        may_plan=actor.has_any("staff"),
        year=today.year,
    )


@bp.get("/<code>")
@requires()
def show(code: str) -> str:
    """One course, its meetings and its learners."""
    return _course_page(code)


def _course_page(code: str, error: str | None = None) -> str:
    actor = current_actor()
    view = courses.course_view(code, today=local_day(now()), by=actor)
    sittings = meeting_lists.meeting_lines(MeetingFilter(course=code), now=now(), by=actor)
    own_units = units.unit_options(actor, local_day(now()), roles=("staff",))
    return render_template(
        "courses/show.html",
        course=view,
        line=view.line,
        meetings=sittings,
        states=STATES,
        results=RESULTS,
        units=own_units if view.may_edit else [],
        error=error,
    )


@bp.get("/new")
@requires("staff")
def new() -> ResponseReturnValue:
    """An empty form."""
    today = local_day(now())
    return _form_page(CourseForm(opens_on=today, closes_on=today), None, 200)


def _form_page(form: CourseForm, code: str | None, status: int) -> ResponseReturnValue:
    form.offer()
    return render_template("courses/form.html", form=form, code=code), status


@bp.post("/")
@requires("staff")
def create() -> ResponseReturnValue:
    """Make a course."""
    form = CourseForm()
    form.offer()
    if not form.validate():
        return _form_page(form, None, 422)
    try:
        code = courses.create_course(form.fields(), now=now(), by=current_actor())
    except Refusal as refusal:
        form.form_errors.append(sentence_of(refusal))
        return _form_page(form, None, 422)
    flash(_("Đã mở lớp. Hãy thêm học viên và các buổi."), "good")
    return redirect(url_for("courses.show", code=code), 303)


@bp.get("/<code>/edit")
@requires("staff")
def edit(code: str) -> ResponseReturnValue:
    """The form of a course."""
    view = courses.course_view(code, today=local_day(now()), by=current_actor())
    return _form_page(CourseForm(obj=view.fields), code, 200)


@bp.post("/<code>")
@requires("staff")
def save(code: str) -> ResponseReturnValue:
    """Change a course."""
    form = CourseForm()
    form.offer()
    if not form.validate():
        return _form_page(form, code, 422)
    try:
        saved = courses.save_course(code, form.fields(), now=now(), by=current_actor())
    except NotFound:
        raise
    except Refusal as refusal:
        form.form_errors.append(sentence_of(refusal))
        return _form_page(form, code, 422)
    flash(_("Đã lưu thay đổi."), "good")
    return redirect(url_for("courses.show", code=saved), 303)


@bp.post("/<code>/enrolments")
@requires("staff")
def enrol(code: str) -> ResponseReturnValue:
    """Add learners: by codes, a whole unit, or names of people outside the roll."""
    try:
        done = _enrol(code)
    except NotFound:
        raise
    except Refusal as refusal:
        return _course_page(code, sentence_of(refusal)), 422
    flash(
        _(
            "Đã thêm %(added)s học viên; %(known)s người đã có trong lớp.",
            added=done.added,
            known=done.known,
        ),
        "good",
    )
    return redirect(url_for("courses.show", code=code), 303)


def _enrol(code: str) -> courses.Enrolled:
    text, actor, moment = request.form.get("people", ""), current_actor(), now()
    unit = request.form.get("unit", "")
    unit_id = id_or_none(unit)
    way = request.form.get("way")
    if way == "unit":
        if unit_id is None:
            raise Malformed(N_("Hãy chọn đơn vị cử học viên."))
        return courses.enrol_unit(code, unit_id, now=moment, by=actor)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if way == "outsiders":
        outsiders = [Outsider(line, unit_id) for line in lines]
        return courses.enrol_outsiders(code, outsiders, now=moment, by=actor)
    codes = [line.replace(",", " ").split()[0] for line in lines if line.strip(" ,")]
    return courses.enrol(code, codes, now=moment, by=actor)


@bp.post("/<code>/enrolments/<int:person_id>/withdrawal")
@requires("staff")
def withdraw(code: str, person_id: int) -> ResponseReturnValue:
    """Take a learner off the course."""
    courses.withdraw(code, person_id, now=now(), by=current_actor())
    flash(_("Đã cho học viên thôi học; những buổi sắp tới không mời nữa."), "good")
    return redirect(url_for("courses.show", code=code), 303)


@bp.post("/<code>/shifts")
@requires("staff")
def shift(code: str) -> ResponseReturnValue:
    """Put all coming meetings of a course some days later or earlier."""
    course = courses.course_view(code, today=local_day(now()), by=current_actor())
    try:
        moved = meetings.shift_course(
            course.line.id,
            request.form.get("days", 0, type=int),
            override_reason=request.form.get("override_reason", ""),
            now=now(),
            by=current_actor(),
        )
    except Refusal as refusal:
        return _course_page(code, sentence_of(refusal)), 409
    flash(_("Đã dời %(count)s buổi; mỗi người được báo bằng một thư.", count=moved), "good")
    return redirect(url_for("courses.show", code=code), 303)


@bp.get("/<code>/results")
@requires("staff")
def results(code: str) -> ResponseReturnValue:
    """The learners, to be given their results one key or one tap each."""
    return _results_page(code, 200)


def _results_page(
    code: str, status: int, error: str | None = None, clashes: Sequence[str] = ()
) -> ResponseReturnValue:
    view = courses.course_view(code, today=local_day(now()), by=current_actor())
    if not view.may_edit:
        raise NotFound(N_("Không tìm thấy lớp này trong phạm vi của bạn."))
    page = render_template(
        "courses/results.html",
        course=view,
        line=view.line,
        results=RESULTS,
        typed=request.form,
        saved=request.args.get("saved", type=int),
        error=error,
        clashes=clashes,
    )
    return page, status


@bp.post("/<code>/results")
@requires("staff")
def record_results(code: str) -> ResponseReturnValue:
    """Write what the page of results changed; what is refused stays on the page as it was typed."""
    try:
        done = course_results.record_results(code, _entries(), now=now(), by=current_actor())
    except NotFound:
        raise
    except Refusal as refusal:
        return _results_page(code, refusal.status, sentence_of(refusal))
    if done.clashes:
        return _results_page(code, 409, clashes=done.clashes)
    flash(_("Đã ghi kết quả của %(count)s học viên.", count=done.changed), "good")
    return redirect(url_for("courses.results", code=code, saved=done.changed), 303)


def _entries() -> dict[int, course_results.Entry]:
    sent = request.form
    found = {}
    for name in sent:
        person = name.removeprefix("was-")
        if name.startswith("was-") and person.isdecimal() and len(person) < 11:
            was, number = sent[name], sent.get(f"was-number-{person}", "")
            found[int(person)] = course_results.Entry(
                was, sent.get(f"result-{person}", was), number, sent.get(f"number-{person}", number)
            )
    return found


@bp.post("/<code>/results/pasting")
@requires("staff")
def paste_results(code: str) -> ResponseReturnValue:
    """Write the results of lines copied from a spreadsheet."""
    text = request.form.get("lines", "")
    return _done_or_page(
        code,
        lambda: course_results.paste_results(code, text, now=now(), by=current_actor()),
        lambda count: _("Đã ghi kết quả của %(count)s học viên.", count=count),
    )


def _done_or_page(
    code: str, act: Callable[[], int], sentence: Callable[[int], str]
) -> ResponseReturnValue:
    try:
        count = act()
    except NotFound:
        raise
    except Refusal as refusal:
        return _course_page(code, sentence_of(refusal)), refusal.status
    flash(sentence(count), "good")
    return redirect(url_for("courses.show", code=code), 303)


class NumbersForm(Form):
    """Running numbers for the certificates of those who passed."""

    first = IntegerField(_l("Số đầu"), [InputRequired(), NumberRange(min=1, max=99_999)])
    suffix = StringField(_l("Ký hiệu sau số"), [Length(max=40)], default="/GCN")
    on = DayField(_l("Ngày cấp"), [InputRequired()])


@bp.post("/<code>/certificates")
@requires("staff")
def number_certificates(code: str) -> ResponseReturnValue:
    """Number the certificates of everybody who passed and has none."""
    form = NumbersForm()
    if not form.validate():
        return _course_page(code, _("Hãy điền số đầu và ngày cấp.")), 422
    return _done_or_page(
        code,
        lambda: course_results.number_certificates(
            code,
            first=form.first.data or 1,
            suffix=form.suffix.data or "",
            on=form.on.data,
            now=now(),
            by=current_actor(),
        ),
        lambda count: _("Đã cấp %(count)s số giấy chứng nhận.", count=count),
    )


class ClassPlanForm(Form):
    """One line of a year's plan of classes."""

    organiser_id = SelectField(_l("Đơn vị mở lớp"), coerce=id_or_none)
    type_code = SelectField(_l("Loại lớp"))
    classes = IntegerField(
        _l("Số lớp"),
        [InputRequired(), NumberRange(min=0, max=1_000)],
        description=_l("Ghi 0 để bỏ dòng."),
    )
    learners = IntegerField(_l("Số học viên"), [Optional(), NumberRange(min=0, max=1_000_000)])

    def offer(self) -> None:
        """Fill the lists."""
        self.organiser_id.choices = choices(
            course_results.organisers(today=local_day(now()), by=current_actor())
        )
        self.type_code.choices = choices(courses.course_types())


@bp.get("/years/<int:year>/plan")
@requires("staff", "reader")
def plan(year: int) -> ResponseReturnValue:
    """A year's classes: planned against opened."""
    return _plan_page(year, ClassPlanForm(), 200)


def _plan_page(year: int, form: ClassPlanForm, status: int) -> ResponseReturnValue:
    form.offer()
    page = render_template(
        "courses/plan.html",
        form=form,
        year=year,
        lines=course_results.class_plan(year, today=local_day(now()), by=current_actor()),
        may_plan=current_actor().has_any("staff"),
    )
    return page, status


@bp.post("/years/<int:year>/plan")
@requires("staff")
def save_plan(year: int) -> ResponseReturnValue:
    """Write one line of the year's plan."""
    form = ClassPlanForm()
    form.offer()
    if not form.validate() or not attempt(
        form,
        lambda: course_results.save_class_plan(
            year,
            form.organiser_id.data or 0,
            form.type_code.data,
            classes=form.classes.data or 0,
            learners=form.learners.data or 0,
            now=now(),
            by=current_actor(),
        ),
    ):
        return _plan_page(year, form, 422)
    flash(_("Đã ghi kế hoạch mở lớp."), "good")
    return redirect(url_for("courses.plan", year=year), 303)


@bp.get("/years/<int:year>/certificates")
@requires("staff", "reader")
def certificates(year: int) -> str:
    """The register of certificates given in a year."""
    today, by = local_day(now()), current_actor()
    return render_template(
        "courses/certificates.html",
        year=year,
        lines=course_results.certificates(year, today=today, by=by),
        years=course_results.certificate_years(today=today, by=by),
        results=dict(RESULTS),
    )
