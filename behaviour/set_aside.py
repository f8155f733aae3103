"""What a file changes of people whom everybody sees: set aside while it runs, written with its publication, given back.

A row of ``ShopperChange`` holds what the file says of one shopper, sealed as it will stand in her identity, so that a
million of them are published by three statements. docs/adr/0006 tells why.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Concat
from django.utils.timezone import now

from behaviour import identity, merge_moves, merging, turns
from behaviour.going_back import go_back, waits
from behaviour.models import Consent, ConsentState, Identity, Shopper, ShopperChange, Upload
from behaviour.pseudonyms import BY_EMAIL
from mailai.crypto import blind_index, newest_key_id, normal_email

# What people had before is personal too: after this time an undo leaves them as they are.
KEPT_FOR = timedelta(days=30)
BATCH = 1000
PLAIN, PERSONAL = ShopperChange.PLAIN, ShopperChange.PERSONAL
WRITTEN = (
    *PLAIN, *(f"{name}_was" for name in PLAIN), *PERSONAL, "email_index", "email_domain", "key_id", "consent_source",
    "consent_at", "former",
)  # fmt: skip
LOCK = """
    SELECT count(*) FROM (SELECT s.id FROM behaviour_shopper AS s JOIN behaviour_shopperchange AS c
    ON c.shopper_id = s.id WHERE c.upload_id = %s ORDER BY s.id FOR NO KEY UPDATE OF s) AS locked
"""
WRITE_PLAIN = """
    UPDATE behaviour_shopper SET country = COALESCE(NULLIF(c.country, ''), behaviour_shopper.country),
    locale = COALESCE(NULLIF(c.locale, ''), behaviour_shopper.locale) FROM behaviour_shopperchange AS c
    WHERE c.shopper_id = behaviour_shopper.id AND c.upload_id = %s AND (c.country <> '' OR c.locale <> '')
"""
# A row keeps the older of two keys, so that a rotation finds it.
WRITE_IDENTITIES = """
    INSERT INTO behaviour_identity AS known (uuid, shopper_id, email, first_name, last_name, phone, birthday,
    email_index, email_domain, key_id, written_at)
    SELECT c.identity_uuid, c.shopper_id, c.email, c.first_name, c.last_name, c.phone, '', c.email_index,
    c.email_domain, c.key_id, %s FROM behaviour_shopperchange AS c JOIN behaviour_shopper AS s ON s.id = c.shopper_id
    LEFT JOIN behaviour_identity AS i ON i.shopper_id = s.id
    WHERE c.upload_id = %s AND s.merged_into_id IS NULL AND (i.id IS NULL OR i.uuid = c.identity_uuid)
    AND (c.email <> '' OR c.first_name <> '' OR c.last_name <> '' OR c.phone <> '')
    ON CONFLICT (shopper_id) DO UPDATE SET email = COALESCE(NULLIF(excluded.email, ''), known.email),
    first_name = COALESCE(NULLIF(excluded.first_name, ''), known.first_name),
    last_name = COALESCE(NULLIF(excluded.last_name, ''), known.last_name),
    phone = COALESCE(NULLIF(excluded.phone, ''), known.phone),
    email_index = COALESCE(excluded.email_index, known.email_index),
    email_domain = COALESCE(NULLIF(excluded.email_domain, ''), known.email_domain),
    key_id = CASE WHEN known.key_id = %s THEN excluded.key_id ELSE known.key_id END, written_at = excluded.written_at
"""
WRITE_CONSENT = """
    INSERT INTO behaviour_consent (shopper_id, purpose, state, source, proof, at)
    SELECT c.shopper_id, 'marketing', 'given', c.consent_source, %s, c.consent_at FROM behaviour_shopperchange AS c
    WHERE c.upload_id = %s AND c.consent_at IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM behaviour_consent AS k WHERE k.shopper_id = c.shopper_id AND k.purpose = 'marketing'
        AND k.state = 'given' AND k.at = c.consent_at
    )
"""


class Aside:
    """What a part of a file changes of shoppers who must not change yet."""

    def __init__(self, upload: Upload, people: Mapping[int, Shopper], identities: dict[int, Identity]) -> None:
        """Let the shoppers and identities at hand be as they will be with what was set aside before."""
        self._upload = upload
        self._identities = identities
        self._known = dict(identities)
        self._told: dict[int, dict[str, Any]] = defaultdict(dict)
        self._before: dict[int, dict[str, str]] = defaultdict(dict)
        self._changes: dict[int, ShopperChange] = {}
        self._waiting: set[int] = set()
        if upload.pk is None or not waits(upload):
            return
        unseen = set(Upload.hidden_ids())
        self._waiting = {pk for pk, one in people.items() if one.upload_id not in unseen}
        rows = ShopperChange.objects.filter(upload=upload, shopper__in=people)
        # They are written back as a whole: nobody else may change or delete them meanwhile.
        self._changes = {row.shopper_id: row for row in rows.select_for_update()}
        self._waiting |= set(self._changes)
        agreed = set(_agreed(rows)) if any(one.consent_at for one in self._changes.values()) else set()
        for pk, change in self._changes.items():
            for name in PLAIN:
                setattr(people[pk], name, getattr(change, name) or getattr(people[pk], name))
            if pk in agreed:
                people[pk].marketing = ConsentState.GIVEN
            for name in PERSONAL:
                if value := getattr(change, name):
                    setattr(identities.setdefault(pk, Identity(shopper_id=pk)), name, value)

    def hold(self, shopper_ids: Collection[int]) -> None:
        """Let these wait too, although nobody sees them yet: their address still belongs to who will be joined."""
        self._waiting |= set(shopper_ids)

    def waits(self, shopper_id: int) -> bool:
        """Say whether what is told of a shopper waits for the publication."""
        return shopper_id in self._waiting

    def tell(self, shopper_id: int, before: Mapping[str, str], after: Mapping[str, Any]) -> None:
        """Set aside fields of a shopper: as they are (none for permission), and as the file says."""
        self._told[shopper_id] |= after
        self._before[shopper_id] |= before

    def keep(self) -> None:
        """Write what was told, in one statement a thousand shoppers."""
        _save([self._change(pk) for pk in sorted(self._told)])

    def _change(self, pk: int) -> ShopperChange:
        change = self._changes.get(pk) or _new(self._upload, pk, self._known.get(pk))
        return _told(change, self._before[pk], self._told[pk])


def _new(upload: Upload, shopper_id: int, known: Identity | None) -> ShopperChange:
    change = ShopperChange(upload=upload, shopper_id=shopper_id)
    if known:
        change.identity_uuid, change.identity_at = known.uuid, known.written_at
    return change


def _told(change: ShopperChange, before: dict[str, str], after: Mapping[str, Any]) -> ShopperChange:
    held = before | change.before
    for name, value in after.items():
        setattr(change, name, value)
    change.before = held
    if change.email:
        change.email_index = blind_index(change.email)
        change.email_domain = normal_email(change.email).rpartition("@")[2]
    change.seal()
    return change


def joined_later(pairs: Sequence[merging.Pair], upload: Upload) -> list[merging.Pair]:
    """Return the pairs of names that must not be joined before the upload is published, because everybody would see
    it: the joined shopper vanish, or the kept one get an address or a permission.
    """
    if not waits(upload):
        return []
    found: list[merging.Pair] = []
    for start in range(0, len(pairs), BATCH):
        part = pairs[start : start + BATCH]
        rows = Shopper.objects.filter(external_id__in={name for pair in part for name in pair})
        seen = set(rows.values_list("external_id", flat=True))
        known = Shopper.everything.filter(external_id__in=[name for name, kept in part if kept in seen])
        has = known.filter(~Q(marketing=ConsentState.UNKNOWN) | Q(identity__isnull=False))
        telling = set(has.values_list("external_id", flat=True))
        found += [pair for pair in part if pair[0] in seen or pair[0] in telling]
    return found


def joins(upload: Upload) -> bool:
    """Say whether the publication will join shoppers by what was set aside."""
    return bool(_pairs(ShopperChange.objects.filter(upload=upload)))


def owners_of(upload: Upload, email_indexes: Iterable[str]) -> dict[str, str]:
    """Return blind index -> external id of who will have an address once this upload is published."""
    if upload.pk is None:
        return {}
    rows = ShopperChange.objects.filter(upload=upload, email_index__in=list(email_indexes))
    return {str(index): name for index, name in rows.values_list("email_index", "shopper__external_id")}


def publish(upload: Upload, proof: str) -> None:
    """Write what was set aside; inside the transaction that publishes the upload.

    Three statements for all shoppers, and some for those who turned out to be one person with another.
    """
    rows = ShopperChange.objects.filter(upload=upload)
    if not rows.exists():
        return
    # Whoever joins takes this lock first and then the rows, so that nobody waits for the other for ever; and nobody is
    # joined meanwhile.
    joining = joins(upload)
    if joining:
        turns.alone()
    else:
        turns.hold()
    _lock(upload)
    _follow_joined(rows)
    _renew(rows)
    pairs = _pairs(rows) if joining else []
    # Somebody got the address in the last moments, or will be joined and hand it over: what else is told still counts.
    taken = Identity.objects.filter(email_index=OuterRef("email_index")).exclude(shopper=OuterRef("shopper"))
    rows.filter(Exists(taken)).update(email="", email_index=None, email_domain="")
    _write_made_meanwhile(rows)
    with connection.cursor() as cursor:
        cursor.execute(WRITE_PLAIN, [upload.pk])
        at = connection.ops.adapt_datetimefield_value(now())
        cursor.execute(WRITE_IDENTITIES, [at, upload.pk, newest_key_id()])
        cursor.execute(WRITE_CONSENT, [proof, upload.pk])
    _follow_consent(rows)
    merging.join(pairs, upload=upload)


def _lock(upload: Upload) -> None:
    """Let the API wait with these shoppers until they are written: it does the same before it looks at hers."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(LOCK, [upload.pk])


def _pairs(rows: "QuerySet[ShopperChange]") -> list[merging.Pair]:
    """Return (name, name of who is kept) of who was known by an address only that a file tells of somebody: is named
    by it (nothing more may be known of who ordered), or has it.
    """
    told = rows.filter(email_index__isnull=False)
    name = Concat(Value(BY_EMAIL), OuterRef("email_index"))
    named = Shopper.everything.filter(external_id=name, merged_into=None).exclude(pk=OuterRef("shopper"))
    owner = Identity.objects.filter(email_index=OuterRef("email_index"), shopper__external_id__startswith=BY_EMAIL)
    pairs: list[merging.Pair] = []
    for known in (named.values("external_id"), owner.values("shopper__external_id")):
        found = told.annotate(known=known[:1]).exclude(known=None).exclude(known=F("shopper__external_id"))
        pairs += found.values_list("known", "shopper__external_id")
    return pairs


def _write_made_meanwhile(rows: "QuerySet[ShopperChange]") -> None:
    """Write what is told of identities that were made since: it is sealed for another row."""
    others = rows.filter(shopper__merged_into=None, shopper__identity__isnull=False)
    others = others.exclude(shopper__identity__uuid=F("identity_uuid"))
    # What orders say in passing is none of it, and may be said of everybody.
    others = others.exclude(**dict.fromkeys(PERSONAL, ""))
    told = [{"shopper_id": one.shopper_id, **{n: v for n, v in one.after.items() if n in PERSONAL}} for one in others]
    identity.save_identities(told)


def _follow_joined(rows: "QuerySet[ShopperChange]") -> None:
    """Let what is told of who was joined meanwhile be told of who was kept; of two the later counts, as in a file."""
    joined = rows.filter(shopper__merged_into__isnull=False)
    kept_of: dict[int, Any] = dict(joined.values_list("shopper_id", "shopper__merged_into_id"))
    if not kept_of:
        return
    told = list(rows.filter(shopper__in={*kept_of, *kept_of.values()}).order_by("pk"))
    said: dict[int, dict[str, Any]] = defaultdict(dict)
    for one in told:
        agreed = {"consent_at": one.consent_at, "consent_source": one.consent_source} if one.consent_at else {}
        said[kept_of.get(one.shopper_id, one.shopper_id)] |= one.after | agreed
    rows.filter(pk__in=[one.pk for one in told]).delete()
    people, identities = Shopper.everything.in_bulk(said), identity.identities_of(said)
    new = []
    for pk, after in said.items():
        values = _values(people[pk], identities.get(pk))
        before = {name: value for name, value in values.items() if name in after}
        new.append(_told(_new(told[0].upload, pk, identities.get(pk)), before, after))
    _save(new)


def _renew(rows: "QuerySet[ShopperChange]") -> None:
    """Let what was set aside before somebody else changed the same shopper stand upon that and count as the newer."""
    # Nobody loads all of them: a rotated key makes every one stale.
    last = rows.aggregate(n=Max("pk"))["n"] or 0
    stale = rows.filter(_changed_since(), pk__lte=last).order_by("pk")
    while old := list(stale[:BATCH]):
        _stand_on_today(rows, old)


def _changed_since() -> Exists | Q:
    """Return what is true of a row whose shopper is not what she was when it was set aside."""
    later = ShopperChange.objects.filter(shopper=OuterRef("shopper"), pk__gt=OuterRef("pk"))
    same = Q(identity_at=F("shopper__identity__written_at")) | Q(identity_at=None, shopper__identity__written_at=None)
    # Two identities that were not written since this is noted: one came by a merge.
    same &= Q(shopper__identity=None) | Q(identity_uuid=F("shopper__identity__uuid"))
    found = Exists(later.exclude(upload=OuterRef("upload"))) | ~Q(**dict.fromkeys(PERSONAL, "")) & ~same
    for name in PLAIN:
        found |= ~Q(**{name: ""}) & ~Q(**{f"{name}_was": F(f"shopper__{name}")})
    return found


def _stand_on_today(rows: "QuerySet[ShopperChange]", old: Sequence[ShopperChange]) -> None:
    ids = [one.shopper_id for one in old]
    people, identities = Shopper.everything.in_bulk(ids), identity.identities_of(ids)
    for one in old:
        values = _values(people[one.shopper_id], identities.get(one.shopper_id))
        one.before.update({name: values[name] for name in one.before})
        one.seal()
    rows.filter(pk__in=[one.pk for one in old]).delete()
    for one in old:
        one.pk = None
    _save(old)


def _follow_consent(rows: "QuerySet[ShopperChange]") -> None:
    """Let the shoppers' own column follow."""
    Shopper.everything.filter(pk__in=_agreed(rows)).update(marketing=ConsentState.GIVEN)


def _agreed(rows: "QuerySet[ShopperChange]") -> "QuerySet[ShopperChange, int]":
    """Return the ids of shoppers whose permission that was set aside counts: nothing newer is on record."""
    said = Consent.objects.filter(shopper=OuterRef("shopper"), purpose=Consent.Purpose.MARKETING)
    newer = Q(at__gt=OuterRef("consent_at")) | Q(at=OuterRef("consent_at"), state=ConsentState.WITHDRAWN)
    given = rows.filter(consent_at__isnull=False).exclude(Exists(said.filter(newer)))
    return given.values_list("shopper_id", flat=True)


def give_back(upload: Upload, beat: Callable[[], None]) -> int:
    """Give people back what a file changed, where nothing newer changed it; return how many got something back.

    In short transactions; what is given back is forgotten with it, so that a killed run goes on where it was. What was
    never published is only forgotten.
    """
    n = 0
    # In the order of an index: each batch begins where the last one ended.
    changes = ShopperChange.objects.filter(upload=upload).order_by("shopper_id")
    while True:
        with transaction.atomic():
            some = list(changes[:BATCH])
            if not some:
                return n
            if not waits(upload):
                n += _give_back(some)
            ShopperChange.objects.filter(pk__in=[one.pk for one in some]).delete()
        beat()


def _give_back(changes: list[ShopperChange]) -> int:
    ids = {one.shopper_id for one in changes}
    people = {one.pk: one for one in Shopper.everything.select_for_update().filter(pk__in=ids).order_by("pk")}
    identities = identity.identities_of(ids)
    values = {pk: _values(people[pk], identities.get(pk)) for pk in ids}
    was = {pk: dict(known) for pk, known in values.items()}
    newer = _newer(changes)
    touched = [
        one for change in changes for one in go_back(change, values[change.shopper_id], newer[change.shopper_id])
    ]
    for one in touched:
        one.seal()
    _save(set(touched))
    changed = [pk for pk in ids if values[pk] != was[pk]]
    merge_moves.write(Shopper, PLAIN, [(*(values[pk][name] for name in PLAIN), pk) for pk in changed])
    identity.put_back({pk: {n: values[pk][n] for n in PERSONAL if values[pk][n] != was[pk][n]} for pk in changed})
    return len(changed)


def _values(shopper: Shopper, known: Identity | None) -> dict[str, str]:
    plain = {name: getattr(shopper, name) for name in PLAIN}
    return plain | {name: getattr(known, name) if known else "" for name in PERSONAL}


def _newer(changes: list[ShopperChange]) -> dict[int, list[ShopperChange]]:
    """Return what other files changed of these shoppers after the oldest of the changes, oldest first."""
    found: dict[int, list[ShopperChange]] = defaultdict(list)
    ids, oldest = {one.shopper_id for one in changes}, min(one.pk for one in changes)
    rows = ShopperChange.objects.filter(shopper__in=ids, pk__gt=oldest).exclude(upload=changes[0].upload_id)
    for row in rows.select_related("upload").order_by("pk"):
        found[row.shopper_id].append(row)
    return found


def forget() -> None:
    """Delete what people had before the changes of files that were imported long ago; in short transactions."""
    old = Upload.objects.filter(state=Upload.State.DONE, finished_at__lt=now() - KEPT_FOR)
    rows = ShopperChange.objects.filter(upload__in=old)
    while ids := list(rows.values_list("pk", flat=True)[:BATCH]):
        some = ShopperChange.objects.filter(pk__in=ids)
        some._raw_delete(some.db)  # type: ignore[attr-defined]
        turns.breathe()


def rotate() -> Iterator[int]:
    """Bring everything under the newest key and yield how many rows a transaction brought there."""
    last = 0
    while True:
        with transaction.atomic():
            rows = ShopperChange.objects.exclude(key_id=newest_key_id()).filter(pk__gt=last).order_by("pk")
            some = list(rows.select_for_update()[:BATCH])
            for row in some:
                row.seal()
            _save(some)
        if not some:
            return
        last = some[-1].pk
        yield len(some)


def _save(rows: Collection[ShopperChange]) -> None:
    """Write rows; bulk_update() would pass by the encryption, an upsert on the id does not."""
    objects = ShopperChange.objects
    objects.bulk_create([row for row in rows if not row.pk], batch_size=BATCH)
    there = [row for row in rows if row.pk]
    objects.bulk_create(there, BATCH, update_conflicts=True, unique_fields=["id"], update_fields=WRITTEN)
