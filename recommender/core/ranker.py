"""Two stages: simple models name candidates, trees that know what was bought in earlier windows order them."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from scipy.sparse import csr_matrix

from recommender.core.base import Beat, Recommender, blocks, silent
from recommender.core.blend import Composite
from recommender.core.catalogue import Catalogue
from recommender.core.evaluation import Exam
from recommender.core.features import Items, Pairs, columns
from recommender.core.interactions import Interactions
from recommender.core.item_model import ItemModel
from recommender.core.ranking import top_k, top_k_sparse
from recommender.core.splitting import Log
from recommender.core.validation import LAST, MAX_LEARNT, TIME, sample, splits

# Candidates that each member names.
N_NAMED = 40
# Newest items of a user that each candidate is held against.
N_NEWEST = 2
# Candidates that were not bought that the trees learn from, of each user.
N_MISSES = 60
# Rows that the trees learn from; 450,000 rows of 75 columns are 135 MB, and 35 MB more inside LightGBM.
MAX_ROWS = 450_000
TREES: dict[str, Any] = {
    "objective": "lambdarank", "num_leaves": 31, "learning_rate": 0.05, "min_data_in_leaf": 50,
    "feature_fraction": 0.7, "lambdarank_truncation_level": 20, "deterministic": True, "force_row_wise": True,
    "verbosity": -1,
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
        # Of LightGBM; what comes out is the same for any number.
        self.threads = 1
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
            truth = exam.truth[block]
            rows, items, table = self._candidates(users.part(block), out, truth=truth)
            labels = values_at(truth, rows, items) > 0
            keep = labels | (rng.random(len(rows)) < self._share(rows, truth.shape[0]))
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
        params = TREES | {"seed": self.seed, "metric": "ndcg", "eval_at": [10], "num_threads": self.threads}
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
        self,
        users: Interactions,
        exclude: csr_matrix | None,
        allowed: np.ndarray | None = None,
        truth: csr_matrix | None = None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (rows, items, columns) of the candidates of a block of users, sorted by row.

        With ``truth``, shape (n_users, n_items), only of users of whom something is among the candidates.
        """
        found = [member.scores(users) for member in self.members]
        lists = [named(scores, exclude, allowed) for scores in found]
        owner = np.repeat(np.arange(users.n_users), N_NAMED)
        n_items = max(users.n_items, 1)
        keys = [(owner * n_items + items.ravel())[items.ravel() >= 0] for items, _best in lists]
        candidates, n_named = np.unique(np.concatenate(keys), return_counts=True)
        rows, items = np.divmod(candidates, n_items)
        if truth is not None:
            hit = (np.bincount(rows, values_at(truth, rows, items), users.n_users) > 0)[rows]
            rows, items, n_named = rows[hit], items[hit], n_named[hit]
        values = np.stack([np.maximum(values_at(scores, rows, items), 0) for scores in found], axis=1)
        del found
        tops = [np.maximum(best[:, 0], np.finfo(np.float32).tiny) for _items, best in lists]
        votes = values / np.stack([top[rows] for top in tops], axis=1)
        total = votes @ np.asarray(self.weights, np.float32)
        pairs = Pairs.of(users)
        parts = [
            votes, values, places(votes, rows), total[:, None], n_named[:, None],
            *self._near_newest(users, pairs, rows, items), columns(self.facts, users, pairs, rows, items),
        ]  # fmt: skip
        return rows, items, np.concatenate(parts, axis=1, dtype=np.float32)

    def _near_newest(
        self, users: Interactions, pairs: Pairs, rows: np.ndarray, items: np.ndarray
    ) -> Iterator[np.ndarray]:
        """Yield how near each candidate is to the newest items of its user, in the eyes of each item model."""
        newest = [pairs.newest(users, n) for n in range(N_NEWEST)]
        for member in self.members:
            if isinstance(member, ItemModel):
                for one in newest:
                    yield values_at(csr_matrix(one @ member.similarity), rows, items)[:, None]

    def recommend(
        self,
        users: Interactions,
        k: int,
        *,
        exclude: csr_matrix | None = None,
        allowed: np.ndarray | None = None,
        beat: Beat = silent,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the best items of each user, as the base does; only candidates are held."""
        return self.recommend_mixed(users, k, (self.mix,), exclude=exclude, allowed=allowed, beat=beat)[0]

    def recommend_mixed(
        self,
        users: Interactions,
        k: int,
        mixes: Sequence[float],
        *,
        exclude: csr_matrix | None = None,
        allowed: np.ndarray | None = None,
        beat: Beat = silent,
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return what ``recommend`` would for each of several mixes, the candidates being found once."""
        answer = [
            (np.full((users.n_users, k), -1, np.int32), np.zeros((users.n_users, k), np.float32)) for _mix in mixes
        ]
        for block in blocks(users.n_users, users.n_items):
            out, shape = None if exclude is None else exclude[block], (block.stop - block.start, users.n_items)
            rows, columns_, order, votes = self._judged(users.part(block), out, allowed)
            starts = np.searchsorted(rows, np.arange(shape[0] + 1))
            for mix, (items, best) in zip(mixes, answer, strict=True):
                scores = csr_matrix((mixed(order, votes, mix), columns_, starts), shape=shape)
                items[block], best[block] = top_k_sparse(scores, k)
            beat()
        return answer

    def scores(self, users: Interactions) -> csr_matrix:
        """Return the order of the trees as shares of the user's best candidate, nothing for what nobody named."""
        return self.scores_within(users, None, None)

    def scores_within(self, users: Interactions, exclude: csr_matrix | None, allowed: np.ndarray | None) -> csr_matrix:
        """Return the order of the candidates, which are named among the items that may be picked."""
        rows, items, order, votes = self._judged(users, exclude, allowed)
        starts = np.searchsorted(rows, np.arange(users.n_users + 1))
        return csr_matrix((mixed(order, votes, self.mix), items, starts), shape=(users.n_users, users.n_items))

    def _judged(
        self, users: Interactions, exclude: csr_matrix | None, allowed: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return (rows, items, order of the trees, votes of the blend) of the candidates of a block of users."""
        nothing = np.empty(0, np.int64)
        if not self.members or not users.n_users or not users.n_items:
            return nothing, nothing, np.empty(0), np.empty(0)
        rows, items, table = self._candidates(users, exclude, allowed)
        votes = _of_best(table[:, 3 * len(self.members)], rows, users.n_users)
        trees = self._trees() if len(rows) else []
        # Without trees (too little to learn from) the votes decide, as in a blend.
        if not trees:
            return rows, items, votes, votes
        order = 1 / (1 + np.exp(-np.mean([one.predict(table, num_threads=self.threads) for one in trees], axis=0)))
        return rows, items, _of_best(order, rows, users.n_users), votes

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
) -> tuple[np.ndarray, np.ndarray]:
    """Return the items and scores of the N_NAMED best of a block of users."""
    if isinstance(scores, np.ndarray):
        return top_k(scores, N_NAMED, exclude=exclude, allowed=allowed)
    if allowed is not None:
        scores = csr_matrix((scores.data * allowed[scores.indices], scores.indices, scores.indptr), scores.shape)
    return top_k_sparse(scores, N_NAMED, exclude=exclude)


def values_at(scores: csr_matrix | np.ndarray, rows: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Return the scores of candidates, float32 of shape (n_candidates,), 0 for those that are not stored."""
    if not isinstance(scores, np.ndarray):
        # Sorted rows are searched by halves.
        scores.sort_indices()
    return np.asarray(scores[rows, items], np.float32).ravel() if len(rows) else np.zeros(0, np.float32)


def places(votes: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the place of each candidate among its user's in the eyes of each member, 0 = best, nan = no vote.

    votes : float array of shape (n_candidates, n_members); rows : int array of shape (n_candidates,), sorted.
    """
    starts = np.searchsorted(rows, rows)
    answer = np.empty(votes.shape, np.float32)
    for vote, place in zip(votes.T, answer.T, strict=True):
        place[np.lexsort((-vote, rows))] = np.arange(len(rows)) - starts
        place[vote <= 0] = np.nan
    return answer


def mixed(order: np.ndarray, votes: np.ndarray, mix: float) -> np.ndarray:
    """Return the votes weighted by ``mix`` and the order of the trees by the rest."""
    return np.asarray((1 - mix) * order + mix * votes, np.float32)


def _of_best(values: np.ndarray, rows: np.ndarray, n_users: int) -> np.ndarray:
    """Return values (above or equal 0) as shares of the largest of their row."""
    top = np.zeros(n_users)
    np.maximum.at(top, rows, values)
    return values / np.maximum(top[rows], np.finfo(np.float32).tiny)
