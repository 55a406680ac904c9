"""The synthetic chest X-ray table against the figures of the real one.

The figures are written down a second time here, in another order than in the module: a slip in either shows.
"""

import hashlib
from itertools import combinations
from pathlib import Path

import polars as pl
import pytest

from tql_frames import datasets
from tql_frames.datasets import chest_xray

REAL = Path(__file__).parents[3] / "shared" / "data" / "nih_chest_xray14.parquet"

# finding: all images that show it, images that show it alone
FINDINGS = {
    "Infiltration": (19870, 9551),
    "Effusion": (13307, 3959),
    "Atelectasis": (11535, 4212),
    "Nodule": (6323, 2706),
    "Mass": (5746, 2138),
    "Pneumothorax": (5298, 2199),
    "Consolidation": (4667, 1314),
    "Pleural_Thickening": (3385, 1127),
    "Cardiomegaly": (2772, 1094),
    "Emphysema": (2516, 895),
    "Edema": (2303, 634),
    "Fibrosis": (1686, 727),
    "Pneumonia": (1353, 307),
    "Hernia": (227, 110),
}

# images that show the finding of the line together with each of the findings after it in FINDINGS
PAIRS = """
Infiltration       3990 3259 1544 1151 943 1220 749 583 447 979 345 571 33
Effusion           3269 909 1244 995 1287 848 1060 359 592 188 253 21
Atelectasis        585 727 772 1222 495 369 423 221 220 243 40
Nodule             894 340 428 410 108 115 131 166 63 10
Mass               424 602 448 99 212 128 115 62 25
Pneumothorax       222 289 48 746 33 80 34 9
Consolidation      251 169 103 162 79 114 4
Pleural_Thickening 111 151 64 176 45 8
Cardiomegaly       44 127 51 36 7
Emphysema          30 36 21 4
Edema              9 330 3
Fibrosis           11 8
Pneumonia          2
"""
TOGETHER = dict(
    zip(
        combinations(FINDINGS, 2),
        (int(word) for word in PAIRS.split() if word.isdigit()),
        strict=True,
    )
)

# of the findings inside a row, as in the real table
ORDER = [
    "Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia", "Pneumothorax",
    "Consolidation", "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening", "Hernia", "No_Finding",
]  # fmt: skip

# images that show so many findings, No_Finding counted as one
SIZES = {1: 91385, 2: 14292, 3: 4829, 4: 1233, 5: 298, 6: 64, 7: 16, 8: 1, 9: 2}

# of the table as CSV with the findings joined by "|"; equal under Polars 1.30 and 2.1, NumPy 2.0 and 2.4
DIGEST = "8e772bcff97f499295d54126e95bf72b063a84599805d352d3bded41c7b8a010"


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return chest_xray()


def counts(values: pl.Series) -> dict[object, int]:
    return dict(values.value_counts().rows())


def count_together(table: pl.DataFrame) -> dict[tuple[str, str], int]:
    shows = table.select(pl.col("findings").list.contains(name).alias(name) for name in FINDINGS)
    return {(a, b): int((shows[a] & shows[b]).sum()) for a, b in TOGETHER}


def test_schema(table: pl.DataFrame) -> None:
    assert table.height == 112_120
    assert table.null_count().sum_horizontal().item() == 0
    assert table.schema == pl.Schema(
        {
            "image": pl.String(),
            "patient_id": pl.Int32(),
            "follow_up": pl.Int16(),
            "view": pl.Enum(["PA", "AP"]),
            "age": pl.Int16(),
            "sex": pl.Enum(["F", "M"]),
            "findings": pl.List(pl.String()),
        }
    )
    assert list(table.schema) == ["image", "patient_id", "follow_up", "view", "age", "sex", "findings"]


def test_images_of_each_finding(table: pl.DataFrame) -> None:
    expected = {name: total for name, (total, _) in FINDINGS.items()} | {"No_Finding": 60_412}
    assert counts(table.explode("findings")["findings"]) == expected


def test_images_of_one_finding_alone(table: pl.DataFrame) -> None:
    single = table.filter(pl.col("findings").list.len() == 1)["findings"].list.first()
    assert counts(single) == {name: alone for name, (_, alone) in FINDINGS.items()} | {"No_Finding": 60_412}


def test_images_by_number_of_findings(table: pl.DataFrame) -> None:
    assert counts(table["findings"].list.len()) == SIZES


def test_findings_meet_about_as_often_as_in_the_real_table(table: pl.DataFrame) -> None:
    off = {
        pair: (found, TOGETHER[pair])
        for pair, found in count_together(table).items()
        if abs(found - TOGETHER[pair]) > max(0.1 * TOGETHER[pair], 15)
    }
    assert len(TOGETHER) == 91
    assert off == {}


def test_findings_of_a_row_are_ordered_and_distinct(table: pl.DataFrame) -> None:
    for findings in set(map(tuple, table["findings"].to_list())):
        places = [ORDER.index(finding) for finding in findings]
        assert places == sorted(set(places))
        assert "No_Finding" not in findings or findings == ("No_Finding",)


def test_views_and_sexes(table: pl.DataFrame) -> None:
    assert counts(table["view"]) == {"PA": 67_310, "AP": 44_810}
    assert counts(table["sex"]) == {"M": 63_340, "F": 48_780}


def test_images_are_named_by_patient_and_follow_up(table: pl.DataFrame) -> None:
    rows = table.select("patient_id", "follow_up").rows()
    names = [f"{patient:08}_{visit:03}.png" for patient, visit in rows]
    assert table["image"].to_list() == names
    assert table["image"].n_unique() == table.height


def test_patients(table: pl.DataFrame) -> None:
    patients = table.group_by("patient_id", maintain_order=True).agg(
        images=pl.len().cast(pl.Int64),
        numbered=(pl.col("follow_up") == pl.int_range(pl.len())).all(),
        aged=(pl.col("age").diff().drop_nulls() >= 0).all(),
        sexes=pl.col("sex").n_unique(),
    )
    assert patients["patient_id"].to_list() == list(range(1, 30_806))
    assert patients["numbered"].all()
    assert patients["aged"].all()
    assert patients["sexes"].max() == 1
    assert table["age"].is_between(1, 95).all()
    # Long-tailed, as in the real table: 17,503 patients have one image, a hundredth have 15 percent.
    assert (patients["images"] == 1).sum() > 30_805 / 2
    assert patients["images"].top_k(308).sum() > 0.1 * 112_120


def test_the_old_and_the_much_seen_have_more_findings(table: pl.DataFrame) -> None:
    rows = table.with_columns(
        ill=~pl.col("findings").list.contains("No_Finding"),
        images=pl.len().over("patient_id"),
        recurs=pl.col("findings") == pl.col("findings").shift(1).over("patient_id"),
    )
    means = pl.col("age", "images", "recurs").mean(), (pl.col("view") == "AP").mean().alias("AP")
    well, ill = rows.group_by("ill").agg(means).sort("ill").to_dicts()
    hernia = rows.filter(pl.col("findings").list.contains("Hernia")).select(means).to_dicts()[0]
    assert all(ill[name] > well[name] for name in ("age", "images", "AP"))
    assert hernia["age"] > ill["age"] + 10
    # Two rows drawn at random among those with findings show the same in 6 percent of the cases.
    assert ill["recurs"] > 0.1


def test_the_table_never_changes(table: pl.DataFrame) -> None:
    datasets._table.cache_clear()
    text = chest_xray().with_columns(pl.col("findings").list.join("|")).write_csv()
    assert text == table.with_columns(pl.col("findings").list.join("|")).write_csv()
    assert hashlib.sha256(text.encode()).hexdigest() == DIGEST


def test_a_caller_cannot_alter_the_table_of_the_next() -> None:
    mine = chest_xray()
    before = mine.row(0)
    mine["patient_id"].scatter(0, 7)
    mine[0, "age"] = 99
    mine.drop_in_place("findings")
    mine.columns = [name.upper() for name in mine.columns]
    assert chest_xray().row(0) == before
    assert chest_xray().columns[-1] == "findings"


@pytest.mark.skipif(not REAL.exists(), reason="no real label table in ../shared/data")
def test_the_figures_are_those_of_the_real_table(table: pl.DataFrame) -> None:
    real = pl.read_parquet(REAL)
    assert real.height == table.height
    assert real["patient_id"].n_unique() == table["patient_id"].n_unique()
    assert counts(real.explode("findings")["findings"]) == counts(table.explode("findings")["findings"])
    assert counts(real["findings"].list.len()) == counts(table["findings"].list.len())
    single = pl.col("findings").list.len() == 1
    assert counts(real.filter(single)["findings"].list.first()) == counts(table.filter(single)["findings"].list.first())
    assert count_together(real) == TOGETHER
