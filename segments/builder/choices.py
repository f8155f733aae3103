"""What can be chosen in the inputs of a draft. Read only where an input stands on the page, once a page."""

from functools import cached_property
from typing import Any
from uuid import UUID

from django.core.cache import cache
from django.utils.translation import gettext as _

from behaviour.models import Event
from segments import cluster_words, mails, queries
from segments.fields import BOUGHT, CLUSTER, FIELDS, TEXT, Field
from segments.models import Cluster, Clustering, Segment, ShopperList

Options = list[tuple[str, Any]]
# Names of countries, brands and categories change seldom; looking through a million shoppers takes a while.
VALUES_FOR = 60
BETWEEN_PARTS = " > "
N_CAMPAIGNS = 200


class Choices:
    """The options of selects; `segment` is the one that is edited, which can't name itself."""

    def __init__(self, segment: Segment | None = None) -> None:
        self.segment = segment

    def whats(self) -> list[tuple[Any, Options]]:
        """Return what a condition can ask about, under headings."""
        found: dict[str, tuple[Any, Options]] = {
            "did": (_("What she did"), [(f"did:{kind}", label) for kind, label in Event.Kind.choices]),
            "mail": (_("Our emails"), [(f"mail:{name}", label) for name, label in mail_words().items()]),
            "other": (_("Also"), [
                ("sequence:", _("One thing, then another")),
                ("anniversary:sign_up", _("Anniversary of the sign-up")),
                ("anniversary:first_order", _("Anniversary of the first order")),
                ("segment:", _("In a segment")),
                ("list:", _("On a list")),
            ]),
        }  # fmt: skip
        for one in FIELDS.values():
            found.setdefault(str(one.group), (one.group, []))[1].append((f"field:{one.name}", one.label))
        return list(found.values())

    def of_field(self, asked: Field) -> Options:
        """Return the values of a field that is chosen, not typed."""
        if asked.kind == CLUSTER:
            return self.clusters
        if asked.kind == BOUGHT:
            return self.categories
        return _plain(_known(asked.name)) if asked.kind == TEXT else list(asked.choices)

    @cached_property
    def categories(self) -> Options:
        """Categories, and those that hold them: "Kitchen" before "Kitchen > Mugs"."""
        found = set()
        for path in _known("bought_category"):
            parts = path.split(BETWEEN_PARTS)
            found |= {BETWEEN_PARTS.join(parts[:n]) for n in range(1, len(parts) + 1)}
        return _plain(sorted(found))

    @cached_property
    def countries(self) -> Options:
        """Countries that shoppers live in."""
        return _plain(_known("country"))

    @cached_property
    def questions(self) -> Options:
        """Questions that shoppers answered."""
        return _plain(_known("question"))

    @cached_property
    def answers(self) -> Options:
        """What they answered, to whichever question."""
        return _plain(sorted(_known("answer"), key=_by_size))

    @cached_property
    def segments(self) -> Options:
        """The other segments."""
        own = self.segment.uuid if self.segment else None
        rows = Segment.objects.order_by("name").values_list("uuid", "name")
        return [(str(uuid), name) for uuid, name in rows if uuid != own]

    @cached_property
    def lists(self) -> Options:
        """Uploaded and frozen lists."""
        rows = ShopperList.ready().order_by("name").values_list("uuid", "name")
        return [(str(uuid), name) for uuid, name in rows]

    @cached_property
    def clusters(self) -> Options:
        """The groups of the newest clustering."""
        newest = Clustering.objects.order_by("-at", "-pk").first()
        rows = Cluster.objects.filter(clustering=newest).order_by("number") if newest else ()
        return [(str(number), name) for number, name in cluster_words.names(rows).items()]

    @cached_property
    def campaigns(self) -> Options:
        """The newest campaigns that sent something."""
        return [(str(uuid), name) for uuid, name in mails.newest(N_CAMPAIGNS).items()]

    def campaign(self, uuid: str) -> Options:
        """Return an older campaign that a rule names."""
        if not uuid or any(uuid == known for known, _label in self.campaigns):
            return []
        try:
            return [(str(known), name) for known, name in mails.names([UUID(uuid)]).items()]
        except ValueError:
            return []


def mail_words() -> dict[str, Any]:
    """Return what can become of an email."""
    return {
        "got": _("Got an email"),
        "opened": _("Opened an email from us"),
        "clicked": _("Clicked in an email from us"),
        "ignored": _("Neither opened nor clicked"),
    }


def _plain(values: list[str]) -> Options:
    return [(value, value) for value in values]


def _by_size(answer: str) -> tuple[bool, float, str]:
    """Return what sorts 2 before 10, and numbers before words."""
    number = float(answer) if answer.isdecimal() else 0.0
    return not answer.isdecimal(), number, answer


def _known(name: str) -> list[str]:
    return cache.get_or_set(f"segments.values.{name}", lambda: queries.known_values(name), VALUES_FOR) or []
