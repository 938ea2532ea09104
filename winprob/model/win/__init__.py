"""The win model: its parameters, log density, PyMC graph, and linear predictor."""
