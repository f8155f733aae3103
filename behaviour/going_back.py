"""How a field goes back to what it was before a change that is undone, whoever changed it meanwhile."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar


class Change(Protocol):
    """What one upload changed of one thing."""

    pk: Any
    upload: Any

    @property
    def before(self) -> dict[str, Any]:
        """The fields that changed, as they were."""

    @property
    def after(self) -> dict[str, Any]:
        """The same fields, as they became."""


T = TypeVar("T", bound=Change)


def go_back(change: T, values: dict[str, Any], newer: Sequence[T]) -> list[T]:
    """Undo a change in the values that count today; return the newer changes whose ``before`` is another by that.

    ``newer``, oldest first: who changed a field next would give it back to what is undone now, so that one gets what
    was before both. What is still set aside has changed nothing yet.
    """
    touched = []
    for name, before in change.before.items():
        later = [one for one in newer if one.pk > change.pk and name in one.after]
        follower = next((one for one in later if not waits(one.upload)), None)
        if follower is None and name in change.after and values[name] == change.after[name]:
            values[name] = before
        for one in later:
            if (one is follower or waits(one.upload)) and one.before[name] == change.after.get(name):
                one.before[name] = before
                touched.append(one)
    return touched


def waits(upload: Any) -> bool:
    """Say whether the changes of an upload are still set aside; None stands for the shop's own programs."""
    return upload is not None and upload.published_at is None
