"""Red flags: contradictions and warning signs in the record of open deals, without a model."""

from winprob.actions.flags.finding import (
    deal_flag_sentences,
    find_flags,
    flag_sentences,
    flag_title,
    flags_of,
    open_readings,
    order_by_value,
    with_flags,
)

__all__ = [
    "deal_flag_sentences",
    "find_flags",
    "flag_sentences",
    "flag_title",
    "flags_of",
    "open_readings",
    "order_by_value",
    "with_flags",
]
