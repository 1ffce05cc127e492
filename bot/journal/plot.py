"""Pictures of a person's moods: one counsel turn by turn, and day by day."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, tzinfo
from functools import cache
from importlib.resources import files
from io import BytesIO
from itertools import groupby
from statistics import fmean, median

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine

from bot.conversation.model import EmotionLabel, Moment
from bot.conversation.mood import HEAVY, LIGHT, PLAIN, pools, valence

PAGE = (1200, 800)
PHONE = (760, 760)
"""Sizes in pixels. Letters are as large in a narrow picture as in a wide one."""

_DPI = 200
_PAPER, _INK, _FAINT, _THREAD = "#fbfaf6", "#4a4e57", "#7b7f88", "#c3c6cd"
_MARKS = {LIGHT: ("o", "#d99a5b"), PLAIN: ("D", "#86a596"), HEAVY: ("s", "#6f81ad")}
_THREADED = 40
"""Moments that a line can join before it tangles."""


def counsel_png(
    moments: Sequence[Moment], *, words: Mapping[str, str], tz: tzinfo | None = None, size: tuple[int, int] = PAGE
) -> bytes:
    """Draw one counsel, oldest first: a mark a turn, on the row of its emotion. Times are in `tz`, or as they come.

    Raises `ValueError` where there are no moments.
    """
    figure, axes = _sheet(moments, words, about="counsel", size=size)
    places = range(len(moments))
    heights = [valence(moment.emotion) for moment in moments]
    if len(moments) <= _THREADED:
        axes.plot(places, heights, color=_THREAD, linewidth=1.3)
    else:
        runs = list(pools(places, _THREADED // 2))
        trend = [fmean(heights[place] for place in run) for run in runs]
        axes.plot([fmean(run) for run in runs], trend, color=_INK, linewidth=1.5, alpha=0.7, zorder=4)
    _mark(axes, places, heights)

    times = [moment.at.astimezone(tz) if tz else moment.at for moment in moments]
    is_one_day = times[0].date() == times[-1].date()
    _date(axes, places, lambda place: f"{times[place]:%H:%M}" + ("" if is_one_day else f"\n{_day(times[place])}"))
    return _png(figure)


def days_png(moments: Sequence[Moment], *, words: Mapping[str, str], tz: tzinfo, size: tuple[int, int] = PAGE) -> bytes:
    """Draw the days of `tz`, moments oldest first: a bar from the heaviest to the lightest, a mark at the middle.

    A line joins the middles of neighbouring days; days without talk stay open. Raises `ValueError` where there are no
    moments.
    """
    figure, axes = _sheet(moments, words, about="days", size=size)
    days = {
        day.toordinal(): [valence(moment.emotion) for moment in said]
        for day, said in groupby(moments, key=lambda moment: moment.at.astimezone(tz).date())
    }
    places, middles = list(days), [median(heights) for heights in days.values()]
    lows, highs = [min(heights) for heights in days.values()], [max(heights) for heights in days.values()]
    axes.vlines(places, lows, highs, color=_THREAD, linewidth=_breadth(axes, places, 8), capstyle="round", alpha=0.7)
    for _, run in groupby(range(len(days)), key=lambda i: places[i] - i):
        joined = list(run)
        axes.plot([places[i] for i in joined], [middles[i] for i in joined], color=_INK, linewidth=1.2, alpha=0.7)
    _mark(axes, places, middles)
    _date(axes, places, lambda place: _day(date.fromordinal(place)))
    return _png(figure)


def _sheet(
    moments: Sequence[Moment], words: Mapping[str, str], *, about: str, size: tuple[int, int]
) -> tuple[Figure, Axes]:
    """Lay out an empty picture: a row for each emotion that occurs, the light ones above an ordinary day."""
    if not moments:
        raise ValueError("no moments to draw; say `described` of them instead")
    figure = Figure(
        figsize=(size[0] / _DPI, size[1] / _DPI),
        dpi=_DPI,
        facecolor=_PAPER,
        layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12),
    )
    figure.suptitle(words[f"plot_{about}"], x=0.03, ha="left", color=_INK, fontproperties=_font(11))
    figure.supxlabel(words[f"plot_{about}_note"], x=0.97, ha="right", color=_FAINT, fontproperties=_font(7))

    axes = figure.add_subplot(facecolor=_PAPER)
    axes.spines[:].set_visible(False)
    axes.set_ylim(-1.15, 1.15)
    axes.axhspan(0, 1.15, color=_MARKS[LIGHT][1], alpha=0.05, linewidth=0)
    axes.axhspan(-1.15, 0, color=_MARKS[HEAVY][1], alpha=0.05, linewidth=0)
    felt = sorted({EmotionLabel.EVERYDAY, *(moment.emotion for moment in moments)}, key=valence)
    axes.set_yticks([valence(label) for label in felt], [words[label.name.lower()] for label in felt])
    axes.grid(axis="y", color=_THREAD, linewidth=0.6, alpha=0.6, dashes=(1, 3))
    axes.axhline(0, color=_THREAD, linewidth=0.8, zorder=1)
    axes.tick_params(length=0, labelcolor=_INK, pad=6)
    axes.set_axisbelow(True)
    return figure, axes


def _mark(axes: Axes, places: Sequence[int], heights: Sequence[float]) -> None:
    """Set a mark at each place: its shape, its colour and its row all say how light it is."""
    area, edge = _breadth(axes, places, 7.5) ** 2, _PAPER if len(places) <= _THREADED else "none"
    for which, (shape, colour) in _MARKS.items():
        spots = [i for i, height in enumerate(heights) if _side_of(height) == which]
        xs, ys = [places[i] for i in spots], [heights[i] for i in spots]
        axes.scatter(xs, ys, s=area, marker=shape, color=colour, edgecolor=edge, zorder=3)


def _breadth(axes: Axes, places: Sequence[int], at_most: float) -> float:
    """Return how broad in points a thing may be so that neighbours stay apart."""
    return max(2.5, min(at_most, 0.7 * _inches(axes) * 72 / (places[-1] - places[0] + 1)))


def _date(axes: Axes, places: Sequence[int], label: Callable[[int], str]) -> None:
    """Name as many places as fit, evenly back from the newest."""
    first, last = places[0], places[-1]
    margin = max(0.5, (last - first) * 0.04)
    axes.set_xlim(first - margin, last + margin)
    named = range(last, first - 1, -1 - (last - first) // max(1, int(1.5 * _inches(axes))))
    axes.set_xticks(named, [label(place) for place in named])
    for text in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        text.set_fontproperties(_font(8))


def _inches(axes: Axes) -> float:
    return axes.bbox.width / _DPI


def _side_of(height: float) -> int:
    return LIGHT if height > 0.18 else HEAVY if height < -0.33 else PLAIN


def _day(day: date) -> str:
    return f"{day.month}/{day.day}"


@cache
def _font(points: float) -> FontProperties:
    return FontProperties(fname=str(files("bot.resources") / "fonts" / "NanumSquareRoundR.ttf"), size=points)


def _png(figure: Figure) -> bytes:
    """Return the same bytes for the same picture: no date, no version."""
    drawn = BytesIO()
    figure.savefig(drawn, format="png", metadata={"Software": None})
    return drawn.getvalue()
