"""How a person's moods went, in a line of blocks and a few kind words: always a guess, never a verdict."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import fmean
from typing import TypeVar

from bot.conversation.model import EmotionLabel, Moment

_VALENCES = {
    EmotionLabel.HAPPY: 1.0,
    EmotionLabel.JOYFUL: 0.84,
    EmotionLabel.LOVING: 0.68,
    EmotionLabel.GRATEFUL: 0.52,
    EmotionLabel.EXPECTANT: 0.36,
    EmotionLabel.EVERYDAY: 0.0,
    EmotionLabel.PENSIVE: -0.2,
    EmotionLabel.WEARY: -0.46,
    EmotionLabel.ANNOYED: -0.64,
    EmotionLabel.ANXIOUS: -0.82,
    EmotionLabel.SAD: -1.0,
}

LIGHT, PLAIN, HEAVY = 1, 0, -1
"""The sides of the scale. Only these are compared in words: no sadness is better than another."""

T = TypeVar("T")

BLOCKS = "▁▂▃▄▅▆▇█"
WIDTH = 20


def valence(label: EmotionLabel) -> float:
    """Return how pleasant a feeling is to have, -1 to 1, an ordinary day being 0.

    The signs follow the pleasure axis of Russell's circumplex (1980, doi:10.1037/h0077714). The distances are our own
    and measured by nobody: they keep eleven rows of a picture apart.
    """
    return _VALENCES[label]


def side(label: EmotionLabel) -> int:
    """Return `LIGHT`, `PLAIN` or `HEAVY`. Having much on one's mind is no burden yet."""
    if label in {EmotionLabel.EVERYDAY, EmotionLabel.PENSIVE}:
        return PLAIN
    return LIGHT if valence(label) > 0 else HEAVY


def pools(things: Sequence[T], count: int) -> Iterator[Sequence[T]]:
    """Split things into at most `count` runs of nearly the same length, in order."""
    count = min(count, len(things))
    bounds = [len(things) * i // count for i in range(count + 1)] if count else []
    return (things[start:end] for start, end in pairwise(bounds))


def sparkline(moments: Sequence[Moment]) -> str:
    """Draw a block a moment, the newest rightmost. Longer histories are pooled into `WIDTH` blocks."""
    heights = (fmean(valence(moment.emotion) for moment in pool) for pool in pools(moments, WIDTH))
    return "".join(BLOCKS[round((height + 1) / 2 * (len(BLOCKS) - 1))] for height in heights)


def flow(moments: Sequence[Moment], *, words: Mapping[str, str]) -> str:
    """Say in two or three sentences how the moments seem to have gone, oldest first."""
    if len(moments) < 2:
        return words["too_few"]
    labels = [moment.emotion for moment in moments]
    early, late = labels[: len(labels) // 2], labels[-(len(labels) // 2) :]
    match _shape(labels, early, late):
        case "rising":
            said = words["rising"].format(first=words[_felt(early, {PLAIN, HEAVY})])
        case "falling":
            first, last = _felt(early, {PLAIN, LIGHT}), _felt(late, {PLAIN, HEAVY})
            said = words["falling"].format(first=words[first], last=words[last])
        case shape:
            said = words[shape].format(most=words[_felt(labels, {LIGHT, PLAIN, HEAVY})])
    return f"{said} {words['guess']}"


def described(moments: Sequence[Moment], words: Mapping[str, str]) -> str:
    """Say in one sentence what a picture of the moments shows, for whoever cannot see it."""
    if not moments:
        return words["described_none"]
    labels = [moment.emotion for moment in moments]
    first, last, most = (words[label.name.lower()] for label in (labels[0], labels[-1], _commonest(labels)))
    return words["described"].format(count=len(labels), first=first, last=last, most=most)


def emotion_called(said: str, words: Mapping[str, str]) -> EmotionLabel | None:
    """Return the emotion that people call so: by its name, one of its other names (`sad_also`) or its label."""
    wanted = _folded(said)
    for label in EmotionLabel:
        key = label.name.lower()
        if wanted in map(_folded, (words[key], *words[f"{key}_also"].split(","), key, label)):
            return label
    return None


def _shape(labels: Sequence[EmotionLabel], early: Sequence[EmotionLabel], late: Sequence[EmotionLabel]) -> str:
    """Name the key of the words for a course: half a side up or down between the halves is a direction."""
    turn = fmean(map(side, late)) - fmean(map(side, early))
    if abs(turn) >= 0.5:
        return "rising" if turn > 0 else "falling"
    sides = Counter(map(side, labels))
    if 4 * min(sides[LIGHT], sides[HEAVY]) >= len(labels):
        return "mixed"
    return {LIGHT: "level_light", PLAIN: "level_plain", HEAVY: "level_heavy"}[max(sides, key=lambda s: sides[s])]


def _felt(labels: Sequence[EmotionLabel], sides: Collection[int]) -> str:
    """Name the key of the words for what was felt most, among these sides."""
    return f"{_commonest([label for label in labels if side(label) in sides]).name.lower()}_felt"


def _commonest(labels: Sequence[EmotionLabel]) -> EmotionLabel:
    return Counter(labels).most_common(1)[0][0]


def _folded(name: str) -> str:
    """Forget case, blanks, quotes and full stops, and the polite ending of `슬퍼요`."""
    return "".join(name.casefold().split()).strip("'\"‘’“”.!~").removesuffix("요")
