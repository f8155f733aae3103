"""Makes a segment of shoppers who went from one stage to another: a list that stays as it is."""

from typing import Any

import numpy as np
from django.db import transaction
from django.utils.translation import gettext as _

from behaviour import bulk, turns
from behaviour.models import Shopper
from mailai.errors import StateError
from segments import reading, services
from segments.models import Segment, ShopperList, ShopperListMember


def make_segment(ids: np.ndarray, name: str, *, by: Any) -> Segment:
    """Freeze these shoppers as a list and make its segment; asked again for the same name, return what is there.

    Raises
    ------
    StateError : all of them were removed meanwhile.
    """
    there = Segment.objects.filter(name=name).first()
    if there:
        return there
    with transaction.atomic():
        turns.hold()
        alive = ids[np.isin(ids, reading.ids(Shopper.objects.all()), assume_unique=True)]
        if not len(alive):
            raise StateError(_("None of these shoppers is there any more."))
        made = ShopperList.objects.filter(name=name).first()
        if made is None:
            made = ShopperList.objects.create(
                name=name, source=ShopperList.Source.FROZEN, n_members=len(alive), created_by=by
            )
            bulk.insert(ShopperListMember, {"list": [made.pk] * len(alive), "shopper": alive.tolist()})
        return services.save_segment(Segment(), name=name, rule={"all": [{"list": str(made.uuid)}]}, by=by)
