"""Two stages: simple models name candidates, trees that know what was bought in earlier windows order them."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from scipy.sparse import csr_matrix

from recommender.core.base import Beat, Recommender, blocks
from recommender.core.blend import Composite
from recommender.core.catalogue import Catalogue
from recommender.core.evaluation import Exam
from recommender.core.features import Items, columns
from recommender.core.interactions import Interactions
from recommender.core.ranking import top_k, top_k_sparse
from recommender.core.splitting import Log
from recommender.core.validation import LAST, MAX_LEARNT, TIME, sample, splits

# Candidates that each member names.
N_NAMED = 40
# Candidates that were not bought that the trees learn from, of each user.
N_MISSES = 80
# Rows that the trees learn from; 600,000 rows of 50 columns are 120 MB, and 30 MB more inside LightGBM.
MAX_ROWS = 600_000
TREES: dict[str, Any] = {
    "objective": "lambdarank", "num_leaves": 31, "learning_rate": 0.05, "min_data_in_leaf": 50,
    "feature_fraction": 0.7, "lambdarank_truncation_level": 20, "deterministic": True, "force_row_wise": True,
    "num_threads": 1, "verbosity": -1,
}  # fmt: skip
MOST_TREES, PATIENCE = 300, 30
# One ensemble of trees for each fold of the shoppers learnt from: the fold says when to stop adding trees to it. Their
# mean depends less on the luck of one stop than any of them.
N_FOLDS = 3


class TwoStage(Composite):
    """``score(u, i) = trees(columns of u, i)`` for the candidates of the members; 0 for every other item.

    The trees learn before anything is asked: parts of the interactions are held back as in the validation, the members
    are fitted on the rest, and what was bought in the part held back is the label. Then the members are fitted on
    everything. Columns hold nothing newer than the cut-off (``recommender.core.features``).

    Parameters
    ----------
    members : unfitted models.
    weights : float >= 0 for each member, of a blend that is one more column; default: all the same.
    kind : "time", "last" or "share", how a part is held back (``recommender.core.validation``).
    repeats : False = what a user bought before is no candidate.
    n_windows : int >= 1, parts held back one after the other.
    seed : int
    mix : float in [0, 1], how much the votes of the blend count beside the order of the trees, both as shares of the
        user's best candidate.

    Source: Burges (2010), "From RankNet to LambdaRank to LambdaMART", MSR-TR-2010-82; candidates and ranker as in
    Covington et al. (2016), RecSys.
    """

    name: ClassVar[str] = "two_stage"

    def __init__(
        self,
        members: Sequence[Recommender] = (),
        weights: Sequence[float] | None = None,
        kind: str = TIME,
        repeats: bool = True,
        n_windows: int = 1,
        seed: int = 0,
        mix: float = 0.0,
    ) -> None:
        super().__init__(members)
        self.weights = list(weights) if weights is not None else [1.0] * len(self.members)
        self.kind, self.repeats, self.n_windows, self.seed, self.mix = kind, repeats, n_windows, seed, mix
        self.texts: list[str] = []
        self.facts = Items.none()
        self._boosters: list[Any] = []

    @property
    def params(self) -> dict[str, Any]:
        """Members, their weights and how labels are made."""
        return {
            "members": self.described, "weights": self.weights, "kind": self.kind, "repeats": self.repeats,
            "n_windows": self.n_windows, "seed": self.seed, "mix": self.mix,
        }  # fmt: skip

    def _weight(self, number: int) -> float:
        return self.weights[number]

    def _fit(self, interactions: Interactions, catalogue: Catalogue, beat: Beat) -> None:
        log = Log(
            interactions.users, interactions.items, interactions.kinds, -interactions.ages.astype(float),
            interactions.n_users, interactions.n_items,
        )  # fmt: skip
        tables = []
        has_clock = interactions.span > 0
        kind = self.kind if has_clock or self.kind != TIME else LAST
        for split in splits(log, kind, has_clock=has_clock, repeats=self.repeats, seed=self.seed)[: self.n_windows]:
            exam = sample(Exam(split, repeats=self.repeats, seed=self.seed), MAX_LEARNT, self.seed)
            if exam.n_test_users:
                self._fit_members(split.train, catalogue, beat)
                tables.append(self._table(exam, beat))
        self.texts, self._boosters = [], []
        labels = np.concatenate([labels for _, labels, _ in tables]) if tables else np.zeros(0)
        if labels.any():
            self._learn(
                np.concatenate([one for one, _, _ in tables]), labels, np.concatenate([sizes for _, _, sizes in tables])
            )
        del tables
        self._fit_members(interactions, catalogue, beat)

    def _fit_members(self, interactions: Interactions, catalogue: Catalogue, beat: Beat) -> None:
        super()._fit(interactions, catalogue, beat)
        self.facts = Items.of(interactions, catalogue)

    def _table(self, exam: Exam, beat: Beat) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (columns, labels, candidates of each user) of the users of whom a purchase is among the candidates."""
        users, tables, n_rows = exam.split.train.of(exam.tested), [], 0
        rng = np.random.default_rng(self.seed)
        order = list(blocks(users.n_users, users.n_items))
        for number in rng.permutation(len(order)):
            block = order[number]
            out = None if exam.exclude is None else exam.exclude[block]
            rows, items, table = self._candidates(users.part(block), out)
            truth = exam.truth[block]
            labels = np.asarray(truth[rows, items]).ravel() > 0 if len(rows) else np.zeros(0, bool)
            hits = np.bincount(rows, labels, truth.shape[0]) > 0
            keep = hits[rows] & (labels | (rng.random(len(rows)) < self._share(rows, truth.shape[0])))
            sizes = np.bincount(rows[keep], minlength=truth.shape[0])
            tables.append((table[keep], labels[keep], sizes[sizes > 0]))
            n_rows += int(keep.sum())
            beat()
            if n_rows > MAX_ROWS / self.n_windows:
                break
        table, labels, sizes = (np.concatenate(parts) for parts in zip(*tables, strict=True))
        return table, labels, sizes

    @staticmethod
    def _share(rows: np.ndarray, n_users: int) -> np.ndarray:
        """Return for each candidate the chance to be learnt from if nobody bought it: about N_MISSES of each user."""
        return N_MISSES / np.maximum(np.bincount(rows, minlength=n_users), 1)[rows]

    def _learn(self, table: np.ndarray, labels: np.ndarray, sizes: np.ndarray) -> None:
        import lightgbm

        fold = np.random.default_rng(self.seed).permutation(len(sizes)) % N_FOLDS
        held_by = np.repeat(fold, sizes)
        params = TREES | {"seed": self.seed, "metric": "ndcg", "eval_at": [10]}
        for number in range(N_FOLDS):
            held, stop = held_by == number, fold == number
            if not labels[held].any() or not labels[~held].any():
                continue
            data = lightgbm.Dataset(table[~held], labels[~held].astype(int), group=sizes[~stop])
            check = lightgbm.Dataset(table[held], labels[held].astype(int), group=sizes[stop], reference=data)
            early = lightgbm.early_stopping(PATIENCE, verbose=False)
            booster = lightgbm.train(params, data, MOST_TREES, valid_sets=[check], callbacks=[early])
            self.texts.append(booster.model_to_string())

    def _candidates(
        self, users: Interactions, exclude: csr_matrix | None, allowed: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (rows, items, columns) of the candidates of a block of users, sorted by row."""
        lists, columns_of = [], []
        for member in self.members:
            dense, items, best = named(member.scores(users), exclude, allowed)
            lists.append(items)
            columns_of.append((dense, np.maximum(best[:, 0], np.finfo(np.float32).tiny)))
        owner = np.repeat(np.arange(users.n_users), N_NAMED)
        n_items = max(users.n_items, 1)
        keys = [(owner * n_items + items.ravel())[items.ravel() >= 0] for items in lists]
        pairs, n_named = np.unique(np.concatenate(keys), return_counts=True)
        rows, items = np.divmod(pairs, n_items)
        values = np.stack([dense[rows, items] for dense, _ in columns_of], axis=1).astype(np.float32)
        votes = values / np.stack([top[rows] for _, top in columns_of], axis=1)
        total = votes @ np.asarray(self.weights, np.float32)
        known = columns(self.facts, users, rows, items)
        return rows, items, np.concatenate([votes, values, total[:, None], n_named[:, None], known], axis=1)

    def scores(self, users: Interactions) -> np.ndarray:
        """Return the order of the trees as numbers in (0, 1), 0 for what nobody named."""
        return self.scores_within(users, None, None)

    def scores_within(self, users: Interactions, exclude: csr_matrix | None, allowed: np.ndarray | None) -> np.ndarray:
        """Return the order of the candidates, which are named among the items that may be picked."""
        answer = np.zeros((users.n_users, users.n_items), np.float32)
        if not self.members or not users.n_users or not users.n_items:
            return answer
        rows, items, table = self._candidates(users, exclude, allowed)
        if not len(rows):
            return answer
        trees = self._trees()
        # Without trees (too little to learn from) the votes decide, as in a blend.
        votes = table[:, 2 * len(self.members)]
        if trees:
            order = 1 / (1 + np.exp(-np.mean([one.predict(table, num_threads=1) for one in trees], axis=0)))
            votes = (1 - self.mix) * _of_best(order, rows, len(answer)) + self.mix * _of_best(votes, rows, len(answer))
        answer[rows, items] = votes
        return answer

    def _trees(self) -> list[Any]:
        if len(self._boosters) < len(self.texts):
            import lightgbm

            self._boosters = [lightgbm.Booster(model_str=text) for text in self.texts]
        return self._boosters

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays of the members, of the items, and the trees as the bytes of their text."""
        facts = {"facts." + name: one for name, one in self.facts.to_arrays().items()}
        trees = {f"trees.{fold}": np.frombuffer(text.encode(), np.uint8) for fold, text in enumerate(self.texts)}
        return super().to_arrays() | facts | trees

    def load_arrays(self, arrays: dict[str, np.ndarray]) -> Self:
        """Take members, items and trees back."""
        super().load_arrays(arrays)
        facts = {name.removeprefix("facts."): one for name, one in arrays.items() if name.startswith("facts.")}
        self.facts = Items(**facts)
        names = sorted(name for name in arrays if name.startswith("trees."))
        self.texts, self._boosters = [arrays[name].tobytes().decode() for name in names], []
        return self


def named(
    scores: csr_matrix | np.ndarray, exclude: csr_matrix | None, allowed: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the scores of a block of users as dense float32, and the items and scores of its N_NAMED best."""
    if isinstance(scores, np.ndarray):
        items, best = top_k(scores, N_NAMED, exclude=exclude, allowed=allowed)
        dense = scores
    else:
        dense = scores.toarray()
        if allowed is not None:
            scores = csr_matrix((scores.data * allowed[scores.indices], scores.indices, scores.indptr), scores.shape)
        items, best = top_k_sparse(scores, N_NAMED, exclude=exclude)
    return np.maximum(dense, 0), items, best


def _of_best(values: np.ndarray, rows: np.ndarray, n_users: int) -> np.ndarray:
    """Return values (above or equal 0) as shares of the largest of their row."""
    top = np.zeros(n_users)
    np.maximum.at(top, rows, values)
    return values / np.maximum(top[rows], np.finfo(np.float32).tiny)
