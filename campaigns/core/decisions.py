"""The draw behind every message: which arm, and how likely that was."""

from collections.abc import Sequence
from dataclasses import dataclass

CONTROL = "control"


@dataclass(frozen=True)
class Decision:
    """The arm that a draw chose, and its probability before the draw."""

    arm: str
    probability: float


def choose(draw: float, control_share: float, variants: Sequence[tuple[str, float]]) -> Decision:
    """Return what a draw in [0, 1) means: the first ``control_share`` of it is held back, the rest is cut by shares.

    variants : (label, share) with shares that sum to 1; the last one takes what rounding leaves.

    Raises
    ------
    ValueError : no variants, or a draw outside [0, 1).
    """
    if not variants or not 0 <= draw < 1:
        raise ValueError("a decision needs variants and a draw in [0, 1)")
    if draw < control_share:
        return Decision(CONTROL, control_share)
    total, edge = sum(share for _label, share in variants), control_share
    for label, share in variants:
        probability = (1 - control_share) * share / total
        edge += probability
        if draw < edge:
            return Decision(label, probability)
    return Decision(variants[-1][0], (1 - control_share) * variants[-1][1] / total)
