"""Sampling: draws that passed the convergence gates, and the fitted model made of them."""

from winprob.model.inference.cost import cost_sentences
from winprob.model.inference.fitting import Learned, fit, fit_prior, learn, versions
from winprob.model.inference.gates import Gates
from winprob.model.inference.sampling import Progress
from winprob.model.inference.training_data import Training, read_training
from winprob.model.inference.unfinished import Unfinished

__all__ = [
    "Gates",
    "Learned",
    "Progress",
    "Training",
    "Unfinished",
    "cost_sentences",
    "fit",
    "fit_prior",
    "learn",
    "read_training",
    "versions",
]
