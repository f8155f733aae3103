"""Lists of shoppers that stay as they are: freeze a segment, rename, delete, make a segment of one."""

from typing import Any

import numpy as np
from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from behaviour import turns
from behaviour.models import Shop, Shopper, Upload
from mailai.accounts import audit
from mailai.errors import StateError
from mailai.ui import numbers
from segments import list_files, name_rules, rules, services, usage
from segments.models import Segment, ShopperList, ShopperListMember
from segments.statements import select

# Ids that one statement asks for.
BATCH = 5_000


def freeze(segment: Segment, *, name: str = "", by: Any = None) -> ShopperList:
    """Make a list of who is in a segment at this moment; one statement, about 10 seconds a million.

    Raises
    ------
    InputError : the rule can't be read, or the name is taken. StateError : nobody is in the segment.
    """
    name = checked(name) if name else ""
    today = Shop.current().day_of(timezone.now()).isoformat()
    proposed = _("%(segment)s, %(day)s") % {"segment": segment.name[: name_rules.NAME_LENGTH - 20], "day": today}
    with transaction.atomic():
        # Nobody is removed or merged until the members are written.
        turns.hold()
        made = ShopperList.objects.create(
            name=name or free(proposed), source=ShopperList.Source.FROZEN, origin=segment.name,
            segment=segment, created_by=by,
        )  # fmt: skip
        made.n_members = _fill(made, rules.matching(segment.rule).order_by().values(who=F("pk")))
        if not made.n_members:
            raise StateError(_("Nobody is in “%(name)s” now, so there is nothing to freeze.") % {"name": segment.name})
        made.save(update_fields=["n_members"])
        audit.record("list.freeze", made, by=by, segment=str(segment.uuid), shoppers=made.n_members)
    return made


def freeze_shoppers(ids: np.ndarray, *, name: str, by: Any) -> ShopperList:
    """Make a list of these shoppers; asked again, return the list of that name.

    Raises
    ------
    StateError : all of them were removed meanwhile.
    """
    there = ShopperList.objects.filter(name=name).first()
    if there:
        return there
    with transaction.atomic():
        turns.hold()
        made = ShopperList.objects.create(name=name, source=ShopperList.Source.FROZEN, created_by=by)
        made.n_members = put_on(made, ids)
        if not made.n_members:
            raise StateError(_("None of these shoppers is there any more."))
        made.save(update_fields=["n_members"])
        audit.record("list.make", made, by=by, shoppers=made.n_members)
    return made


def put_on(chosen: ShopperList, ids: np.ndarray) -> int:
    """Put these shoppers on a list and return how many were not on it yet.

    Who was merged meanwhile is who she is now, who was removed is none: hold the turn (behaviour.turns) around it.
    """
    people = Shopper.everything.exclude(upload__in=Upload.hidden_ids()).order_by()
    who = Coalesce("merged_into_id", "pk")
    parts = (ids[start : start + BATCH].tolist() for start in range(0, len(ids), BATCH))
    return sum(_fill(chosen, people.filter(pk__in=part).values(who=who)) for part in parts)


def _fill(chosen: ShopperList, rows: "QuerySet[Any, Any]") -> int:
    """Put on a list whom the column ``who`` of a select finds; one statement."""
    asked = select(rows)
    if asked is None:
        return 0
    table = connection.ops.quote_name(ShopperListMember._meta.db_table)
    with connection.cursor() as cursor:
        # By name, not by place: the select may hold other columns on one of the databases. SQLite needs the WHERE.
        cursor.execute(
            f"INSERT INTO {table} (list_id, shopper_id) SELECT %s, found.who FROM ({asked[0]}) AS found "  # noqa: S608 our own names
            "WHERE true ON CONFLICT DO NOTHING",
            [chosen.pk, *asked[1]],
        )
        return int(cursor.rowcount)


def rename(changed: ShopperList, name: str, *, by: Any) -> None:
    """Give a list another name; rules know it by its id. InputError when the name is missing or taken."""
    if name_rules.tidy(name) == changed.name:
        return
    changed.name = checked(name)
    changed.save(update_fields=["name"])
    audit.record("list.rename", changed, by=by)


def delete(gone: ShopperList, *, by: Any) -> None:
    """Remove a list and who is on it; StateError while the rule of a segment or a waiting campaign names it."""
    with transaction.atomic():
        audit.record("list.delete", gone, by=by)
        ShopperList.objects.filter(pk=gone.pk).delete()
        # Asked after the delete: whoever names the list from now on finds it gone.
        if users := usage.named_by(gone):
            raise StateError(
                _("“%(name)s” is used by the rule of %(users)s. Change that first, or keep this list.")
                % {"name": gone.name, "users": numbers.listed(f"“{one}”" for one in users)}
            )
    list_files.drop(gone.file.get("stored_as", ""))


def make_segment(listed: ShopperList, *, by: Any) -> Segment:
    """Make the segment of a list, or return the one that is there; StateError while the list is not ready."""
    if listed.state != ShopperList.State.READY:
        raise StateError(_("“%(name)s” is not ready yet.") % {"name": listed.name})
    return services.segment_of({"all": [{"list": str(listed.uuid)}]}, name=listed.name, by=by)


def checked(name: str, *, missing: str = "") -> str:
    """Return a name for a list, tidied; InputError when there is none (``missing``), it is too long or taken."""
    return name_rules.checked(
        name, ShopperList.objects.all(), missing=missing or _("Give the list a name of 1 to %(n)s letters."),
        taken=_("There is a list “%(name)s” already. Choose another name."),
    )  # fmt: skip


def free(base: str) -> str:
    """Return a name for a list, with a number behind it where it is taken."""
    return name_rules.first_free(base, ShopperList.objects.all())
