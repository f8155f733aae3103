"""Segment rules: validated JSON trees, compiled to one queryset of shoppers. docs/segments.md explains the format."""

from segments.fields import FIELDS
from segments.rules import turns
from segments.rules.compiling import Context, condition, matching
from segments.rules.limits import EVERYBODY, GROUPS, MAX_DEPTH, MAX_NODES, MAX_TEXT
from segments.rules.references import check, segments_in
from segments.rules.schema import schema
from segments.rules.validation import validate
from segments.rules.wording import describe

__all__ = [
    "EVERYBODY",
    "FIELDS",
    "GROUPS",
    "MAX_DEPTH",
    "MAX_NODES",
    "MAX_TEXT",
    "Context",
    "check",
    "condition",
    "describe",
    "matching",
    "schema",
    "segments_in",
    "turns",
    "validate",
]
