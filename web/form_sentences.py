"""What every form shares: the library's own error sentences in the reader's language."""

from flask_babel import gettext
from flask_wtf import FlaskForm

from rules.refusals import N_

SENTENCES = {
    "This field is required.": N_("Hãy điền ô này."),
    "Not a valid choice.": N_("Lựa chọn này không có trong danh sách. Hãy chọn lại."),
    "Invalid Choice: could not coerce.": N_("Lựa chọn này không có trong danh sách. Hãy chọn lại."),
    "'%(value)s' is not a valid choice for this field.": N_(
        "Lựa chọn này không có trong danh sách. Hãy chọn lại."
    ),
    "Not a valid date value.": N_("Ngày chưa đúng. Hãy viết như 26/11/2026."),
    "Not a valid time value.": N_("Giờ chưa đúng. Hãy viết như 07:30."),
    "Not a valid datetime value.": N_("Ngày giờ chưa đúng. Hãy chọn lại."),
    "Not a valid integer value.": N_("Hãy ghi một số nguyên."),
    "Not a valid decimal value.": N_("Hãy ghi một con số."),
    "Not a valid float value.": N_("Hãy ghi một con số."),
    "Invalid email address.": N_("Địa chỉ thư chưa đúng. Hãy viết như ten@example.vn."),
    "Invalid input.": N_("Nội dung chưa đúng dạng. Hãy sửa lại."),
    "Invalid URL.": N_("Địa chỉ trang chưa đúng. Hãy viết đủ https://…"),
    "Number must be between %(min)s and %(max)s.": N_("Hãy ghi số từ %(min)s đến %(max)s."),
    "Number must be at least %(min)s.": N_("Hãy ghi số từ %(min)s trở lên."),
    "Number must be at most %(max)s.": N_("Hãy ghi số không quá %(max)s."),
    "Field must be equal to %(other_name)s.": N_("Hai ô này phải giống nhau."),
    "Field cannot be longer than %(max)d character.": N_("Hãy viết không quá %(max)d ký tự."),
    "Field must be at least %(min)d character long.": N_("Hãy viết ít nhất %(min)d ký tự."),
    "Field must be between %(min)d and %(max)d characters long.": N_(
        "Hãy viết từ %(min)d đến %(max)d ký tự."
    ),
    "Field must be exactly %(max)d character long.": N_("Hãy viết đúng %(max)d ký tự."),
}


class Sentences:
    """WTForms asks here for its messages; places such as %(max)d are filled in by WTForms."""

    def gettext(self, sentence: str) -> str:
        return str(gettext(SENTENCES.get(sentence, sentence)))

    def ngettext(self, one: str, many: str, count: int) -> str:
        return self.gettext(one if count == 1 or one in SENTENCES else many)


class Form(FlaskForm):
    """The base of every form: protected against forgery, speaking the reader's language."""

    class Meta(FlaskForm.Meta):
        def get_translations(self, form: object) -> Sentences:
            return Sentences()
