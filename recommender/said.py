"""What workers store of trainings and tunings: sentences in English, told again in the language of the reader."""

import re

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

TOO_FEW_TESTED = gettext_noop(
    "Refused: only %(n)s shoppers could be tested, %(needed)s are needed to tell luck from quality."
)
TRAINING_LEFT = gettext_noop(
    "The worker stopped %(n)s times during this training. Look at its memory; the last model goes on serving."
)
PART_LEFT = gettext_noop("The worker stopped %(n)s times during this part of a training. Look at its memory.")
PART_FAILED = gettext_noop("A part of this training failed %(n)s times.")
BUDGET_SPENT = gettext_noop("The time budget of %(n)s seconds was used up before this model's turn.")
TUNING_LEFT = gettext_noop(
    "The worker stopped %(n)s times during this tuning. Look at its memory; trainings go on as before."
)
TOO_FEW_TO_TUNE = gettext_noop(
    "Only %(n)s shoppers could try settings out, %(needed)s are needed to tell luck from quality."
)
WITH_FIGURES = (
    TOO_FEW_TESTED, TRAINING_LEFT, PART_LEFT, PART_FAILED, BUDGET_SPENT, TUNING_LEFT, TOO_FEW_TO_TUNE,
)  # fmt: skip
_FIGURE = re.compile(r"%\\\((\w+)\\\)s")
_PATTERNS = {text: re.compile(_FIGURE.sub(r"(?P<\1>[\\d.]+)", re.escape(text))) for text in WITH_FIGURES}


def said(stored: str) -> str:
    """Return a stored sentence in the reader's language, with its figures; "" stays so."""
    for text, pattern in _PATTERNS.items():
        found = pattern.fullmatch(stored)
        if found:
            return _(text) % found.groupdict()
    return _(stored) if stored else ""
