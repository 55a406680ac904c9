"""Processes that are forked after Polars was used: an error that says what to do, never a process that hangs."""

import multiprocessing
import textwrap

import pytest

from tests.processes import printed_by

FORKS = "fork" in multiprocessing.get_all_start_methods()
pytestmark = pytest.mark.skipif(not FORKS, reason="this system does not fork")


def run(program: str) -> str:
    begin = """
        import multiprocessing, warnings
        import pandas as pd, polars as pl
        import tql_frames
        warnings.simplefilter("ignore", DeprecationWarning)
        fork = multiprocessing.get_context("fork")
        table = pl.DataFrame({"age": [71, 34, 65]})
        patients = pd.DataFrame({"age": [71, 34, 65]})

        def told(call):
            try:
                call()
            except tql_frames.TQLError as error:
                return str(error)
            return "ran"
    """
    return printed_by(textwrap.dedent(begin) + textwrap.dedent(program))


CALLS = {
    "sample": "patients.tql.sample('age', limit=2, seed=1)",
    "sample_polars": "table.tql.sample('age', limit=2, seed=1)",
    "lazy": "table.lazy().tql.sample('age', limit=2, seed=1)",
    "query": "patients.tql.query('select * where age > 40', seed=1)",
    "weights": "patients.tql.weights('age')",
    "report": "patients.tql.report('age', by='age')",
    "explain": "table.tql.explain('age')",
    "view": "patients.tql.view('age', seed=1)",
    "balance": "table.tql.balance(by='age', target='uniform')",
    "split": "table.tql.split({'a': 0.5, 'b': 0.5})",
    "arrow": "tql_frames.sample(arrow, 'age', limit=2)",
    "dataset": "tql_frames.datasets.chest_xray()",
    "kept_view": "kept.to_native()",
    "kept_lazy_view": "chosen.to_native()",
    "kept_statement": "chosen.positions",
    "kept_view_text": "repr(kept)",
    "kept_view_html": "kept._repr_html_()",
    "kept_view_report": "kept.report(by='age')",
    "kept_view_expected": "kept.expected()",
    "kept_report_text": "repr(report)",
    "kept_report_html": "report._repr_html_()",
    "kept_report_plot": "report.plot()",
    "kept_balance": "repr(balance)",
    "kept_split": "repr(parts.report())",
    "kept_split_report": "repr(split_report)",
    "kept_split_plot": "split_report.plot()",
}


@pytest.mark.fault("D5")
def test_a_forked_process_is_told_how_to_start_others() -> None:
    program = f"""
        kept = table.tql.view("age", seed=1)
        chosen = table.lazy().tql.view("select * where age > 40", seed=1)
        report, balance = table.tql.report("age", by="age"), table.tql.balance(by="age", target="uniform")
        parts = table.tql.split({{"a": 0.5, "b": 0.5}}, by="age")
        split_report, arrow = parts.report(), table.to_arrow()
        table.filter(pl.col("age") > 40)  # Polars has threads by now

        def work(text):
            return told(lambda: eval(text))

        with fork.Pool(1) as pool:
            for text in {list(CALLS.values())!r}:
                print(pool.apply(work, (text,)).splitlines())
    """
    lines = run(program).splitlines()
    assert len(lines) == len(CALLS)
    for line in lines:
        assert "it was forked after Polars had started its threads" in line
        assert "spawn or forkserver" in line


@pytest.mark.fault("D5")
def test_polars_used_by_others_counts_too() -> None:
    program = """
        pl.DataFrame({"a": [2, 1]}).lazy().sort("a").collect()
        process = fork.Process(target=lambda: print(told(lambda: patients.tql.weights("age")).splitlines()[0]))
        process.start()
        process.join()
    """
    assert "Polars cannot run in this process" in run(program)


@pytest.mark.fault("D5")
def test_a_process_forked_before_polars_ran_can_sample() -> None:
    program = """
        def work():
            print(len(patients.tql.sample("max_weight(age > 60: 5, True: 1)", limit=2, seed=1)))
            grandchild = fork.Process(target=lambda: print(told(lambda: patients.tql.weights("age")).splitlines()[0]))
            grandchild.start()
            grandchild.join()

        process = fork.Process(target=work)
        process.start()
        process.join()
    """
    first, second = run(program).splitlines()
    assert first == "2"
    assert second.startswith("Polars cannot run in this process")


def test_the_parent_goes_on() -> None:
    program = """
        first = patients.tql.sample("age", limit=2, seed=1)
        process = fork.Process(target=lambda: None)
        process.start()
        process.join()
        print(patients.tql.sample("age", limit=2, seed=1).equals(first))
    """
    assert run(program) == "True\n"


def test_a_forked_process_draws_from_weights() -> None:
    """Positions need no thread of Polars, though rows of a stratum are listed by one of its functions."""
    program = """
        import numpy as np
        from tql_frames.sampling import draw
        table.lazy().group_by("age").len().collect()  # starts the threads of Polars
        weights = np.resize([1.0, 3.0, 0.0, 8.0], 600_000)

        def draws():
            return [draw(weights, size, replace=replace, seed=1).tolist()
                    for size in (5, 50_000) for replace in (True, False)]

        expected = draws()
        queue = fork.SimpleQueue()
        child = fork.Process(target=lambda: queue.put(draws() == expected))
        child.start()
        child.join(60)
        print("hangs" if child.is_alive() else queue.get())
        child.kill()
    """
    assert run(program).split() == ["True"]
