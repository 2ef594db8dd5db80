"""The forms of the year's other work: plans, histories and their steps, commendations, visits."""

from flask_babel import gettext as _
from wtforms import IntegerField, RadioField, SelectField, SelectMultipleField, StringField

from rules.days import local_day
from rules.refusals import N_
from services import campaigns, units, work_lists, works
from web.fields import DayField, at_most, between, choices, id_or_none, may_be_empty, needed, said
from web.form_sentences import Form
from web.identity import current_actor, now

LEVELS = {
    "province": N_("Cấp tỉnh"),
    "city": N_("Cấp thành phố, phường"),
    "grassroots": N_("Cấp cơ sở"),
}
RECIPIENTS = {"collective": N_("Tập thể"), "individual": N_("Cá nhân")}


def campaigns_on_offer() -> list[tuple[str, str]]:
    """The campaigns within reach, codes with titles."""
    lines = campaigns.campaign_list(
        today=local_day(now()), by=current_actor(), states=("open", "closed")
    )
    return [(line.code, line.title) for line in lines]


def _units() -> list[tuple[int, str]]:
    return work_lists.units_that_report(today=local_day(now()), by=current_actor())


class ActionPlanForm(Form):
    """A unit's plan after a campaign."""

    campaign = SelectField(said(N_("Đợt học tập")), [needed()])
    unit_id = SelectField(said(N_("Đơn vị")), coerce=id_or_none)
    due_on = DayField(said(N_("Hạn ban hành")), [needed()])
    issued_number = StringField(said(N_("Số văn bản")), [at_most(80)])
    issued_on = DayField(said(N_("Ngày ban hành")), [may_be_empty()])

    def offer_choices(self) -> None:
        """Fill the lists from what this person answers for."""
        self.campaign.choices = choices(campaigns_on_offer())
        self.unit_id.choices = choices([("", _("– mọi đơn vị của đợt –")), *_units()])


class DueForm(Form):
    """The day a work is due, and the day it was done."""

    due_on = DayField(said(N_("Hạn")), [needed()])
    done_on = DayField(said(N_("Ngày làm xong")), [may_be_empty()])
    reference = StringField(said(N_("Số văn bản")), [at_most(80)])


class VisitForm(Form):
    """A leader is to attend meetings of cells."""

    leader = StringField(said(N_("Người dự (họ tên, chức vụ)")), [needed(), at_most(180)])
    unit_ids = SelectMultipleField(said(N_("Chi bộ")), [needed()], coerce=id_or_none)
    due_on = DayField(said(N_("Dự trước ngày")), [needed()])

    def offer_choices(self) -> None:
        """Fill the list with the cells within scope."""
        offered = units.unit_options(
            current_actor(), local_day(now()), tree="party", holding_people=True, roles=("staff",)
        )
        self.unit_ids.choices = choices(offered)


class HistoryForm(Form):
    """A unit's writing of its history."""

    unit_id = SelectField(said(N_("Đơn vị")), [needed()], coerce=id_or_none)
    title = StringField(said(N_("Tên công trình")), [needed(), at_most(300)])
    started_on = DayField(said(N_("Bắt đầu")), [needed()])
    published_on = DayField(said(N_("Ngày xuất bản, nếu đã xuất bản")), [may_be_empty()])

    def offer_choices(self) -> None:
        """Fill the list of units; the one of a project stays on offer though it ended."""
        offered = _units()
        if self.unit_id.data and self.unit_id.data not in dict(offered):
            offered.append((self.unit_id.data, _("(đơn vị hiện ghi)")))
        self.unit_id.choices = choices(offered)

    def plan(self) -> works.HistoryPlan:
        """What was filled in."""
        return works.HistoryPlan(
            self.unit_id.data, self.title.data, self.started_on.data, self.published_on.data
        )


class StepForm(Form):
    """A step of a history."""

    name = StringField(said(N_("Bước")), [needed(), at_most(200)])
    due_on = DayField(said(N_("Hạn")), [needed()])


class PublicationForm(Form):
    """The day a history was published."""

    published_on = DayField(said(N_("Ngày xuất bản")), [needed()])


class CommendationForm(Form):
    """A decision that commends; recipients are counted, never named."""

    decided_on = DayField(said(N_("Ngày quyết định")), [needed()])
    decision_number = StringField(said(N_("Số quyết định")), [needed(), at_most(80)])
    level = RadioField(said(N_("Cấp khen")), [needed()], default="city")
    recipient_kind = RadioField(said(N_("Khen ai")), [needed()], default="collective")
    recipients = IntegerField(said(N_("Số lượt")), [needed(), between(1, 100_000)])
    unit_id = SelectField(said(N_("Đơn vị")), coerce=id_or_none)

    def offer_choices(self) -> None:
        """Fill the lists."""
        offered: list[tuple[object, object]] = [("", _("– toàn hệ thống –")), *_units()]
        if self.unit_id.data and self.unit_id.data not in dict(offered):
            offered.append((self.unit_id.data, _("(đơn vị hiện ghi)")))
        self.unit_id.choices = choices(offered)
        self.level.choices = choices((value, _(label)) for value, label in LEVELS.items())
        self.recipient_kind.choices = choices(
            (value, _(label)) for value, label in RECIPIENTS.items()
        )

    def plan(self) -> works.CommendationPlan:
        """What was filled in."""
        return works.CommendationPlan(
            self.decided_on.data,
            self.decision_number.data,
            self.level.data,
            self.recipient_kind.data,
            self.recipients.data,
            self.unit_id.data,
        )
