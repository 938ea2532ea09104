"""A model of a registry: its folder, and its files checked against the hashes in the log."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from winprob.data.tables.shared_folder import SCRATCH
from winprob.errors import RegistryError
from winprob.i18n import gettext, language
from winprob.model.posterior import Posterior
from winprob.retrain.registry_log import MODEL, LogLine

GATE = "gate.json"
#: The verdict in ``gate.json`` after which no reason is needed to make the model current.
_PASSED = "promote"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A model of a registry.

    Attributes
    ----------
    number, name : ``7`` and ``0007-3fa9c1``: the number, and the first digits of ``hash``
    path : its folder
    hash : SHA-256 of the names and hashes of its files
    files : SHA-256 of each file, by name
    added_on : when it was added, in UTC, ISO 8601
    by, reason : who added it, and why
    held : whether it was added as held back by the gate
    """

    number: int
    name: str
    path: Path
    hash: str
    files: Mapping[str, str] = field(repr=False, hash=False)
    added_on: str
    by: str
    reason: str
    held: bool

    def read(self, name: str) -> bytes | None:
        """The content of a file, None where the model has no such file.

        Raises
        ------
        RegistryError
            The file is missing, or differs from its hash in the log.
        """
        if name not in self.files:
            return None
        faults = list(_file_faults(self, name))
        if faults:
            raise RegistryError(
                gettext(
                    "{faults}. Restore the folder {name} from a copy, or make another model current: "
                    "winprob models revert.",
                    faults="; ".join(faults),
                    name=self.name,
                )
            )
        return (self.path / name).read_bytes()

    def load(self) -> Posterior:
        """The fitted model.

        Raises
        ------
        RegistryError
            Its file is missing or altered.
        PosteriorError
            Its file is not a model of this version.
        """
        self.read(MODEL)
        return Posterior.load(self.path / MODEL)

    def gate(self) -> dict[str, Any]:
        """The content of ``gate.json``; empty where there is none or it is not a JSON object."""
        try:
            content = json.loads(self.read(GATE) or b"{}")
        except (ValueError, RecursionError):
            return {}
        return content if isinstance(content, dict) else {}


def needs_reason(entry: Entry) -> bool:
    """Whether the gate did not pass the model, so that only a person with a reason may make it current."""
    verdict = entry.gate().get("verdict")
    return entry.held or (verdict is not None and verdict != _PASSED)


def verdict_text(entry: Entry) -> str:
    """The verdict of the gate in the current language; empty where there is none."""
    gate = entry.gate()
    for value in (gate.get("text"), gate.get("verdict")):
        if isinstance(value, dict):
            value = value.get(language())
        if isinstance(value, str) and value:
            return value
    return ""


def content_hash(files: Mapping[str, str]) -> str:
    """SHA-256 of a model's files: of their names and hashes, as ``sha256sum`` lists them."""
    return sha256("".join(f"{own}  {name}\n" for name, own in sorted(files.items())).encode()).hexdigest()


def entry_of(registry: Path, line: LogLine) -> Entry:
    """The model that a line of the log added."""
    name = str(line.target)
    return Entry(
        number=int(name.partition("-")[0]),
        name=name,
        path=place_of(registry, name),
        hash=content_hash(line.files),
        files=line.files,
        added_on=line.when,
        by=line.who,
        reason=line.reason,
        held=line.verb == "hold",
    )


def place_of(registry: Path, name: str) -> Path:
    """The folder of a model; where its writer was killed before the last rename, the temporary one."""
    place, staged = registry / name, staged_place(registry, name)
    return staged if staged.is_dir() and not place.exists() else place


def staged_place(registry: Path, name: str) -> Path:
    """The temporary folder in which a model is written."""
    return registry / f"{SCRATCH}{name}"


def entry_faults(entry: Entry) -> Iterator[str]:
    """Files of a model that are missing, altered or added, in words."""
    if entry.path.is_symlink() or not entry.path.is_dir():
        yield gettext("{path} is missing: the folder of a model in the log", path=entry.path)
        return
    if not entry.name.endswith(f"-{entry.hash[:6]}"):
        yield gettext("{name}: the name does not follow from its files in the log", name=entry.name)
    for name in sorted(entry.files):
        yield from _file_faults(entry, name)
    for place in sorted(entry.path.iterdir()):
        if place.name not in entry.files:
            yield gettext("{path} was added after the model", path=place)


def _file_faults(entry: Entry, name: str) -> Iterator[str]:
    place = entry.path / name
    if place.is_symlink() or not place.is_file():
        yield gettext("{path} is missing", path=place)
        return
    try:
        data = place.read_bytes()
    except OSError as fault:
        yield gettext("{path} cannot be read: {reason}", path=place, reason=fault.strerror or fault)
        return
    if sha256(data).hexdigest() != entry.files[name]:
        yield gettext("{path} was altered: it differs from its hash in the log", path=place)
