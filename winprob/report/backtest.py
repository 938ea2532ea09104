"""What does a backtest look like on a page?"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from winprob.i18n import gettext
from winprob.report.calibration_chart import draw_groups, draw_reliability
from winprob.report.sheet import Section, Sheet, grid_of

#: Groups are told of one repeat, the largest first.
_GROUPS = 30


def backtest_sheet(record: Mapping[str, Any], verdict: Sequence[str]) -> Sheet:
    """Scores, comparisons and calibration of one backtest.

    Parameters
    ----------
    record : as ``evaluation.Backtest.record`` gives it
    verdict : what to make of it, a sentence each
    """
    return Sheet(
        title=gettext("Backtest: was it right?"),
        lead=tuple(verdict),
        sections=(
            Section(
                title=gettext("Scores on deals the models had not seen"),
                words=(
                    gettext(
                        "log_loss and brier: lower is better. auc: the share of pairs, one won and one not, in which "
                        "the won deal had the higher chance. calibration_slope: below 1, the chances lie too far from "
                        "the middle. coverage_90: the share of groups that won as many deals as their 90% interval "
                        "says; 0.90 is right. Models without an interval are taken at their word."
                    ),
                ),
                grid=grid_of(pd.DataFrame(record["table"])),
            ),
            difference_section(record),
            calibration_section(record),
        ),
    )


def difference_section(record: Mapping[str, Any]) -> Section:
    """Winprob beside each other model, with intervals."""
    return Section(
        title=gettext("winprob beside each other model"),
        words=(
            gettext(
                "Log loss of winprob minus that of the other, on the deals both have, with a 90% interval; below zero "
                "winprob is better, an interval with zero inside is no difference beyond chance."
            ),
        ),
        grid=grid_of(pd.DataFrame(record["differences"])),
    )


def calibration_section(record: Mapping[str, Any]) -> Section:
    """The reliability curve, and groups against what was expected of them."""
    groups = _one_repeat(record["groups"])
    charts = [draw_reliability(pd.DataFrame(record["reliability"]))]
    if groups:
        charts.append(draw_groups(groups))
    return Section(title=gettext("Calibration"), charts=tuple(charts))


def _one_repeat(groups: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    first = {(group["grouping"], group["level"]): group for group in reversed(groups)}
    shown = sorted(first.values(), key=lambda group: -group["n"])[:_GROUPS]
    order = list(dict.fromkeys(group["grouping"] for group in groups))
    return sorted(shown, key=lambda group: (order.index(group["grouping"]), group["level"]))
