"""A specification either becomes a campaign or is refused by a sentence, and then nothing is left of it."""

import json
from datetime import UTC, datetime

import pytest
from django.conf import settings

from campaigns import content, spec
from campaigns.models import Campaign
from mailai.errors import InputError
from segments.models import Segment

GOOD = {"name": "Spring", "rule": {"all": []}, "variants": [{"subject": "Hi", "template": "picked_for_you"}]}


def test_a_good_specification_becomes_a_draft(inbox):
    campaign = spec.create_campaign(GOOD)
    assert (campaign.state, campaign.control_share, campaign.sender) == ("draft", 0.1, inbox)


def test_wishes_for_the_picks_are_kept(inbox):
    picks = {"repeats": True, "categories": ["A > B"], "lowest_price": 1.5, "rest_mails": 2, "per_category": 0}
    kept = {"repeats": True, "categories": ["A > B"], "lowest_price": "1.5", "rest_mails": 2}
    campaign = spec.create_campaign(GOOD | {"picks": picks})
    campaign.refresh_from_db()
    assert campaign.filters == kept


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
        ({"picks": []}, "picks"), ({"picks": {"repeat": True}}, "repeat"), ({"picks": {"repeats": 1}}, "repeats"),
        ({"picks": {"per_category": True}}, "per_category"), ({"picks": {"categories": [1]}}, "categories"),
        ({"picks": {"lowest_price": 5, "highest_price": 4}}, "lowest price"), ({"picks": {"rest_mails": -1}}, "picks"),
        ({"picks": {"lowest_price": "a lot"}}, "no price"),
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


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rule": None, "segment": "Nobody"}, "no segment “Nobody”"),
        ({"rule": None, "segment": "a\x00b"}, "no segment"), ({"rule": None, "segment": "a\ud800b"}, "no segment"),
        ({"rule": None, "segment": ["x"]}, "no segment"), ({"rule": None, "segment": None}, "no segment"),
        ({"rule": {"field": "country", "op": "=", "value": "a\x00b"}}, "."),
        ({"rule": {"field": "country", "op": "=", "value": "\ud800"}}, "."),
        ({"rule": None}, "either"), ({"sender": "a\x00b"}, "no such sender"), ({"sender": "\ud800"}, "no such sender"),
        ({"sender": None}, "no such sender"), ({"sender": {}}, "no such sender"),
        ({"control_share": "0.1"}, "control_share"),
        ({"control_share": -0.1}, "control_share"), ({"control_share": None}, "control_share"),
        ({"send_at": 5}, "send_at"), ({"send_at": ""}, "send_at"), ({"send_at": "2026-13-41T09:00:00Z"}, "send_at"),
        ({"send_at": "0001-01-01T00:00:00+14:00"}, "send_at"), ({"send_at": "9999-12-31T23:00:00-12:00"}, "send_at"),
        ({"variants": None}, "variants"), ({"variants": {}}, "variants"),
        ({"variants": [{"subject": "x", "template": "we_miss_you", "html": "x"}]}, "Unknown field “html”"),
        ({"variants": [{"subject": "x", "template": "we_miss_you", "mjml": "x"}]}, "either"),
        ({"variants": [{"subject": "x" * 121, "template": "we_miss_you"}]}, "“subject”"),
        ({"variants": [{"template": "we_miss_you"}]}, "“subject”"),
        ({"variants": [{"subject": "x", "mjml": None}]}, "broken"),
        ({"variants": [{"subject": "x", "template": "we_miss_you", "preheader": "{{ nme }}"}]}, "no merge field"),
        ({"variants": [{"subject": "x", "template": "we_miss_you", "share": 1.5}] * 2}, "“share”"),
    ],
)  # fmt: skip
def test_each_refusal_is_a_sentence(inbox, change, words):
    given = {key: value for key, value in (GOOD | change).items() if (key, value) != ("rule", None)}
    with pytest.raises(InputError, match=words) as refusal:
        spec.create_campaign(given)
    assert str(refusal.value).endswith((".", "?"))
    assert not Campaign.objects.exists()


def test_a_time_schedules_the_campaign_and_a_segment_is_found_by_name(shoppers, inbox):
    segment = Segment.objects.create(name="Everybody", rule={"all": []})
    given = GOOD | {"segment": "Everybody", "send_at": "2030-05-01T09:00:00+01:00", "control_share": 0}
    del given["rule"]
    campaign = spec.create_campaign(given)
    campaign.refresh_from_db()
    assert (campaign.state, campaign.segment, campaign.rule) == ("scheduled", segment, None)
    assert campaign.send_at == datetime(2030, 5, 1, 8, tzinfo=UTC)


def test_a_time_without_anybody_to_mail_is_refused_and_nothing_stays(inbox):
    with pytest.raises(InputError, match="Nobody would get this email"):
        spec.create_campaign(GOOD | {"send_at": "2030-05-01T09:00:00+01:00"})
    assert not Campaign.objects.exists()


def test_shares_and_preheader_of_variants_are_kept(inbox):
    variants = [
        {"subject": "A", "template": "we_miss_you", "share": 0.7, "preheader": "First"},
        {"subject": "B", "mjml": content.STARTERS[0].mjml, "share": 0.3},
    ]
    campaign = spec.create_campaign(GOOD | {"variants": variants, "sender": inbox.name})
    rows = campaign.variants.values_list("label", "subject", "preheader", "share")
    assert list(rows) == [("A", "A", "First", 0.7), ("B", "B", "", 0.3)]


def test_the_json_schema_asks_for_what_the_code_asks_for():
    schema = json.loads((settings.BASE_DIR / "docs" / "campaign-spec.schema.json").read_text())
    assert schema["additionalProperties"] is False
    assert schema["properties"]["variants"]["maxItems"] == spec.MAX_VARIANTS
    item = schema["properties"]["variants"]["items"]
    assert (item["additionalProperties"], item["required"]) == (False, ["subject"])
