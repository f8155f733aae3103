"""Events as a shop's own programs send them: read, checked and turned into rows, a batch at a time."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Meta

from behaviour.core.cleaning import (
    ANSWERED,
    EARLIEST,
    HIGHEST_PRICE,
    LONGEST_ANSWER,
    MOST_PIECES,
    MOST_STARS,
    NEED_PRODUCT,
)
from behaviour.core.keys import SEPARATOR, own_keys, timed_key
from behaviour.core.people import BY_VISITOR
from behaviour.core.values import EMAIL

MOST_EVENTS = 1000
NEEDS_PRODUCT = frozenset(NEED_PRODUCT)
ADDRESS = re.compile(EMAIL)
# Kinds that a page in a browser may tell; a return, a rating or a sign-up is the shop's own word.
FROM_BROWSER = frozenset({"view", "favourite", "search", "cart", "uncart", "purchase"})
FIELD = re.compile(r"`\$\.(\w+)|field `(\w+)`")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(microseconds=1)

Kind = Literal[
    "view", "favourite", "search", "cart", "uncart", "purchase", "refund", "rating", "signup", "survey_answer"
]
Id = Annotated[str, Meta(max_length=120)]


class Event(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One thing a shopper did. Who: ``user_id``, ``email`` or ``visitor_id``; several of them are the same person."""

    event: Annotated[Kind, Meta(description="What was done.")]
    timestamp: Annotated[datetime, Meta(tz=True, description="When, with its time zone.")]
    user_id: Annotated[Id, Meta(description="The shop's own id of the shopper.")] = ""
    email: Annotated[str, Meta(max_length=254, description="The shopper's address; stored encrypted.")] = ""
    visitor_id: Annotated[str, Meta(max_length=100, description="The id of a visitor who has not said who she is.")] = (
        ""
    )
    item_id: Annotated[Id, Meta(description="The product, for all but search and signup.")] = ""
    quantity: Annotated[int, Meta(ge=1, le=MOST_PIECES, description="Pieces; left out: 1.")] = 1
    price: Annotated[float, Meta(ge=0, le=HIGHEST_PRICE, description="For one piece.")] | None = None
    rating: Annotated[float, Meta(ge=0, le=MOST_STARS, description="Stars; for a rating.")] | None = None
    currency: Annotated[str, Meta(max_length=3, description="Left out: the shop's own.")] = ""
    order_id: Annotated[str, Meta(max_length=80, description="Lines with the same number are one order.")] = ""
    question: Annotated[str, Meta(max_length=LONGEST_ANSWER, description="What was asked; for a survey answer.")] = ""
    answer: Annotated[str, Meta(max_length=LONGEST_ANSWER, description="What was answered, in words or a number.")] = ""
    message_id: Annotated[UUID, Meta(description="The email that led here.")] | None = None
    key: Annotated[
        str, Meta(max_length=200, description="Idempotency key; without one, equal content is the same event.")
    ] = ""


class Body(msgspec.Struct):
    """A batch."""

    events: list[Event]


class RawBody(msgspec.Struct):
    """A batch of which something is wrong: its events are read one by one."""

    events: list[msgspec.Raw]


class Refusal(msgspec.Struct):
    """Why one entry of a batch was not taken; ``index`` counts from 0."""

    index: int
    code: str
    reason: str


class Row(NamedTuple):
    """What is stored of an event. ``name`` and ``item`` are names in the shop, ``amount`` the line's total."""

    name: str
    kind: str
    item: str
    at: str
    quantity: int
    amount: float | None
    order: str
    message: str | None
    key: str
    question: str | None = None
    answer: str | None = None


SENTENCES = {
    "no_shopper": "Say who it was: `user_id`, `email` or `visitor_id`.",
    "no_product": "Say which product it was about: `item_id`.",
    "no_rating": "A rating needs its stars: `rating`.",
    "no_answer": "A survey answer needs `question` and `answer`.",
    "time_out_of_range": "`timestamp` lies before 1990 or more than a day in the future.",
    "bad_email": "`email` is not an email address.",
    "bad_text": "A text holds a NUL character, which can't be stored.",
    "not_from_browser": "A site key takes what a page can know: no returns, ratings, sign-ups or addresses.",
    "email_taken": "This email address belongs to another shopper.",
    "missing_field": "`{field}` is missing.",
    "unknown_field": "`{field}` is not a field of this; look at the documentation for its spelling.",
    "bad_value": "`{field}`: {detail}.",
    "not_an_object": "This is not an object with the fields of the documentation.",
}  # fmt: skip

_body = msgspec.json.Decoder(Body)
_raw_body = msgspec.json.Decoder(RawBody)
_one = msgspec.json.Decoder(Event)


def refusal(index: int, code: str, **words: str) -> Refusal:
    """Return a refusal with its sentence."""
    return Refusal(index, code, SENTENCES[code].format(**words))


def why(index: int, error: msgspec.ValidationError) -> Refusal:
    """Turn what the reader says about one entry into a refusal that names the field."""
    text = str(error)
    found = FIELD.search(text)
    field = (found[1] or found[2]) if found else ""
    if "missing required" in text:
        return refusal(index, "missing_field", field=field)
    if "unknown field" in text:
        return refusal(index, "unknown_field", field=field)
    if not field:
        return refusal(index, "not_an_object")
    return refusal(index, "bad_value", field=field, detail=text.partition(" - at ")[0])


def read(body: bytes) -> tuple[list[tuple[int, Event]], list[Refusal]]:
    """Read a batch: (place, event) of those that can be read, and why the others can't.

    Raises
    ------
    msgspec.MsgspecError : the body as a whole is no batch.
    """
    try:
        return list(enumerate(_body.decode(body).events)), []
    except msgspec.ValidationError:
        return read_each(_raw_body.decode(body).events, _one)


def read_each(entries: Sequence[msgspec.Raw], decoder: "msgspec.json.Decoder[Any]") -> tuple[Any, list[Refusal]]:
    """Read the entries of a batch one by one."""
    good, refused = [], []
    for index, entry in enumerate(entries):
        try:
            good.append((index, decoder.decode(entry)))
        except msgspec.ValidationError as error:
            refused.append(why(index, error))
    return good, refused


def judge(
    read: Sequence[tuple[int, Event]], now: datetime, *, nul: bool, browser: bool = False
) -> tuple[list[Event], list[Refusal]]:
    """Part the events that make sense from the others.

    Parameters
    ----------
    now : aware time; nothing may lie more than a day after it.
    nul : the body holds a NUL character somewhere.
    browser : the events come from a page, with a key that everybody can read.
    """
    latest = now + timedelta(days=1)
    good, refused = [], []
    for index, event in read:
        if code := _fault(event, latest, nul=nul, browser=browser):
            refused.append(refusal(index, code))
        else:
            good.append(event)
    return good, refused


def _fault(event: Event, latest: datetime, *, nul: bool, browser: bool) -> str:  # noqa: PLR0911 one rule, one code
    if not (event.user_id or event.visitor_id or event.email):
        return "no_shopper"
    if not event.item_id and event.event in NEEDS_PRODUCT:
        return "no_product"
    if not EARLIEST <= event.timestamp <= latest:
        return "time_out_of_range"
    if event.event == "rating" and event.rating is None:
        return "no_rating"
    if event.event == ANSWERED and not (event.question.strip() and event.answer.strip()):
        return "no_answer"
    if event.email and not ADDRESS.match(event.email):
        return "bad_email"
    if nul and any("\0" in text for text in _texts(event)):
        return "bad_text"
    if browser and (event.event not in FROM_BROWSER or event.email or "@" in event.user_id):
        return "not_from_browser"
    return ""


def _texts(event: Event) -> tuple[str, ...]:
    return (
        event.user_id, event.email, event.visitor_id, event.item_id, event.order_id, event.key, event.currency,
        event.question, event.answer,
    )  # fmt: skip


def rows(events: Sequence[Event], name_of: Callable[[Event], str], currency: str, space: str = "") -> dict[str, Row]:
    """Return key -> row; an event that stands twice in the batch stands once here.

    A row of a file with the same content has the same key.

    Parameters
    ----------
    name_of : what the shopper is called in the shop.
    currency : the shop's; an amount in another one is left out. "" = no event names one.
    space : before the events' own keys. Keys that anybody may invent, those of pages, never stand in the way of others.
    """
    found: dict[str, Row] = {}
    # The hottest loop of the API: keys are made at once, no call per event that can be left out.
    own = own_keys([space + event.key for event in events])
    for event, made in zip(events, own, strict=True):
        at, kind = event.timestamp, event.event
        if at.tzinfo is not UTC:
            at = at.astimezone(UTC)
        key = made if event.key else _content_key(event, at)
        if key in found:
            continue
        amount = None
        if kind == "rating":
            amount = event.rating and round(event.rating, 2)
        elif event.price is not None and (not currency or event.currency in ("", currency)):
            amount = round(event.price * event.quantity, 2)
        said = (event.question.strip(), event.answer.strip()) if kind == ANSWERED else (None, None)
        found[key] = Row(
            name_of(event), kind, event.item_id.strip(), str(at)[:-6], event.quantity, amount, event.order_id,
            event.message_id.hex if event.message_id else None, key, *said,
        )  # fmt: skip
    return found


def _content_key(event: Event, at: datetime) -> str:
    micros = (at - EPOCH) // SECOND
    rated = event.event == "rating"
    who = event.user_id.strip() or event.email.strip().lower() or BY_VISITOR + event.visitor_id
    said = (event.question.strip(), event.answer.strip()) if event.event == ANSWERED else ()
    content = SEPARATOR.join(
        (
            who, event.item_id.strip(), event.event, str(micros % 1000), event.order_id, str(event.quantity),
            "" if event.price is None else repr(event.price), repr(event.rating) if rated else "",
            str(event.message_id or ""), *said,
        )
    )  # fmt: skip
    return timed_key(max(micros // 1000, 0), content)
