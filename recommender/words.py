"""What algorithms and steps of a training are called on screens."""

from django.utils.translation import gettext_lazy

from recommender.models import TrainingRun

LABELS = {
    "popular": (gettext_lazy("Most popular"), gettext_lazy("Baseline everyone must beat")),
    "trending": (gettext_lazy("Trending"), gettext_lazy("Ordered more often lately")),
    "bought_again": (gettext_lazy("Bought again"), gettext_lazy("Each shopper's own rhythm of orders")),
    "next_basket": (gettext_lazy("Next basket"), gettext_lazy("Orders of shoppers who order alike")),
    "user_based": (gettext_lazy("Shoppers like you"), gettext_lazy("Neighbours who buy alike (cosine)")),
    "user_pearson": (
        gettext_lazy("Shoppers like you (correlation)"),
        gettext_lazy("Neighbours who buy alike (Pearson)"),
    ),
    "svd": (gettext_lazy("Hidden tastes (SVD)"), gettext_lazy("Singular vectors of the matrix")),
    "als": (gettext_lazy("Hidden tastes (ALS)"), gettext_lazy("Alternating least squares")),
    "bpr": (gettext_lazy("Hidden tastes (BPR)"), gettext_lazy("Learns which product comes before which")),
    "rating_regression": (gettext_lazy("Expected stars"), gettext_lazy("Linear regression of ratings")),
    "item_cosine": (gettext_lazy("Goes with what you like"), gettext_lazy("Item-based cosine similarity")),
    "item_tfidf": (gettext_lazy("Goes with what you like (tf-idf)"), gettext_lazy("Item-based tf-idf similarity")),
    "item_bm25": (gettext_lazy("Goes with what you like (BM25)"), gettext_lazy("Item-based BM25 similarity")),
    "rp3beta": (gettext_lazy("Two steps away"), gettext_lazy("Walk over shoppers and products (RP3beta)")),
    "sequence": (gettext_lazy("What comes next"), gettext_lazy("Which product follows which")),
    "content": (gettext_lazy("Similar products"), gettext_lazy("Words, category and price")),
    "ease": (gettext_lazy("Linear model"), gettext_lazy("Every product from all others (EASE)")),
    "blend": (gettext_lazy("Several at once"), gettext_lazy("Models that vote, each with its weight")),
    "two_stage": (gettext_lazy("Learned order"), gettext_lazy("Models name products, trees put them in order")),
    "slim_local": (gettext_lazy("Linear model, local"), gettext_lazy("Every product from its nearest (SLIM)")),
}
STEP_LABELS = {
    "": gettext_lazy("Waiting for a worker"),
    "reading": gettext_lazy("Reading what shoppers did"),
    "testing": gettext_lazy("Testing on orders it has not seen"),
    "learning": gettext_lazy("Learning from everything"),
    "saving": gettext_lazy("Saving the model"),
}


def label_of(run: TrainingRun) -> str:
    """Name a run as people know it: Shoppers like you v12."""
    return f"{name_of(run.algorithm)} v{run.pk}"


def name_of(algorithm: str) -> str:
    """Name an algorithm as people know it."""
    return str(LABELS[algorithm][0]) if algorithm in LABELS else algorithm
