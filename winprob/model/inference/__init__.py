"""Can we believe the draws? Sample, pass the gates, and hand back a fitted model, or refuse."""

from winprob.model.inference.fitting import Learned, Training, fit, fit_prior, learn, read_training, versions
from winprob.model.inference.gates import Gates
from winprob.model.inference.sampling import Progress

__all__ = ["Gates", "Learned", "Progress", "Training", "fit", "fit_prior", "learn", "read_training", "versions"]
