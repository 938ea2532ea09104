"""Settings: frozen records, read from one TOML file in which a typo is an error."""

from winprob.settings.decisions import (
    CalendarSettings,
    EvaluationSettings,
    FlagSettings,
    LeverSettings,
    MonitorSettings,
    QuarterSettings,
    RetrainingSettings,
    ReviewSettings,
    VisitSettings,
)
from winprob.settings.model import (
    CovariateSettings,
    GateSettings,
    NumericCovariate,
    PriorSettings,
    RefitSettings,
    SamplerSettings,
    TimingSettings,
)
from winprob.settings.reading import Settings, read_settings, settings_from

__all__ = [
    "CalendarSettings", "CovariateSettings", "EvaluationSettings", "FlagSettings", "GateSettings", "LeverSettings",
    "MonitorSettings", "NumericCovariate", "PriorSettings", "QuarterSettings", "RefitSettings", "RetrainingSettings",
    "ReviewSettings", "SamplerSettings", "Settings", "TimingSettings", "VisitSettings", "read_settings",
    "settings_from",
]  # fmt: skip
