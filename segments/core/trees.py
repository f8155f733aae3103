"""Boosted trees as tables: what they say of many rows, and of rows that are mixed from two, without walking a tree.

In each tree a row's value in one column rules out some leaves, whatever its other values are; the leaf that no column
rules out is hers. So a column is looked up once, and a row of which some columns are another's costs one "and" more.

Source: Lucchese et al. (2015), QuickScorer: a fast algorithm to rank documents with additive ensembles of regression
trees, SIGIR; our tables clear the leaves on both sides of a split, so that one bit is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# Rows that are looked up at once: their places stay in the processor's own memory.
BLOCK = 32_768


@dataclass(frozen=True)
class Tree:
    """One tree. masks : column -> uint16 array, by the place of a value among the column's thresholds, of the leaves
    that it leaves; leaf : float array of shape (2 ** n_leaves,), by the one bit that is left.
    """

    masks: dict[int, np.ndarray]
    leaf: np.ndarray


@dataclass(frozen=True)
class Trees:
    """Trees whose leaves are added up. thresholds : for each column the values at which any tree splits, ascending."""

    thresholds: list[np.ndarray]
    trees: list[Tree]

    def sums(self, rows: np.ndarray) -> np.ndarray:
        """Return the sum of the leaves of each row, float array of shape (n,)."""
        columns = range(rows.shape[1])
        return self.mixed(rows, rows[:1], [columns], [(0,)])[0] if len(rows) else np.zeros(0)

    def mixed(
        self, rows: np.ndarray, usual: np.ndarray, groups: Sequence[Sequence[int]], ways: Sequence[Sequence[int]]
    ) -> np.ndarray:
        """Return the sums of rows of which only some groups of columns are their own.

        Parameters
        ----------
        rows : float array of shape (n, n_columns)
        usual : float array of shape (1, n_columns), the values of the other columns
        groups : columns of each group; together all columns
        ways : for each answer the groups that are the rows' own

        Returns
        -------
        float array of shape (len(ways), n)
        """
        found = np.zeros((len(ways), len(rows)))
        common = self._places(usual)
        for start in range(0, len(rows), BLOCK):
            places = self._places(rows[start : start + BLOCK])
            part = found[:, start : start + BLOCK]
            for tree in self.trees:
                own, others = (_masks(tree, groups, one) for one in (places, common))
                for number, way in enumerate(ways):
                    part[number] += tree.leaf.take(_left(own, others, way), mode="clip")
        return found

    def _places(self, rows: np.ndarray) -> list[np.ndarray]:
        """Return of each column how many thresholds lie below each value."""
        return [np.searchsorted(one, rows[:, column]) for column, one in enumerate(self.thresholds)]


def _masks(tree: Tree, groups: Sequence[Sequence[int]], places: list[np.ndarray]) -> list[np.ndarray | None]:
    """Return the leaves that each group of columns leaves; None where the tree does not ask for the group."""
    found: list[np.ndarray | None] = []
    for group in groups:
        mask = None
        for column in group:
            if column in tree.masks:
                left = tree.masks[column].take(places[column], mode="clip")
                mask = left if mask is None else np.bitwise_and(mask, left, out=mask)
        found.append(mask)
    return found


def _left(own: list[np.ndarray | None], others: list[np.ndarray | None], way: Sequence[int]) -> np.ndarray:
    """Return the one leaf that is left, uint16 array of shape (n,), or (1,) where nothing is the rows' own."""
    left = np.array([np.iinfo(np.uint16).max], np.uint16)
    for group, (mine, usual) in enumerate(zip(own, others, strict=True)):
        mask = mine if group in way else usual
        if mask is not None:
            left = left & mask
    return left


def of_booster(booster: Any) -> Trees:
    """Return the trees of a LightGBM model, which was trained without missing values and categories."""
    model = booster.dump_model()
    roots = [one["tree_structure"] for one in model["tree_info"]]
    splits: list[set[float]] = [set() for _name in model["feature_names"]]
    for root in roots:
        for node in _nodes(root):
            splits[node["split_feature"]].add(node["threshold"])
    thresholds = [np.array(sorted(one)) for one in splits]
    return Trees(thresholds, [_tree(root, thresholds) for root in roots])


def _tree(root: dict[str, Any], thresholds: list[np.ndarray]) -> Tree:
    values = _leaves(root)
    number = {id(leaf): place for place, leaf in enumerate(values)}
    leaf = np.zeros(2 ** len(values))
    leaf[2 ** np.arange(len(values))] = [one["leaf_value"] for one in values]
    masks: dict[int, np.ndarray] = {}
    for node in _nodes(root):
        column = node["split_feature"]
        place = np.searchsorted(thresholds[column], node["threshold"])
        mask = masks.setdefault(column, np.full(len(thresholds[column]) + 1, 2 ** len(values) - 1, np.uint16))
        for side, out in (("right_child", slice(place + 1)), ("left_child", slice(place + 1, None))):
            mask[out] &= np.uint16(~sum(1 << number[id(one)] for one in _leaves(node[side])) & 0xFFFF)
    return Tree(masks, leaf)


def _nodes(root: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a node and all below that split."""
    if "split_feature" not in root:
        return []
    return [root, *_nodes(root["left_child"]), *_nodes(root["right_child"])]


def _leaves(root: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the leaves below a node, or the node that is one."""
    if "split_feature" not in root:
        return [root]
    return _leaves(root["left_child"]) + _leaves(root["right_child"])
