"""Sentences in a reader's language where there is no page, from the same catalogue as the pages."""

import gettext
from functools import cache
from pathlib import Path

TRANSLATIONS = Path(__file__).resolve().parent.parent / "translations"


def said(language: str, sentence: str, /, **values: object) -> str:
    """Give a Vietnamese sentence in the language, its %(name)s places filled with the values.

    A sentence or a language without translation stays Vietnamese.
    """
    text = sentence if language == "vi" else _catalogue(TRANSLATIONS, language).gettext(sentence)
    return text % values if values else text


@cache
def _catalogue(folder: Path, language: str) -> gettext.NullTranslations:
    return gettext.translation("messages", folder, [language], fallback=True)
