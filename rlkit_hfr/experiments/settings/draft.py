"""Settings on their way to a variant: each value keeps the source it came from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from rlkit_hfr.experiments.settings.json_files import JsonObject
from rlkit_hfr.experiments.settings.keys import Keys, check_truth

Variant = JsonObject  # the settings of a run: sections as dicts within


class Source(Enum):
    """Where a value came from."""

    DEFAULT = "the defaults"
    FAMILY = "the task family"
    PRESET = "the preset"
    CONFIG = "the config"
    COMMAND_LINE = "the command line"


@dataclass(frozen=True)
class Setting:
    value: Any  # as JSON has it
    source: Source


class Draft:
    """Values by section and name.

    What is set later replaces what was set before, source and all.
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._settings: dict[tuple[str, str], Setting] = {}

    def put(self, key: str, value: object, source: Source) -> None:
        """Set ``key`` or ``section.key``.

        ValueError if there is no such setting, or for a bad truth value.
        """
        section, name = self._keys.place(key)
        if self._keys.is_truth(section, name):
            check_truth(name, value)
        self._settings[section, name] = Setting(value, source)

    def __getitem__(self, key: str) -> Any:
        return self._settings[self._keys.place(key)].value

    def source(self, key: str) -> Source | None:
        """Where a value came from; None if there is none."""
        setting = self._settings.get(self._keys.place(key))
        return None if setting is None else setting.source

    def drop(self, section: str, names: set[str], sources: set[Source]) -> None:
        """Forget the settings of these names that come from these sources."""
        for name in names:
            setting = self._settings.get((section, name))
            if setting is not None and setting.source in sources:
                del self._settings[section, name]

    def variant(self) -> Variant:
        """The values by themselves, sections as dicts within."""
        variant: Variant = {section: {} for section in self._keys.sections if section}
        for (section, name), setting in self._settings.items():
            (variant[section] if section else variant)[name] = setting.value
        return variant
