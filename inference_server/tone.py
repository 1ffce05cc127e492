"""The same sentence in another manner of speech, by rules over its morphemes; unchanged where no rule reaches."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from inference_server.korean import Morpheme, morphemes
from inference_server.texts import SURROGATE
from inference_server.tone_acts import POLITE_VERBS, Final, Sentence, attached, is_yo, tag
from inference_server.tone_morphemes import corrected, heard, spelled
from inference_server.tone_rules import Piece, Rules, Style, Swap, Swaps, pieces

Edits = Mapping[int, Sequence[Piece]]  # what to write in place of which morpheme

_LONGEST = 600  # characters; a counsellor's sentence has about 40
_MARKS = ("!", "?", ".", "…")
_PREFINALS = Piece("*", "EP")  # where a template has them, if not first
_SHIELDED = (
    r"https?://\S+|\([^()\n]*\)|\[[^\[\]\n]*\]|\"[^\"\n]*\"|'[^'\n]*'|`[^`\n]*`"
    r"|“[^”\n]*”|‘[^’\n]*’|「[^」\n]*」|『[^』\n]*』|«[^»\n]*»"
)


class RuleTone:
    """Restyles sentences written in plain 해요체 or -습니다."""

    def __init__(self) -> None:
        self._rules = Rules.load(Path(__file__).with_name("tone.toml"))

    @property
    def styles(self) -> frozenset[str]:
        return frozenset(self._rules.styles)

    def restyle(self, sentence: str, style: str) -> str:
        """Return the sentence in `style`, or unchanged where that is not safe. Raises ValueError for a style it lacks.

        A sentence with a helpline's number is never restyled, nor is what stands in quotes or parentheses.
        """
        rules = self._rules.styles.get(style)
        if rules is None:
            raise ValueError(f"no style {style!r}; have {sorted(self.styles)}")
        if not rules.endings or len(sentence) > _LONGEST:
            return sentence
        if self._rules.helpline.search(sentence) or SURROGATE.search(sentence):
            return sentence

        said, rest = [], 0
        for start, end in _stock_phrases(sentence, rules.phrases):
            said += [self._reworded(sentence[rest:start], rules), rules.phrases[sentence[start:end]]]
            rest = end
        return "".join([*said, self._reworded(sentence[rest:], rules)])

    def _reworded(self, text: str, style: Style) -> str:
        tokens = self._read(text)
        edits: dict[int, Sequence[Piece]] = {}
        for first, stop in _sentences(tokens):
            sentence = Sentence(tokens[first:stop], self._rules.words)
            edits |= {first + index: written for index, written in self._edits(sentence, style).items()}
        if not edits:
            return text

        # What was meant must be what is heard: a slip in spelling that makes another word is caught here.
        spliced = _spliced(text, tokens, edits)
        reworded = "".join(said for said, _ in spliced)
        meant = heard(piece for index, token in enumerate(tokens) for piece in edits.get(index, [_as_is(token)]))
        reread = self._read(reworded)
        return reworded if heard(map(_as_is, reread)) == meant or _are_heard(spliced, reread) else text

    def _read(self, text: str) -> list[Morpheme]:
        shields = [match.span() for match in re.finditer(_SHIELDED, text)]
        tokens = (
            token._replace(tag="SW") if any(start <= token.start < end for start, end in shields) else token
            for token in morphemes(text)
        )
        return corrected(tokens, self._rules.words)

    def _edits(self, sentence: Sentence, style: Style) -> Edits:
        """Return what to write anew in one sentence: nothing, where it ends in a way that the style does not know."""
        ends = sentence.finals(self._rules.endings)
        if ends is None:
            return {}

        edits = _words(sentence, style, ends)
        for end in ends:
            template = next((style.endings[name] for name in sentence.manners(end) if name in style.endings), None)
            if template is None:
                return {}
            if template == "=":
                edits = {index: written for index, written in edits.items() if not end.head < index < end.stop}
                continue
            honour = _is_honoured(sentence, style, end.head) and sentence.tokens[end.head].form not in POLITE_VERBS
            edits |= {index: [] for index in range(end.head + 1, end.stop)}
            edits[end.head + 1] = _ending(end, template, honour=honour)
            if edits[end.head + 1][-1].form in _MARKS:  # the ending brings its own mark
                if sentence.tokens[end.stop : end.stop + 1] and sentence.tokens[end.stop].tag == "SF":
                    edits[end.stop] = []
                else:
                    edits[end.head + 1] = edits[end.head + 1][:-1]
        return edits


def _words(sentence: Sentence, style: Style, ends: Sequence[Final]) -> dict[int, Sequence[Piece]]:
    edits: dict[int, Sequence[Piece]] = {}
    for index, token in enumerate(sentence.tokens):
        unearned = token.tag == "EP" and token.form in ("시", "으시") and not _is_honoured(sentence, style, index)
        if unearned or is_yo(sentence.tokens, index):
            edits[index] = []
    courtesies = _swapped(sentence, style.honorifics, ends)
    edits |= {index: written for index, written in courtesies.items() if not sentence.owes_an_elder(index)}
    edits |= _swapped(sentence, style.swaps, ends)
    if style.you and (wisher := sentence.wisher()) is not None:
        edits[wisher] = [*edits.get(wisher, [_as_is(sentence.tokens[wisher])]), *style.you]
    return edits


def _is_honoured(sentence: Sentence, style: Style, index: int) -> bool:
    return style.honorific or sentence.honours_an_elder(index)


def _ending(end: Final, template: str, *, honour: bool) -> list[Piece]:
    """Fill in a template, with its pre-finals and those already there in the order in which they are said."""
    written = [Piece(end.spoken, "EF")] if template == "~" else pieces(template.replace("@", end.base))
    if end.question:
        written[-1] = written[-1]._replace(form=re.sub("니다$", "니까", written[-1].form))

    prefinals = set(end.prefinals)
    while written[0].tag in ("EP", "-EP"):
        prefinal = written.pop(0)
        (prefinals.add if prefinal.tag == "EP" else prefinals.discard)(prefinal.form)
    if not honour:
        prefinals.discard("시")
    said = [Piece(form, "EP") for form in ("시", "었", "겠") if form in prefinals]
    place = written.index(_PREFINALS) if _PREFINALS in written else 0
    return [*written[:place], *said, *(piece for piece in written[place:] if piece != _PREFINALS)]


def _swapped(sentence: Sentence, swaps: Swaps, ends: Sequence[Final]) -> dict[int, Sequence[Piece]]:
    edits: dict[int, Sequence[Piece]] = {}
    for index, token in enumerate(sentence.tokens):
        known = [*swaps.get(f"{token.form}/{tag(token)}", ()), *swaps.get(token.tag, ())]
        swap = next((swap for swap in known if index not in edits and _fits(swap, sentence, index, ends)), None)
        if swap is not None:
            edits |= {place: [] for place in range(index, index + len(swap.pattern))}
            edits[index] = [_as_is(token) if piece.form == "*" else piece for piece in swap.written]
    return edits


def _fits(swap: Swap, sentence: Sentence, index: int, ends: Sequence[Final]) -> bool:
    """Whether the rest of the pattern, and what it asks of its surroundings, are there too."""
    after = index + len(swap.pattern)
    expected = (*swap.pattern, *swap.follows)
    there = sentence.tokens[index : index + len(expected)]
    return (
        len(there) == len(expected)
        and all(atom in (f"{token.form}/{tag(token)}", token.tag) for atom, token in zip(expected, there, strict=True))
        and all(
            attached(sentence.tokens, place) or sentence.tokens[place].tag == "VX" for place in range(index + 1, after)
        )
        and (not swap.near or any(token.form in sentence.words[swap.near] for token in sentence.clause(index)))
        and (not swap.ends or any(end.head == after - 1 for end in ends))
    )


def _spliced(text: str, tokens: Sequence[Morpheme], edits: Edits) -> list[tuple[str, Sequence[Piece] | None]]:
    """Write the edited words anew, each with what is meant by it, and leave every other character as it is."""
    out: list[tuple[str, Sequence[Piece] | None]] = []
    rest = 0
    for first, last in _regions(tokens, edits):
        start, end = tokens[first].start, max(token.end for token in tokens[first : last + 1])
        was, before = tokens[first : last + 1], text[:start][-1:]
        written = [piece for place in range(first, last + 1) for piece in edits.get(place, [_as_is(tokens[place])])]
        as_spoken = "".join(piece.form for piece in written) + "요" == "".join(token.form for token in was)
        if as_spoken and not text.endswith("세요", start, end):  # 계세요 is read as 계시어요
            new = text[start : end - 1]
        else:
            new = spelled(written, before=before, was=text[start:end])
        out += [(text[rest:start], None), (new, written)]
        rest = end
    return [*out, (text[rest:], None)]


def _are_heard(spliced: Sequence[tuple[str, Sequence[Piece] | None]], reread: Sequence[Morpheme]) -> bool:
    """Whether each word written anew is heard as meant, even where Kiwi now cuts the words around it another way."""
    start = 0
    for said, meant in spliced:
        end = start + len(said)
        within = [token for token in reread if start < token.end and token.start < end]
        whole = all(start <= token.start and token.end <= end for token in within)
        if meant is not None and not (whole and heard(map(_as_is, within)) == heard(meant)):
            return False
        start = end
    return True


def _regions(tokens: Sequence[Morpheme], edits: Edits) -> list[tuple[int, int]]:
    """Widen each edit to all that is spelled with it: a stem and its endings, a noun and its particles."""

    def leans_back(index: int) -> bool:
        token = tokens[index]
        elided = token.start == token.end and token.tag != "VCP"  # the 하 of 다잖아요, short for 다고 하잖아요
        return token.tag[0] in "EJ" or token.start < tokens[index - 1].end or elided

    regions: list[tuple[int, int]] = []
    for index in sorted(edits):
        first = last = index
        while first > 0 and (leans_back(first) or edits.get(first) == []):
            first -= 1
        while attached(tokens, last + 1) and (leans_back(last + 1) or tokens[last + 1].tag == "VCP"):
            last += 1
        if regions and first <= regions[-1][1]:
            earlier = regions.pop()
            first, last = min(first, earlier[0]), max(last, earlier[1])
        regions.append((first, last))
    return regions


def _stock_phrases(text: str, phrases: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    for match in re.finditer(rf"{_SHIELDED}|(?<![가-힣])(?:{'|'.join(phrases)})(?![가-힣])", text):
        if match.group() in phrases:
            yield match.span()


def _sentences(tokens: Sequence[Morpheme]) -> Iterator[tuple[int, int]]:
    first = 0
    for stop, token in enumerate(tokens, start=1):
        if token.tag == "SF" or stop == len(tokens):
            yield first, stop
            first = stop


def _as_is(token: Morpheme) -> Piece:
    return Piece(token.form, token.tag)
