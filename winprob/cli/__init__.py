"""The command line: parse the arguments, call the library, print. Heavy packages are imported only when needed."""

from winprob.cli.app import main

# Each of these adds its commands to ``main``, in the order in which ``--help`` lists them.
from winprob.cli import project, week, data, model, prediction, evaluation, saved_model  # noqa: F401  isort: skip
from winprob.cli import actions, worksheets  # noqa: F401  isort: skip
from winprob.cli import quarter, replay, writeback, retrain, retraining, monitoring, scale  # noqa: F401  isort: skip

__all__ = ["main"]
