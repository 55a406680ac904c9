"""The table of benchmarks: what is asked, who meets, and what our time has to be.

What a contestant does is in `contestants/`; how long it takes is found in `rounds`.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.jobs import REACHED, Entry, Job, Target

_ROUNDS, _FEW_ROUNDS = 1_000, 3  # at most; a call on ten times the rows takes some seconds


@dataclass(frozen=True)
class Case:
    """A table of the report.

    Attributes:
        key: its name on the command line.
        title: its heading.
        job: what is asked; None for the imports, which are measured in their own way.
        entries: ours first; all others are compared with it.
        note: what a reader has to know.
        rounds: the greatest number of rounds.
    """

    key: str
    title: str
    job: Job | None
    entries: tuple[Entry, ...]
    note: str = ""
    rounds: int = _ROUNDS


_STANDARD = "Columns: UInt8 label (15, the commonest 54 %, the rarest 0.2 %), Float64, Int64. Five arms."
_DEEPLAKE_ROWS = 1_000_000  # to load ten million into Deep Lake takes a minute, and a sample of them half of one
_SMALL_ROWS, _SMALL_CALLS = 1_000, 200
_FEW = 1_000  # rows drawn of many
_BALANCED = _REPORTED = 20_000  # rows; more of them only take longer to count
_READ = 5_000  # rows for long samplers, which take longer to read than to evaluate on them
_SOUGHT, _FEW_DRAWN = 1_000_000, 1_000  # rows among which values are looked for, and draws where these do not matter
_LOADED, _BATCHED = 1_000_000, 100_096  # rows of the table that is trained on, and of an epoch: 391 batches of 256

_REACHED = Target(at_most=REACHED)
_READ_AT_RANDOM = Entry(
    "What bounds it: deciding arms, random numbers, a table of the rows by arm and the columns read at random",
    "bounds:draw_order",
    target=_REACHED,
)
_READ_IN_ORDER = Entry(
    "What bounds it: deciding arms, random numbers, their sort, the columns read in order",
    "bounds:table_order",
)


def cases(rows: int) -> tuple[Case, ...]:
    """All cases, for a standard frame of `rows` rows."""
    tenth, half = max(1, rows // 10), max(1, rows // 2)
    lake = min(rows, _DEEPLAKE_ROWS)
    over_sampler = (
        "takes no weights and keeps every row: it gets half the frame and adds rows of the lesser labels, in equal "
        "numbers, until as many have come out"
    )
    return (
        Case(
            "polars",
            "Whole call on a Polars frame, with replacement",
            Job("labels", rows, rows),
            (
                Entry("tql-frames: `df.tql.sample(sampler, limit=n)`", "ours:polars_frame"),
                Entry(
                    "Polars, uniform: `df.sample(n, with_replacement=True)`",
                    "polars:uniform",
                    target=Target(at_most=1.5),
                ),
                _READ_AT_RANDOM,
            ),
            f"{_STANDARD} Polars has no weighted sample; the uniform one is what a sample costs at the least.",
        ),
        *(
            Case(
                key,
                title,
                Job("labels", times * rows, times * rows),
                (
                    Entry('tql-frames: `df.tql.sample(sampler, limit=n, order="source")`', "ours:in_table_order"),
                    Entry(
                        "Polars, uniform: `df.sample(n, with_replacement=True)`",
                        "polars:uniform",
                        target=Target(at_most=slower),
                        note="in the order drawn",
                    ),
                    _READ_IN_ORDER,
                ),
                _STANDARD,
                number,
            )
            for key, title, times, slower, number in (
                (
                    "source",
                    "Whole call on a Polars frame, with replacement, in the order of the table",
                    1,
                    1.5,
                    _ROUNDS,
                ),
                ("source-large", "The same of ten times as many rows", 10, 1, _FEW_ROUNDS),
            )
        ),
        Case(
            "few",
            "Few rows of many, whole call on a Polars frame",
            Job("labels", rows, min(rows, _FEW)),
            (
                Entry("tql-frames: `df.tql.sample(sampler, limit=n)`", "ours:polars_frame"),
                Entry(
                    "Polars, the conditions alone: the number of the arm that decides, by `df.select`",
                    "polars:deciding_arms",
                    target=Target(at_most=1.3),
                    note="draws nothing",
                ),
                Entry(
                    "What bounds it: deciding arms, the rows of each counted, the columns read in a few places",
                    "bounds:few",
                    target=_REACHED,
                ),
            ),
            _STANDARD,
        ),
        Case(
            "pandas",
            "Whole call on a pandas frame, with replacement",
            Job("labels", rows, rows),
            (
                Entry("tql-frames: `pdf.tql.sample(sampler, limit=n)`", "ours:pandas_frame"),
                Entry(
                    "pandas: `pdf.sample(n, weights=w, replace=True)`",
                    "pandas:weighted",
                    target=Target(faster=25),
                    note="is given the weights, which ours has to find",
                ),
                Entry(
                    "NumPy by hand: sorted uniforms, `searchsorted`, `shuffle`, and `pdf.take`",
                    "pandas:by_hand",
                    note="is given the weights, too",
                ),
                Entry(
                    "imbalanced-learn: `RandomOverSampler` of positions, and `pdf.take`",
                    "imblearn:random_over_sampler",
                    "imblearn",
                    note=over_sampler,
                ),
                Entry(
                    "What bounds it: as on Polars, the columns read as arrays",
                    "bounds:draw_order_on_pandas",
                    target=_REACHED,
                ),
            ),
            _STANDARD,
        ),
        Case(
            "draw",
            "The draw alone, with replacement",
            Job("labels", rows, rows),
            (
                Entry("tql-frames: `sampling.draw(w, n, replace=True)`", "ours:positions"),
                Entry("NumPy: `Generator.choice(p=p)`", "numpy:choice", target=Target(faster=50)),
                Entry("NumPy by hand: sorted uniforms, `searchsorted`, `shuffle`", "numpy:by_hand"),
                Entry("PyTorch: `multinomial`", "torch:multinomial", "torch", target=Target(faster=15)),
                Entry("PyTorch: `list(WeightedRandomSampler)`", "torch:weighted_random_sampler", "torch"),
                Entry(
                    "What bounds it: weights compared, a table of rows, random numbers, the table read at random",
                    "bounds:draw_with",
                    target=_REACHED,
                ),
            ),
            "Float64 weights of the labels in, row positions out.",
        ),
        Case(
            "draw-without",
            "The draw alone, without replacement",
            Job("labels", rows, tenth, replace=False),
            (
                Entry("tql-frames: `sampling.draw(w, n, replace=False)`", "ours:positions"),
                Entry("NumPy: `Generator.choice(p=p, replace=False)`", "numpy:choice", target=Target(faster=25)),
                Entry("NumPy by hand: `argpartition` of exponentials over weights", "numpy:by_hand"),
                Entry("PyTorch: `multinomial(replacement=False)`", "torch:multinomial", "torch"),
                Entry(
                    "What bounds it: weights compared, a table of rows, random numbers, their sort, the table read",
                    "bounds:tenth_without",
                    target=_REACHED,
                ),
            ),
            "Float64 weights of the labels in, row positions out.",
        ),
        Case(
            "whole-without",
            "Whole call, without replacement",
            Job("labels", rows, tenth, replace=False),
            (
                Entry("tql-frames: `df.tql.sample(sampler, limit=n, replace=False)`", "ours:polars_frame"),
                Entry("Polars, uniform: `df.sample(n)`", "polars:uniform", target=Target(at_most=2)),
                Entry("DuckDB: `order by -ln(1 - random()) / w limit n`", "duckdb:order_by_key", "duckdb"),
                Entry("Polars: `df.bottom_k(n, by=exponential / w)`", "polars:exponential_keys"),
                Entry("tql-frames on pandas: `pdf.tql.sample(…)`", "ours:pandas_frame"),
                Entry("pandas: `pdf.sample(n, weights=w, replace=False)`", "pandas:weighted"),
                Entry(
                    "What bounds it: deciding arms, a table of rows, random numbers, their sort, the columns read",
                    "bounds:whole_without",
                    target=_REACHED,
                ),
            ),
            f"{_STANDARD} The keys of DuckDB and Polars are written by hand; they give the same distribution.",
        ),
        Case(
            "most-without",
            "The draw alone, without replacement, of nearly all rows",
            Job("labels", rows, int(rows * 0.98), replace=False),
            (
                Entry("tql-frames: `sampling.draw(w, n, replace=False)`", "ours:positions"),
                Entry("NumPy: `Generator.choice(p=p, replace=False)`", "numpy:choice"),
                Entry("NumPy by hand: `argpartition` of exponentials over weights", "numpy:by_hand"),
                Entry("NumPy, uniform: `Generator.permutation(rows)`", "numpy:permutation", note="takes no weights"),
                Entry(
                    "What bounds it: the same reads in phases, each of half the rows that are left",
                    "bounds:most_without",
                    target=_REACHED,
                ),
            ),
            "A hundredth of the rows has weight 0. Of 10 million rows the time is to stay below 0.6 s.",
        ),
        Case(
            "column",
            "Continuous weights, the draw alone, with replacement",
            Job("weights", rows, rows),
            (
                Entry("tql-frames: `sampling.draw(w, n, replace=True)`", "ours:positions"),
                Entry("NumPy: `Generator.choice(p=p)`", "numpy:choice", target=Target(faster=10)),
                Entry("NumPy by hand: sorted uniforms, `searchsorted`, `shuffle`", "numpy:by_hand"),
            ),
            "Log-normal Float64 weights, all distinct: every row is a stratum of its own.",
        ),
        Case(
            "column-without",
            "Continuous weights, the draw alone, without replacement",
            Job("weights", rows, tenth, replace=False),
            (
                Entry("tql-frames: `sampling.draw(w, n, replace=False)`", "ours:positions"),
                Entry("NumPy: `Generator.choice(p=p, replace=False)`", "numpy:choice"),
                Entry("NumPy by hand: `argpartition` of exponentials over weights", "numpy:by_hand"),
            ),
            "Log-normal Float64 weights, all distinct.",
        ),
        Case(
            "lists",
            "Conditions on lists, whole call on a Polars frame, with replacement",
            Job("findings", half, half),
            (
                Entry("tql-frames: `df.tql.sample(sampler, limit=n)`", "ours:polars_frame"),
                Entry(
                    "Polars, five `list.contains` alone",
                    "polars_lists:contains",
                    target=Target(at_most=2),
                    note="draws nothing",
                ),
                _READ_AT_RANDOM,
            ),
            "List(String) findings of the X-ray table, repeated. Five arms of `contains(findings, …)` and `True: 1`.",
        ),
        Case(
            "small",
            "A small frame, whole call",
            Job("labels", _SMALL_ROWS, _SMALL_ROWS, calls=_SMALL_CALLS),
            (
                Entry("tql-frames: `df.tql.sample(sampler, limit=n)`", "ours:polars_frame"),
                Entry(
                    "Polars by hand: weights in a `select`, a take of random rows",
                    "polars:weight_and_take",
                    target=Target(at_most=1.5),
                ),
            ),
            f"The standard columns; times of one call, in batches of {_SMALL_CALLS}.",
        ),
        Case(
            "small-pandas",
            "A small pandas frame, whole call",
            Job("labels", _SMALL_ROWS, _SMALL_ROWS, calls=_SMALL_CALLS),
            (
                Entry("tql-frames: `pdf.tql.sample(sampler, limit=n)`", "ours:pandas_frame"),
                Entry(
                    "pandas: `pdf.sample(n, weights=w, replace=True)`",
                    "pandas:weighted",
                    target=Target(at_most=2),
                    note="is given the weights, which ours has to find",
                ),
                Entry(
                    "What bounds it: the same calls by hand, weights by Polars, a search by NumPy, and `pdf.take`",
                    "pandas:weights_by_polars",
                    target=_REACHED,
                ),
            ),
            f"The standard columns; times of one call, in batches of {_SMALL_CALLS}.",
        ),
        Case(
            "epoch",
            "PyTorch: the draw of an epoch",
            Job("labels", 2 * rows, 2 * rows),
            (
                Entry("tql-frames: `TQLSampler.draw(epoch)`", "ours_torch:epoch", "torch"),
                Entry(
                    "PyTorch: `multinomial`, four fifths of the rows and draws",
                    "torch:multinomial_of_fewer",
                    "torch",
                    target=Target(faster=10),
                    note="takes no more than 2^24 rows",
                ),
            ),
            f"{_STANDARD} The rows were weighed before, when the sampler was made.",
        ),
        Case(
            "loader-changing",
            "PyTorch: an epoch of batches, other weights in each epoch",
            Job("labels", _LOADED, _BATCHED),
            (
                Entry("tql-frames: `TQLSampler`, `set_weights(array)`", "ours_torch:loader_changing", "torch"),
                Entry(
                    "PyTorch: `TensorDataset` of the columns, `WeightedRandomSampler`, `sampler.weights = tensor`",
                    "torch:loader_changing",
                    "torch",
                    target=Target(faster=10),
                ),
            ),
            f"{_STANDARD} 391 batches of 256 rows; the new weights and the draw are in it.",
        ),
        Case(
            "loader-values",
            "PyTorch: an epoch of batches of texts and lists",
            Job("labels", _LOADED, _BATCHED),
            (
                Entry(
                    "tql-frames: `DataLoader(TQLDataset(df), 256, sampler=TQLSampler(df, …))`",
                    "ours_torch:loader_values",
                    "torch",
                ),
                Entry(
                    "Hugging Face: `DataLoader(Dataset(table), 256, sampler=WeightedRandomSampler(…))`",
                    "datasets:loader_values",
                    "datasets",
                    target=Target(faster=2),
                    note="rows as dicts, not put together by column",
                ),
            ),
            "A number, a text and a list of up to three texts in each row; 391 batches of 256 rows.",
        ),
        *(
            Case(
                "loader-workers" if workers else "loader",
                f"PyTorch: an epoch of batches, {'two workers' if workers else 'no workers'}",
                Job("labels", _LOADED, _BATCHED),
                (
                    Entry(
                        "tql-frames: `DataLoader(TQLDataset(df), 256, sampler=TQLSampler(df, …))`",
                        f"ours_torch:loader{workers}",
                        "torch",
                    ),
                    Entry(
                        "tql-frames: `DataLoader(view.to_torch(), 256, shuffle=True)`",
                        f"ours_torch:view{workers}",
                        "torch",
                        note="the same rows in each epoch",
                    ),
                    Entry(
                        "PyTorch: `TensorDataset` of the columns, `WeightedRandomSampler`",
                        f"torch:loader{workers}",
                        "torch",
                        target=Target(at_most=1),
                    ),
                    Entry(
                        "PyTorch: `TensorDataset` of a matrix and the row numbers, `WeightedRandomSampler`",
                        f"torch:loader_of_matrix{workers}",
                        "torch",
                        target=Target(at_most=1),
                        note="two tensors instead of three",
                    ),
                    Entry(
                        "PyTorch in bulk: the columns, `sampler=BatchSampler(…), batch_size=None`",
                        f"torch:loader_in_bulk{workers}",
                        "torch",
                        target=Target(at_most=1),
                        note="`TensorDataset` is indexed once a batch, with a list",
                    ),
                    Entry(
                        "PyTorch in bulk: the matrix and the row numbers",
                        f"torch:loader_of_matrix_in_bulk{workers}",
                        "torch",
                        target=Target(at_most=1),
                        note="two tensors instead of three",
                    ),
                ),
                f"{_STANDARD} 391 batches of 256 rows; the draw of the epoch is in it."
                + (" The workers were started before." if workers else ""),
            )
            for workers in ("", "_with_workers")
        ),
        *(
            Case(
                f"groups-{groups}",
                f"{each} rows of each of {groups:,} groups, without replacement",
                Job("labels", rows, groups * each, replace=False),
                (
                    Entry(
                        'tql-frames: `df.tql.sample(sampler, n, over="group", replace=False)`', f"groups:ours_{groups}"
                    ),
                    Entry(
                        'Polars, uniform: `df.filter(pl.int_range(pl.len()).shuffle().over("group") < n)`',
                        f"groups:polars_{groups}",
                        target=Target(at_most=3),
                    ),
                ),
                f"{_STANDARD} A column of groups of about equal size. Polars draws without weights.",
            )
            for groups, each in ((1_000, 100), (100_000, 10))
        ),
        *(
            Case(
                f"{design}-{size}",
                f"A {name} sample of {words}, in the order of the table",
                Job("labels", rows, int(rows * share), replace=design == "systematic"),
                (
                    Entry(f'tql-frames: `df.tql.sample(sampler, n, design="{design}")`', f"designs:ours_{design}"),
                    Entry(
                        "tql-frames: the same by the default design",
                        "designs:ours_default",
                        target=Target(at_most=1.5),
                    ),
                ),
                _STANDARD,
            )
            for design, name, size, words, share in (
                ("systematic", "systematic", "tenth", "a tenth", 0.1),
                ("systematic", "systematic", "all", "as many rows as there are", 1),
                ("poisson", "Poisson", "tenth", "a tenth", 0.1),
                ("poisson", "Poisson", "most", "nine tenths", 0.9),
            )
        ),
        Case(
            "report",
            "A report of many labels and arms",
            Job("labels", _REPORTED, _REPORTED),
            (
                Entry("tql-frames: `df.tql.report(sampler, by=)`, 1,000 labels and arms", "ours:report_of_1000"),
                Entry(
                    "tql-frames: the same, 100 labels and arms",
                    "ours:report_of_100",
                    target=Target(at_most=12),
                    note="time that grows with the square of the arms would be 100 × as long",
                ),
            ),
            f"{_REPORTED:,} rows; parsing and compiling the sampler are in it.",
        ),
        Case(
            "in-many",
            "`in (?)` of 300,000 values",
            Job("labels", _SOUGHT, _FEW_DRAWN),
            (
                Entry("tql-frames: `df.tql.query('select * where n in (?)', [values])`", "ours_language:among"),
                Entry("Polars: `df.filter(pl.col('n').is_in(values))`", "polars:is_in", target=Target(at_most=3)),
                Entry(
                    "tql-frames: a sample by `max_weight(n in (?): 5, True: 1)`",
                    "ours_language:among_for_a_sample",
                    note="weighs the rows and draws a thousand of them",
                ),
            ),
            "A million rows of Int64, a tenth of which are found; the values are a NumPy array.",
        ),
        Case(
            "long-text",
            "Long samplers, each read for the first time",
            Job("labels", _READ, _FEW_DRAWN),
            (
                Entry("tql-frames: 5,000 arms, `max_weight(n = 0: 2, …)`", "ours_language:arms"),
                Entry("the same, one arm `n in (0, 1, …)` of 990,000 characters", "ours_language:text_of_values"),
                Entry("the same, one arm `n = 0 or n = 1 or …` as long", "ours_language:text_of_comparisons"),
            ),
            "5,000 rows; no other library reads such texts. The times are to stay below 0.5, 5 and 5 seconds.",
        ),
        Case(
            "import",
            "The import",
            None,
            (
                Entry("`import tql_frames`", "tql_frames"),
                Entry("`import polars, numpy`", "polars, numpy", target=Target(at_most=1.3)),
                Entry("`import polars, pandas`", "polars, pandas", target=Target(at_most=1.15)),
            ),
            "In fresh processes, compiled before.",
        ),
        Case(
            "deeplake",
            "Deep Lake, with replacement",
            Job("labels", lake, lake),
            (
                Entry("tql-frames: `df.tql.sample(sampler, limit=n)`", "ours:polars_frame"),
                Entry(
                    "Deep Lake: `select * sample by … limit n`",
                    "deeplake:sample_by",
                    "deeplake",
                    note="the query on a data set in memory, and the labels of the rows read; ours gives all columns",
                ),
            ),
            "At most a million rows, since Deep Lake takes a minute to load ten.",
        ),
        Case(
            "balance",
            "Weights for equal shares of 1,000 labels",
            Job("labels", min(rows, _BALANCED), 0),
            (
                Entry("tql-frames: `df.tql.balance(by)`, one label a row", "ours_balance:one_each"),
                Entry("the same, lists of one to three labels", "ours_balance:lists"),
            ),
            "20,000 rows; no other library finds such weights. The time is to stay below 2 seconds.",
        ),
    )
