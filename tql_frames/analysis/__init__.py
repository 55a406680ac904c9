"""What a sampler does to a frame, in numbers, text and pictures."""

from tql_frames.analysis.balance import Balance, balance_on
from tql_frames.analysis.population import population_of, sampled_by
from tql_frames.analysis.report import Expectations, Report, report_on

__all__ = ["Balance", "Expectations", "Report", "balance_on", "population_of", "report_on", "sampled_by"]
