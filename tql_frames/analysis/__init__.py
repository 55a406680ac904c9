"""Describe what a sampler does to a frame, in numbers, text and charts."""

from tql_frames.analysis.balance import Balance, balance_on, with_parameters
from tql_frames.analysis.class_weights import sampler_of_weights
from tql_frames.analysis.explain import Explanation, explain_sampler, explain_statement
from tql_frames.analysis.label_columns import LabelColumns
from tql_frames.analysis.population import population_of, sampled_by
from tql_frames.analysis.report import Expectations, Report, report_on

__all__ = [
    "Balance",
    "Expectations",
    "Explanation",
    "LabelColumns",
    "Report",
    "balance_on",
    "explain_sampler",
    "explain_statement",
    "population_of",
    "report_on",
    "sampled_by",
    "sampler_of_weights",
    "with_parameters",
]
