"""Optional packages: the extras of an installation, and one message for an extra that is missing."""

from importlib import import_module
from typing import Any

from winprob.errors import MissingExtraError
from winprob.i18n import gettext

#: The packages of each extra, by the names under which they are imported.
EXTRAS = {
    "pdf": ("weasyprint",),
    "sql": ("sqlalchemy", "psycopg", "keyring"),
    "salesforce": ("simple_salesforce",),
    "spark": ("pyspark",),
    "dask": ("dask", "distributed"),
}


def require(module: str, extra: str) -> Any:
    """Import ``module``, a package of ``extra`` or a module inside one, and return it.

    Call it inside the function that needs the module, first thing, so that nothing is done before it fails and
    ``import winprob`` loads no extra.

    Raises
    ------
    MissingExtraError
        The module cannot be imported. The message names the extra and the command that installs it.
    """
    if module.partition(".")[0] not in EXTRAS[extra]:
        raise ValueError(f"module {module!r} is not of the extra {extra!r}: {', '.join(EXTRAS[extra])}")
    try:
        return import_module(module)
    except ImportError as error:
        message = gettext(
            "this needs the extra {extra}, which is not installed ({reason}). Install it with: "
            "pip install 'winprob[{extra}]'",
            extra=extra,
            reason=error,
        )
        raise MissingExtraError(message) from error
