"""The sentences with which the program refuses, each saying what is wrong and what to do next."""


def N_(sentence: str) -> str:
    """Mark a Vietnamese sentence for the translators; the doors translate it when they show it."""
    return sentence


def NP_(context: str, sentence: str) -> str:
    """Mark a word whose translation depends on where it stands: a menu names a page of many."""
    return sentence


class Refusal(Exception):
    """A rule says no. `sentence` is Vietnamese with %(name)s places, `params` fills them.

    Shown as a page or as JSON by one handler; `status` is the HTTP status, `reason` the short
    code that programs read.
    """

    status = 409
    reason = "refused"

    def __init__(self, sentence: str, /, **params: object) -> None:
        self.sentence = sentence
        self.params = params
        super().__init__(sentence % params if params else sentence)


class NotAllowed(Refusal):
    """The person is known but has no right to this."""

    status = 403
    reason = "not_allowed"


class NotFound(Refusal):
    """There is no such thing, or none within the person's scope: the two look alike."""

    status = 404
    reason = "not_found"


class Malformed(Refusal):
    """The input has the wrong shape: a JSON body, a file, a date."""

    status = 422
    reason = "malformed"


class TooBusy(Refusal):
    """Too many want the same costly thing at this moment; in some seconds it goes."""

    status = 503
    reason = "too_busy"


class TooManyAttempts(Refusal):
    """Tried too often in too short a time; the sentence is the same whoever is asked about."""

    status = 429
    reason = "too_many_attempts"
