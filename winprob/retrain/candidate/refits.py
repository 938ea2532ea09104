"""Fits of a retraining; the draws of one that does not converge are kept, and a later run goes on from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from winprob.errors import InputError, NotConvergedError
from winprob.i18n import gettext

if TYPE_CHECKING:
    from winprob.model.posterior import Posterior
    from winprob.retrain.candidate.evidence import FitInputs

#: The name of the fit to everything; that of a block's refit has the block's number.
EVERYTHING = "everything"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfinishedFits:
    """A folder of draws that missed their gates, a file for each fit of a retraining by name."""

    folder: Path

    def names(self) -> list[str]:
        """The fits that did not converge."""
        return sorted(path.stem for path in self.folder.glob("*.npz"))

    def place(self, name: str) -> Path:
        """The file of a fit."""
        return self.folder / f"{name}.npz"

    def clear(self, *names: str) -> None:
        """Remove the files of these fits, and the folder once it is empty."""
        for name in names:
            self.place(name).unlink(missing_ok=True)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()


def unfinished_fits(folder: Path, *, resume: bool) -> UnfinishedFits:
    """The folder in which a run keeps its unfinished fits; those of the last run are removed, unless it goes on.

    Raises
    ------
    InputError
        There is nothing to go on from.
    """
    kept = UnfinishedFits(folder=folder)
    if not resume:
        kept.clear(*kept.names())
    elif not kept.names():
        raise InputError(gettext("there is no unfinished run in {path}: retrain without --resume.", path=folder))
    return kept


def fit_inputs(inputs: FitInputs, name: str, unfinished: UnfinishedFits | None, **how: Any) -> Posterior:
    """Fit the tables, from the draws of an unfinished run where there are any.

    Raises
    ------
    NotConvergedError
        The draws missed their gates; they are in the folder of ``unfinished``.
    InputError
        The unfinished run was of other deals, settings or seed.
    """
    from winprob.model import inference

    how = {**inputs.more, **how}
    if unfinished and unfinished.place(name).exists():
        how["unfinished"] = inference.Unfinished.load(unfinished.place(name))
    try:
        posterior = inference.fit(inputs.deals, **how)
    except NotConvergedError as error:
        if unfinished and error.unfinished is not None:
            unfinished.folder.mkdir(parents=True, exist_ok=True)
            error.unfinished.save(unfinished.place(name))
        raise
    if unfinished:
        unfinished.clear(name)
    return posterior
