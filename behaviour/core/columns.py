"""The contract of a file: which fields a row has, under which names a shop knows them, what kinds there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from behaviour.core import layouts
from behaviour.core.layouts.base import Layout, plain

EVENTS, ORDERS, PRODUCTS, SHOPPERS = "events", "orders", "products", "shoppers"
KINDS = (EVENTS, ORDERS, PRODUCTS, SHOPPERS)
GENERIC, ONLINE_RETAIL = "generic", "online_retail"

# Field -> the names it goes by, beside its own. Compared without case, spaces, dashes and underscores.
ALIASES: dict[str, str] = {
    "user_id": "user shopper shopper_id customer customer_id client_id buyer_id member_id uid "
    "account_id 用户 用户id 用户编号 会员id 会员编号 买家id 买家 客户id 客户编号",
    "visitor_id": "visitor visitorid anonymous_id user_pseudo_id device_id cookie_id session_id 访客 访客id",
    "item_id": "item itemid product product_id sku stock_code stockcode article article_id goods_id variant_id "
    "商品id 商品编号 商品 商品编码 货号 产品id 产品编号 宝贝id",
    "event": "event_type type action behavior behaviour behavior_type behaviour_type event_name "
    "行为 行为类型 事件 事件类型 动作",
    "timestamp": "time date datetime created_at event_time event_date order_date ordered_at invoicedate purchase_date "
    "ts 时间 日期 时间戳 行为时间 下单时间 购买时间 订单时间",
    "order_id": "order orderid order_no order_number order_ref invoice invoice_no invoiceno transaction_id "
    "transactionid 订单号 订单id 订单编号",
    "quantity": "qty count amount_of_items units 数量 件数 购买数量",
    "price": "unit_price unitprice item_price price_each price_eur price_gbp price_usd 价格 单价 售价",
    "currency": "currency_code 货币 币种",
    "country": "country_code shipping_country 国家 国家地区",
    "rating": "stars score review_score 评分 打分 星级",
    "position": "rank sequence seq 顺序 次序",
    "message_id": "message 邮件id",
    "question": "survey_question question_text survey 问题 问卷问题 调查问题",
    "answer": "survey_answer response reply answer_text 回答 答案 答复",
    "dedupe_key": "event_id eventid row_id 去重键 事件id",
    "name": "title product_name item_name product_title description 名称 商品名 商品名称 标题 产品名称",
    "category": "categories cat_path category_path product_type genre 类目 分类 商品类目 品类",
    "attributes": "tags properties 属性 标签",
    "url": "link product_url product_link 链接 商品链接 网址",
    "image": "image_url image_link picture picture_url 图片 主图 图片链接",
    "stock": "inventory in_stock available_quantity stock_quantity 库存 库存数量",
    "active": "enabled published on_sale status 上架 是否上架",
    "email": "email_address mail e_mail customer_email 邮箱 电子邮箱 邮件 邮箱地址 电子邮件",
    "first_name": "firstname given_name forename 名 名字",
    "last_name": "lastname surname family_name 姓 姓氏",
    "phone": "phone_number mobile tel 电话 手机 手机号",
    "locale": "language lang 语言",
    "consent": "marketing accepts_marketing opt_in optin newsletter subscribed marketing_consent "
    "同意 营销同意 订阅 是否订阅",
    "consent_source": "source opt_in_source consent_origin 同意来源 来源",
    "suppressed": "suppression suppression_reason 屏蔽",
    "consent_at": "consent_date opt_in_at opt_in_date subscribed_at consent_time 同意时间 订阅时间",
}
EVENT_FIELDS = (
    "user_id", "item_id", "event", "timestamp", "order_id", "quantity", "price", "currency", "country", "rating",
    "position", "message_id", "dedupe_key", "name", "visitor_id", "email", "first_name", "last_name", "phone",
    "consent", "question", "answer",
)  # fmt: skip
FIELDS: dict[str, tuple[str, ...]] = {
    EVENTS: EVENT_FIELDS,
    ORDERS: tuple(name for name in EVENT_FIELDS if name not in ("event", "rating", "question", "answer")),
    PRODUCTS: ("item_id", "name", "price", "category", "currency", "url", "image", "stock", "active", "attributes"),
    SHOPPERS: (
        "user_id", "email", "first_name", "last_name", "phone", "country", "locale", "consent", "consent_source",
        "consent_at", "suppressed",
    ),
}  # fmt: skip
# Who it was can be said in three ways.
SOMEBODY = ("user_id", "email", "visitor_id")
# Each group needs one of its fields.
NEEDED: dict[str, tuple[tuple[str, ...], ...]] = {
    EVENTS: (SOMEBODY, ("event",), ("timestamp", "position")),
    ORDERS: (SOMEBODY, ("item_id",), ("timestamp", "position")),
    PRODUCTS: (("item_id",),),
    SHOPPERS: (("user_id", "email"),),
}
# Fields that name a person: shown masked, stored encrypted.
PERSONAL = frozenset({"email", "first_name", "last_name", "phone"})

# The export of the Online Retail data set and the names of its second edition.
RETAIL_COLUMNS: dict[str, tuple[str, ...]] = {
    "order_id": ("invoiceno", "invoice"),
    "item_id": ("stockcode",),
    "name": ("description",),
    "quantity": ("quantity",),
    "timestamp": ("invoicedate",),
    "price": ("unitprice", "price"),
    "user_id": ("customerid",),
    "country": ("country",),
}

# What shops call the things that shoppers do.
EVENT_NAMES: dict[str, str] = {
    "view": "view viewed pageview pv click detail product_view view_item visit 浏览 点击 查看",
    "favourite": "favourite favorite fav wishlist wish_list like collect save add_to_wishlist 收藏 喜欢",
    "cart": "cart addtocart basket add_to_basket 加购 加购物车 加入购物车",
    "uncart": "uncart removefromcart remove_from_basket 移出购物车 取消加购",
    "purchase": "purchase purchased buy bought order ordered transaction sale checkout 购买 下单 支付 成交",
    "refund": "refund refunded return returned cancellation 退款 退货",
    "rating": "rating rate rated review 评分 评价",
    "search": "search searched query 搜索",
    "survey_answer": "survey_answer survey answered answered_survey survey_response nps 问卷 问卷回答 调查",
    "signup": "signup sign_up register registration registered 注册",
}


_FIELD_OF = {plain(alias): name for name, aliases in ALIASES.items() for alias in (name, *aliases.split())}
KNOWN_EVENTS = {plain(alias): kind for kind, aliases in EVENT_NAMES.items() for alias in (kind, *aliases.split())}


@dataclass(frozen=True)
class Match:
    """How a file's columns are read.

    columns : field -> position of its column in the file.
    missing : groups of fields of which the kind needs one and the file has none.
    left : names of the file's columns that nothing is read from.
    helpers : columns that are no field but that a recognised layout reads.
    """

    kind: str
    layout: str
    columns: dict[str, int]
    missing: tuple[tuple[str, ...], ...] = ()
    left: tuple[str, ...] = field(default=())
    helpers: Mapping[str, int] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Say whether every needed field has a column."""
        return not self.missing


def recognise(
    header: Sequence[str], kind: str = "auto", chosen: Mapping[str, str] | None = None, *, file: str = ""
) -> Match:
    """Match a header to the kind that it fits best.

    Parameters
    ----------
    header : the names in the file's first row.
    kind : one of KINDS, or "auto".
    chosen : field -> name of a column, decided by a person; goes before every guess. "" leaves it out.
    file : name of the file, which tells some exports from others.
    """
    if not chosen and kind in ("auto", EVENTS, ORDERS) and (retail := _retail(header)):
        return retail
    if not chosen and (layout := layouts.find(header, file)) and kind in ("auto", layout.kind):
        return _recognised(header, layout)
    guessed = _guess(header)
    for name, column in (chosen or {}).items():
        guessed.pop(name, None)
        if column in header:
            position = list(header).index(column)
            guessed = {other: at for other, at in guessed.items() if at != position}
            guessed[name] = position
    if kind == "auto" and not chosen and _rates(guessed):
        return _recognised(header, layouts.BY_NAME["ratings"], guessed)
    kind = _kind(guessed) if kind == "auto" else kind
    columns = {name: guessed[name] for name in FIELDS[kind] if name in guessed}
    missing = tuple(group for group in NEEDED[kind] if not any(name in columns for name in group))
    used = set(columns.values())
    left = tuple(name for at, name in enumerate(header) if at not in used)
    return Match(kind, GENERIC, columns, missing, left)


def _recognised(header: Sequence[str], layout: Layout, places: Mapping[str, int] | None = None) -> Match:
    columns = layout.places(header, layout.fields) if places is None else dict(places)
    helpers = layout.places(header, layout.helpers)
    used = {*columns.values(), *helpers.values()}
    left = tuple(name for at, name in enumerate(header) if at not in used)
    return Match(layout.kind, layout.name, columns, (), left, helpers)


def _rates(found: Mapping[str, int]) -> bool:
    """Say whether rows hold ratings and nothing that an order or another event has."""
    return {"user_id", "item_id", "rating"} <= set(found) and not {"event", "order_id", "quantity", "price"} & set(
        found
    )


def _guess(header: Sequence[str]) -> dict[str, int]:
    """Return field -> column; the field's own name goes before its aliases."""
    found: dict[str, int] = {}
    for at, name in enumerate(header):
        field_name = _FIELD_OF.get(plain(name))
        if field_name and (field_name not in found or plain(name) == plain(field_name)):
            found[field_name] = at
    # "id" alone says nothing about whose; it is the shopper's beside an address, else the product's.
    for at, name in enumerate(header):
        if plain(name) in ("id", "编号"):
            found.setdefault("user_id" if "email" in found else "item_id", at)
    # Where nobody has another name, the visitor is the shopper.
    if "visitor_id" in found and "user_id" not in found:
        found["user_id"] = found.pop("visitor_id")
    return found


def _kind(found: Mapping[str, int]) -> str:
    """Return what rows with these fields are."""
    somebody = any(name in found for name in SOMEBODY)
    if somebody and "event" in found:
        return EVENTS
    if somebody and "item_id" in found and ("user_id" in found or "timestamp" in found):
        return ORDERS
    if "email" in found or "consent" in found or ("user_id" in found and {"first_name", "last_name"} & set(found)):
        return SHOPPERS
    if "item_id" in found and {"name", "price", "category", "attributes", "url", "stock"} & set(found):
        return PRODUCTS
    return EVENTS


def _retail(header: Sequence[str]) -> Match | None:
    """Return the match of an Online Retail export, None for any other file."""
    places = {plain(name): at for at, name in enumerate(header)}
    columns = {
        name: next((places[alias] for alias in aliases if alias in places), -1)
        for name, aliases in RETAIL_COLUMNS.items()
    }
    if -1 in columns.values():
        return None
    used = set(columns.values())
    left = tuple(name for at, name in enumerate(header) if at not in used)
    return Match(ORDERS, ONLINE_RETAIL, columns, (), left)
