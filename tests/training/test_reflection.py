from collections.abc import Sequence

from bot import resources
from training.reflection import MARKS, Marked, chosen, fit, read, worth


def test_what_is_shipped_is_what_the_marks_teach() -> None:
    learnt = fit(read(MARKS))
    shipped = resources.toml("scripted/reflection.toml")["worth"]

    assert {name: round(weight, 2) for name, weight in learnt.items()} == shipped


def test_of_authors_unread_more_of_what_is_chosen_is_good_than_of_what_is_not() -> None:
    marked = read(MARKS)
    said: list[Marked] = []
    unsaid: list[Marked] = []
    for author in sorted({one.author for one in marked}):
        weights = fit([one for one in marked if one.author != author])
        theirs = [one for one in marked if one.author == author]
        said += chosen(theirs, weights)
        unsaid += [one for one in theirs if worth(one, weights) <= 0]

    assert share_of_good(said) > share_of_good(unsaid) + 0.15
    assert sum(one.mark == "bad" for one in said) <= 0.02 * len(said)


def share_of_good(marked: Sequence[Marked]) -> float:
    return sum(one.mark == "good" for one in marked) / len(marked)
