"""Canonical values of output tables in the reader's language: roles, terms, lines, flags, verdicts, model names."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from winprob.actions.flags import flag_title
from winprob.actions.levers import LEVERS, lever_label
from winprob.data.schema import COLUMNS
from winprob.i18n import gettext, language
from winprob.methodology import DECISION_METHODS, ROLES, STAGES, SUPPORT_TIERS, column_label, label
from winprob.model.effects import NO_VALUE, OTHER_VALUE, TIERS, UNKNOWN, WEIGHT
from winprob.model.explanation import term_title
from winprob.model.features import WORDS
from winprob.model.win.terms import ROLE_TERMS
from winprob.quarter import line_name


def cell_text(column: str, row: Mapping[Any, Any]) -> str:
    """A text of an output table: in English its canonical value, in Chinese the label of that, where it has one."""
    text = str(row[column])
    if language() == "en":
        return text
    if column == "level" and "term" in row:
        return level_title(str(row["term"]), text)
    return _SHOWN[column](text) if column in _SHOWN else text


def level_title(term: str, level: str) -> str:
    """The level as a reader knows it, in the current language."""
    special = {
        NO_VALUE: gettext("blank"),
        OTHER_VALUE: gettext("other"),
        WEIGHT: gettext("weight"),
        "scale": gettext("scale"),
    }
    if level in special:
        return special[level]
    if level.startswith(f"{WEIGHT} ("):
        method = level.removeprefix(f"{WEIGHT} (").removesuffix(")")
        shown = label("decision_method", method) if method in DECISION_METHODS else method
        return gettext("weight ({method})", method=shown)
    if term in ROLE_TERMS:
        return gettext("not reported") if level == UNKNOWN else label("support", SUPPORT_TIERS[TIERS.index(level)])
    dims = {word.column: word.dim for word in WORDS}
    if term not in dims:
        return level
    return gettext("unknown") if level == UNKNOWN else label(dims[term], level)


def _term(text: str) -> str:
    special = {"base_rate": gettext("Base rate"), "doubt": gettext("Uncertainty of the support")}
    return special[text] if text in special else term_title(text)


def _column(text: str) -> str:
    role = text.removesuffix("_readings")
    if role in ROLES and role != text:
        return gettext("readings of the {role}", role=label("role", role))
    return column_label(text) if text in COLUMNS else text


def _group(text: str) -> str:
    """The line of a forecast that belongs to no group is called as in the lines."""
    return line_name(text) if text == "not_yet_created" else text


def _of(word: str, accepted: tuple[str, ...]) -> Callable[[str], str]:
    return lambda text: label(word, text) if text in accepted else text


def _flags(text: str) -> str:
    return gettext(", ").join(map(flag_title, filter(None, text.split(", "))))


def _scenario(text: str) -> str:
    """``coach=validated`` of a what-if, and its first and last row."""
    column, sign, value = text.partition("=")
    if not sign:
        return _word(text)
    if column.endswith("_support") and value in map(str, SUPPORT_TIERS):
        value = label("support", value)
    elif column in _ACCEPTED:
        value = _of(*_ACCEPTED[column])(value)
    return gettext("{column}: {value}", column=_column(column), value=value)


def _subject(text: str) -> str:
    """A quantity of the predictive check, a role under a decision method, or a parameter by its name."""
    from winprob.evaluation.diagnosis import quantity_title

    if text == "log loss":
        return _word(text)
    role, _, method = text.partition(", ")
    if role in ROLES and method in DECISION_METHODS:
        return gettext("{first} {second}", first=label("role", role), second=label("decision_method", method))
    return quantity_title(text)


def _verdict(text: str) -> str:
    count, found, _ = text.partition(" deals not to be trusted")
    return gettext("{count} deals not to be trusted", count=count) if found else _word(text)


def _word(text: str) -> str:
    return _words(language()).get(text, text)


@cache
def _words(_: str) -> Mapping[str, str]:
    """Verdicts, kinds and model names by their canonical value; one dictionary a language."""
    return {
        "error": gettext("Error"),
        "warning": gettext("Warning"),
        "note": gettext("Note"),
        "present": gettext("present"),
        "together": gettext("together"),
        "can_rise": gettext("can rise"),
        "top_tier": gettext("at the top tier already"),
        "not_yet": gettext("not at this stage yet"),
        "worth_it": gettext("worth it"),
        "not_worth_it": gettext("not worth it"),
        "cannot_tell": gettext("not decided"),
        "learned": gettext("learned"),
        "mostly_prior": gettext("mostly prior"),
        "not_in_deals": gettext("not in the deals"),
        "tested": gettext("tested"),
        "current": gettext("current"),
        "was current": gettext("was current"),
        "held": gettext("held"),
        "candidate": gettext("candidate"),
        "skipped": gettext("skipped"),
        "failed": gettext("failed"),
        "add": gettext("added"),
        "hold": gettext("held"),
        "promote": gettext("promoted"),
        "revert": gettext("reverted"),
        "flag": gettext("option"),
        "default": gettext("default"),
        "settings": gettext("settings"),
        "mapping": gettext("mapping"),
        "definitions": gettext("definitions"),
        "data": gettext("training data"),
        "role_weight": gettext("weight of the role"),
        "winprob + seller": gettext("winprob + seller"),
        "previous model": gettext("previous model"),
        "base rate": gettext("base rate"),
        "stage win rate": gettext("win rate by stage"),
        "CRM stage default": gettext("CRM stage default"),
        "logistic": gettext("logistic regression"),
        "boosting": gettext("boosted trees"),
        "rep_probability": gettext("Seller's own number"),
        "predictive": gettext("predictive check"),
        "left out": gettext("left out"),
        "power": gettext("prior sensitivity"),
        "conflict": gettext("conflict with the method"),
        "agrees": gettext("agrees"),
        "too few deals to judge": gettext("too few deals to judge"),
        "outside the interval": gettext("outside the interval"),
        "data against the method": gettext("data against the method"),
        "data lean against it": gettext("data lean against it"),
        "data agree": gettext("data agree"),
        "data do not say": gettext("data do not show"),
        "can be trusted": gettext("can be trusted"),
        "log loss": gettext("log loss"),
        "prior decides": gettext("prior decides"),
        "both count": gettext("both count"),
        "data decide": gettext("data decide"),
    }


_ACCEPTED = {
    "stage": ("stage", STAGES),
    "decision_method": ("decision_method", DECISION_METHODS),
    "coach": ("coach", ("none", "unvalidated", "validated")),
}
#: How the values of a column are shown; columns of names, sentences and ids are not here.
_SHOWN: Mapping[str, Callable[[str], str]] = {
    **{column: _of(*accepted) for column, accepted in _ACCEPTED.items()},
    "role": lambda text: lever_label(text) if text in LEVERS else text,
    **dict.fromkeys(("segment", "region", "seller", "product"), _group),
    **dict.fromkeys(("severity", "standing", "evidence", "status", "verb", "source", "part", "model", "check"), _word),
    "verdict": _verdict,
    "diagnosis": _word,
    "term": _term,
    "fact": term_title,
    "key": _of("role", ROLES),
    "column": _column,
    "line": line_name,
    "flag": _flags,
    "flags": _flags,
    "scenario": _scenario,
    "subject": _subject,
}
