"""Generate a synthetic table of chest X-rays, as unbalanced as the real one, for examples and tests of sampling.

It reads neither a file nor the network: all rows are computed from the figures below.
"""

from collections.abc import Iterator
from functools import cache

import numpy as np
import numpy.typing as npt
import polars as pl

from tql_frames.frames.polars import check_process

# Numbers of images, counted in the public label table of NIH ChestX-ray14 (Wang et al., "ChestX-ray8", CVPR 2017).
# Its copies differ in about one row of a thousand. Each line has a finding, the images with it alone, the images
# with it and each of the findings above, and all images with it.
_FIGURES = """
Atelectasis         4212 11535
Cardiomegaly        1094   369  2772
Effusion            3959  3269  1060 13307
Infiltration        9551  3259   583  3990 19870
Mass                2138   727    99  1244  1151  5746
Nodule              2706   585   108   909  1544   894  6323
Pneumonia            307   243    36   253   571    62    63  1353
Pneumothorax        2199   772    48   995   943   424   340    34  5298
Consolidation       1314  1222   169  1287  1220   602   428   114   222  4667
Edema                634   221   127   592   979   128   131   330    33   162  2303
Emphysema            895   423    44   359   447   212   115    21   746   103    30  2516
Fibrosis             727   220    51   188   345   115   166    11    80    79     9    36  1686
Pleural_Thickening  1127   495   111   848   749   448   410    45   289   251    64   151   176  3385
Hernia               110    40     7    21    33    25    10     2     9     4     3     4     8     8   227
"""
_IMAGES_BY_SIZE = {2: 14292, 3: 4829, 4: 1233, 5: 298, 6: 64, 7: 16, 8: 1, 9: 2}  # size: number of findings
_IMAGES, _PATIENTS, _NO_FINDING, _VIEW_AP, _SEX_M = 112_120, 30_805, 60_412, 44_810, 63_340

_LINES = [line.split() for line in _FIGURES.strip().splitlines()]
_NAMES = [line[0] for line in _LINES]
_ALONE = [int(line[1]) for line in _LINES]
_TOGETHER = [[int(count) for count in line[2:]] for line in _LINES]  # lower triangle with its diagonal

# A pattern is a set of findings, written as a number: bit i is set when finding i is in it.
_BITS = np.arange(len(_NAMES))
_HAS = ((np.arange(2 ** len(_NAMES))[:, None] >> _BITS) & 1).astype(bool)  # (patterns, findings)
_SIZE = _HAS.sum(axis=1)  # (patterns,)

_SWEEPS = 30  # the fit is then within half a percent of every figure; more sweeps improve it little

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def chest_xray() -> pl.DataFrame:
    """Return 112,120 synthetic chest X-rays, labelled in the proportions of NIH ChestX-ray14.

    These counts are exactly those of the real table: images, patients, images by view, by sex, by finding, by
    number of findings, and with a single finding. Counts of pairs of findings are close (10 percent or 15
    images). Everything else is invented, and no row describes a person: patients with many images and old
    patients have more findings, ill patients have more AP views, and the findings of a patient recur. The table
    is the same with every version of NumPy.

    Returns:
        A new frame, sorted by patient and follow-up: `image` (String, unique), `patient_id` (Int32, from 1),
        `follow_up` (Int16, from 0), `view` (Enum PA, AP), `age` (Int16, years), `sex` (Enum F, M) and
        `findings` (List(String), in the order of the real table; `["No_Finding"]` if there is none).

    Examples:
        >>> counts = chest_xray()["findings"].explode().value_counts(sort=True)
        >>> counts.head(3).rows()
        [('No_Finding', 60412), ('Infiltration', 19870), ('Effusion', 13307)]
        >>> counts.tail(2).rows()
        [('Pneumonia', 1353), ('Hernia', 227)]
    """
    check_process()
    return _table().clone()  # changes to a clone do not affect the cached frame


@cache
def _table() -> pl.DataFrame:
    """Generate the patients, then assign patterns to their images by two latent scores: illness and kind."""
    # Only `random` is used, since NEP 19 allows NumPy to change the results of other methods; and no powers or
    # logarithms of its numbers, since their last digits differ between machines.
    random = np.random.Generator(np.random.Philox(key=2017)).random
    busy, frail, prone, queue, a, b, c = random((7, _PATIENTS))
    first_age = 47 + 34 * (a + b + c - 1.5)  # a bell with a standard deviation of 17 years
    images = _images_per_patient(busy)
    male = _choose_males(images, queue)

    patient = np.repeat(np.arange(_PATIENTS), images)  # one entry an image from here on
    follow_up = np.arange(_IMAGES) - np.repeat(images.cumsum() - images, images)
    age = np.clip(first_age[patient] + 0.1 * follow_up, 1, 95).astype(np.int16)
    illness = (busy + frail)[patient] + age / 100 + 2 * random(_IMAGES)
    kind = prone[patient] + age / 400 + 0.2 * random(_IMAGES)
    ap = _highest(illness + 4 * random(_IMAGES), _VIEW_AP)

    pattern = np.zeros(_IMAGES, dtype=np.int64)
    ill = np.flatnonzero(_highest(illness, _IMAGES - _NO_FINDING))
    # Patterns in ascending order share their last findings: similar kinds get similar patterns, old patients hernias.
    pattern[ill[kind[ill].argsort(kind="stable")]] = np.repeat(np.arange(len(_HAS)), _images_per_pattern())
    used, which = np.unique(pattern, return_inverse=True)
    lists = [[_NAMES[i] for i in np.flatnonzero(_HAS[p])] or ["No_Finding"] for p in used]

    number, visit = pl.col("patient_id").cast(pl.String), pl.col("follow_up").cast(pl.String)
    return pl.DataFrame({"patient_id": patient + 1, "follow_up": follow_up, "age": age}).select(
        pl.format("{}_{}.png", number.str.zfill(8), visit.str.zfill(3)).alias("image"),
        pl.col("patient_id").cast(pl.Int32),
        pl.col("follow_up").cast(pl.Int16),
        pl.Series("view", ["PA", "AP"], dtype=pl.Enum(["PA", "AP"])).gather(ap.astype(np.int64)),
        pl.col("age"),
        pl.Series("sex", ["F", "M"], dtype=pl.Enum(["F", "M"])).gather(male[patient].astype(np.int64)),
        pl.Series("findings", lists, dtype=pl.List(pl.String)).gather(which),
    )


def _highest(score: Floats, count: int) -> Flags:
    """Flag the `count` highest scores."""
    chosen = np.zeros(len(score), dtype=bool)
    chosen[score.argsort(kind="stable")[-count:]] = True
    return chosen


def _images_per_patient(busy: Floats) -> Integers:
    """Assign one image to each patient, and the rest by a long-tailed distribution: over half have one, few have 90."""
    share = (busy * busy * busy / (1.01 - busy)).cumsum()
    dealt = np.rint(share / share[-1] * (_IMAGES - _PATIENTS)).astype(np.int64)
    images: Integers = 1 + np.diff(dealt, prepend=0)
    return images


def _choose_males(images: Integers, queue: Floats) -> Flags:
    """Select patients in the order of `queue` until they have exactly the published number of images."""
    order = queue.argsort(kind="stable")
    male = np.zeros(len(images), dtype=bool)
    male[order[images[order].cumsum() <= _SEX_M]] = True
    missing = _SEX_M - images[male].sum()  # fewer than the next patient has; patients of one image fill it
    male[np.flatnonzero(~male & (images == 1))[:missing]] = True
    return male


def _images_per_pattern() -> Integers:
    """Return the number of images of each non-empty pattern: totals, singles and sizes are exact, pairs nearly."""
    expected = _fit()
    by_size = _SIZE.argsort(kind="stable")  # rounding a running sum, size by size, leaves every size exact
    counts = np.zeros(len(_HAS), dtype=np.int64)
    counts[by_size] = np.diff(np.rint(expected[by_size].cumsum()).astype(np.int64), prepend=0)

    # Until the totals are exact, too, replace one finding by another where that best corrects the rounding.
    surplus = counts @ _HAS + _ALONE - [row[-1] for row in _TOGETHER]
    while surplus.any():
        more, less = surplus.argmax(), surplus.argmin()
        givers = np.flatnonzero(_HAS[:, more] & ~_HAS[:, less] & (counts > 0))
        takers = givers ^ (1 << more) ^ (1 << less)
        error = counts - expected
        best = (error[givers] - error[takers]).argmax()
        counts[givers[best]] -= 1
        counts[takers[best]] += 1
        surplus[[more, less]] += (-1, 1)

    counts[1 << _BITS] = _ALONE
    return counts


def _fit() -> Floats:
    """Return the expected number of images of each pattern of two or more findings: the most even table with the sums.

    Iterative proportional fitting (Deming & Stephan 1940, Annals of Mathematical Statistics 11:427): for each figure in
    turn, scale the patterns that it counts so that they sum to it.
    """
    expected = np.isin(_SIZE, list(_IMAGES_BY_SIZE)).astype(np.float64)
    figures = [(np.flatnonzero(expected * counted), images) for counted, images in _figures()]
    for _ in range(_SWEEPS):
        for counted, images in figures:
            part = expected[counted]
            expected[counted] = part * (images / part.sum())
    return expected


def _figures() -> Iterator[tuple[Flags, int]]:
    """Yield the figures for images of two or more findings, each with flags for the patterns that it counts.

    The sizes are last, so that they are exact after each sweep.
    """
    for i, row in enumerate(_TOGETHER):
        for j, images in enumerate(row):
            yield _HAS[:, i] & _HAS[:, j], images - (_ALONE[i] if i == j else 0)
    for size, images in _IMAGES_BY_SIZE.items():
        yield size == _SIZE, images
