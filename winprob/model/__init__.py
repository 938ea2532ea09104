"""The Bayesian model: features, win model, time to close, inference, and prediction from a fitted model."""
