"""Template tags of the shared user interface."""

from django import template

register = template.Library()
