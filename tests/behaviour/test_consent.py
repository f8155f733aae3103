"""Who may be mailed, and why others may not."""

from datetime import UTC, datetime, timedelta

from behaviour import consent, identity
from behaviour.models import Consent, Shopper, Suppression

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_each_shopper_has_one_reason_or_none(make_shopper):
    make_shopper("yes@x.example")
    make_shopper("never@x.example", marketing="unknown")
    make_shopper("left@x.example", marketing="withdrawn")
    make_shopper()
    bounced = make_shopper("bounced@x.example")
    consent.suppress(identity.identities_of([bounced.pk])[bounced.pk].email_index, Suppression.Reason.BOUNCED)
    counts = consent.exclusion_counts(Shopper.objects.all())
    assert counts == {"": 1, "no_consent": 2, "no_address": 1, "suppressed": 1}
    assert consent.mailable().count() == 1


def test_an_older_statement_does_not_undo_a_newer_one(make_shopper):
    shopper = make_shopper("a@x.example", marketing="unknown")
    consent.withdraw([shopper.pk], Consent.Purpose.MARKETING, source="link", at=NOW)
    consent.give([shopper.pk], Consent.Purpose.MARKETING, source="old file", at=NOW - timedelta(days=1))
    shopper.refresh_from_db()
    assert shopper.marketing == "withdrawn"
    assert shopper.consents.count() == 2


def test_suppressing_twice_keeps_the_first_reason(db):
    consent.suppress("0" * 32, Suppression.Reason.BOUNCED)
    consent.suppress("0" * 32, Suppression.Reason.COMPLAINED)
    assert Suppression.objects.get().reason == "bounced"


def test_of_many_statements_each_shopper_follows_the_newest(make_shopper):
    ada, jonas = (make_shopper(f"{name}@x.example", marketing="unknown") for name in ("ada", "jonas"))
    old, new = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2))
    consent.give([jonas.pk], "marketing", source="shop", at=new)
    consent.record(
        [
            consent.Statement(ada.pk, "withdrawn", "shop", new),
            consent.Statement(ada.pk, "given", "shop", old),
            consent.Statement(jonas.pk, "withdrawn", "shop", old),
        ],
        "marketing",
    )
    ada.refresh_from_db()
    jonas.refresh_from_db()
    assert (ada.marketing, jonas.marketing) == ("withdrawn", "given")
    assert ada.consents.count() == 2
