"""Fitted models as plain arrays in one .npz file; no pickle, so that loading can't run anything."""

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils.translation import gettext as _

from mailai.errors import ArtefactError
from recommender.core.algorithms import create
from recommender.core.base import Recommender
from recommender.core.interactions import IdMap
from recommender.core.popular import MostPopular, Trending
from recommender.models import TrainingRun

FOLDER = "artefacts"
MODEL, POPULAR, TRENDING = "model.", "popular.", "trending."
# The one that serves, its rung of neighbours, and one to compare with; a million shoppers: about 300 MB each.
LOADED = 3
# Files of runs that never served, for each algorithm.
KEPT = 5


@dataclass(frozen=True)
class Artefact:
    """A fitted model, the rungs below it for who gets nothing personal, and which id each row and column is.

    n_orders : int array of shape (n_products,), order lines of each product that were learnt from.
    """

    model: Recommender
    popular: MostPopular
    trending: MostPopular
    n_orders: np.ndarray
    shoppers: IdMap
    products: IdMap


def save(run: TrainingRun, artefact: Artefact) -> tuple[str, str]:
    """Write the arrays through Django's storage and return (name, SHA-256); nothing is ever overwritten."""
    arrays = {MODEL + name: array for name, array in artefact.model.to_arrays().items()}
    arrays |= {POPULAR + name: array for name, array in artefact.popular.to_arrays().items()}
    arrays |= {TRENDING + name: array for name, array in artefact.trending.to_arrays().items()}
    buffer = io.BytesIO()
    arrays |= {"shoppers": artefact.shoppers.ids, "products": artefact.products.ids, "n_orders": artefact.n_orders}
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    content = buffer.getvalue()
    name = default_storage.save(f"{FOLDER}/{run.uuid}.npz", ContentFile(content))
    return name, hashlib.sha256(content).hexdigest()


def prune(algorithm: str) -> None:
    """Delete the files of old runs of an algorithm; what ever served stays, so that it can serve again."""
    runs = TrainingRun.objects.filter(algorithm=algorithm, championships=None).exclude(artefact="").order_by("-id")
    for run in runs[KEPT:]:
        TrainingRun.objects.filter(pk=run.pk).update(artefact="")
        default_storage.delete(run.artefact)


def load(run: TrainingRun) -> Artefact:
    """Return the model of a run; read once per process.

    Raises
    ------
    ArtefactError : the file is missing, truncated or not the one that training wrote.
    """
    # As text: the members of a model of models can't be the key of a cache.
    params = json.dumps(run.params.get("model", {}), sort_keys=True)
    return _load(run.artefact, run.artefact_sha256, run.algorithm, params)


@lru_cache(maxsize=LOADED)
def _load(name: str, sha256: str, algorithm: str, params: str) -> Artefact:
    if not name:
        raise ArtefactError(_("The file of this model was cleared away. Train again."))
    try:
        with default_storage.open(name) as file:
            content = file.read()
    except (OSError, ValueError) as error:
        raise ArtefactError(_("The file of this model is missing. Train again.")) from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ArtefactError(_("The file of this model was changed since training. It is not used; train again."))
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        model = create(algorithm, json.loads(params)).load_arrays(_below(arrays, MODEL))
        popular = MostPopular().load_arrays(_below(arrays, POPULAR))
        # Files of before had popular alone.
        rising = _below(arrays, TRENDING)
        trending = Trending().load_arrays(rising) if rising else popular
        n_orders = arrays.get("n_orders", popular.item_scores)
        return Artefact(model, popular, trending, n_orders, IdMap(arrays["shoppers"]), IdMap(arrays["products"]))
    except (KeyError, ValueError, TypeError, OSError, zipfile.BadZipFile) as error:
        raise ArtefactError(_("The file of this model can't be read. Train again.")) from error


def _below(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
