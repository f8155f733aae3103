"""What people read about a file: why it can't be read, why a row was refused and what to do, what was found."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from behaviour.core.parsing import TableError
from mailai.ui import numbers

# Reason -> (why, what to do).
REASONS = {
    "broken_quotes": (_("The quotes are broken"), _("Close the quote, or double a quote that is part of the text.")),
    "bad_bytes": (
        _("The line holds bytes that are no text"),
        _("Save the file as UTF-8 again, or write the damaged cell anew."),
    ),
    "summary_line": (_("A sum, not a row"), _("Nothing: a total below the rows is no behaviour.")),
    "too_many_cells": (_("More cells than columns"), _("Put quotes around a text that holds the separator.")),
    "too_few_cells": (_("Fewer cells than columns"), _("Complete the row, or remove it.")),
    "no_shopper": (
        _("The shopper is missing"),
        _("Add the shopper's id. Without it the row says nothing about anybody."),
    ),
    "order_cancelled": (_("The order was cancelled"), _("Nothing: what was cancelled was not bought.")),
    "order_refunded": (
        _("The order, or this line of it, was refunded in full"),
        _("Nothing: what was given back was not bought."),
    ),
    "order_part": (_("A part of a product that stands whole in another row"), _("Nothing: the whole counts.")),
    "order_test": (_("A test order"), _("Nothing: nobody bought anything.")),
    "order_unpaid": (_("The order was not paid"), _("Export it again once it is paid.")),
    "no_product": (_("The product is missing"), _("Add the product's id.")),
    "id_too_long": (_("An id is too long"), _("Use ids of at most 120 characters, order numbers of at most 80.")),
    "unknown_event": (_("Unknown event name"), _("Say in the step “Match columns” what this name means.")),
    "not_a_product": (_("Not a product"), _("Nothing: postage, fees and manual corrections are no behaviour.")),
    "return_not_a_product": (
        _("A return that is not a product"),
        _("Nothing: postage, fees and manual corrections are no behaviour."),
    ),
    "not_positive": (_("Quantity or price is not above zero"), _("Correct quantity and price, or leave the row out.")),
    "quantity_unreadable": (_("The quantity can't be read"), _("Write a whole number, such as 2.")),
    "quantity_out_of_range": (
        _("The quantity is zero or far too large"),
        _("Write a whole number from 1 to 1,000,000."),
    ),
    "price_unreadable": (_("The price can't be read"), _("Write a number, such as 12.90.")),
    "price_out_of_range": (_("The price is below zero or far too large"), _("Write the price of one piece.")),
    "answer_missing": (_("A survey answer without its question or answer"), _("Fill in question and answer.")),
    "answer_too_long": (
        _("The question or answer is too long"),
        _("Shorten it to 200 characters, or use a short name of it."),
    ),
    "rating_unreadable": (_("The rating can't be read"), _("Write a number from 0 to 100.")),
    "no_time": (_("The time is missing"), _("Add when it happened.")),
    "time_unreadable": (_("The time can't be read"), _("Write it as 2026-11-23 06:12:08.")),
    "time_out_of_range": (_("The time lies in the future or before 1990"), _("Correct the time.")),
    "stock_unreadable": (_("The stock can't be read"), _("Write a whole number from 0.")),
    "active_unreadable": (_("Neither yes nor no"), _("Write yes or no in the column that says whether it is on sale.")),
    "currency_unreadable": (_("The currency is unknown"), _("Write the three letters of the currency, such as GBP.")),
    "address_unreadable": (_("An address is not valid"), _("Write the whole address, beginning with https://.")),
    "email_invalid": (_("The email address is not valid"), _("Correct the address, such as elena@mail.example.")),
    "email_taken": (_("The email address belongs to another shopper"), _("Merge the two in the shop, or correct it.")),
    "name_too_long": (_("A name is too long"), _("Use at most 150 characters.")),
    "outlier": (
        _("Price or quantity is far above the product's usual"),
        _("Correct it, or switch this rule off for the file."),
    ),
    "robot": (
        _("A machine, not a shopper: hundreds of views a minute or thousands a day"),
        _("Nothing: machines want nothing. If it was a person, switch this rule off for the file."),
    ),
    "test_shopper": (
        _("A test by somebody of the shop"),
        _("Nothing. If the person is real, switch this rule off for the file."),
    ),
    "suppressed_unreadable": (
        _("The reason why the address must not be mailed is unknown"),
        _("Write bounced, complained, unsubscribed or requested."),
    ),
    "consent_unreadable": (_("The permission is neither yes nor no"), _("Write yes or no.")),
}
# What was put right, or noticed.
FINDINGS = {
    "spaces": _("Spaces around a value"),
    "number_tidied": _("A number in another format"),
    "date_format": _("A date in another format"),
    "id_decimal": _("An id with “.0” at its end"),
    "became_refund": _("An order with a negative quantity, read as a return"),
    "email_case": _("Capital letters in an email address"),
    "cut": _("A name that was too long was cut"),
    "no_clock": _("No times in the file: the order of events is kept, their dates are not real"),
    "purchases": _("Orders kept"),
    "refunds": _("Returns kept"),
    "repeated_purchases": _("Orders that stand twice in the file"),
    "repeated_refunds": _("Returns that stand twice in the file"),
    "other_currency": _("An amount in another currency than the shop's, left out"),
    "email_typo": _("An address with a likely typing error"),
    "email_typo_fixed": _("A typing error in an address, corrected"),
    "email_role": _("An address of a post, such as info@, not of a person"),
    "email_disposable": _("An address that its owner forgets after minutes"),
    "email_reserved": _("An address that only examples use; nobody receives anything there"),
    "filled_country": _("An empty country, filled in as you allowed"),
    "filled_price": _("An empty price, filled in as you allowed"),
    "filled_quantity": _("An empty quantity, filled in as you allowed"),
    "price_left_out": _("A price below zero or far too large, left out"),
    "price_outlier": _("A price far above the product's usual"),
    "quantity_outlier": _("A quantity far above the product's usual"),
    "refund_netted": _("A return of more than was bought, cut to what was bought"),
    "refund_with_order": _("Returns whose order is known"),
    "refund_without_order": _("Returns whose order is not known, kept as written"),
    "refund_apart": _("Returns without their order beside them; the import looks for it everywhere"),
    "visitor_shared": _("A shopper seen on the browser of another one, kept apart"),
    "two_addresses": _("A browser and a shopper with an email address each, kept apart"),
    "withdrawal_kept": _("A permission without a date does not undo a withdrawal"),
}
# What a rule does with a row that it meets, and how empty cells are filled.
DOES = {"refuse": _("Refused"), "fix": _("Fixed"), "mark": _("Counted")}
WAY_NAMES = {"mean": _("Mean"), "median": _("Median"), "most_frequent": _("Most frequent value")}
FIXES = (
    "spaces", "number_tidied", "date_format", "id_decimal", "became_refund", "email_case",
    "cut", "email_typo_fixed", "filled_country", "filled_price", "filled_quantity", "price_left_out", "refund_netted",
)  # fmt: skip
PROBLEMS = {
    "empty": _("The file is empty. Export it again and check that it holds rows."),
    "not_text": _("This is not a CSV file. Export your data as CSV or TSV and upload that."),
    "spreadsheet": _("This is a document of another program. Save it as .xlsx or as CSV (UTF-8), then upload that."),
    "old_spreadsheet": _("This is an old or locked spreadsheet. Save it as .xlsx or CSV without a password."),
    "spreadsheet_large": _(
        "The spreadsheet holds more than 3,000,000 cells. Save it as CSV (UTF-8), then upload that."
    ),
    "picture": _("This is a picture, not a table. Export your data as CSV or TSV and upload that."),
    "pdf": _("This is a PDF, not a table. Export your data as CSV or TSV and upload that."),
    "web_page": _(
        "This is a web page, not a table; often the page that asks to sign in. Download the export itself and "
        "upload that."
    ),
    "packed_twice": _("The file is packed twice. Unpack it once, then upload what is inside."),
    "encoding_unknown": _("The letters of this file can't be read in any known encoding. Save it as CSV (UTF-8)."),
    "xml_broken": _("The XML is broken. Export the feed again; a browser shows where it breaks."),
    "xml_entities": _("The file declares entities of its own, which can hide attacks. Export it without them."),
    "no_items": _("The XML holds no products. Upload a product feed as Google Merchant Center takes it, or a CSV."),
    "endless_item": _("A product of the feed holds more than 1,000,000 characters. Shorten its description."),
    "bomb": _("The file unpacks to hundreds of times its size, as no table does. Upload the CSV itself."),
    "zip_path": _("The .zip names files outside its own folder. Pack the CSV anew, or upload the CSV itself."),
    "zip_members": _("A .zip must hold exactly one CSV file. Pack them one by one, or upload the CSV itself."),
    "zip_password": _("The .zip is locked with a password. Pack the file without one."),
    "damaged": _("The file is damaged or was cut off. Export or copy it again."),
    "no_rows": _("The file has a header but no rows. Export it again and check that it holds rows."),
    "too_many_columns": _("The file has more than 500 columns. Export only the columns that MailAI reads."),
    "too_large": _("The file is larger than 2 GB. Split it into several files."),
    "too_large_unpacked": _("The file unpacks to more than 20 GB. Split it into several files."),
    "endless_line": _("The file has a line of more than 2 MB. Export it as CSV, one row a line."),
}
# What is odd about a header; filled in from the note.
NOTES = {
    "lines_above": _("Lines above the header, passed over: %(n)s"),
    "no_header": _("The first row holds no names, so the columns are numbered. Say what each of them is."),
    "columns_unnamed": _("Columns without a name, which got a number: %(n)s"),
    "names_twice": _("Names that stand twice in the header; the second got a number: %(names)s"),
    "formulas_uncounted": _(
        "Cells hold formulas without their results and are read as empty. Open the file in a spreadsheet program, save "
        "it, and upload it again."
    ),
    "sheets_left": _("The sheet “%(sheet)s” is read, these are not: %(names)s"),
}
# What only a person can tell; filled in from the question.
QUESTIONS = {
    "encoding": _("The letters of this file can be read in several ways: %(samples)s. Say which ones are right."),
    "date_order": _(
        "Dates such as %(samples)s in the column “%(column)s” can be read in two ways. Say whether the day or the "
        "month comes first."
    ),
    "decimal": _(
        "Amounts such as %(samples)s in the column “%(column)s” can be read in two ways. Say whether the point or the "
        "comma is the decimal mark."
    ),
}
ANSWERS = {
    "day_first": _("Day first"),
    "month_first": _("Month first"),
    ".": _("The point is the decimal mark"),
    ",": _("The comma is the decimal mark"),
}
# What a file looks like, by its kind and by the layout that was recognised.
LOOKS = {
    "events": _("This looks like behaviour events."),
    "orders": _("This looks like orders."),
    "products": _("This looks like products."),
    "shoppers": _("This looks like a list of shoppers."),
}
LAYOUTS = {
    "ga4_events": _("This looks like a Google Analytics 4 export of events."),
    "google_merchant": _("This looks like a Google Merchant product feed."),
    "grouplens_ratings": _("This looks like GroupLens ratings."),
    "klaviyo_profiles": _("This looks like a Klaviyo export of profiles."),
    "magento_items": _("This looks like a Magento export of ordered items."),
    "magento_orders": _("This looks like a Magento export of orders."),
    "mailchimp_audience": _("This looks like a Mailchimp export of an audience."),
    "mailchimp_nonsubscribed": _("This looks like a Mailchimp export of contacts that never subscribed."),
    "online_retail": _("This looks like an Online Retail export."),
    "ratings": _("This looks like ratings."),
    "shopify_customers": _("This looks like a Shopify export of customers."),
    "shopify_orders": _("This looks like a Shopify orders export."),
    "shopify_products": _("This looks like a Shopify export of products."),
    "woocommerce_customers": _("This looks like a WooCommerce export of customers."),
    "woocommerce_items": _("This looks like a WooCommerce export of ordered items."),
    "woocommerce_orders": _("This looks like a WooCommerce orders export."),
    "woocommerce_wide": _("This looks like a WooCommerce orders export with a row for each order."),
}
# Formats of dates whose name is a sentence; the others show themselves: YYYY-MM-DD.
DATE_NAMES = {
    "seconds since 1970": _("seconds since 1970"),
    "milliseconds since 1970": _("milliseconds since 1970"),
    "microseconds since 1970": _("microseconds since 1970"),
    "days since 1900": _("days since 1900"),
}
DELIMITER_NAMES = {",": _("comma"), ";": _("semicolon"), "\t": _("tab"), "|": _("vertical line")}
ENCODING_NAMES = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16 LE",
    "utf-16-be": "UTF-16 BE",
    "gb18030": _("GB18030 (Chinese)"),
    "big5": _("Big5 (traditional Chinese)"),
    "cp932": _("Shift-JIS (Japanese)"),
    "euc_kr": _("EUC-KR (Korean)"),
    "cp1252": _("Windows-1252 (Western Europe)"),
    "cp1250": _("Windows-1250 (Central Europe)"),
    "cp1251": _("Windows-1251 (Cyrillic)"),
}
FIELD_NAMES = {
    "user_id": _("Shopper ID"),
    "item_id": _("Product ID"),
    "event": _("Event type"),
    "timestamp": _("Time of event"),
    "order_id": _("Order number"),
    "quantity": _("Quantity"),
    "price": _("Price of one piece"),
    "currency": _("Currency"),
    "country": _("Country"),
    "rating": _("Rating"),
    "question": _("Question of a survey"),
    "answer": _("Answer to it"),
    "position": _("Position (0 = oldest of the shopper)"),
    "message_id": _("Message ID"),
    "dedupe_key": _("Key against double loading"),
    "name": _("Product name"),
    "category": _("Category"),
    "attributes": _("Attributes"),
    "url": _("Address of the product page"),
    "image": _("Address of the picture"),
    "stock": _("Stock"),
    "active": _("On sale"),
    "email": _("Email address"),
    "first_name": _("First name"),
    "last_name": _("Last name"),
    "phone": _("Phone"),
    "locale": _("Language"),
    "consent": _("Permission for marketing email"),
    "consent_source": _("Source of the permission"),
    "consent_at": _("Time of the permission"),
    "suppressed": _("Must never be mailed, and why"),
    "visitor_id": _("Visitor ID (browser)"),
}


def problem_text(error: TableError) -> str:
    """Return the sentence that says why the file can't be read and what to do."""
    return str(PROBLEMS[error.code])


def fields_text(groups: Iterable[Iterable[str]]) -> str:
    """Return the names of fields, of each group one is enough: Event type, Time of event or Position."""
    return numbers.listed(gettext(" or ").join(str(FIELD_NAMES[name]) for name in group) for group in groups)


def note_text(note: Mapping[str, Any]) -> str:
    """Return the sentence about something odd in the header."""
    return str(NOTES[note["code"]]) % {**note, "names": numbers.listed(note.get("names", []))}


def question_text(question: Mapping[str, Any]) -> str:
    """Return the sentence that asks what the file does not tell."""
    return str(QUESTIONS[question["code"]]) % {**question, "samples": " · ".join(question["samples"])}
