"""Pictures of moods, opened again."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from io import BytesIO
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.font_manager import get_font
from PIL import Image

from bot.conversation.model import CounselId, EmotionLabel, Moment
from bot.journal.plot import PAGE, PHONE, counsel_png, days_png
from bot.resources import strings
from tests.fakes import START

KST = ZoneInfo("Asia/Seoul")
FONTS = files("bot.resources") / "fonts"
HAPPY, CALM, SAD = EmotionLabel.HAPPY, EmotionLabel.EVERYDAY, EmotionLabel.SAD

WORDS = {
    "plot_counsel": "이번 이야기",
    "plot_counsel_note": "짐작한 마음이에요.",
    "plot_days": "하루하루",
    "plot_days_note": "짐작한\n마음이에요.",
    **{label.name.lower(): label.value for label in EmotionLabel},
}

PAPER, WARM, GREEN, BLUE = (251, 250, 246), (217, 154, 91), (134, 165, 150), (111, 129, 173)


def moments(*emotions: EmotionLabel, apart: timedelta = timedelta(minutes=3)) -> list[Moment]:
    return [Moment(START + i * apart, emotion, CounselId(1)) for i, emotion in enumerate(emotions)]


def opened(png: bytes) -> Image.Image:
    return Image.open(BytesIO(png)).convert("RGB")


def places(picture: Image.Image, colour: tuple[int, int, int]) -> list[tuple[int, int]]:
    pixels = picture.tobytes()
    spots = (i // 3 for i in range(0, len(pixels), 3) if pixels[i : i + 3] == bytes(colour))
    return [(spot % picture.width, spot // picture.width) for spot in spots]


@pytest.mark.parametrize("size", [PAGE, (901, 640)])
@pytest.mark.parametrize("count", [1, 2, 20, 200])
def test_a_picture_has_the_size_that_was_asked_for_and_something_on_it(size: tuple[int, int], count: int) -> None:
    history = moments(*(list(EmotionLabel) * 20)[:count], apart=timedelta(hours=7))

    for png in (
        counsel_png(history, words=WORDS, tz=KST, size=size),
        days_png(history, words=WORDS, tz=KST, size=size),
    ):
        assert opened(png).size == size
        assert places(opened(png), WARM)


@pytest.mark.parametrize("size", [PAGE, PHONE])
@pytest.mark.parametrize("language", ["ko", "en"])
def test_nothing_is_cut_off_at_the_edges(language: str, size: tuple[int, int]) -> None:
    history, words = moments(*EmotionLabel, *EmotionLabel, apart=timedelta(hours=5)), strings(language)["mood"]

    for png in (
        counsel_png(history, words=words, tz=KST, size=size),
        days_png(history, words=words, tz=KST, size=size),
    ):
        picture = opened(png)
        width, height = size
        for edge in (
            (0, 0, width, 8),
            (0, height - 8, width, height),
            (0, 0, 8, height),
            (width - 8, 0, width, height),
        ):
            assert picture.crop(edge).getcolors() == [(picture.crop(edge).width * picture.crop(edge).height, PAPER)]


def test_lighter_moments_stand_higher_and_later_ones_further_right() -> None:
    picture = opened(counsel_png(moments(SAD, CALM, HAPPY), words=WORDS, size=PHONE))
    sad, calm, happy = (places(picture, colour)[0] for colour in (BLUE, GREEN, WARM))

    assert sad[0] < calm[0] < happy[0]
    assert sad[1] > calm[1] > happy[1]


def test_marks_differ_in_shape_where_colours_cannot_be_told_apart() -> None:
    picture = opened(counsel_png(moments(SAD, CALM, HAPPY), words=WORDS, size=PHONE))
    filled = {}
    for colour in (BLUE, GREEN, WARM):
        xs, ys = zip(*places(picture, colour), strict=True)
        filled[colour] = len(xs) / ((max(xs) - min(xs) + 1) * (max(ys) - min(ys) + 1))

    assert filled[BLUE] > 0.9 > filled[WARM] > 0.65 > filled[GREEN]


@pytest.mark.parametrize(("later", "is_joined"), [(1, True), (2, False), (9, False)])
def test_neighbouring_days_are_joined_and_days_without_talk_left_open(later: int, *, is_joined: bool) -> None:
    history = moments(SAD, SAD, apart=timedelta(days=later))
    picture = opened(days_png(history, words=WORDS, tz=KST, size=PHONE))
    xs, ys = zip(*places(picture, BLUE), strict=True)
    between = picture.convert("L").getpixel(((min(xs) + max(xs)) // 2, (min(ys) + max(ys)) // 2))

    assert isinstance(between, int)
    assert (between < 150) == is_joined


def test_a_day_begins_at_midnight_where_the_person_is() -> None:
    late, early = datetime(2026, 11, 22, 14, 50, tzinfo=UTC), datetime(2026, 11, 22, 15, 10, tzinfo=UTC)
    history = [Moment(late, SAD, CounselId(1)), Moment(early, HAPPY, CounselId(1))]
    in_seoul, in_utc = (opened(days_png(history, words=WORDS, tz=tz, size=PHONE)) for tz in (KST, UTC))

    assert (bool(places(in_seoul, BLUE)), bool(places(in_seoul, WARM))) == (True, True)
    assert (bool(places(in_utc, BLUE)), bool(places(in_utc, WARM)), bool(places(in_utc, GREEN))) == (False, False, True)


def test_times_are_shown_as_the_clock_of_the_person_shows_them() -> None:
    history = moments(SAD, CALM)
    in_seoul = [Moment(moment.at.astimezone(KST), moment.emotion, moment.counsel_id) for moment in history]

    assert counsel_png(history, words=WORDS, tz=KST) == counsel_png(in_seoul, words=WORDS)
    assert counsel_png(history, words=WORDS, tz=KST) != counsel_png(history, words=WORDS, tz=UTC)


def test_the_same_moments_give_the_same_bytes_in_any_thread() -> None:
    history = moments(*EmotionLabel)
    with ThreadPoolExecutor(2) as threads:
        drawn = set(threads.map(lambda _: counsel_png(history, words=WORDS, tz=KST, size=PHONE), range(4)))

    assert drawn == {counsel_png(history, words=WORDS, tz=KST, size=PHONE)}
    assert Image.open(BytesIO(drawn.pop())).info.keys() == {"dpi"}


def test_nothing_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match="no moments"):
        counsel_png([], words=WORDS)
    with pytest.raises(ValueError, match="no moments"):
        days_png([], words=WORDS, tz=KST)


@settings(max_examples=8, deadline=None)
@given(
    st.lists(
        st.tuples(st.timedeltas(timedelta(0), timedelta(days=90_000)), st.sampled_from(EmotionLabel)),
        min_size=1,
        max_size=80,
    )
)
def test_any_history_can_be_drawn(said: list[tuple[timedelta, EmotionLabel]]) -> None:
    history = [Moment(START + later, emotion, CounselId(1)) for later, emotion in sorted(said)]

    assert opened(counsel_png(history, words=WORDS, tz=KST, size=PHONE)).size == PHONE
    assert opened(days_png(history, words=WORDS, tz=KST, size=PHONE)).size == PHONE


@pytest.mark.parametrize("words", [WORDS, strings("ko")["mood"], strings("en")["mood"]], ids=["own", "ko", "en"])
def test_the_font_has_every_letter_that_is_drawn(words: Mapping[str, str]) -> None:
    known = get_font(str(FONTS / "NanumSquareRoundR.ttf")).get_charmap()
    drawn = "0123456789:/" + "".join(words[key] for key in WORDS)

    assert set(map(ord, drawn)) <= set(known)


def test_the_font_comes_with_its_licence_and_where_it_is_from() -> None:
    assert "SIL OPEN FONT LICENSE" in (FONTS / "OFL.txt").read_text(encoding="utf-8")
    assert "sha256" in (FONTS / "README.md").read_text(encoding="utf-8")
