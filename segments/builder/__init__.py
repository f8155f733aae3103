"""The rule builder as a form: a tree of named inputs that works with and without script."""

from segments.builder.choices import Choices
from segments.builder.control import Control
from segments.builder.counting import Alone, counts_of
from segments.builder.forms import changed, is_whole, parse
from segments.builder.nodes import ROOT, Node, blank, from_rule, to_rule, walk
from segments.builder.often import OFTEN, suggested
from segments.builder.showing import GROUP_KINDS, shown

__all__ = [
    "GROUP_KINDS",
    "OFTEN",
    "ROOT",
    "Alone",
    "Choices",
    "Control",
    "Node",
    "blank",
    "changed",
    "counts_of",
    "from_rule",
    "is_whole",
    "parse",
    "shown",
    "suggested",
    "to_rule",
    "walk",
]
