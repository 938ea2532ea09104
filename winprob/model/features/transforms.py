"""Transforms of a numeric column, and the way back."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit, logit

#: A probability is clipped to this range before its logit: "certain" is no more than a strong opinion.
_LOGIT_RANGE = (0.01, 0.99)


class Transform(NamedTuple):
    """A transform of a numeric column, and the way back."""

    there: Callable[[Any], Any]
    back: Callable[[Any], Any]


#: By name, as settings and mappings have them.
TRANSFORMS: Mapping[str, Transform] = {
    "identity": Transform(np.asarray, np.asarray),
    "log1p": Transform(np.log1p, np.expm1),
    "logit": Transform(lambda share: logit(np.clip(share, *_LOGIT_RANGE)), expit),
}
