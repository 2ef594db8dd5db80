"""Telephone numbers checked against the world's numbering plans and written as E.164."""

import phonenumbers

from rules.phones import dialled_numbers
from rules.refusals import N_
from rules.roster_cells import CellFault, PhoneRead, Said

_HOME = "VN"

SEVERAL = N_("Ô có %(count)s số điện thoại, đã lấy số đầu tiên dùng được: %(kept)s.")


def read_phone(text: str) -> PhoneRead:
    """The first valid number of the text, with notes about what was mended.

    Raises `CellFault` when the text holds no number that exists in any numbering plan.
    """
    numbers = dialled_numbers(text)
    for dialled in numbers:
        e164 = _e164(dialled.number)
        if e164 is None:
            continue
        notes = []
        if dialled.repair:
            notes.append(Said.of(dialled.repair, old=dialled.written, new=_national(e164)))
        if len(numbers) > 1:
            notes.append(Said.of(SEVERAL, count=len(numbers), kept=_national(e164)))
        return PhoneRead(e164, tuple(notes))
    raise CellFault(
        N_(
            "Số điện thoại “%(text)s” không có thật. "
            "Số di động Việt Nam có 10 chữ số, bắt đầu bằng 0; chưa có số thì để trống."
        ),
        text=text[:60],
    )


def _e164(number: str) -> str | None:
    try:
        parsed = phonenumbers.parse(number, _HOME)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(parsed):
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _national(e164: str) -> str:
    parsed = phonenumbers.parse(e164, _HOME)
    form = (
        phonenumbers.PhoneNumberFormat.NATIONAL
        if parsed.country_code == 84
        else phonenumbers.PhoneNumberFormat.INTERNATIONAL
    )
    return phonenumbers.format_number(parsed, form)
