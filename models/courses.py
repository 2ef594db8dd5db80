"""Courses (lớp): a class of several meetings with enrolments."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Model, UtcDateTime, one_of


class CourseType(Model):
    """A kind of theory class, as data (NTVD, DVM, CUV, SCLLCT …)."""

    __tablename__ = "course_type"

    code: Mapped[str] = mapped_column(String(20), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    name_en: Mapped[str] = mapped_column(String(200))
    periods: Mapped[int] = mapped_column(Integer, default=0)
    sittings: Mapped[int] = mapped_column(Integer, default=0)


class Course(Model):
    """A class run by one organiser for learners that may come from many units."""

    __tablename__ = "course"
    __table_args__ = (
        CheckConstraint("closes_on >= opens_on", name="dates_in_order"),
        Index("ix_course_opens_on", "opens_on"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(40), unique=True)
    type_code: Mapped[str] = mapped_column(ForeignKey("course_type.code", ondelete="RESTRICT"))
    title: Mapped[str] = mapped_column(String(300))
    organiser_id: Mapped[int] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    opens_on: Mapped[date] = mapped_column(Date)
    closes_on: Mapped[date] = mapped_column(Date)
    periods: Mapped[int] = mapped_column(Integer, default=0)
    capacity: Mapped[int | None] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(
        one_of("course_state", "planned", "open", "finished", "cancelled"), default="planned"
    )
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    type: Mapped[CourseType] = relationship()


class Enrolment(Model):
    """A learner in a class, stamped with the unit that sent them. One row is one lượt học viên."""

    __tablename__ = "enrolment"
    __table_args__ = (
        Index("ix_enrolment_course_id_person_id", "course_id", "person_id", unique=True),
        Index("ix_enrolment_person_id", "person_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("course.id", ondelete="RESTRICT"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="RESTRICT"))
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    enrolled_on: Mapped[date] = mapped_column(Date)
    withdrawn_on: Mapped[date | None] = mapped_column(Date)
    result: Mapped[str | None] = mapped_column(
        one_of("result", "excellent", "good", "fair", "passed", "failed")
    )
    certificate_number: Mapped[str | None] = mapped_column(String(60))
    certificate_on: Mapped[date | None] = mapped_column(Date)


class ClassPlan(Model):
    """How many classes of a kind, for how many learners, an organiser means to open in a year."""

    __tablename__ = "class_plan"
    __table_args__ = (
        CheckConstraint("classes > 0 AND learners >= 0", name="some"),
        Index("ix_class_plan_year", "year", "organiser_id", "type_code", unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    year: Mapped[int] = mapped_column(Integer)
    organiser_id: Mapped[int] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    type_code: Mapped[str] = mapped_column(ForeignKey("course_type.code", ondelete="RESTRICT"))
    classes: Mapped[int] = mapped_column(Integer)
    learners: Mapped[int] = mapped_column(Integer, default=0)
