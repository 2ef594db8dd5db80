"""What we remember: every table, and nothing that decides."""

from models.accounts import Account, Attempt, MeetingLink, RoleGrant, SignIn, SignInLink
from models.attendance import HeadCount, Mark, RegisterLine, UnlockRequest, WalkIn
from models.audit import AuditEntry, AuditHead, BackupRun, ClockTick, JobRun, Setting
from models.base import Base, Model, UtcDateTime, db
from models.busy import BusyTime
from models.campaigns import (
    Campaign,
    CampaignTarget,
    CampaignTopic,
    CampaignUnit,
    ExternalCredit,
    HouseholdTally,
    RollCorrection,
    RollEntry,
)
from models.courses import ClassPlan, Course, CourseType, Enrolment
from models.document_templates import DocumentTemplate
from models.door import Claim
from models.feeds import FeedToken
from models.meetings import (
    CalendarDay,
    Invitation,
    Meeting,
    MeetingPoint,
    MeetingSeries,
    MeetingSpeaker,
    MeetingUnit,
    Speaker,
    Venue,
)
from models.messages import CallListEntry, OutgoingMessage, ReminderRule
from models.people import Exemption, Household, HouseholdResidence, Membership, Person
from models.privacy import ChannelChoice, DataLink, DataRequest, DataRequestStep, NoticeText
from models.replies import IncomingReply
from models.reports import (
    ActionPlan,
    Commendation,
    HistoryProject,
    HistoryStep,
    LeaderVisit,
    ReportSnapshot,
)
from models.roster import RosterImport
from models.units import (
    Unit,
    UnitChange,
    UnitKind,
    UnitLetterhead,
    UnitLink,
    UnitName,
    UnitParent,
    UnitSuccession,
)

__all__ = [
    "Account",
    "ActionPlan",
    "Attempt",
    "AuditEntry",
    "AuditHead",
    "BackupRun",
    "Base",
    "BusyTime",
    "CalendarDay",
    "CallListEntry",
    "Campaign",
    "CampaignTarget",
    "CampaignTopic",
    "CampaignUnit",
    "ChannelChoice",
    "Claim",
    "ClassPlan",
    "ClockTick",
    "Commendation",
    "Course",
    "CourseType",
    "DataLink",
    "DataRequest",
    "DataRequestStep",
    "DocumentTemplate",
    "Enrolment",
    "Exemption",
    "ExternalCredit",
    "FeedToken",
    "HeadCount",
    "HistoryProject",
    "HistoryStep",
    "Household",
    "HouseholdResidence",
    "HouseholdTally",
    "IncomingReply",
    "Invitation",
    "JobRun",
    "LeaderVisit",
    "Mark",
    "Meeting",
    "MeetingLink",
    "MeetingPoint",
    "MeetingSeries",
    "MeetingSpeaker",
    "MeetingUnit",
    "Membership",
    "Model",
    "NoticeText",
    "OutgoingMessage",
    "Person",
    "RegisterLine",
    "ReminderRule",
    "ReportSnapshot",
    "RoleGrant",
    "RollCorrection",
    "RollEntry",
    "RosterImport",
    "Setting",
    "SignIn",
    "SignInLink",
    "Speaker",
    "Unit",
    "UnitChange",
    "UnitKind",
    "UnitLetterhead",
    "UnitLink",
    "UnitName",
    "UnitParent",
    "UnitSuccession",
    "UnlockRequest",
    "UtcDateTime",
    "Venue",
    "WalkIn",
    "db",
]
