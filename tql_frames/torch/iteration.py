"""Iterate over the rows of one process, with the progress and the weights by which rows are drawn.

`epochs` holds weights and draws by them; `sampler` creates iterations and states.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tql_frames.errors import TQLError
from tql_frames.sampling import Positions
from tql_frames.torch.epochs import Epochs, FirstRow, checked_seen

_LIST = 65_536  # positions that are converted to Python integers at a time: 20 million would take 800 megabytes
# Rows drawn ahead after weights were changed: first a batch, then twice as many each time, since another change would
# make them useless.
_FIRST_AHEAD, _MOST_AHEAD = 256, 4_194_304


@dataclass(frozen=True)
class WeightSpan:
    """Rows of an epoch's sample that are drawn by the same weights, up to the first row of the next span.

    Attributes:
        first: place of its first row in the sample.
        weights: the weights; None once all rows of the span are drawn.
        drawn_by: identity of the weights of drawn rows; None if `update` has changed the weights since.
    """

    first: int
    weights: Epochs | None
    drawn_by: dict[str, Any] | None = None

    def identity(self) -> dict[str, Any]:
        """Return the identity of the weights.

        Raises:
            TQLError: `update` changed the weights after their rows were drawn.
        """
        found = self.drawn_by if self.weights is None else self.weights.identity()
        if found is None:
            message = "rows after those of seen= were drawn by weights that update has changed since"
            raise TQLError(message, hint="use a DataLoader with num_workers=0, and leave out seen=")
        return found


class Iteration:
    """The progress of an iteration over the share of this process.

    Attributes:
        epoch: epoch of the sample.
        ended: whether no item is left.
    """

    def __init__(self, epoch: int, first: int, share: range, ended: bool) -> None:
        """Begin; nothing is read yet."""
        self.epoch = epoch
        self.ended = ended
        self._first, self._share = first, share
        self._stop = 0  # end of the current list, among the items of this process
        self._list: Iterator[Any] = iter([])

    def done(self, seen: int | None = None) -> int:
        """Return the items of the epoch that all processes have done when this process has seen `seen` items."""
        # The iterator of a list knows how many items are left, so that no counter is needed.
        given = self._stop - operator.length_hint(self._list)
        return self._first + checked_seen(seen, given, len(self._share)) * self._share.step


class Pass(Iteration):
    """An iteration over rows that are drawn when they are requested.

    Args:
        epoch: epoch of the sample.
        first: place of the first row in the sample.
        share: places of the rows of this process.
        spans: weights of the rows, in ascending order of places; the first span begins at `first` or before.
        ended: whether no row is left.
    """

    def __init__(self, epoch: int, first: int, share: range, spans: Sequence[WeightSpan], ended: bool = False) -> None:
        """Begin; nothing is drawn yet."""
        super().__init__(epoch, first, share, ended)
        self.spans = list(spans)
        self._taken: list[int] = []
        self._ahead = _FIRST_AHEAD
        self._drawn: Positions = np.empty(0, np.int64)  # begins with row `_drawn_from` of this process
        self._drawn_from = 0

    @property
    def weights(self) -> Epochs:
        """Weights for the next row, or of the last row if none is left."""
        done = self.done()
        found = self.spans_from(done)[0].weights
        assert found is not None
        return found

    def lists(self) -> Iterator[Iterator[int]]:
        """Yield the positions of this process, as iterators over lists of them."""
        while self._stop < len(self._share):
            self._taken = self._next_rows().tolist()
            if not self._stop:
                self._taken[0] = FirstRow(self._taken[0], self.weights.rows)
            self._stop, self._list = self._stop + len(self._taken), iter(self._taken)
            yield self._list
        self.ended = True

    def _next_rows(self) -> Positions:
        at = self._stop - self._drawn_from
        if at >= len(self._drawn):
            number = max(i for i, span in enumerate(self.spans) if span.first <= self._share[self._stop])
            weights, stop = self.spans[number].weights, len(self._share)
            assert weights is not None
            if number + 1 < len(self.spans):
                stop = min(stop, len(range(self._share.start, self.spans[number + 1].first, self._share.step)))
            if weights.is_updated:
                stop = min(stop, self._stop + self._ahead)
                self._ahead = min(2 * self._ahead, _MOST_AHEAD)
            self._drawn = weights.rows_at(self.epoch, self._share[self._stop : stop])
            self._drawn_from, at = self._stop, 0
        return self._drawn[at : at + _LIST]

    def follow(self, weights: Epochs) -> None:
        """Draw the next row by weights that `update` has changed, if they are its weights."""
        last, done = self.spans[-1], self.done()
        unread = last.first == done and not len(self._drawn)  # nothing was drawn since the last change
        if last.weights is weights and last.first <= done and not unread:
            self.draw_by(weights)

    def draw_by(self, weights: Epochs) -> None:
        """Draw the next and later rows by other weights, or by the same weights after a change."""
        left, done = operator.length_hint(self._list), self.done()
        if left:
            del self._taken[-left:]  # its iterator ends earlier
        self._stop -= left
        self._drawn, self._drawn_from, self._ahead = self._drawn[:0], self._stop, _FIRST_AHEAD
        before = [span for span in self.spans if span.first < done]
        if any(span.weights is weights for span in before):
            before = [WeightSpan(self._first, None)]
        self.spans = [WeightSpan(span.first, None, span.drawn_by or _identity_of(span)) for span in before]
        self.spans.append(WeightSpan(done, weights))

    def spans_from(self, done: int) -> list[WeightSpan]:
        """Return the spans of the rows from place `done` on."""
        later = [span for span in self.spans if span.first > done]
        return [self.spans[-1 - len(later)], *later]


def _identity_of(span: WeightSpan) -> dict[str, Any] | None:
    return None if span.weights is None else span.weights.identity()
