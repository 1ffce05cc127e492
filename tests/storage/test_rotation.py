"""What a person's rotation keeps of sentence vectors, and what it takes from whoever lacks the key."""

import numpy as np
import numpy.typing as npt
import pytest

from storage.rotation import rotated

KEY, ANOTHER = bytes(range(32)), bytes(range(1, 33))


def meanings(count: int, size: int) -> npt.NDArray[np.float64]:
    """Unit vectors that lean one way, as those of sentence encoders do."""
    drawn = np.random.default_rng(7).normal(loc=0.5, size=(count, size))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


def turned(vectors: npt.NDArray[np.float64], key: bytes, encoder: str = "one") -> npt.NDArray[np.float64]:
    return np.array([rotated(tuple(vector), key=key, encoder=encoder) for vector in vectors.tolist()])


@pytest.mark.parametrize("size", [1, 2, 3, 32, 384, 767, 768, 1024])
def test_likeness_within_a_person_is_kept(size: int) -> None:
    said = meanings(40, size)

    kept = turned(said, KEY)

    assert kept.shape == said.shape
    assert np.abs(kept @ kept.T - said @ said.T).max() < 1e-5


def test_the_same_texts_of_two_people_are_as_unlike_as_chance_makes_them() -> None:
    said = meanings(200, 768)

    likeness = np.sum(turned(said, KEY) * turned(said, ANOTHER), axis=1)

    assert np.abs(likeness).max() < 0.2  # chance deviates by 768 ** -0.5, .036
    assert abs(likeness.mean()) < 0.05


def test_what_is_kept_is_unlike_what_was_meant() -> None:
    said = meanings(200, 768)

    likeness = np.sum(turned(said, KEY) * said, axis=1)

    assert np.abs(likeness).max() < 0.2


def test_who_is_near_to_whom_cannot_be_told_across_two_people() -> None:
    said = meanings(200, 768)

    nearest = np.argmax(turned(said, KEY) @ turned(said, ANOTHER).T, axis=1)

    assert np.count_nonzero(nearest == np.arange(200)) < 10


def test_a_vector_with_one_number_is_spread_over_all() -> None:
    spike = np.eye(1, 768)

    assert np.abs(turned(spike, KEY)).max() < 0.25


def test_two_encoders_are_turned_differently_for_the_same_person() -> None:
    said = meanings(50, 768)

    likeness = np.sum(turned(said, KEY, "one") * turned(said, KEY, "two"), axis=1)

    assert np.abs(likeness).max() < 0.2


def test_a_key_turns_today_as_it_did_when_the_vectors_were_kept() -> None:
    kept = rotated((0.1, 0.2, 0.3, 0.4, 0.5), key=KEY, encoder="one")

    assert kept == pytest.approx(FROZEN)


FROZEN = (0.234312434, -0.463225437, 0.428994775, -0.150194144, 0.271891669)
"""Another outcome makes all vectors that were kept before useless: then a rebuild must be asked for."""
