"""Lists of shoppers that stay as they are: freeze a segment, rename, delete, make a segment of one."""

from typing import Any

import numpy as np
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from behaviour.models import Shop
from mailai.accounts import audit
from mailai.errors import StateError
from mailai.ui import numbers
from segments import list_writing, name_rules, reading, rules, services, usage
from segments.core import members
from segments.models import Segment, ShopperList


def begin_freeze(segment: Segment, *, name: str = "", by: Any = None) -> ShopperList:
    """Note who is in a segment at this moment as a list, which list_writing.go_on writes; one question.

    Raises
    ------
    InputError : the rule can't be read, or the name is taken. StateError : nobody is in the segment.
    """
    name = checked(name) if name else ""
    today = Shop.current().day_of(timezone.now()).isoformat()
    proposed = _("%(segment)s, %(day)s") % {"segment": segment.name[: name_rules.NAME_LENGTH - 20], "day": today}
    # Asked before the transaction: on SQLite nobody waits for the answer.
    ids = reading.ids(rules.matching(segment.rule))
    if not len(ids):
        raise StateError(_("Nobody is in “%(name)s” now, so there is nothing to freeze.") % {"name": segment.name})
    with transaction.atomic():
        made = _noted(ids, name=name or free(proposed), origin=segment.name, segment=segment, created_by=by)
        audit.record("list.freeze", made, by=by, segment=str(segment.uuid), shoppers=len(ids))
    return made


def freeze(segment: Segment, *, name: str = "", by: Any = None) -> ShopperList:
    """Make a list of who is in a segment at this moment; raises as `begin_freeze` does."""
    return _finished(begin_freeze(segment, name=name, by=by))


def freeze_shoppers(ids: np.ndarray, *, name: str, by: Any) -> ShopperList:
    """Make a list of these shoppers, ids ascending; asked again, go on with the list of that name, or return it.

    Raises
    ------
    StateError : all of them were removed meanwhile.
    """
    made = _finished(ShopperList.objects.filter(name=name).first() or _begun(ids, name=name, by=by))
    if not made.n_members:
        delete(made, by=by)
        raise StateError(_("None of these shoppers is there any more."))
    return made


def _begun(ids: np.ndarray, *, name: str, by: Any) -> ShopperList:
    try:
        with transaction.atomic():
            made = _noted(ids, name=name, created_by=by)
            audit.record("list.make", made, by=by, shoppers=len(ids))
        return made
    except IntegrityError:
        # Somebody else began it since we looked.
        return ShopperList.objects.get(name=name)


def _noted(ids: np.ndarray, **fields: Any) -> ShopperList:
    return ShopperList.objects.create(
        source=ShopperList.Source.FROZEN, state=ShopperList.State.WRITING, waiting=members.pack(ids),
        n_members=len(ids), heartbeat_at=timezone.now(), **fields,
    )  # fmt: skip


def _finished(made: ShopperList) -> ShopperList:
    finished = list_writing.go_on(made.pk)
    if finished is None:
        raise StateError(_("“%(name)s” was deleted meanwhile.") % {"name": made.name})
    return finished


def rename(changed: ShopperList, name: str, *, by: Any) -> None:
    """Give a list another name; rules know it by its id. InputError when the name is missing or taken."""
    if name_rules.tidy(name) == changed.name:
        return
    changed.name = checked(name)
    ShopperList.objects.filter(pk=changed.pk).update(name=changed.name)
    audit.record("list.rename", changed, by=by)


def begin_delete(gone: ShopperList, *, by: Any) -> None:
    """Mark a list as going, which list_writing.go_on removes; nobody sees it any more, and its name is free.

    Raises
    ------
    StateError : the rule of a segment or a waiting campaign names it.
    """
    with transaction.atomic():
        # Whoever saves a rule that names it was seen below, or finds it gone.
        rules.turns.wait()
        if users := usage.named_by(gone):
            raise StateError(
                _("“%(name)s” is used by the rule of %(users)s. Change that first, or keep this list.")
                % {"name": gone.name, "users": numbers.listed(f"“{one}”" for one in users)}
            )
        changes = {"state": ShopperList.State.GOING, "name": str(gone.uuid), "heartbeat_at": timezone.now()}
        if ShopperList.objects.filter(pk=gone.pk).update(**changes):
            audit.record("list.delete", gone, by=by)


def delete(gone: ShopperList, *, by: Any) -> None:
    """Remove a list and who is on it; raises as `begin_delete` does."""
    begin_delete(gone, by=by)
    list_writing.go_on(gone.pk)


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
