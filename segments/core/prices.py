"""What a shopper pays for a piece: cheap or dear, and how often below the usual price."""

import polars as pl

# A piece is discounted from five per cent below the product's usual price.
DISCOUNT_PERCENT = 5
SHARE_DECIMALS = 4
# What a column of twelve digits holds.
LARGEST_CENTS = 10**12 - 1


def priced(lines: pl.DataFrame) -> pl.DataFrame:
    """Return the purchases (segments.core.deeds) with a price, with the column ``piece``: cents a piece, rounded."""
    cents, quantity = pl.col("cents"), pl.col("quantity").cast(pl.Int64)
    known = lines.filter((cents > 0) & (quantity > 0))
    piece = (2 * cents + quantity).floordiv(2 * quantity)
    return known.with_columns(piece.clip(upper_bound=LARGEST_CENTS).alias("piece"))


def price_counts(lines: pl.DataFrame) -> pl.DataFrame:
    """Count the lines of each product at each price: frame with product, piece, n. Counts of parts can be added up."""
    with_product = lines.filter(pl.col("product") != 0)
    return with_product.group_by("product", "piece").agg(pl.len().cast(pl.Int64).alias("n"))


def added(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Add counts of several parts up."""
    return pl.concat(parts).group_by("product", "piece").agg(pl.col("n").sum())


def usual_prices(counts: pl.DataFrame) -> pl.DataFrame:
    """Return product, usual: the lower median price of a product's lines, in cents."""
    ordered = counts.sort("product", "piece")
    below = pl.col("n").cum_sum().over("product")
    half = ordered.filter(2 * below >= pl.col("n").sum().over("product"))
    return half.group_by("product").agg(pl.col("piece").min().alias("usual")).sort("product")


def price_figures(lines: pl.DataFrame, usual: pl.DataFrame) -> pl.DataFrame:
    """Say what each shopper pays for a piece, every piece counting once.

    Percentiles are by the nearest rank (Hyndman and Fan 1996, Sample quantiles in statistical packages, The American
    Statistician 50(4), definition 1): the cheapest price that so many of a hundred pieces don't exceed.

    Parameters
    ----------
    lines : frame as of `priced`
    usual : frame with product and usual (cents)

    Returns
    -------
    frame: shopper, price_low, price_median, price_high (cents; 10th, 50th, 90th percentile), discount_share (0..1 of
    the pieces whose product has a usual price, null where there is none)
    """
    known = lines.join(usual, on="product", how="left").sort("shopper", "piece")
    n = pl.col("quantity").cast(pl.Int64)
    known = known.with_columns(n.cum_sum().over("shopper").alias("below"), n.sum().over("shopper").alias("all"))
    piece, below, pieces = pl.col("piece"), pl.col("below"), pl.col("all")
    cheap = 100 * piece <= (100 - DISCOUNT_PERCENT) * pl.col("usual")
    compared = n.filter(pl.col("usual").is_not_null()).sum()
    figures = known.group_by("shopper").agg(
        piece.filter(10 * below >= pieces).min().alias("price_low"),
        piece.filter(2 * below >= pieces).min().alias("price_median"),
        piece.filter(10 * below >= 9 * pieces).min().alias("price_high"),
        n.filter(cheap).sum().alias("cheap"),
        compared.alias("compared"),
    )
    share = pl.when(pl.col("compared") > 0).then((pl.col("cheap") / pl.col("compared")).round(SHARE_DECIMALS))
    return figures.with_columns(share.alias("discount_share")).drop("cheap", "compared")
