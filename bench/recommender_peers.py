"""Models of public libraries, tuned and asked as a careful user of them would: one in a process of its own.

`python -m bench.recommender_peers MODEL FOLDER REPEATS SEED SECONDS` reads history.csv and users.csv in the folder and
writes MODEL.csv there. Settings are drawn at random, the first are sensible ones; each is judged on the same parts of
the history that MailAI rehearses with, and the best is learnt on all of it. The weights of events are drawn too.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from recommender.core import metrics
from recommender.core.interactions import Interactions, bought_items
from recommender.core.ranking import top_k, top_k_sparse
from recommender.core.validation import seen_from_end, validation
from recommender.core.weighting import BEST, LOG, Weighting
from recommender.files import read

K = 10
MOST_TRIALS = 20
# Users whose rows are dense at once.
BLOCK = 500
EASE_ITEMS = 5_000
WEIGHTINGS: dict[str, tuple[Any, ...]] = {"half_life": (0.2, 0.0, 0.5, 0.08), "shape": (LOG, BEST)}
Asked = Callable[[csr_matrix, np.ndarray, dict[str, Any]], Callable[[slice], Any]]


def implicit_model(kind: str, matrix: csr_matrix, rows: np.ndarray, settings: dict[str, Any]) -> Any:
    """Fit a model of implicit and return what scores a part of the rows."""
    from implicit.cpu.als import AlternatingLeastSquares
    from implicit.cpu.bpr import BayesianPersonalizedRanking
    from implicit.nearest_neighbours import BM25Recommender, CosineRecommender, TFIDFRecommender

    kinds: dict[str, Callable[..., Any]] = {
        "als": partial(AlternatingLeastSquares, random_state=0),
        "bpr": partial(BayesianPersonalizedRanking, random_state=0),
        "bm25": BM25Recommender,
        "tfidf": TFIDFRecommender,
        "cosine": CosineRecommender,
    }
    model = kinds[kind](num_threads=1, **settings)
    model.fit(matrix, show_progress=False)
    if kind in {"als", "bpr"}:
        return lambda part: model.user_factors[rows[part]] @ model.item_factors.T
    return lambda part: csr_matrix(matrix[rows[part]] @ model.similarity)


def neighbours(matrix: csr_matrix, rows: np.ndarray, settings: dict[str, Any]) -> Any:
    """Score by the nearest shoppers of scikit-learn, who count by their similarity."""
    from sklearn.neighbors import NearestNeighbors

    model = NearestNeighbors(n_neighbors=settings["k"] + 1, metric="cosine", algorithm="brute").fit(matrix)

    def scores(part: slice) -> csr_matrix:
        apart, near = model.kneighbors(matrix[rows[part]])
        worth = np.maximum(1 - apart, 0) ** settings["power"] * (near != rows[part][:, None])
        starts = np.arange(len(near) + 1) * near.shape[1]
        return csr_matrix((worth.ravel(), near.ravel(), starts), shape=(len(near), matrix.shape[0])) @ matrix

    return scores


def svd(matrix: csr_matrix, rows: np.ndarray, settings: dict[str, Any]) -> Any:
    """Score by the truncated SVD of scikit-learn: x V V'."""
    from sklearn.decomposition import TruncatedSVD

    model = TruncatedSVD(min(settings["factors"], min(matrix.shape) - 1), random_state=0).fit(matrix)
    return lambda part: model.inverse_transform(model.transform(matrix[rows[part]]))


def ease(matrix: csr_matrix, rows: np.ndarray, settings: dict[str, Any]) -> Any:
    """Score by EASE (Steck 2019, WWW), the few lines of numpy of the paper, over the most popular products."""
    chosen = np.sort(np.argsort(-np.bincount(matrix.indices, minlength=matrix.shape[1]))[:EASE_ITEMS])
    some = csr_matrix(matrix[:, chosen])
    gram = (some.T @ some).toarray().astype(np.float32)
    gram[np.diag_indices_from(gram)] += settings["l2"]
    inverse = np.linalg.inv(gram)
    table = inverse / -np.diag(inverse)
    np.fill_diagonal(table, settings["own"])

    def scores(part: slice) -> np.ndarray:
        answer = np.zeros((part.stop - part.start, matrix.shape[1]), np.float32)
        answer[:, chosen] = some[rows[part]] @ table
        return answer

    return scores


def popular(matrix: csr_matrix, rows: np.ndarray, _settings: dict[str, Any]) -> Any:
    """Score everything by its sum of weights."""
    total = np.asarray(matrix.sum(axis=0), np.float32).ravel()
    return lambda part: np.broadcast_to(total, (part.stop - part.start, len(total)))


def own(matrix: csr_matrix, rows: np.ndarray, _settings: dict[str, Any]) -> Any:
    """Score by the shopper's own history alone."""
    return lambda part: matrix[rows[part]]


KNN = {"K": (100, 20, 50, 200, 500)}
# What may be drawn for each setting; the first value of each is the sensible one that is tried first.
MODELS: dict[str, tuple[Asked, dict[str, tuple[Any, ...]]]] = {
    "popular": (popular, {}),
    "own history": (own, {}),
    "implicit cosine": (partial(implicit_model, "cosine"), KNN),
    "implicit tfidf": (partial(implicit_model, "tfidf"), KNN),
    "implicit bm25": (
        partial(implicit_model, "bm25"), KNN | {"K1": (1.2, 0.6, 2.0), "B": (0.2, 0.1, 0.5, 0.75)},
    ),
    "implicit als": (
        partial(implicit_model, "als"),
        {"factors": (64, 32, 128), "alpha": (3.0, 1.0, 10.0, 40.0), "regularization": (10.0, 0.1, 1.0, 3.0),
         "iterations": (15,)},
    ),
    "implicit bpr": (
        partial(implicit_model, "bpr"),
        {"factors": (64, 32), "learning_rate": (0.05, 0.02, 0.1), "regularization": (0.01, 0.001, 0.03),
         "iterations": (100, 200)},
    ),
    "sklearn neighbours": (neighbours, {"k": (100, 50, 200, 400), "power": (2.0, 1.0, 3.0)}),
    "sklearn svd": (svd, {"factors": (64, 16, 32, 128, 200)}),
    "numpy ease": (ease, {"l2": (500.0, 100.0, 200.0, 1_000.0, 3_000.0), "own": (0.0, 0.5, 1.0)}),
}  # fmt: skip


def lists(
    name: str, drawn: dict[str, Any], train: Interactions, rows: np.ndarray, exclude: csr_matrix | None
) -> np.ndarray:
    """Fit and return the best ten of each row, int array of shape (n_rows, 10)."""
    weighting = Weighting(half_life=drawn["half_life"], shape=drawn["shape"])
    matrix = weighting.matrix(train, weighting.days(train.span))
    settings = {key: value for key, value in drawn.items() if key not in WEIGHTINGS}
    answer = np.full((len(rows), K), -1, np.int32)
    # As careful users of these libraries do: BLAS beside their own threads takes every core twice.
    with threadpool_limits(1, "blas"):
        scores = MODELS[name][0](matrix, rows, settings)
        for start in range(0, len(rows), BLOCK):
            part = slice(start, min(start + BLOCK, len(rows)))
            found, out = scores(part), None if exclude is None else exclude[part]
            if isinstance(found, np.ndarray):
                # What is never picked is not above 0; factors may well be.
                found = found - min(float(found.min()), 0.0)
                answer[part] = top_k(found, K, exclude=out)[0]
            else:
                answer[part] = top_k_sparse(csr_matrix(found), K, exclude=out)[0]
    return answer


def tuned(name: str, exams: Any, seed: int, seconds: float) -> tuple[dict[str, Any], int]:
    """Return the best settings and how many were tried within the CPU seconds."""
    rng, space, started = np.random.default_rng(seed), MODELS[name][1] | WEIGHTINGS, time.process_time()
    best, settings, n = -1.0, {}, 0
    while n < MOST_TRIALS and (n == 0 or time.process_time() - started < seconds):
        drawn = {key: values[0] if n == 0 else values[rng.integers(len(values))] for key, values in space.items()}
        marks = [
            metrics.ndcg_at_k(lists(name, drawn, exam.split.train, exam.tested, exam.exclude), exam.truth, K).mean()
            for exam in exams
        ]
        n += 1
        if np.mean(marks) > best:
            best, settings = float(np.mean(marks)), drawn
    return settings, n


def main() -> None:
    """Tune, learn, write the lists and print what was chosen as the last line."""
    # implicit tells about each matrix that it converts itself.
    warnings.simplefilter("ignore")
    name, place, repeats, seed, seconds = sys.argv[1:]
    folder, keep = Path(place), repeats == "keep"
    shop = read(str(folder / "history.csv"))
    asked = pl.read_csv(folder / "users.csv", infer_schema=False)["user_id"].to_numpy()
    codes = shop.users.codes(asked)
    rehearsal = validation(shop.log, codes, has_clock=shop.has_clock, k=K, repeats=keep, seed=int(seed))
    settings, n_trials = tuned(name, rehearsal.exams, int(seed), float(seconds))
    everything = seen_from_end(shop.log, shop.has_clock)
    found = lists(name, settings, everything, codes, None if keep else bought_items(everything.of(codes)))
    who, rank = np.nonzero(found >= 0)
    rows = {
        "user_id": asked[who].astype(str),
        "item_id": shop.items.ids[found[who, rank]].astype(str),
        "rank": rank + 1,
    }
    pl.DataFrame(rows).write_csv(folder / f"{name}.csv")
    print(json.dumps({"settings": settings, "trials": n_trials}), flush=True)


if __name__ == "__main__":
    main()
