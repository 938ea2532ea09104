"""Everything that can be tuned, in one record."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from winprob.settings.calendar import CalendarSettings
from winprob.settings.decisions import EvaluationSettings, LeverSettings, VisitSettings
from winprob.settings.forecast import QuarterSettings, ReviewSettings, TimingSettings
from winprob.settings.model import CovariateSettings, GateSettings, PriorSettings, RefitSettings, SamplerSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be tuned."""

    sampler: SamplerSettings = field(default_factory=SamplerSettings)
    gates: GateSettings = field(default_factory=GateSettings)
    priors: PriorSettings = field(default_factory=PriorSettings)
    covariates: CovariateSettings = field(default_factory=CovariateSettings)
    calendar: CalendarSettings = field(default_factory=CalendarSettings)
    evaluation: EvaluationSettings = field(default_factory=EvaluationSettings)
    levers: LeverSettings = field(default_factory=LeverSettings)
    visits: VisitSettings = field(default_factory=VisitSettings)
    timing: TimingSettings = field(default_factory=TimingSettings)
    review: ReviewSettings = field(default_factory=ReviewSettings)
    quarter: QuarterSettings = field(default_factory=QuarterSettings)
    refit: RefitSettings = field(default_factory=RefitSettings)

    def for_refits(self) -> Settings:
        """The same, with the sampler and gates of ``refit``."""
        return replace(self, sampler=self.refit.sampler, gates=self.refit.gates)
