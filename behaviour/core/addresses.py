"""Email addresses: whether they can exist, likely typing errors, and those that nobody reads for long."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache

import polars as pl

from behaviour.core.rules import RESERVED_ADDRESS, is_on

LONGEST_EMAIL = 254
# Addresses like these need no closer look; the others are asked of the library one by one.
PLAIN = r"^[a-z0-9_+\-]+(\.[a-z0-9_+\-]+)*@([a-z0-9]([a-z0-9\-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}$"
_PROVIDERS = (
    "gmail.com googlemail.com yahoo.com yahoo.co.uk hotmail.com hotmail.co.uk outlook.com live.com msn.com "
    "icloud.com me.com aol.com gmx.de gmx.net web.de t-online.de mail.ru yandex.ru qq.com 163.com 126.com "
    "sina.com foxmail.com orange.fr wanadoo.fr free.fr libero.it btinternet.com comcast.net protonmail.com "
    "proton.me"
)
PROVIDERS = tuple(_PROVIDERS.split())
# So near to a provider's name, and yet providers of their own.
_OTHERS = "mail.com gmx.com ymail.com mac.com email.com hotmail.de hotmail.fr yahoo.de yahoo.fr gmx.at"
OTHERS = frozenset(_OTHERS.split())
_ROLES = (
    "abuse accounts admin administrator billing contact enquiries help hello hostmaster info jobs mail marketing "
    "newsletter no-reply noreply office orders postmaster press sales service shop support team webmaster"
)
ROLES = tuple(_ROLES.split())
NEAREST = 1


def is_valid(addresses: pl.Series) -> pl.Series:
    """Say of lower-case addresses whether their syntax allows that they exist."""
    short = (addresses.str.len_bytes() <= LONGEST_EMAIL) & (addresses.str.find("@").fill_null(99) <= 64)
    plain = addresses.str.contains(PLAIN) & short & ~addresses.str.contains("--@|@-")
    odd = (~plain & addresses.str.contains("@", literal=True) & short).arg_true()
    if not len(odd):
        return plain
    return plain.scatter(odd, [_asked(text) for text in addresses.gather(odd).to_list()])


def _asked(text: str) -> bool:
    from email_validator import EmailNotValidError, validate_email

    try:
        # Reserved names such as mail.example are no error: they are marked.
        validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return text.endswith(".example") and text.count("@") == 1 and _asked(text.removesuffix(".example") + ".com")
    return True


def corrected(addresses: pl.Series) -> pl.Series:
    """Return what was probably meant (elena@gmial.com: elena@gmail.com); "" where nothing looks wrong."""
    domain = _domains(addresses)
    found = meant(addresses)
    if not found:
        return pl.Series(addresses.name, [""] * len(addresses), dtype=pl.String)
    frame = pl.DataFrame({"address": addresses, "domain": domain})
    right = pl.col("domain").replace_strict(found, default="", return_dtype=pl.String)
    local = pl.col("address").str.extract(r"^(.*)@[^@]+$").fill_null("")
    return frame.select(pl.when(right != "").then(local + "@" + right).otherwise(pl.lit(""))).to_series()


def meant(addresses: pl.Series, most: int | None = None) -> dict[str, str]:
    """Return the misspelt names of providers and what was probably meant ({gmial.com: gmail.com}), at most so many."""
    names = _domains(addresses).unique().sort().to_list()
    return dict([(name, found) for name in names if (found := provider_meant(name))][:most])


def _domains(addresses: pl.Series) -> pl.Series:
    return addresses.str.extract(r"@([^@]+)$").fill_null("")


@cache
def provider_meant(domain: str) -> str:
    """Return the provider whose name differs in one letter, or in two that changed places; "" where none does."""
    if domain in PROVIDERS or domain in OTHERS or not 4 <= len(domain) <= 20:
        return ""
    near = [one for one in PROVIDERS if abs(len(one) - len(domain)) <= NEAREST and distance(domain, one) <= NEAREST]
    # 126.com and 163.com, me.com and msn.com: such short names are near to everything.
    return near[0] if near and len(near[0]) >= 7 and len(near) == 1 else ""


def distance(a: str, b: str) -> int:
    """Return how many letters must be put in, left out, replaced or swapped with their neighbour (Damerau 1964)."""
    before: Sequence[int] = []
    above = list(range(len(b) + 1))
    for i, one in enumerate(a, 1):
        row = [i]
        for j, other in enumerate(b, 1):
            cost = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (one != other))
            if i > 1 and j > 1 and one == b[j - 2] and a[i - 2] == other:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, above = above, row
    return above[-1]


def is_role(name: str) -> pl.Expr:
    """Say whether an address belongs to a post, not to a person."""
    return pl.col(name).str.extract(r"^([^@+]+)").is_in(ROLES)


def is_disposable(name: str) -> pl.Expr:
    """Say whether an address is of a service that forgets it after minutes."""
    return pl.col(name).str.extract(r"@([^@]+)$").is_in(_disposable())


@cache
def _disposable() -> tuple[str, ...]:
    from disposable_email_domains import blocklist

    return tuple(sorted(blocklist))


def mend(frame: pl.DataFrame, *, allowed: bool) -> pl.DataFrame:
    """Correct likely typing errors in ``email`` where that is allowed, and say in ``email_typo_fixed`` where."""
    if not allowed or not (frame["email"] != "").any():
        return frame
    right = corrected(frame["email"].str.to_lowercase())
    return frame.with_columns(
        email_typo_fixed=right != "", email=pl.when(right != "").then(right).otherwise(pl.col("email"))
    )


def marks(frame: pl.DataFrame | None, rules: Mapping[str, bool]) -> Counter[str]:
    """Count the addresses that are likely wrong, or of which a person should know before mailing them."""
    if frame is None or not (frame["email"] != "").any():
        return Counter()
    given = frame.filter(pl.col("email") != "").select("email")
    given = given.with_columns(email_typo=corrected(given["email"]) != "")
    given = given.with_columns(email_reserved=pl.col("email").str.contains(RESERVED_ADDRESS))
    found = given.select(
        "email_typo",
        "email_reserved",
        email_role=is_role("email"),
        # Lists of such services hold typing errors and examples too.
        email_disposable=is_disposable("email") & ~pl.col("email_typo") & ~pl.col("email_reserved"),
    )
    return Counter({code: n for code in found.columns if is_on(code, rules) and (n := int(found[code].sum()))})
