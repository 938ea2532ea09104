"""Convert a page to PDF with WeasyPrint (extra ``pdf``), using the fonts of this machine."""

from pathlib import Path
from typing import NoReturn

from winprob.data.tables import replacing
from winprob.errors import OutputError
from winprob.i18n import gettext


def require_pdf() -> None:
    """Check early that PDF output is possible.

    Raises
    ------
    OutputError
        WeasyPrint, or a library it needs, is not installed.
    """
    try:
        import weasyprint  # noqa: F401
    except ImportError as error:
        raise OutputError(
            gettext(
                "a PDF needs the extra pdf, which is not installed ({reason}). Install it with: pip install "
                "'winprob[pdf]', or open the HTML page in a browser and print it.",
                reason=error,
            )
        ) from error
    except OSError as error:
        raise OutputError(
            gettext(
                "WeasyPrint cannot load the system libraries it needs ({reason}). On Debian or Ubuntu: apt-get install "
                "libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0. Or open the HTML page in a browser and print.",
                reason=error,
            )
        ) from error


def write_pdf(page: str, path: Path) -> None:
    """Write the page as a PDF to ``path`` atomically; external resources are refused.

    Raises
    ------
    OutputError
        WeasyPrint is missing, or the file cannot be written.
    """
    require_pdf()
    from weasyprint import HTML

    with replacing(path) as scratch:
        HTML(string=page, url_fetcher=_refuse).write_pdf(scratch)


def _refuse(url: str, *_: object, **__: object) -> NoReturn:
    raise ValueError(f"the page requests {url}; external resources are not allowed")
