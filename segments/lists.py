"""Lists of shoppers that stay as they are: freeze a segment, rename, delete, make a segment of one."""

import itertools
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from behaviour import turns
from behaviour.models import Shop
from mailai.accounts import audit
from mailai.errors import InputError, StateError
from mailai.ui import numbers
from segments import list_files, rules, services, usage
from segments.models import Segment, ShopperList, ShopperListMember

NAME_LENGTH = 120


def freeze(segment: Segment, *, name: str = "", by: Any = None) -> ShopperList:
    """Make a list of who is in a segment at this moment; one statement, about 10 seconds a million.

    Raises
    ------
    InputError : the rule can't be read, or the name is taken. StateError : nobody is in the segment.
    """
    if name:
        check_name(name)
    today = timezone.now().astimezone(Shop.current().zone).date().isoformat()
    proposed = _("%(segment)s, %(day)s") % {"segment": segment.name[: NAME_LENGTH - 20], "day": today}
    with transaction.atomic():
        # Nobody is removed or merged until the members are written.
        turns.hold()
        made = ShopperList.objects.create(
            name=_plain(name) or free_name(proposed), source=ShopperList.Source.FROZEN, origin=segment.name,
            segment=segment, created_by=by,
        )  # fmt: skip
        made.n_members = _fill(made, segment)
        if not made.n_members:
            raise StateError(_("Nobody is in “%(name)s” now, so there is nothing to freeze.") % {"name": segment.name})
        made.save(update_fields=["n_members"])
        audit.record("list.freeze", made, by=by, segment=str(segment.uuid), shoppers=made.n_members)
    return made


def _fill(made: ShopperList, segment: Segment) -> int:
    try:
        # By name, not by place: the select may hold other columns beside the id on one of the databases.
        sql, values = rules.matching(segment.rule).order_by().values("id").query.sql_with_params()
    except EmptyResultSet:
        return 0
    table = connection.ops.quote_name(ShopperListMember._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} (list_id, shopper_id) SELECT %s, found.id FROM ({sql}) AS found",  # noqa: S608 our own names
            [made.pk, *values],
        )
        return int(cursor.rowcount)


def rename(changed: ShopperList, name: str, *, by: Any) -> None:
    """Give a list another name; rules know it by its id. InputError when the name is missing or taken."""
    name = _plain(name)
    if name == changed.name:
        return
    check_name(name)
    changed.name = name
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
    rule = {"all": [{"list": str(listed.uuid)}]}
    found = Segment.objects.filter(rule=rule).first()
    if found:
        return found
    name = _first_free(listed.name, Segment)
    return services.save_segment(Segment(), name=name, rule=rule, by=by)


def check_name(name: str) -> None:
    """Refuse a name that is empty, too long or taken, with a sentence that says so."""
    name = _plain(name)
    if not name or len(name) > NAME_LENGTH:
        raise InputError(_("Give the list a name of 1 to %(n)s letters.") % {"n": NAME_LENGTH})
    if ShopperList.objects.filter(name=name).exists():
        raise InputError(_("There is a list “%(name)s” already. Choose another name.") % {"name": name})


def free_name(base: str) -> str:
    """Return a name, with a number behind it where it is taken."""
    return _first_free(_plain(base), ShopperList)


def _first_free(base: str, model: Any) -> str:
    names = itertools.chain([base], (f"{base[: NAME_LENGTH - 8]} {n}" for n in itertools.count(2)))
    return next(one for one in names if not model.objects.filter(name=one).exists())


def _plain(name: str) -> str:
    return " ".join(name.split())
