"""A specification either becomes a campaign or is refused by a sentence, and then nothing is left of it."""

import json

import pytest
from django.conf import settings

from campaigns import content, spec
from campaigns.models import Campaign
from mailai.errors import InputError

GOOD = {"name": "Spring", "rule": {"all": []}, "variants": [{"subject": "Hi", "template": "picked_for_you"}]}


def test_a_good_specification_becomes_a_draft(inbox):
    campaign = spec.create_campaign(GOOD)
    assert (campaign.state, campaign.control_share, campaign.sender) == ("draft", 0.1, inbox)


def test_three_variants_share_the_audience(inbox):
    variants = [{"subject": f"Hi {n}", "template": "we_miss_you"} for n in range(3)]
    campaign = spec.create_campaign(GOOD | {"variants": variants})
    assert [(v.label, round(v.share, 3)) for v in campaign.variants.all()] == [("A", 0.333), ("B", 0.333), ("C", 0.333)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ""}, "“name”"), ({"name": 5}, "“name”"), ({"name": "a\x00b"}, "“name”"), ({"nmae": "x"}, "nmae"),
        ({"segment": "x"}, "either"), ({"rule": {"field": "nothing", "op": "=", "value": 1}}, "nothing"),
        ({"sender": "Nobody"}, "no such sender"), ({"control_share": 1}, "control_share"),
        ({"control_share": float("nan")}, "control_share"), ({"control_share": True}, "control_share"),
        ({"send_at": "tomorrow"}, "send_at"), ({"send_at": "2026-05-01T09:00:00"}, "send_at"),
        ({"variants": []}, "variants"), ({"variants": [1]}, "object"), ({"variants": [{}] * 4}, "variants"),
        ({"variants": [{"subject": "x"}]}, "either"),
        ({"variants": [{"subject": "x", "template": ["a"]}]}, "no template"),
        ({"variants": [{"subject": "x", "mjml": "<mjml>\ud800</mjml>"}]}, "no mail can carry"),
        ({"variants": [{"subject": "x", "mjml": "<mjml>"}]}, "broken near line 1"),
        ({"variants": [{"subject": "{{ nme }}", "template": "we_miss_you"}]}, "no merge field"),
        ({"variants": [{"subject": "x", "template": "we_miss_you", "share": 0}] * 2}, "above 0"),
    ],
)  # fmt: skip
def test_a_wrong_specification_leaves_nothing(inbox, change, words):
    with pytest.raises(InputError, match=words):
        spec.create_campaign(GOOD | change)
    assert not Campaign.objects.exists()


def test_what_is_no_object_is_refused(inbox):
    for given in ([], "x", None, 5):
        with pytest.raises(InputError, match="one JSON object"):
            spec.create_campaign(given)


def test_the_json_schema_names_the_fields_of_the_code():
    schema = json.loads((settings.BASE_DIR / "docs" / "campaign-spec.schema.json").read_text())
    variant = schema["properties"]["variants"]["items"]["properties"]
    assert set(schema["properties"]) == spec.KEYS
    assert set(variant) == spec.VARIANT_KEYS
    assert variant["template"]["enum"] == [starter.key for starter in content.STARTERS]
