"""How is a setting that cannot be refused?"""

from winprob.errors import SettingsError
from winprob.i18n import gettext


def wrong(where: str, got: object, wanted: str) -> SettingsError:
    return SettingsError(gettext("setting {path!r} is {got!r}, wanted {wanted}", path=where, got=got, wanted=wanted))


def require(holds: bool, where: str, got: object, wanted: str) -> None:
    if not holds:
        raise wrong(where, got, wanted)
