"""How is a setting that cannot be refused?"""

from __future__ import annotations

from winprob.catalog import say
from winprob.errors import SettingsError


def wrong(where: str, got: object, wanted: str) -> SettingsError:
    return SettingsError(say("setting {path!r} is {got!r}, wanted {wanted}", path=where, got=got, wanted=wanted))


def require(holds: bool, where: str, got: object, wanted: str) -> None:
    if not holds:
        raise wrong(where, got, wanted)
