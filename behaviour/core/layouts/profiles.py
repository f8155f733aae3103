"""Profile exports of Klaviyo and Mailchimp, with permission and suppression.

Headers: help.klaviyo.com, "How to export a list or segment"; mailchimp.com/help, "View or export your contacts"
(a file each of subscribed, unsubscribed, cleaned and non-subscribed addresses: ``subscribed_…csv`` and so on).
"""

from dataclasses import replace

import polars as pl

from behaviour.core.layouts.base import Layout, first_given

CONSENT = {"subscribed": "yes", "unsubscribed": "no", "true": "yes", "false": "no", "yes": "yes", "no": "no"}
NOTHING = ("", "[]", "none", "false", "no", "0", "null")


def _klaviyo(frame: pl.DataFrame) -> pl.DataFrame:
    said = pl.col("consent").str.to_lowercase().str.replace_all(r"[\s_-]", "")
    why = pl.col("suppressions").str.to_lowercase()
    reason = (
        pl.when(why.str.strip_chars().is_in(NOTHING)).then(pl.lit(""))
        .when(why.str.contains("bounce|invalid")).then(pl.lit("bounced"))
        .when(why.str.contains("spam|complain")).then(pl.lit("complained"))
        .when(why.str.contains("unsub")).then(pl.lit("unsubscribed"))
        .otherwise(pl.lit("requested"))
    )  # fmt: skip
    return frame.with_columns(
        # "Never subscribed" is no statement.
        consent=said.replace_strict(CONSENT, default=""),
        consent_source=pl.lit("Klaviyo"),
        suppressed=reason,
    )


def _mailchimp(frame: pl.DataFrame) -> pl.DataFrame:
    left, bounced = pl.col("unsub_time") != "", pl.col("clean_time") != ""
    # Who was added by hand has no OPTIN_TIME, but everybody who may be mailed has a CONFIRM_TIME.
    agreed = (pl.col("confirm_time") != "") & ~bounced
    return frame.with_columns(
        consent=pl.when(left).then(pl.lit("no")).when(agreed).then(pl.lit("yes")).otherwise(pl.lit("")),
        consent_at=pl.when(left).then(pl.col("unsub_time")).otherwise(first_given("confirm_time", "optin_time")),
        consent_source=pl.lit("Mailchimp"),
        suppressed=pl.when(bounced)
        .then(pl.lit("bounced"))
        .when(left)
        .then(pl.lit("unsubscribed"))
        .otherwise(pl.lit("")),
    )


def _never_asked(frame: pl.DataFrame) -> pl.DataFrame:
    """Buyers whom Mailchimp knows and may not mail: that they are listed is no permission."""
    return _mailchimp(frame).with_columns(
        pl.lit("").alias(name) for name in ("consent", "consent_at", "consent_source")
    )


KLAVIYO = Layout(
    name="klaviyo_profiles",
    kind="shoppers",
    signature=("Email", "Email Marketing Consent"),
    fields={
        "user_id": ("External ID",),
        "email": ("Email",),
        "first_name": ("First Name",),
        "last_name": ("Last Name",),
        "phone": ("Phone Number", "Phone"),
        "country": ("Country",),
        "locale": ("Locale", "Language"),
        "consent": ("Email Marketing Consent",),
        "consent_at": ("Email Marketing Consent Timestamp", "Email Marketing Timestamp"),
    },
    helpers={"suppressions": ("Email Suppressions", "Email Suppression", "Suppressed")},
    finish=_klaviyo,
)
MAILCHIMP = Layout(
    name="mailchimp_audience",
    kind="shoppers",
    signature=("Email Address", "LEID", "EUID"),
    fields={
        "email": ("Email Address",),
        "first_name": ("First Name",),
        "last_name": ("Last Name",),
        "phone": ("Phone Number",),
        "country": ("CC",),
    },
    helpers={
        "optin_time": ("OPTIN_TIME",),
        "confirm_time": ("CONFIRM_TIME",),
        "unsub_time": ("UNSUB_TIME",),
        "clean_time": ("CLEAN_TIME",),
    },
    finish=_mailchimp,
)
# The same header as that of the subscribed ones: only the name of the file tells them apart.
MAILCHIMP_OTHERS = replace(MAILCHIMP, name="mailchimp_nonsubscribed", file="nonsubscribed", finish=_never_asked)
LAYOUTS = (KLAVIYO, MAILCHIMP_OTHERS, MAILCHIMP)
