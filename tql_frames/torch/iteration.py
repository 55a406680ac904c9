"""An iteration over the rows of one process: how far it is, and by which weights which rows are drawn.

What weights are and what is drawn by them is in `epochs`; who iterates and keeps states, in `sampler`.
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

_LIST = 65_536  # positions that are Python integers at a time: 20 million of them would take 800 megabytes
# Rows drawn ahead after weights were changed: as another change would make them useless, first a batch, then
# twice as many each time.
_FIRST_AHEAD, _MOST_AHEAD = 256, 4_194_304


@dataclass(frozen=True)
class WeightSpan:
    """Rows of an epoch's sample that are drawn by the same weights, up to the first row of the next span.

    Attributes:
        first: place of its first row in the sample.
        weights: what draws them; None once they are drawn.
        drawn_by: what tells the weights of drawn rows from others; None where `update` has changed them since.
    """

    first: int
    weights: Epochs | None
    drawn_by: dict[str, Any] | None = None

    def identity(self) -> dict[str, Any]:
        """Return what tells the weights from others.

        Raises:
            TQLError: they were changed by `update` after their rows were drawn.
        """
        found = self.drawn_by if self.weights is None else self.weights.identity()
        if found is None:
            message = "rows after those of seen= were drawn by weights that update has changed since"
            raise TQLError(message, hint="use a DataLoader with num_workers=0, and leave out seen=")
        return found


class Iteration:
    """The progress of an iteration over the share of this process.

    Attributes:
        epoch: whose sample it is.
        ended: whether nothing is left.
    """

    def __init__(self, epoch: int, first: int, share: range, ended: bool) -> None:
        """Begin; nothing is read yet."""
        self.epoch = epoch
        self.ended = ended
        self._first, self._share = first, share
        self._stop = 0  # of the list that is being read, among the items of this process
        self._list: Iterator[Any] = iter([])

    def done(self, seen: int | None = None) -> int:
        """Return items of the epoch that all processes are done with, when this one has seen so many."""
        # A list's iterator knows how many are left, so that nothing has to count.
        given = self._stop - operator.length_hint(self._list)
        return self._first + checked_seen(seen, given, len(self._share)) * self._share.step


class Pass(Iteration):
    """An iteration over rows that are drawn as they are asked for.

    Args:
        epoch: whose sample it is.
        first: place of the first row in the sample.
        share: places of the rows of this process.
        spans: by which weights they are drawn, ascending; the first begins at `first` or before.
        ended: whether nothing is left.
    """

    def __init__(self, epoch: int, first: int, share: range, spans: Sequence[WeightSpan], ended: bool = False) -> None:
        """Begin; nothing is drawn yet."""
        super().__init__(epoch, first, share, ended)
        self.spans = list(spans)
        self._taken: list[int] = []
        self._ahead = _FIRST_AHEAD
        self._drawn: Positions = np.empty(0, np.int64)  # from row `_drawn_from` of this process on
        self._drawn_from = 0

    @property
    def weights(self) -> Epochs:
        """Weights by which the next row is drawn, or the last one was."""
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
        """Draw the next row by weights that `update` has changed, where they are the ones that draw it."""
        last, done = self.spans[-1], self.done()
        unread = last.first == done and not len(self._drawn)  # nothing was drawn since the last change
        if last.weights is weights and last.first <= done and not unread:
            self.draw_by(weights)

    def draw_by(self, weights: Epochs) -> None:
        """Draw the next row and those after it by other weights, or by the same after they were changed."""
        left, done = operator.length_hint(self._list), self.done()
        if left:
            del self._taken[-left:]  # which its iterator notices
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
