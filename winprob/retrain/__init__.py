"""Retraining: models on file, the gate that a new one must pass, and whether the current one is still calibrated."""
