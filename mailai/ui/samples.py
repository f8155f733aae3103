"""Made-up values for the style guide."""

from typing import Any

from django.http import HttpRequest


def context(request: HttpRequest) -> dict[str, Any]:
    """Return everything the style guide shows."""
    return {}
