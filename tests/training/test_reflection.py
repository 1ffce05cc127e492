from collections.abc import Sequence

from bot import resources
from training.reflection import MARKS, Marked, fit, read, said_of_authors_unread


def test_what_is_shipped_is_what_the_marks_teach() -> None:
    learnt = fit(read(MARKS))
    shipped = resources.toml("scripted/reflection.toml")["worth"]

    assert {name: round(weight, 2) for name, weight in learnt.items()} == shipped


def test_of_authors_unread_more_of_what_is_chosen_is_good_than_of_all_that_is_safe() -> None:
    marked = read(MARKS)
    said = said_of_authors_unread(marked)

    assert share_of_good(said) > share_of_good(marked) + 0.1
    assert sum(one.mark == "bad" for one in said) <= 0.02 * len(said)


def share_of_good(marked: Sequence[Marked]) -> float:
    return sum(one.mark == "good" for one in marked) / len(marked)
