"""Writes docs/data-dictionary.md from the models, so that it can't differ from them."""

import inspect
import re
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db.models import Field, Model

from mailai.commands import JsonCommand
from mailai.fields import EncryptedTextField

APPS = ("mailai", "accounts", "behaviour", "segments", "recommender", "campaigns", "analytics")
HEAD = """# Data dictionary

Written by `manage.py data_dictionary` from the models; a test fails when the two differ. One database. Ids are bigints
and left out here; what leaves the house is a UUID, a pseudonym or a signed token.
"""


class Command(JsonCommand):
    help = "Write docs/data-dictionary.md from the models."
    requires_system_checks = ()

    def run(self, **options: Any) -> dict[str, Any]:
        file = settings.BASE_DIR / "docs/data-dictionary.md"
        file.write_text(dictionary())
        return {"file": str(file)}


def dictionary() -> str:
    """Return the whole document."""
    parts = [HEAD]
    for label in APPS:
        models = [model for model in apps.get_app_config(label).get_models() if model._meta.managed]
        if models:
            parts += [f"## {label}\n", *(_table(model) for model in models)]
    return "\n".join(parts)


def _table(model: type[Model]) -> str:
    purpose = " ".join((model.__doc__ or "").split())
    rows = [_row(model, field) for field in model._meta.local_fields if field.name != "id"]
    return "\n".join(
        [f"### `{model._meta.db_table}`\n", f"{purpose}\n", "| column | type | meaning |", "|---|---|---|", *rows, ""]
    )


def _row(model: type[Model], field: "Field[Any, Any]") -> str:
    remarks = [_comment_above(model, field.name)]
    if field.unique and not field.primary_key:
        remarks.append("unique")
    if field.null:
        remarks.append("may be empty")
    if field.choices:
        remarks.append("one of " + ", ".join(f"`{value}`" for value, _label in field.choices))
    meaning = "; ".join(remark for remark in remarks if remark).replace("|", "/")
    return f"| `{field.column}` | {_type(field)} | {meaning} |"


def _type(field: "Field[Any, Any]") -> str:
    if field.is_relation and field.related_model:
        return f"→ `{field.related_model._meta.db_table}`"  # type: ignore[union-attr]
    if isinstance(field, EncryptedTextField):
        return "encrypted text"
    return field.get_internal_type().removesuffix("Field").lower()


def _comment_above(model: type[Model], name: str) -> str:
    """Return the comment lines that stand directly above a field in its model's source."""
    match = re.search(rf"((?:^ +#.*\n)+) +{name} = ", inspect.getsource(model), re.MULTILINE)
    return " ".join(line.strip(" #") for line in match[1].splitlines()).rstrip(".") if match else ""
