"""Form fields that several features use, and refusals shown at the form that met them."""

from collections.abc import Callable, Iterable
from typing import Any

import wtforms
from flask_babel import lazy_gettext
from wtforms import DateField, Field, SelectChoice
from wtforms.meta import DefaultMeta
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from rules.refusals import N_, Refusal
from web.errors import sentence_of
from web.form_sentences import Sentences

LARGEST_ID = 2**31 - 1
"""What an integer column of either database can hold."""


class Part(wtforms.Form):
    """A form within a form: one line of a list."""

    class Meta(DefaultMeta):
        def get_translations(self, form: object) -> Sentences:
            return Sentences()


def said(sentence: str) -> Any:
    """A label, translated when it is shown."""
    return lazy_gettext(sentence)


def needed() -> InputRequired:
    """The field must be filled in."""
    return InputRequired(said(N_("Hãy điền ô này.")))


def may_be_empty() -> Optional:
    """The field may stay empty."""
    return Optional()


def at_most(letters: int) -> Length:
    """The text must not be longer."""
    return Length(max=letters)


def between(least: int, most: int) -> NumberRange:
    """The number must lie between the two, both included."""
    return NumberRange(min=least, max=most)


class DayField(DateField):
    """A date from the browser's own picker, or typed dd/mm/yyyy; years 1900 to 2100."""

    data: Any

    def __init__(self, label: Any = None, validators: Any = None, **values: Any) -> None:
        values.setdefault("format", ["%Y-%m-%d", "%d/%m/%Y"])
        super().__init__(label, validators, **values)

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read the date; one far outside living memory is a slip of the hand."""
        super().process_formdata(valuelist)
        if self.data is not None and not 1900 <= self.data.year <= 2100:
            self.data = None
            raise ValueError(self.gettext("Not a valid date value."))


def choices(pairs: Iterable[tuple[object, object]]) -> list[SelectChoice]:
    """What a select offers, from values and labels."""
    return [
        SelectChoice(value="" if value is None else value, label=label) for value, label in pairs
    ]


def id_or_none(value: object) -> int | None:
    """What a select of rows sends: an id, or nothing; anything else is no choice at all (-1)."""
    text = str(value or "").strip()
    if not text or text == "None":
        return None
    is_id = text.isdecimal() and len(text) <= 10 and int(text) <= LARGEST_ID
    return int(text) if is_id else -1


def attempt(form: wtforms.Form, act: Callable[[], object], field: Field | None = None) -> bool:
    """Do it, or show the refusal at the form (at a field when one is named) and say False."""
    try:
        act()
    except Refusal as refusal:
        sentence = sentence_of(refusal)
        if field is None:
            form.form_errors.append(sentence)
        else:
            field.errors = [*field.errors, sentence]
        return False
    return True
