"""A process whose records are watched."""

import pytest

from tests.web.records.recorded import Book, Counted, Process


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def counted() -> Counted:
    return Counted()


@pytest.fixture
def process(book: Book, counted: Counted) -> Process:
    return Process(book, counted)
