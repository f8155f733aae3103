"""Which rules of cleaning hold for an upload, and what its empty cells are taken for; chosen on the check page."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from behaviour import shaping
from behaviour.core import rules
from behaviour.core.columns import ONLINE_RETAIL, Match
from behaviour.models import Upload
from behaviour.upload_words import DOES, FIELD_NAMES, FINDINGS, REASONS, WAY_NAMES
from mailai.accounts import audit

# What a person says; the rest is what a look over the file found.
CHOSEN = ("rules", "fill", "non_products")
MOST_NON_PRODUCTS, LONGEST_NON_PRODUCT = 200, 120


def chosen_of(upload: Upload) -> dict[str, Any]:
    """Return what a person said about the cleaning of this file."""
    return {name: upload.cleaning[name] for name in CHOSEN if name in upload.cleaning}


def rules_of(upload: Upload) -> list[rules.RuleInfo]:
    """Return the rules that can be switched for this file; the published cleaning of a data set is fixed."""
    if upload.layout == ONLINE_RETAIL:
        return []
    return [rule for rule in rules.RULES if upload.kind in rule.kinds]


def fields_of(upload: Upload, match: Match) -> list[str]:
    """Return the fields whose empty cells can be filled."""
    behaviour = upload.kind in rules.BEHAVIOUR and upload.layout != ONLINE_RETAIL
    return [name for name in rules.FILLED if behaviour and name in match.columns]


def choose_cleaning(
    upload: Upload,
    on: Collection[str],
    fill: Mapping[str, str],
    non_products: Sequence[str] = (),
    by: Any = None,
) -> Upload:
    """Switch rules on and off and say what empty cells are taken for; the file is checked anew after that.

    ``non_products`` are further product codes or names that are bookkeeping. Unknown rules, fields and ways are passed
    over.

    Raises
    ------
    StateError : the import has begun.
    """
    switched = {rule.code: rule.code in on for rule in rules_of(upload) if (rule.code in on) != rule.default}
    filled = {name: way for name, way in fill.items() if name in rules.FILLED and way in ways_of(name)}
    listed = [one.strip()[:LONGEST_NON_PRODUCT] for one in non_products if one.strip()][:MOST_NON_PRODUCTS]
    upload.cleaning = {"rules": switched, "fill": filled, "non_products": listed}
    shaping.keep(upload)
    audit.record("upload.cleaning", upload, by=by, switched=sorted(switched), filled=sorted(filled))
    return upload


def ways_of(name: str) -> tuple[str, ...]:
    """Return how empty cells of a field can be filled: a text has no mean."""
    return ("most_frequent",) if name == "country" else rules.WAYS


def cleaning_context(upload: Upload, match: Match) -> dict[str, Any]:
    """Return the switches with what each rule found, those that did something or are off first."""
    preview, said = upload.preview, upload.cleaning
    counts = preview.get("reasons", {}) | preview.get("findings", {})
    switches = [
        {
            "code": rule.code,
            "text": str(FINDINGS[rule.code] if rule.code in FINDINGS else REASONS[rule.code][0]),
            "does": str(DOES[rule.action]),
            "n": counts.get(rule.code, 0),
            "on": rules.is_on(rule.code, said.get("rules", {})),
        }
        for rule in rules_of(upload)
    ]
    fills = [
        {
            "name": name,
            "label": str(FIELD_NAMES[name]),
            "ways": [(way, str(WAY_NAMES[way])) for way in ways_of(name)],
            "chosen": said.get("fill", {}).get(name, ""),
        }
        for name in fields_of(upload, match)
    ]
    return {
        "switches": [one for one in switches if one["n"] or not one["on"]],
        "quiet_switches": [one for one in switches if not one["n"] and one["on"]],
        "fills": fills,
        "lists_products": any(one["code"] == "not_a_product" for one in switches),
        "non_products": "\n".join(said.get("non_products", [])),
    }
