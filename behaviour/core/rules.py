"""The rules of cleaning that a person may switch for an upload, and what they judge by."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import polars as pl

from behaviour.core.values import holds

EVENTS, ORDERS, PRODUCTS, SHOPPERS = "events", "orders", "products", "shoppers"
BEHAVIOUR = (EVENTS, ORDERS)
PEOPLE = (EVENTS, ORDERS, SHOPPERS)
Action = Literal["refuse", "fix", "mark"]
# What may be filled in where a cell is empty, and how.
FILLED = ("price", "quantity", "country")
WAYS = ("mean", "median", "most_frequent")
SOLD = ("cart", "purchase", "refund")

# Rows of bookkeeping among the products of an order.
_NON_PRODUCTS = (
    "POST POSTAGE DOT SHIPPING SHIP DELIVERY CARRIAGE FREIGHT HANDLING FEE FEES AMAZONFEE BANKCHARGES BANKFEE "
    "PADS GIFTWRAP GIFTWRAPPING GIFTWRAPFEE SURCHARGE ADJUST ADJUSTMENT MANUAL ROUNDING DISCOUNT VOUCHER COUPON "
    "DEPOSIT PACKAGING INSURANCE CODFEE 运费 邮费 手续费 包装费"
)
NON_PRODUCTS = frozenset(_NON_PRODUCTS.split())
NON_PRODUCT_NAMES = (
    r"(?i)^(dotcom\s+)?(postage|shipping|delivery|carriage|freight|handling|bank charges|amazon fee"
    r"|gift wrap(ping)? fee"
    r"|(shipping|delivery|handling|service|payment|cash on delivery)( and handling)? (fee|cost|charge)s?)$"
)
TEST_WORDS = ("test", "tester", "testing", "testuser", "测试")
TEST_ADDRESS = r"(?i)^(test|tester|testing|testuser|testorder)(\d{0,4}|\+[^@]*)@"
# Nobody ever receives anything there (RFC 2606, RFC 6761).
RESERVED_ADDRESS = r"(?i)@(.+\.)?(example\.(com|net|org)|[^@]+\.(test|invalid|localhost))$"


@dataclass(frozen=True)
class RuleInfo:
    """A rule that can be switched.

    action : what it does with a row that it meets: refuse it, put it right, or only count it.
    kinds : of which files.
    default : whether it is on where nobody said anything.
    """

    code: str
    action: Action
    kinds: tuple[str, ...]
    default: bool = True


RULES = (
    RuleInfo("time_out_of_range", "refuse", BEHAVIOUR),
    RuleInfo("price_out_of_range", "refuse", BEHAVIOUR),
    RuleInfo("order_cancelled", "refuse", BEHAVIOUR),
    RuleInfo("answer_missing", "refuse", BEHAVIOUR),
    RuleInfo("answer_too_long", "refuse", BEHAVIOUR),
    RuleInfo("order_refunded", "refuse", BEHAVIOUR),
    RuleInfo("order_part", "refuse", BEHAVIOUR),
    RuleInfo("order_test", "refuse", BEHAVIOUR),
    RuleInfo("order_unpaid", "refuse", BEHAVIOUR),
    RuleInfo("test_shopper", "refuse", PEOPLE),
    RuleInfo("not_a_product", "refuse", BEHAVIOUR),
    RuleInfo("robot", "refuse", (EVENTS,)),
    RuleInfo("outlier", "refuse", BEHAVIOUR, default=False),
    RuleInfo("refund_netted", "fix", BEHAVIOUR),
    RuleInfo("price_outlier", "mark", BEHAVIOUR),
    RuleInfo("quantity_outlier", "mark", BEHAVIOUR),
    RuleInfo("email_typo", "mark", PEOPLE),
    RuleInfo("email_typo_fixed", "fix", PEOPLE, default=False),
    RuleInfo("email_role", "mark", PEOPLE),
    RuleInfo("email_disposable", "mark", PEOPLE),
    RuleInfo("email_reserved", "mark", PEOPLE),
)
BY_CODE = {rule.code: rule for rule in RULES}


def is_on(code: str, chosen: Mapping[str, bool]) -> bool:
    """Say whether a rule holds; those that nobody can switch always do."""
    rule = BY_CODE.get(code)
    return rule is None or chosen.get(code, rule.default)


@dataclass(frozen=True)
class Found:
    """What only the whole file, or a large sample of it, tells; found before its rows are judged.

    robots : hashes of the ids of visitors that are machines.
    usual : product -> (price, quantity) above which a row is far from what is usual; null = not known.
    filled_with : field -> product -> what an empty cell is taken for; "" = where the product tells nothing.
    """

    robots: tuple[int, ...] = ()
    usual: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    filled_with: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> "Found":
        """Return what was kept as JSON."""
        return cls(
            tuple(int(text, 16) for text in stored.get("robots", ())),
            {item: (price, quantity) for item, (price, quantity) in stored.get("usual", {}).items()},
            stored.get("filled_with", {}),
        )

    def stored(self) -> dict[str, Any]:
        """Return it as JSON values; no id of a person is among them."""
        return {
            "robots": [f"{one:016x}" for one in self.robots],
            "usual": {item: list(limits) for item, limits in self.usual.items()},
            "filled_with": {name: dict(values) for name, values in self.filled_with.items()},
        }


def is_test_shopper(frame: pl.DataFrame) -> pl.Expr:
    """Say of these rows whether the person is one that the shop's own people made up."""
    # Most columns hold no such word at all: that is seen at a glance.
    wordy = [name for name in ("first_name", "user_id", "email") if holds(frame[name], "test", "测试")]
    named = [pl.col(name).str.to_lowercase().is_in(TEST_WORDS) for name in wordy if name != "email"]
    addressed = [pl.col(name).str.contains(TEST_ADDRESS) for name in wordy if name != "first_name"]
    return pl.any_horizontal(pl.lit(value=False), *named, *addressed)


def no_products(frame: pl.DataFrame, listed: Sequence[str]) -> pl.Series:
    """Say of rows whether they are about postage, fees and the like; ``listed`` are further codes or names."""
    own = [one.strip().lower() for one in listed if one.strip()]

    def code(items: pl.Series) -> pl.Series:
        # Codes with digits are those of products, unless somebody listed them.
        bare = items.filter(~items.str.contains("[0-9]"))
        found = bare.filter(bare.str.to_uppercase().str.replace_all(r"[\s_\-]+", "").is_in(NON_PRODUCTS))
        return found.append(_listed(items, own))

    def called(names: pl.Series) -> pl.Series:
        return names.filter(names.str.contains(NON_PRODUCT_NAMES)).append(_listed(names, own))

    return _among(frame["item_id"], code) | _among(frame["name"], called)


def _listed(texts: pl.Series, own: Sequence[str]) -> pl.Series:
    return texts.filter(texts.str.to_lowercase().is_in(own)) if own else texts.clear()


def _among(column: pl.Series, wrong: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Say which texts are wrong; each different one is looked at once, since codes of products come again and again."""
    found = wrong(column.unique())
    return column.is_in(found.implode()) if len(found) else pl.repeat(value=False, n=len(column), eager=True)
