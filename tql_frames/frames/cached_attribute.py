"""Attributes that are computed once, by whichever thread asks first, without making another wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

Value = TypeVar("Value")


class cached_attribute(Generic[Value]):  # noqa: N801 - it stands where `property` would
    """As `functools.cached_property`, which until Python 3.12 holds a lock, one for all objects, while it computes.

    Threads of Polars that wait for such a lock may be the ones that its owner waits for. Here two threads that ask at
    the same time both compute, and both get what the first of them found.

    Example:
        >>> class Word:
        ...     @cached_attribute
        ...     def letters(self) -> list[str]:
        ...         return list("tql")
        >>> word = Word()
        >>> word.letters is word.letters
        True
    """

    def __init__(self, make: Callable[[Any], Value]) -> None:
        """Note what computes the value."""
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, owner: None, kind: type) -> cached_attribute[Value]: ...
    @overload
    def __get__(self, owner: object, kind: type | None = None) -> Value: ...
    def __get__(self, owner: object | None, kind: type | None = None) -> cached_attribute[Value] | Value:
        if owner is None:
            return self
        found: Value = vars(owner).setdefault(self._name, self._make(owner))  # from here on the attribute hides this
        return found
