"""Permission when shoppers are joined or taken apart: the newest statement counts, and nothing is ever widened."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from behaviour import consent
from behaviour.merge_moves import write
from behaviour.models import Consent, ConsentState, Merge, Shopper

MARKETING = Consent.Purpose.MARKETING
Said = tuple[datetime, bool]


def _newest(shopper_ids: Iterable[int]) -> dict[int, Said]:
    """Return shopper -> (time, withdrawn?) of the newest statement; at the same moment the withdrawal counts."""
    found: dict[int, Said] = {}
    rows = Consent.objects.filter(shopper_id__in=set(shopper_ids), purpose=MARKETING)
    for pk, state, at in rows.values_list("shopper_id", "state", "at"):
        said = (at, state == ConsentState.WITHDRAWN)
        found[pk] = max(found.get(pk, said), said)
    return found


def combined(kept_of: dict[int, int], before: dict[int, str]) -> dict[int, str]:
    """Return kept shopper -> her state once she and those joined to her are one; a no without a date stands."""
    newest = _newest(before)
    people: dict[int, list[int]] = defaultdict(list)
    for joined, kept in kept_of.items():
        people[kept].append(joined)
    states = {}
    for kept, others in people.items():
        undated = {before[pk] for pk in (kept, *others) if pk not in newest}
        dated = [newest[pk] for pk in (kept, *others) if pk in newest]
        if ConsentState.WITHDRAWN in undated:
            states[kept] = ConsentState.WITHDRAWN.value
        elif dated:
            states[kept] = _state(max(dated))
        else:
            states[kept] = (ConsentState.GIVEN if ConsentState.GIVEN in undated else ConsentState.UNKNOWN).value
    return states


def _state(said: Said) -> str:
    return (ConsentState.WITHDRAWN if said[1] else ConsentState.GIVEN).value


def apart(merges: Sequence[Merge], here: dict[int, int]) -> None:
    """Give back what was allowed before the merges, the newest first; who said no since then said it for both."""
    people = {pk for one in merges for pk in (one.joined_id, here[one.pk])}
    states: dict[int, str] = {}
    plain: list[tuple[int, dict[str, str]]] = []
    for merge in merges:
        states[merge.joined_id], states[here[merge.pk]] = merge.moved.get("marketing", ["unknown", "unknown"])
        plain.append((here[merge.pk], merge.moved.get("plain", {})))
    newest = _newest(people)
    rows = {row.pk: row for row in Shopper.everything.filter(pk__in=people)}
    for pk, row in rows.items():
        row.marketing = _state(newest[pk]) if pk in newest else states[pk]
    for pk, filled in plain:
        for name, value in filled.items():
            if getattr(rows[pk], name) == value:
                setattr(rows[pk], name, "")
    values = [(row.marketing, row.country, row.locale, row.timezone, row.pk) for row in rows.values()]
    write(Shopper, ["marketing", "country", "locale", "timezone"], values)
    _carry_withdrawals(merges, here)


def _carry_withdrawals(merges: Sequence[Merge], here: dict[int, int]) -> None:
    since: Any = min((one.moved.get("newest_consent", 0) for one in merges), default=0)
    later = Consent.objects.filter(
        shopper_id__in=set(here.values()), state=ConsentState.WITHDRAWN, pk__gt=since
    ).order_by("pk")
    said: dict[int, list[Consent]] = defaultdict(list)
    for row in later:
        said[row.shopper_id].append(row)
    for merge in merges:
        for row in said.get(here[merge.pk], ()):
            if row.pk > merge.moved.get("newest_consent", 0):
                consent.withdraw([merge.joined_id], row.purpose, source=row.source, at=row.at, proof=row.proof)
