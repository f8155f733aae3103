"""Which of a few shoppers fit which rules."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from django.db.models import QuerySet, Value

from behaviour.models import Shopper
from mailai.errors import InputError
from segments.rules.compiling import Context, condition


def fitting(parts: Mapping[Any, Any], shopper_ids: Sequence[int], now: datetime) -> dict[Any, set[int]]:
    """Return per rule which of these shoppers fit it; a rule that can't be used any more is left out.

    One statement that looks at nobody else's events, and one query per kind of thing that the rules name.
    """
    context = Context(now, only=list(shopper_ids))
    few = Shopper.objects.filter(pk__in=shopper_ids).order_by()
    found: dict[Any, set[int]] = {}
    selects: list[QuerySet[Any, Any]] = []
    for number, (name, rule) in enumerate(parts.items()):
        with suppress(InputError):
            fits = condition(rule, context=context)
            selects.append(few.filter(fits).annotate(which=Value(number)).values_list("which", "pk"))
            found[name] = set()
    names = list(parts)
    if selects:
        for number, pk in selects[0].union(*selects[1:], all=True) if len(selects) > 1 else selects[0]:
            found[names[number]].add(pk)
    return found
