"""What is worth finding out? Bits about the outcome in every open fact of a deal, and the questions worth most.

For one deal and one draw of the parameters a fact has *answers* ``x``, each with a chance ``P(x)`` given what is known
and a win probability ``p(x)`` once it is known. Over the draws these make one joint table of answer and outcome; its
mutual information is the fact's ``bits``. See ``answers`` for what an answer is, ``tables`` for how the joint table is
made to agree with the win probability that ``predict`` tells.

References
----------
Lindley (1956), On a measure of the information provided by an experiment, doi 10.1214/aoms/1177728069.
"""

from winprob.actions.questions.planning import plan_questions, still_open
from winprob.actions.questions.ranking import rank_unknowns
from winprob.actions.questions.sentences import plan_sentences, ranking_sentences

__all__ = [
    "plan_questions",
    "plan_sentences",
    "rank_unknowns",
    "ranking_sentences",
    "still_open",
]
