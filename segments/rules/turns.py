"""Who saves a rule and who deletes what rules may name take turns: no saved rule names a list or segment that is gone.

Whoever waited looks only then: a rule that was saved meanwhile is seen by who deletes, a deletion by who saves. A
foreign key would say the same, but a rule is one JSON value.
"""

from mailai import locks

LOCK = 0x52554C45


def wait() -> None:
    """Wait, inside a transaction and before looking, until nobody else saves a rule or deletes what one may name."""
    locks.hold(LOCK)
