"""What is finished stays finished: predictions of a backtest's folds on disk. Hashes and probabilities, no names."""

import hashlib
import json
import zipfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.tables import replacing
from winprob.evaluation.folds import Fold
from winprob.settings import Settings


class Store:
    """Finished folds of one backtest: the same deals, settings, seed and code."""

    def __init__(self, folder: Path | None, deals: pd.DataFrame, settings: Settings, seed: int) -> None:
        self._folder = folder / _key(deals, settings, seed) if folder else None

    def read(self, fold: Fold) -> dict[str, Array] | None:
        """Predictions by model, None where the fold is not finished or its file is damaged."""
        path = self._path(fold)
        if path is None or not path.exists():
            return None
        try:
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                names = json.loads(str(file["names"]))
                found = {name: file[f"model{at}"] for at, name in enumerate(names)}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        return found if all(len(values) == len(fold.test) for values in found.values()) else None

    def write(self, fold: Fold, predictions: dict[str, Array]) -> None:
        """Keep a finished fold."""
        path = self._path(fold)
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {f"model{at}": values.astype(np.float32) for at, values in enumerate(predictions.values())}
        with replacing(path) as scratch, open(scratch, "wb") as file:
            np.savez_compressed(file, allow_pickle=False, names=np.array(json.dumps(list(predictions))), **arrays)

    def _path(self, fold: Fold) -> Path | None:
        if self._folder is None:
            return None
        rows = hashlib.sha256(fold.train.tobytes() + b"|" + fold.test.tobytes()).hexdigest()[:12]
        return self._folder / f"{fold.name}-{rows}.npz"


def _key(deals: pd.DataFrame, settings: Settings, seed: int) -> str:
    digest = hashlib.sha256(json.dumps([asdict(settings), seed, deals.attrs], sort_keys=True, default=str).encode())
    digest.update(pd.util.hash_pandas_object(deals.astype("str"), index=False).to_numpy().tobytes())
    for path in sorted(Path(__file__).resolve().parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
