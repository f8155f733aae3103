"""What uses a segment: campaigns, and the rules of other segments."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from mailai.errors import InputError
from mailai.ui import numbers
from segments import rules
from segments.models import Segment, ShopperList
from segments.rules.references import conditions

# Give (name, rule) of what waits to ask its rule; a mail whose audience is settled is none of them.
Source = Callable[[], Iterable[tuple[str, Any]]]
_sources: list[Source] = []


def register(source: Source) -> None:
    """Make known what waits to ask a rule; called when the app that holds it is ready."""
    if source not in _sources:
        _sources.append(source)


@dataclass(frozen=True)
class Uses:
    """Names of what a change of a segment touches: campaigns that were not planned yet, and segments."""

    campaigns: list[str] = field(default_factory=list)
    segments: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.campaigns or self.segments)

    @property
    def sentence(self) -> str:
        """Say what a change touched; "" where that is nothing."""
        return _("This also changes %(what)s.") % {"what": self._named()} if self else ""

    @property
    def warning(self) -> str:
        """Say before it is made what a change will touch; "" where that is nothing."""
        return _("What you change here also changes %(what)s.") % {"what": self._named()} if self else ""

    def _named(self) -> str:
        parts = []
        if self.segments:
            parts.append(_("the segments %(names)s") % {"names": _quoted(self.segments)})
        if self.campaigns:
            parts.append(_("the campaigns %(names)s") % {"names": _quoted(self.campaigns)})
        return numbers.listed(parts)


def uses(segment: Segment) -> Uses:
    """Return what uses a segment, itself or through other segments; one query, and those of the sources."""
    everybody = list(Segment.objects.all())
    reached, names, wanted = {segment.pk}, [], {str(segment.uuid)}
    while wanted:
        found = [one for one in everybody if one.pk not in reached and _names_one(one.rule, wanted)]
        reached |= {one.pk for one in found}
        names += [one.name for one in found]
        wanted = {str(one.uuid) for one in found}
    uuids = {str(one.uuid) for one in everybody if one.pk in reached}
    return Uses(sorted({name for name, rule in _waiting() if _names_one(rule, uuids)}), sorted(names))


def named_by(used: Segment | ShopperList) -> list[str]:
    """Return the names of segments and waiting campaigns whose rule names this segment or list itself."""
    key, own = "segment" if isinstance(used, Segment) else "list", {str(used.uuid)}
    found = [one.name for one in Segment.objects.exclude(uuid=used.uuid) if _names_one(one.rule, own, key)]
    return found + [name for name, rule in _waiting() if _names_one(rule, own, key)]


def users_of_lists(lists: Iterable[ShopperList]) -> dict[int, list[str]]:
    """Return list id -> the names of segments and waiting campaigns whose rule names it; as few queries as for one."""
    by_uuid = {str(one.uuid): one.pk for one in lists}
    found: dict[int, list[str]] = {pk: [] for pk in by_uuid.values()}
    for name, rule in [*Segment.objects.values_list("name", "rule"), *_waiting()] if found else ():
        for uuid in _named_in(rule) & by_uuid.keys():
            found[by_uuid[uuid]].append(name)
    return found


def _named_in(rule: Any) -> set[str]:
    """Return the lists that a rule names."""
    try:
        return {one["list"] for one in conditions(rules.validate(rule)) if "list" in one}
    except InputError:
        return set()


def _names_one(rule: Any, uuids: set[str], key: str = "segment") -> bool:
    try:
        return any(one.get(key) in uuids for one in conditions(rules.validate(rule)))
    except InputError:
        return False


def _waiting() -> Iterator[tuple[str, Any]]:
    for source in _sources:
        yield from source()


def _quoted(names: list[str]) -> str:
    return numbers.listed(f"“{name}”" for name in names)
