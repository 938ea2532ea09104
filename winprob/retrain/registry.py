"""A registry of models in files: a folder for each, an append-only log, and one line that names the current model."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from winprob.data.tables import shared_folder
from winprob.errors import RegistryError
from winprob.i18n import gettext
from winprob.model.posterior import Posterior
from winprob.retrain import registry_files as layout
from winprob.retrain import registry_writing as steps
from winprob.retrain.entry import Entry, content_hash, entry_faults, entry_of, needs_reason
from winprob.retrain.registry_log import ADDING, FILE_NAME, MODEL, Log, LogLine


class Registry:
    """The models of a team, one of them current, in a folder that is made when the first model is added.

    Several programs may use one registry: writers wait for each other, and one killed at any moment leaves it whole.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def log(self) -> tuple[LogLine, ...]:
        """Every line of the log, oldest first.

        Raises
        ------
        RegistryError
            The folder is not a registry, or its log was altered.
        """
        return layout.read_log(self.path).lines

    def entries(self) -> list[Entry]:
        """Every model, oldest first.

        Raises
        ------
        RegistryError
            The folder is not a registry, or its log was altered.
        """
        return [entry_of(self.path, line) for line in layout.read_log(self.path).added.values()]

    def entry(self, which: int | str) -> Entry:
        """A model by its number or name: ``7``, ``"7"``, ``"0007"`` or ``"0007-3fa9c1"``.

        Raises
        ------
        RegistryError
            It does not exist.
        """
        entries, text = self.entries(), str(which)
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
        for entry in entries:
            if text == entry.name or number == entry.number:
                return entry
        known = ", ".join(entry.name for entry in entries) or "-"
        raise RegistryError(
            gettext("{path} has no model {which!r}; it has: {known}.", path=self.path, which=text, known=known)
        )

    def current(self) -> Entry | None:
        """The current model, None where none was promoted.

        Raises
        ------
        RegistryError
            The folder is not a registry or was altered, or ``current`` names another model than the log.
        """
        name, log = layout.read_current(self.path), layout.read_log(self.path)
        if name not in layout.possible(log):
            # A writer may have changed both between the two.
            layout.require_registry(self.path)
            with shared_folder.locked(self.path):
                name, log = layout.read_current(self.path), layout.read_log(self.path)
        layout.require_possible(self.path, name, log)
        return entry_of(self.path, log.added[name]) if name else None

    def load(self, which: int | str | None = None) -> Posterior:
        """The current model, or another by number or name, its file compared with the hash in the log.

        Raises
        ------
        RegistryError
            The model does not exist, none is current, or its file is missing or altered.
        PosteriorError
            Its file is not a model that this version reads.
        """
        entry = self.current() if which is None else self.entry(which)
        if entry is None:
            raise RegistryError(
                gettext(
                    "registry {path} has no current model. Choose one: winprob models promote N --registry {path}",
                    path=self.path,
                )
            )
        return entry.load()

    def verify(self) -> list[str]:
        """Everything that is wrong with the registry, in words: files, log, order of its lines, current model.

        Raises
        ------
        RegistryError
            The folder is not a registry.
        """
        layout.require_registry(self.path)
        with shared_folder.locked(self.path):
            return list(layout.registry_faults(self.path))

    def add(self, files: Mapping[str, bytes], *, verb: str = "add", reason: str = "", by: str | None = None) -> Entry:
        """Add a model, whole or not at all. It does not become current.

        Parameters
        ----------
        files : content by file name, ``model.nc`` among them
        verb : ``add``; ``hold`` for a model that the gate holds back
        by : who adds it, such as a pseudonym; by default the login name

        Raises
        ------
        RegistryError
            ``model.nc`` is missing, a name or the verb is wrong, or the registry was altered.
        OutputError
            The folder cannot be written.
        """
        _require_files(files, verb)
        digests = {name: sha256(data).hexdigest() for name, data in sorted(files.items())}
        with steps.writing(self.path) as log:
            name = f"{steps.next_number(self.path, log):04d}-{content_hash(digests)[:6]}"
            line = steps.new_line(verb, None, name, reason, by, digests)
            steps.stage(self.path, name, files)
            steps.append(self.path, line, log)
            steps.unstage(self.path, name)
            return entry_of(self.path, line)

    def promote(
        self, which: int | str, reason: str = "", *, by: str | None = None, compared_with: str | None = None
    ) -> Entry:
        """Make a model the current one.

        Parameters
        ----------
        reason : required where the gate did not pass the model
        compared_with : name of the model with which the gate compared it; refused if another is current by now

        Raises
        ------
        RegistryError
            The model does not exist, is current, damaged, held without a reason, or was compared with another.
        """
        with steps.writing(self.path) as log:
            entry = self.entry(which)
            _require_promotable(entry, log, reason, compared_with)
            return self._move("promote", entry, reason, by, log)

    def revert(self, reason: str = "", *, by: str | None = None) -> Entry:
        """Make the model current that was current before the last promotion that was not reverted.

        Raises
        ------
        RegistryError
            No model was current before, or it is damaged.
        """
        with steps.writing(self.path) as log:
            if log.before is None:
                raise RegistryError(
                    gettext(
                        "registry {path}: no other model was current before, so none can be restored.", path=self.path
                    )
                )
            return self._move("revert", self.entry(log.before), reason, by, log)

    def _move(self, verb: str, entry: Entry, reason: str, by: str | None, log: Log) -> Entry:
        faults = list(entry_faults(entry))
        if faults:
            raise RegistryError(
                gettext(
                    "{name} cannot become current: {faults}. Restore its folder from a copy, or choose another model.",
                    name=entry.name,
                    faults="; ".join(faults),
                )
            )
        steps.append(self.path, steps.new_line(verb, log.current, entry.name, reason, by), log)
        steps.point(self.path, entry.name)
        return entry


def _require_promotable(entry: Entry, log: Log, reason: str, compared_with: str | None) -> None:
    if compared_with is not None and log.current != compared_with:
        raise RegistryError(
            gettext(
                "{name} was compared with {compared}, and {current} is current by now. Compare it again.",
                name=entry.name,
                compared=compared_with,
                current=log.current or "-",
            )
        )
    if entry.name == log.current:
        raise RegistryError(gettext("{name} is the current model already.", name=entry.name))
    if not reason.strip() and needs_reason(entry):
        raise RegistryError(
            gettext(
                "the gate did not pass {name}. To promote it all the same, give a reason: --reason", name=entry.name
            )
        )


def _require_files(files: Mapping[str, bytes], verb: str) -> None:
    if verb not in ADDING:
        raise RegistryError(
            gettext("a model is added by {verbs}, not by {verb!r}.", verbs=", ".join(ADDING), verb=verb)
        )
    if MODEL not in files:
        raise RegistryError(gettext("a model of a registry needs the file {file}.", file=MODEL))
    wrong = [name for name in files if not FILE_NAME.fullmatch(name)]
    if wrong:
        raise RegistryError(
            gettext("these are not names of files of a model: {names}.", names=", ".join(map(repr, wrong)))
        )
