"""Behaviour and products from CSV files, without a database: what a shop did, in codes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from django.utils.translation import gettext as _

from behaviour.core.values import moment
from mailai.errors import InputError
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import KINDS, LIKED_STARS, PURCHASE, IdMap
from recommender.core.splitting import Log

NEEDED = ("user_id", "item_id", "event")
# What makes the text of a product; its category and price are columns of their own.
TEXTS = ("name", "attributes")
SECONDS_A_DAY = 86_400.0


@dataclass(frozen=True)
class ShopFiles:
    """A shop as its files tell it.

    log : its events in the order of time; has_clock : False = they only have an order for each shopper
    users, items : the outside ids (text) of the codes; products of the product file that nobody touched are there too
    catalogue : what the product file says, in the order of the item codes
    prices : float32 array of shape (n_events,), price of a unit in the event's line, else in the product file; nan = ?
    countries : object array of shape (n_users,), country of the newest event that names one, "" = none does
    """

    log: Log
    has_clock: bool
    users: IdMap
    items: IdMap
    catalogue: Catalogue
    prices: np.ndarray
    countries: np.ndarray


def read(events: str, items: str | None = None) -> ShopFiles:
    """Read a behaviour CSV and, if given, a product CSV (also .gz).

    A file of ratings without orders: four stars and more are what was liked, and count as orders.

    Raises
    ------
    InputError : a file is not there, not such a CSV, or holds no event that says what a shopper likes.
    """
    frame, has_clock = _events(events)
    products = _products(items) if items else pl.DataFrame({"item_id": pl.Series([], dtype=pl.String)})
    item_ids = pl.concat([frame["item_id"], products["item_id"]]).unique().sort()
    user_ids = frame["user_id"].unique().sort()
    catalogue = _catalogue(products, item_ids)
    codes = frame.select(users=_codes("user_id", user_ids), items=_codes("item_id", item_ids))
    item_codes = codes["items"].to_numpy()
    prices = _numbers(frame, "price")
    log = Log(
        users=codes["users"].to_numpy(),
        items=item_codes,
        kinds=frame["code"].to_numpy(),
        days=frame["day"].to_numpy(),
        stars=frame["stars"].to_numpy() if frame["stars"].is_not_nan().any() else np.empty(0, np.float32),
        n_users=len(user_ids),
        n_items=len(item_ids),
    )
    return ShopFiles(
        log=log,
        has_clock=has_clock,
        users=IdMap(user_ids.to_numpy()),
        items=IdMap(item_ids.to_numpy()),
        catalogue=catalogue,
        prices=np.where(np.isnan(prices), catalogue.prices[item_codes], prices),
        countries=_countries(frame, user_ids),
    )


def read_csv(path: str) -> pl.DataFrame:
    """Read a CSV file whose cells are text, "" where nothing stands.

    Raises
    ------
    InputError : it is not there, or no CSV in UTF-8.
    """
    if not Path(path).is_file():
        raise InputError(_("There is no file %(path)s.") % {"path": path})
    try:
        frame = pl.read_csv(path, infer_schema=False).fill_null("")
        return frame.rename(lambda name: name.removeprefix("\ufeff").strip())
    except (pl.exceptions.PolarsError, ValueError, OSError, EOFError) as error:
        raise InputError(_("%(path)s can't be read as a CSV file in UTF-8.") % {"path": path}) from error


def _events(path: str) -> tuple[pl.DataFrame, bool]:
    """Return the telling events in the order of time, with code, day and stars; and whether the file has a clock."""
    frame = read_csv(path)
    clock = "timestamp" if "timestamp" in frame.columns else "position"
    missing = [column for column in (*NEEDED, clock) if column not in frame.columns]
    if missing:
        text = _("The file has no column %(columns)s. It needs user_id, item_id, event, timestamp.")
        raise InputError(text % {"columns": ", ".join(missing)})
    frame = _telling(frame)
    if frame.is_empty():
        raise InputError(_("The file has no event that says what a shopper likes: purchase, cart, view, favourite."))
    return frame.with_columns(day=_days(frame[clock], clock)).sort("day", maintain_order=True), clock == "timestamp"


def _telling(frame: pl.DataFrame) -> pl.DataFrame:
    """Keep the events that say something, with their code, and ratings with their stars."""
    frame = frame.filter(pl.col("event").is_in(KINDS), pl.col("item_id") != "", pl.col("user_id") != "")
    codes = {kind: code for code, kind in enumerate(KINDS)}
    frame = frame.with_columns(
        code=pl.col("event").replace_strict(codes, return_dtype=pl.UInt8),
        stars=pl.Series(_numbers(frame, "rating")).set(frame["event"] != "rating", float("nan")),
    )
    # A rating without a number says nothing.
    frame = frame.filter((pl.col("event") != "rating") | pl.col("stars").is_not_nan())
    if (frame["event"] == "purchase").any():
        return frame
    liked = pl.col("stars").is_not_nan() & (pl.col("stars") >= LIKED_STARS)
    return frame.with_columns(code=pl.when(liked).then(pl.lit(PURCHASE, pl.UInt8)).otherwise("code"))


def _days(texts: pl.Series, clock: str) -> pl.Series:
    """Return days since 1970 (UTC where the file names no zone), or the position as it is."""
    if clock == "position":
        days = texts.cast(pl.Float64, strict=False)
    else:
        days = moment(texts.str.strip_chars(), zone="UTC", day_first=False).dt.epoch("us") / (SECONDS_A_DAY * 1e6)
    if days.null_count() or not days.is_finite().all():
        text = _("The column %(column)s holds something that is neither a time (2026-11-02 14:05:00) nor a number.")
        raise InputError(text % {"column": clock})
    return days


def _products(path: str) -> pl.DataFrame:
    frame = read_csv(path)
    if "item_id" not in frame.columns:
        raise InputError(_("The product file has no column item_id."))
    return frame.filter(pl.col("item_id") != "").unique("item_id", keep="last", maintain_order=True)


def _catalogue(products: pl.DataFrame, item_ids: pl.Series) -> Catalogue:
    """Bring what is said of products into the order of the item codes."""
    rows = item_ids.to_frame("item_id").join(products, on="item_id", how="left", maintain_order="left")
    said = [column for column in TEXTS if column in rows.columns]
    texts = rows.select(pl.concat_str(said, separator=" ", ignore_nulls=True).str.strip_chars()) if said else None
    category = rows["category"].fill_null("") if "category" in rows.columns else pl.Series([""] * len(rows))
    names = category.filter(category != "").unique().sort()
    categories = category.replace_strict(names, pl.Series(range(len(names)), dtype=pl.Int32), default=-1)
    return Catalogue(
        texts=texts.to_series().to_list() if texts is not None else [""] * len(rows),
        categories=categories.cast(pl.Int32).to_numpy(),
        category_names=names.to_list(),
        prices=_numbers(rows, "price"),
    )


def _numbers(frame: pl.DataFrame, column: str) -> np.ndarray:
    """Return a column of texts as float32, nan where it holds no number or is not there."""
    if column not in frame.columns:
        return np.full(len(frame), np.nan, np.float32)
    numbers = frame[column].str.strip_chars().cast(pl.Float32, strict=False).fill_null(float("nan"))
    return np.asarray(numbers.to_numpy())


def _codes(column: str, ids: pl.Series) -> pl.Expr:
    return pl.col(column).replace_strict(ids, pl.Series(range(len(ids)), dtype=pl.Int32), return_dtype=pl.Int32)


def _countries(frame: pl.DataFrame, user_ids: pl.Series) -> np.ndarray:
    if "country" not in frame.columns:
        return np.full(len(user_ids), "", object)
    newest = frame.filter(pl.col("country") != "").group_by("user_id").agg(pl.col("country").last())
    known = user_ids.to_frame("user_id").join(newest, on="user_id", how="left", maintain_order="left")
    return known["country"].fill_null("").to_numpy().astype(object)
