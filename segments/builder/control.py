"""One input of the builder."""

from dataclasses import dataclass, field
from typing import Any

from mailai.ui import numbers
from segments.builder.choices import Options

# Chosen instead of a value: the choice becomes a list of several.
SEVERAL = "…"


@dataclass
class Control:
    """One input; ``shape`` is choice, list, number, text, date or word. ``swaps``: with it others come or go."""

    shape: str
    name: str = ""
    label: Any = ""
    values: list[str] = field(default_factory=list)
    options: Options = field(default_factory=list)
    groups: list[tuple[Any, Options]] = field(default_factory=list)
    swaps: bool = False
    soft: bool = False
    focus: bool = False
    unit: Any = ""
    step: str = "1"
    # Tells inputs of one name apart.
    mark: str = ""

    @property
    def value(self) -> str:
        """What it holds."""
        return next(iter(self.values), "")

    @property
    def shown(self) -> str:
        """What it holds in words, for who may only read."""
        if self.shape == "word":
            return str(self.label)
        if self.shape not in ("choice", "list"):
            return f"{self.value} {self.unit}".strip() if self.value else ""
        known = dict(self.options) | {key: label for _group, options in self.groups for key, label in options}
        return numbers.listed(str(known.get(value, value)) for value in self.values or [""])
