"""How large a rule may be, and the words of the format."""

from typing import Any

from behaviour.models import Event

EVERYBODY: dict[str, Any] = {"all": []}
GROUPS = ("all", "any", "not")
# The key that says what a condition is about.
HEADS = ("field", "did", "mail", "sequence", "anniversary", "segment", "list")
MAX_DEPTH, MAX_NODES, MAX_LIST, MAX_TEXT = 5, 50, 50, 200
# Conditions of a rule with those of the segments that it names, and how far segments may name each other.
MAX_TOGETHER, MAX_CHAIN = 500, 10
MAX_TIMES = 10_000
FIRST_DAY, LAST_DAY = "1900-01-01", "2199-12-31"

KINDS = tuple(Event.Kind.values)
MAILS = ("got", "opened", "clicked", "ignored")
ANNIVERSARIES = ("sign_up", "first_order")
TIMES = (">=", "<=", "=")
AMOUNTS = (">=", "<=", "=", ">", "<", "between")
WHERE = ("category", "product", "amount", "country", "question", "answer")
# Filters of survey answers alone.
ANSWERS = ("question", "answer")
WINDOWS = (("days",), ("from", "to"), ("since",), ("before_days",))
AT_LEAST_ONCE = {"op": ">=", "n": 1}
