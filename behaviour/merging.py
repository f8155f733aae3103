"""Several names of one person: an id of the shop, an address, a browser. Joined when they meet, shown, undone.

A joined shopper keeps her row and her name, which leads to the kept one (``Shopper.merged_into``, never a chain); all
else that is hers moves there, and ``Merge.moved`` notes what. docs/identity.md tells the rules.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils.timezone import now
from django.utils.translation import gettext as _

from behaviour import identity, merge_moves, merge_permission, turns
from behaviour.core.people import BY_VISITOR
from behaviour.models import Consent, Event, Identity, Merge, Shopper, Upload
from behaviour.pseudonyms import BY_EMAIL
from mailai.accounts import audit
from mailai.errors import InputError, StateError

BATCH = 1000
VISITOR, EMAIL, PERSON = "visitor", "email", "person"
Pair = tuple[str, str]


@dataclass
class Joined:
    """What became of the pairs: merged now; left alone, because a browser is shared or both have an address."""

    merged: int = 0
    visitor_shared: int = 0
    two_addresses: int = 0

    def add(self, other: "Joined") -> None:
        """Count on."""
        self.merged += other.merged
        self.visitor_shared += other.visitor_shared
        self.two_addresses += other.two_addresses


@dataclass
class _Plan:
    kept_of: dict[int, int] = field(default_factory=dict)
    counts: Joined = field(default_factory=Joined)
    # Pairs that wait until those before them are joined.
    later: list[Pair] = field(default_factory=list)


def join(pairs: Iterable[Pair], *, evidence: str = "", upload: Upload | None = None, by: Any = None) -> Joined:
    """Join shoppers who met: pairs of a name (``visitor-…`` or ``mail-…``) and the name of who is kept.

    Run again, it changes nothing. Two ids of the shop are never joined here. Costs some 20 statements a thousand pairs.
    """
    listed = [pair for pair in dict.fromkeys(pairs) if evidence == PERSON or _automatic(*pair)]
    total = Joined()
    for start in range(0, len(listed), BATCH):
        waiting = listed[start : start + BATCH]
        while waiting:
            counts, waiting = _join_batch(waiting, evidence, upload, by)
            total.add(counts)
    if total.merged and evidence != PERSON:
        audit.record("shopper.join", upload, by=by, merged=total.merged)
    return total


def _automatic(name: str, kept: str) -> bool:
    return name != kept and name.startswith((BY_VISITOR, BY_EMAIL)) and not kept.startswith(BY_VISITOR)


def _join_batch(pairs: list[Pair], evidence: str, upload: Upload | None, by: Any) -> tuple[Joined, list[Pair]]:
    """Join the pairs of one transaction; return counts, and the pairs that must wait for these."""
    if evidence != PERSON:
        _make_missing(pairs, upload)
    plan = _plan(pairs, evidence)
    if not plan.kept_of:
        return plan.counts, plan.later
    with transaction.atomic():
        # Nobody else joins or writes events now; what was read before may have changed, so it is read again.
        turns.alone()
        people = {*plan.kept_of, *plan.kept_of.values()}
        list(Shopper.everything.select_for_update().filter(pk__in=people).order_by("pk").values_list("pk"))
        plan = _plan(pairs, evidence)
        _apply(plan.kept_of, evidence, upload, by)
    plan.counts.merged = len(plan.kept_of)
    return plan.counts, plan.later


def _make_missing(pairs: list[Pair], upload: Upload | None) -> None:
    """Let a browser that was never seen alone have a row, so that what it does later leads to its shopper."""
    wanted = identity.shopper_ids(name for pair in pairs for name in pair)
    missing = [name for name, kept in pairs if name.startswith(BY_VISITOR) and name not in wanted and kept in wanted]
    Shopper.everything.bulk_create(
        [Shopper(external_id=name, upload=upload) for name in dict.fromkeys(missing)], ignore_conflicts=True
    )


def _plan(pairs: list[Pair], evidence: str) -> _Plan:
    """Decide which of the pairs are joined; four queries."""
    rows = Shopper.everything.filter(external_id__in={name for pair in pairs for name in pair})
    people = {name: (pk, into) for name, pk, into in rows.values_list("external_id", "pk", "merged_into_id")}
    wanted = [(*pair, people[pair[0]][0], people[pair[1]][1] or people[pair[1]][0]) for pair in pairs if
              pair[0] in people and pair[1] in people]  # fmt: skip
    undone = _undone_pairs([joined for _name, _kept, joined, _root in wanted]) if evidence != PERSON else set()
    addressed = set(
        Identity.objects.filter(
            shopper_id__in={pk for *_names, joined, root in wanted for pk in (joined, root)}, email_index__isnull=False
        ).values_list("shopper_id", flat=True)
    )
    plan = _Plan()
    for name, kept_name, joined, root in wanted:
        if root in (joined, people[name][1]) or (joined, root) in undone or (joined, people[kept_name][0]) in undone:
            continue
        if people[name][1] or plan.kept_of.get(joined, root) != root:
            plan.counts.visitor_shared += 1
        elif {joined, root} <= addressed:
            plan.counts.two_addresses += 1
        elif root in plan.kept_of or joined in plan.kept_of.values():
            plan.later.append((name, kept_name))
        else:
            plan.kept_of[joined] = root
            addressed |= {root} if joined in addressed else set()
    return plan


def joinable(pairs: Iterable[Pair]) -> set[Pair]:
    """Return the pairs that ``join`` would join as soon as both are there; nothing is changed."""
    listed = [pair for pair in dict.fromkeys(pairs) if _automatic(*pair)]
    found: set[Pair] = set()
    for start in range(0, len(listed), BATCH):
        part = listed[start : start + BATCH]
        there = identity.shopper_ids(kept for _name, kept in part)
        plan = _plan([pair for pair in part if pair[1] in there], "")
        ids = identity.shopper_ids(name for name, _kept in part)
        joined = set(plan.kept_of) | set(identity.shopper_ids(name for name, _kept in plan.later).values())
        found |= {pair for pair in part if pair[1] not in there or ids.get(pair[0]) in joined}
    return found


def _undone_pairs(joined: Iterable[int]) -> set[tuple[int, int]]:
    """Return (joined, kept) that somebody took apart: the same evidence does not join them again."""
    rows = Merge.objects.filter(joined_id__in=set(joined), undone_at__isnull=False)
    return set(rows.values_list("joined_id", "kept_id"))


def _apply(kept_of: dict[int, int], evidence: str, upload: Upload | None, by: Any) -> None:
    """Move all that is theirs from the joined to the kept shoppers, and note what moved."""
    people = {row.pk: row for row in Shopper.everything.filter(pk__in={*kept_of, *kept_of.values()})}
    before = {pk: row.marketing for pk, row in people.items()}
    newest = Consent.objects.aggregate(n=Max("pk"))["n"] or 0
    states = merge_permission.combined(kept_of, before)
    filled = _fill_plain(people, kept_of)
    for joined, kept in kept_of.items():
        people[joined].merged_into_id, people[joined].marketing = kept, "unknown"
        people[kept].marketing = states[kept]
    rows = [
        (row.merged_into_id, row.marketing, *(getattr(row, name) for name in merge_moves.PLAIN), row.pk)
        for row in people.values()
    ]
    merge_moves.write(Shopper, ["merged_into", "marketing", *merge_moves.PLAIN], rows)
    moved = merge_moves.forward(kept_of)
    given = identity.hand_over([(joined, kept, Identity.ENCRYPTED) for joined, kept in kept_of.items()])
    merges = []
    for (joined, kept), fields in zip(kept_of.items(), given, strict=True):
        notes = {"identity": fields, "plain": filled[joined], "marketing": [before[joined], before[kept]]}
        why = evidence or (VISITOR if people[joined].external_id.startswith(BY_VISITOR) else EMAIL)
        whole = moved[joined] | notes | {"newest_consent": newest}
        merges.append(Merge(kept_id=kept, joined_id=joined, evidence=why, upload=upload, by=by, moved=whole))
    Merge.objects.bulk_create(merges)


def _fill_plain(people: dict[int, Shopper], kept_of: dict[int, int]) -> dict[int, dict[str, str]]:
    """Let the kept shopper have the country and language that only the joined one said; return what was filled."""
    filled: dict[int, dict[str, str]] = defaultdict(dict)
    for joined, kept in kept_of.items():
        for name in merge_moves.PLAIN:
            value = getattr(people[joined], name)
            if value and not getattr(people[kept], name):
                setattr(people[kept], name, value)
                filled[joined][name] = value
    return filled


def merge_by_hand(joined: Shopper, kept: Shopper, by: Any) -> None:
    """Join two shoppers because a person knows that they are one.

    Raises
    ------
    InputError : they are one already, or each has an email address of her own.
    """
    if kept.pk == joined.pk:
        raise InputError(_("This is the same shopper already. Enter the id or the email address of another one."))
    counts = join([(joined.external_id, kept.external_id)], evidence=PERSON, by=by)
    if counts.two_addresses:
        raise InputError(
            _("Each of the two has an email address of her own, so they stay apart. Correct one of them first.")
        )
    if not counts.merged:
        raise InputError(_("One of the two was merged with another shopper already. Undo that merge first."))
    audit.record("shopper.merge", kept, by=by, joined=joined.pseudonym)


def undo_merge(merge: Merge, by: Any) -> None:
    """Take two shoppers apart: what moved goes back, and the same evidence does not join them again.

    What came in after the merge stays with the kept shopper: it does not say under which name it came.

    Raises
    ------
    StateError : the merge was undone before.
    """
    if not _take_apart([merge.pk]):
        raise StateError(_("This merge was undone already."))
    audit.record("shopper.unmerge", merge.kept, by=by, joined=merge.joined.pseudonym)


def undo_merges_of(upload: Upload, beat: Callable[[], None]) -> int:
    """Take apart whom an upload joined, and forget that it did: the same file may join them again. Returns how many."""
    n = 0
    # A pair that a person took apart stays known.
    live = Merge.objects.filter(upload=upload, undone_at=None).order_by("-pk")
    while ids := list(live.values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic():
            n += _take_apart(ids)
            Merge.objects.filter(pk__in=ids).delete()
        beat()
    return n


def _take_apart(merge_ids: Sequence[int]) -> int:
    """Undo these merges, the newest first, in one transaction; return how many were not undone before."""
    with transaction.atomic():
        # Who remembers names of old must look them up again.
        turns.remove()
        merges = list(Merge.objects.filter(pk__in=merge_ids, undone_at=None).order_by("-pk"))
        people = {pk for merge in merges for pk in (merge.joined_id, merge.kept_id)}
        list(Shopper.everything.select_for_update().filter(pk__in=people).order_by("pk").values_list("pk"))
        here = _where(merges)
        _free_from_later(merges, here)
        merge_moves.back(merges, here)
        identity.hand_over([(here[one.pk], one.joined_id, one.moved.get("identity", ())) for one in merges])
        Shopper.everything.filter(pk__in=[one.joined_id for one in merges]).update(merged_into=None)
        merge_permission.apart(merges, here)
        Merge.objects.filter(pk__in=[one.pk for one in merges]).update(undone_at=now())
    return len(merges)


def _where(merges: Sequence[Merge]) -> dict[int, int]:
    """Return merge -> the shopper at whom its rows are at the moment when it is undone, the newest merge first."""
    wanted = {pk for one in merges for pk in (one.joined_id, *merge_moves.ids_in(one.moved, merge_moves.SHOPPERS))}
    into = dict(Shopper.everything.filter(pk__in=wanted).values_list("pk", "merged_into_id"))
    here: dict[int, int] = {}
    for merge in merges:
        here[merge.pk] = into[merge.joined_id] or merge.kept_id
        for pk in merge_moves.ids_in(merge.moved, merge_moves.SHOPPERS):
            if into.get(pk) == here[merge.pk]:
                into[pk] = merge.joined_id
    return here


def _free_from_later(merges: Sequence[Merge], here: dict[int, int]) -> None:
    """Where the kept shopper was merged on, her merge no longer carries what goes back now."""
    ids = {one.pk for one in merges}
    for merge in merges:
        kept = merge.kept_id
        while kept != here[merge.pk]:
            outer = Merge.objects.filter(joined_id=kept, undone_at=None).exclude(pk__in=ids).first()
            if outer is None:
                break
            outer.moved = merge_moves.without(outer.moved, merge.moved, merge.joined_id)
            outer.save(update_fields=["moved"])
            kept = outer.kept_id


def collect_strays() -> int:
    """Move events that were written to a joined shopper, by who did not know yet, to the kept one; return how many."""
    joined = list(Shopper.everything.filter(merged_into__isnull=False).order_by("pk").values_list("pk", flat=True))
    return sum(_collect(joined[at : at + BATCH]) for at in range(0, len(joined), BATCH))


def _collect(joined: Sequence[int]) -> int:
    n = 0
    while rows := list(_strays(joined)):
        with transaction.atomic():
            turns.alone()
            rows = list(_strays(joined))
            merges = {
                one.joined_id: one
                for one in Merge.objects.filter(undone_at=None, joined_id__in={at for _pk, at in rows})
            }
            for pk, merge in merges.items():
                ids = {*merge_moves.ids_in(merge.moved, merge_moves.EVENTS), *(one for one, at in rows if at == pk)}
                merge.moved = merge.moved | {merge_moves.EVENTS: merge_moves.as_ranges(sorted(ids))}
            Merge.objects.bulk_update(merges.values(), ["moved"], batch_size=merge_moves.CHUNK)
            merge_moves.follow(Event, "shopper", [pk for pk, _at in rows])
        n += len(rows)
    return n


def _strays(joined: Sequence[int]) -> Any:
    # Asked for by shopper: a join lets PostgreSQL read the whole table of events.
    rows = Event.everything.filter(shopper__in=joined).order_by("pk")
    return rows.values_list("pk", "shopper_id")[:BATCH]
