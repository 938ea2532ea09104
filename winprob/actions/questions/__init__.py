"""Which open facts of a deal are worth asking about: expected information gain, and the questions.

For one deal and one draw of the parameters a fact has *answers* ``x``, each with a probability ``P(x)`` given the
record and a win probability ``p(x)`` once it is known. Averaged over the draws these give the joint table of answer
and outcome; its mutual information is the fact's ``bits``. See ``answers`` for the definition of an answer and
``mutual_information`` for the reweighting of the joint table to the win probability that ``predict`` reports.

References
----------
Lindley (1956), On a measure of the information provided by an experiment, doi 10.1214/aoms/1177728069.
"""

from winprob.actions.questions.planning import plan_questions
from winprob.actions.questions.ranking import rank_unknowns
from winprob.actions.questions.sentences import plan_sentences, ranking_sentences
from winprob.actions.questions.sources import name_sources

__all__ = [
    "name_sources",
    "plan_questions",
    "plan_sentences",
    "rank_unknowns",
    "ranking_sentences",
]
