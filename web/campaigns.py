"""Campaigns on screen: plans, opening, the roll and its corrections, credits and tallies."""

from dataclasses import replace
from datetime import timedelta

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from wtforms import (
    BooleanField,
    IntegerField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)

from rules.campaigns import COMPLETION_LABELS, CORRECTION_LABELS, COUNTING_LABELS, CampaignPlan
from rules.days import local_day
from rules.refusals import N_, Malformed
from services import campaigns, roll, units
from services.campaigns import CampaignView
from web.fields import (
    DayField,
    at_most,
    attempt,
    between,
    choices,
    id_or_none,
    may_be_empty,
    needed,
    said,
)
from web.filters import number
from web.form_sentences import Form
from web.identity import current_actor, now, requires
from web.preferences import chosen_language

bp = Blueprint("campaigns", __name__, url_prefix="/campaigns")


class CampaignForm(Form):
    """A campaign's plan as staff write it; a unit's own target is a line "code: percent"."""

    code = StringField(said(N_("Mã đợt")), [needed(), at_most(40)])
    title = StringField(said(N_("Tên đợt")), [needed(), at_most(300)])
    document_number = StringField(said(N_("Số văn bản")), [at_most(80)])
    document_on = DayField(said(N_("Ngày văn bản")), [may_be_empty()])
    document_issuer = StringField(said(N_("Cơ quan ban hành")), [at_most(200)])
    document_title = StringField(said(N_("Trích yếu")), [at_most(500)])
    owner_unit_id = SelectField(said(N_("Đơn vị mở đợt")), coerce=id_or_none)
    opens_on = DayField(said(N_("Bắt đầu")), [needed()])
    deadline_on = DayField(said(N_("Hạn chót")), [needed()])
    cutoff_on = DayField(said(N_("Ngày chốt danh sách")), [needed()])
    party_unit_ids = SelectMultipleField(said(N_("Đảng viên của các đơn vị")), coerce=id_or_none)
    residential_unit_ids = SelectMultipleField(said(N_("Hộ của các địa bàn")), coerce=id_or_none)
    members_target_percent = IntegerField(
        said(N_("Chỉ tiêu đảng viên (%)")), [needed(), between(1, 100)], default=95
    )
    households_target_percent = IntegerField(
        said(N_("Chỉ tiêu hộ (%)")), [needed(), between(1, 100)], default=85
    )
    unit_targets = TextAreaField(said(N_("Chỉ tiêu riêng của đơn vị")), [at_most(20_000)])
    completion_rule = RadioField(said(N_("Thế nào là đã học")), default="any")
    completion_count = IntegerField(
        said(N_("Số buổi tối thiểu")), [may_be_empty(), between(1, 100)], default=1
    )
    topics = TextAreaField(said(N_("Các chuyên đề, mỗi dòng một chuyên đề")), [at_most(20_000)])
    household_counting = RadioField(said(N_("Tính hộ gia đình")), default="checklist")

    def offer_choices(self) -> None:
        """Fill the lists from what this person answers for."""
        actor, today = current_actor(), local_day(now())
        party = units.unit_options(actor, today, tree="party", roles=("staff",))
        residential = units.unit_options(actor, today, tree="residential", roles=("staff",))
        self.owner_unit_id.choices = choices([("", _("– toàn hệ thống –")), *party])
        self.party_unit_ids.choices = choices(party)
        self.residential_unit_ids.choices = choices(residential)
        self.completion_rule.choices = choices(_translated(COMPLETION_LABELS))
        self.household_counting.choices = choices(_translated(COUNTING_LABELS))

    def fill(self, campaign: CampaignView) -> None:
        """Show a saved plan."""
        plan = campaign.plan
        for name in PLAIN_FIELDS:
            self[name].data = getattr(plan, name)
        chosen = sorted(plan.unit_ids)
        self.party_unit_ids.data = self.residential_unit_ids.data = chosen
        self.unit_targets.data = "\n".join(
            f"{own.code}: {own.target_percent}" for own in campaign.unit_targets
        )
        self.topics.data = "\n".join(plan.topics)

    def plan(self) -> CampaignPlan:
        """What was written; raises Malformed for a line of targets that cannot be read."""
        values = {name: self[name].data for name in PLAIN_FIELDS}
        values |= {name: values[name] or "" for name in PLAIN_FIELDS if "document_" in name}
        values["document_on"] = self.document_on.data
        values["completion_count"] = values["completion_count"] or 1
        chosen = [*self.party_unit_ids.data, *self.residential_unit_ids.data]
        return CampaignPlan(
            **values,
            unit_ids=frozenset(chosen),
            unit_targets=_targets(self.unit_targets.data or ""),
            topics=_lines(self.topics.data or ""),
        )


PLAIN_FIELDS = (
    "code",
    "title",
    "document_number",
    "document_on",
    "document_issuer",
    "document_title",
    "owner_unit_id",
    "opens_on",
    "deadline_on",
    "cutoff_on",
    "members_target_percent",
    "households_target_percent",
    "completion_rule",
    "completion_count",
    "household_counting",
)


class ReasonForm(Form):
    """A reason, asked for before something logged happens."""

    reason = StringField(said(N_("Lý do")), [needed(), at_most(300)])


class CorrectionForm(Form):
    """A change of the frozen roll."""

    kind = RadioField(said(N_("Điều chỉnh")), [needed()])
    population = RadioField(said(N_("Của ai")), default="members")
    subject_code = StringField(said(N_("Mã đảng viên hoặc mã hộ")), [needed(), at_most(40)])
    unit_id = SelectField(said(N_("Đơn vị đến")), coerce=id_or_none)
    effective_on = DayField(said(N_("Từ ngày")), [needed()])
    reason = StringField(said(N_("Lý do, căn cứ")), [needed(), at_most(300)])

    def offer_choices(self) -> None:
        """Fill the lists from what this person answers for."""
        offered = units.unit_options(
            current_actor(), local_day(now()), holding_people=True, roles=("staff",)
        )
        self.kind.choices = choices(_translated(CORRECTION_LABELS))
        self.population.choices = choices([("members", _("Đảng viên")), ("households", _("Hộ"))])
        self.unit_id.choices = choices([("", _("– ra khỏi diện của đợt –")), *offered])


class CreditForm(Form):
    """Study elsewhere, with its evidence."""

    person_code = StringField(said(N_("Mã đảng viên")), [needed(), at_most(40)])
    studied_on = DayField(said(N_("Ngày học")), [needed()])
    place = StringField(said(N_("Nơi học")), [needed(), at_most(200)])
    evidence = StringField(said(N_("Minh chứng")), [needed(), at_most(300)])
    is_makeup = BooleanField(said(N_("Tính vào đợt học bù")))


class TallyForm(Form):
    """A group's cumulative count of covered households."""

    unit_id = SelectField(said(N_("Khối phố, thôn")), [needed()], coerce=id_or_none)
    households = IntegerField(said(N_("Luỹ kế số hộ đã dự")), [needed(), between(0, 1_000_000)])
    declared_on = DayField(said(N_("Tính đến ngày")), [needed()])
    is_correction = BooleanField(said(N_("Sửa lần khai trước")))

    def offer_choices(self) -> None:
        """Fill the list of groups."""
        offered = units.unit_options(
            current_actor(), local_day(now()), tree="residential", holding_people=True
        )
        self.unit_id.choices = choices(offered)


@bp.get("/")
@requires("staff", "reader")
def index() -> str:
    """All campaigns within scope."""
    lines = campaigns.campaign_list(today=local_day(now()), by=current_actor())
    return render_template(
        "campaigns/index.html",
        lines=lines,
        today=local_day(now()),
        may_create=current_actor().has_any("staff"),
    )


@bp.get("/new")
@requires("staff")
def new() -> ResponseReturnValue:
    """The form of a new draft."""
    today = local_day(now())
    offered = units.unit_options(current_actor(), today, tree="party", roles=("staff",))
    form = CampaignForm(
        owner_unit_id=offered[0][0] if offered else None,
        opens_on=today,
        cutoff_on=today,
        deadline_on=today + timedelta(days=30),
    )
    return _form_page(form, None, 200)


@bp.post("/")
@requires("staff")
def create() -> ResponseReturnValue:
    """Write the draft down."""
    form = CampaignForm()
    form.offer_choices()
    made: list[str] = []
    if not form.validate() or not attempt(
        form,
        lambda: made.append(campaigns.create_campaign(form.plan(), now=now(), by=current_actor())),
    ):
        return _form_page(form, None, 422)
    flash(_("Đã lưu bản nháp. Xem trước danh sách rồi mở đợt."), "good")
    return redirect(url_for("campaigns.show", code=made[0]), 303)


@bp.get("/<code>")
@requires("staff", "reader")
def show(code: str) -> str:
    """A campaign's plan and the way to its parts."""
    return render_template("campaigns/show.html", **_view(code))


@bp.get("/<code>/edit")
@requires("staff")
def edit(code: str) -> ResponseReturnValue:
    """The form of a saved plan."""
    form = CampaignForm()
    form.fill(_campaign(code))
    return _form_page(form, code, 200)


@bp.post("/<code>")
@requires("staff")
def save(code: str) -> ResponseReturnValue:
    """Change the plan; of an open campaign only texts, window and targets."""
    form = CampaignForm()
    form.offer_choices()
    if not form.validate() or not attempt(
        form,
        lambda: campaigns.change_campaign(
            code, _as_saved(code, form.plan()), now=now(), by=current_actor()
        ),
    ):
        return _form_page(form, code, 422)
    flash(_("Đã lưu đợt học tập."), "good")
    return redirect(url_for("campaigns.show", code=code), 303)


@bp.get("/<code>/opening")
@requires("staff")
def opening(code: str) -> str:
    """What opening would freeze, unit by unit."""
    counts = roll.roll_preview(code, today=local_day(now()), by=current_actor())
    return render_template("campaigns/opening.html", counts=counts, **_view(code))


@bp.post("/<code>/opening")
@requires("staff")
def open_campaign(code: str) -> ResponseReturnValue:
    """Freeze the roll and open."""
    entries = roll.open_campaign(code, now=now(), by=current_actor())
    flash(_("Đã mở đợt và chốt %(count)s dòng.", count=number(entries, chosen_language())), "good")
    return redirect(url_for("coverage.show", code=code), 303)


@bp.post("/<code>/closing")
@requires("staff")
def close(code: str) -> ResponseReturnValue:
    """Close the campaign; its figures stay."""
    campaigns.close_campaign(code, now=now(), by=current_actor())
    flash(_("Đã đóng đợt. Số liệu được giữ nguyên."), "good")
    return redirect(url_for("campaigns.show", code=code), 303)


@bp.get("/<code>/reopening")
@requires("staff")
def reopening(code: str) -> ResponseReturnValue:
    """Ask why the campaign is opened again."""
    return _reason_page(code, ReasonForm(), 200)


@bp.post("/<code>/reopening")
@requires("staff")
def reopen(code: str) -> ResponseReturnValue:
    """Open again, with the reason logged."""
    form = ReasonForm()
    if not form.validate() or not attempt(
        form,
        lambda: campaigns.reopen_campaign(code, form.reason.data, now=now(), by=current_actor()),
    ):
        return _reason_page(code, form, 422)
    flash(_("Đã mở lại đợt."), "good")
    return redirect(url_for("campaigns.show", code=code), 303)


@bp.post("/<code>/deletion")
@requires("staff")
def delete(code: str) -> ResponseReturnValue:
    """Throw a draft away."""
    campaigns.delete_draft(code, now=now(), by=current_actor())
    flash(_("Đã xoá bản nháp."), "good")
    return redirect(url_for("campaigns.index"), 303)


@bp.get("/<code>/roll")
@requires("staff", "reader")
def roll_list(code: str) -> str:
    """The frozen roll, page by page."""
    population = "households" if request.args.get("population") == "households" else "members"
    page = roll.roll_page(
        code,
        today=local_day(now()),
        by=current_actor(),
        population=population,
        query=request.args.get("q", ""),
        page=request.args.get("page", 1, type=int),
    )
    return render_template("campaigns/roll.html", page=page, population=population, **_view(code))


@bp.get("/<code>/corrections")
@requires("staff", "reader")
def corrections(code: str) -> ResponseReturnValue:
    """The log of corrections, and the form of another."""
    form = CorrectionForm(
        effective_on=local_day(now()), subject_code=request.args.get("subject", "")
    )
    return _corrections_page(code, form, 200)


@bp.post("/<code>/corrections")
@requires("staff")
def correct(code: str) -> ResponseReturnValue:
    """Correct the roll."""
    form = CorrectionForm()
    form.offer_choices()
    if not form.validate() or not attempt(
        form,
        lambda: roll.correct_roll(
            code,
            roll.Correction(
                kind=form.kind.data,
                subject_code=form.subject_code.data,
                reason=form.reason.data,
                effective_on=form.effective_on.data,
                unit_id=form.unit_id.data,
                is_household=form.population.data == "households",
            ),
            now=now(),
            by=current_actor(),
        ),
    ):
        return _corrections_page(code, form, 422)
    flash(_("Đã điều chỉnh danh sách; thay đổi được ghi lại."), "good")
    return redirect(url_for("campaigns.corrections", code=code), 303)


@bp.get("/<code>/credits")
@requires("staff", "reader")
def credits_list(code: str) -> ResponseReturnValue:
    """Study elsewhere, and the form to add some."""
    return _credits_page(code, CreditForm(studied_on=local_day(now())), 200)


@bp.post("/<code>/credits")
@requires("staff")
def add_credit(code: str) -> ResponseReturnValue:
    """Credit study elsewhere."""
    form = CreditForm()
    if not form.validate() or not attempt(
        form,
        lambda: roll.add_credit(
            code,
            roll.Credit(
                form.person_code.data,
                form.studied_on.data,
                form.place.data,
                form.evidence.data,
                form.is_makeup.data,
            ),
            now=now(),
            by=current_actor(),
        ),
    ):
        return _credits_page(code, form, 422)
    flash(_("Đã ghi nhận học nơi khác."), "good")
    return redirect(url_for("campaigns.credits_list", code=code), 303)


@bp.post("/<code>/credits/<int:credit_id>/annulment")
@requires("staff")
def annul_credit(code: str, credit_id: int) -> ResponseReturnValue:
    """Take a credit back; the row stays."""
    roll.annul_credit(code, credit_id, now=now(), by=current_actor())
    flash(_("Đã huỷ ghi nhận; dòng cũ được giữ lại."), "good")
    return redirect(url_for("campaigns.credits_list", code=code), 303)


@bp.get("/<code>/tallies")
@requires("staff", "reader")
def tallies(code: str) -> ResponseReturnValue:
    """What groups' heads declared, and the form of another declaration."""
    return _tallies_page(code, TallyForm(declared_on=local_day(now())), 200)


@bp.post("/<code>/tallies")
@requires("staff")
def declare(code: str) -> ResponseReturnValue:
    """Write a declaration down."""
    form = TallyForm()
    form.offer_choices()
    if not form.validate() or not attempt(
        form,
        lambda: roll.declare_households(
            code,
            form.unit_id.data,
            form.households.data,
            form.declared_on.data,
            now=now(),
            by=current_actor(),
            is_correction=form.is_correction.data,
        ),
    ):
        return _tallies_page(code, form, 422)
    flash(_("Đã ghi số hộ luỹ kế."), "good")
    return redirect(url_for("campaigns.tallies", code=code), 303)


def _campaign(code: str) -> CampaignView:
    return campaigns.campaign(code, today=local_day(now()), by=current_actor())


def _view(code: str) -> dict[str, object]:
    """What every page of one campaign shows."""
    return {
        "campaign": _campaign(code),
        "today": local_day(now()),
        "may_correct": current_actor().has_any("staff"),
        "labels": {
            "completion": dict(_translated(COMPLETION_LABELS)),
            "counting": dict(_translated(COUNTING_LABELS)),
            "correction": dict(_translated(CORRECTION_LABELS)),
        },
    }


def _form_page(form: CampaignForm, code: str | None, status: int) -> ResponseReturnValue:
    form.offer_choices()
    campaign = _campaign(code) if code else None
    return render_template("campaigns/form.html", form=form, campaign=campaign), status


def _reason_page(code: str, form: ReasonForm, status: int) -> ResponseReturnValue:
    return render_template("campaigns/reopening.html", form=form, **_view(code)), status


def _corrections_page(code: str, form: CorrectionForm, status: int) -> ResponseReturnValue:
    form.offer_choices()
    lines = roll.corrections_of(code, today=local_day(now()), by=current_actor())
    page = render_template("campaigns/corrections.html", form=form, lines=lines, **_view(code))
    return page, status


def _credits_page(code: str, form: CreditForm, status: int) -> ResponseReturnValue:
    lines = roll.credits_of(code, today=local_day(now()), by=current_actor())
    page = render_template("campaigns/credits.html", form=form, lines=lines, **_view(code))
    return page, status


def _tallies_page(code: str, form: TallyForm, status: int) -> ResponseReturnValue:
    form.offer_choices()
    lines = roll.tallies_of(code, today=local_day(now()), by=current_actor())
    page = render_template("campaigns/tallies.html", form=form, lines=lines, **_view(code))
    return page, status


def _as_saved(code: str, plan: CampaignPlan) -> CampaignPlan:
    """The code never changes; an open campaign's form leaves out what opening has fixed."""
    saved = _campaign(code)
    if saved.state == "draft":
        return replace(plan, code=code)
    return replace(
        plan,
        code=code,
        owner_unit_id=saved.plan.owner_unit_id,
        cutoff_on=saved.plan.cutoff_on,
        unit_ids=saved.plan.unit_ids,
        topics=saved.plan.topics,
        completion_rule=saved.plan.completion_rule,
        completion_count=saved.plan.completion_count,
        household_counting=saved.plan.household_counting,
    )


def _translated(labels: dict[str, str]) -> list[tuple[str, str]]:
    return [(value, _(label)) for value, label in labels.items()]


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _targets(text: str) -> dict[int, int]:
    """Lines such as "DB1: 98": a unit's code and its own target in percent."""
    found = {}
    for line in _lines(text):
        code, _colon, percent = line.rpartition(":")
        percent = percent.strip().removesuffix("%").strip()
        if not code.strip() or not percent.isdecimal() or len(percent) > 3:
            raise Malformed(
                N_("Dòng chỉ tiêu riêng “%(line)s” chưa đúng. Hãy viết như DB01: 98."),
                line=line[:60],
            )
        found[units.unit_id_of_code(code.strip())] = int(percent)
    return found
