"""What a sentence does (tells, asks, invites, proposes …), read from its ending and the words before it."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import pairwise

from inference_server.korean import Morpheme
from inference_server.tone_rules import Ending, Words

_PREDICATES = ("VV", "VA", "VX", "VCP", "VCN", "XSV", "XSA")
_DENIALS = ("안/MAG", "못/MAG", "않/VX", "못하/VX", "말/VX", "없/VA", "아니/VCN")
_HUMBLE = ("께", "드리", "여쭈", "여쭙", "뵙")
POLITE_VERBS = ("계시", "주무시", "드시", "잡수시")  # their 시 is part of the word
_COMPANY = frozenset(("랑", "이랑", "와", "과", "하고"))
_GROUNDS = frozenset(("니", "으니", "니까", "으니까", "지만", "어서", "라서", "는데", "ᆫ데"))
_LISTENER = (("나", "NP"), ("내", "MM"))  # a counsellor is 저: who says 나만 speaks for the listener
_HONOURS = frozenset(("시", "으시", *POLITE_VERBS))


@dataclass(frozen=True, slots=True)
class Final:
    """Where a sentence ends: `tokens[head]` is the predicate, `tokens[head + 1 : stop]` what a style says its way."""

    act: str
    base: str
    spoken: str
    head: int
    stop: int
    prefinals: frozenset[str]
    question: bool


@dataclass(frozen=True, slots=True)
class Sentence:
    tokens: Sequence[Morpheme]
    words: Words

    def finals(self, endings: Mapping[str, Ending]) -> list[Final] | None:
        """Return the ends in the sentence, or None when it ends in a way the table does not know."""
        found = []
        for index, token in enumerate(self.tokens):
            if token.tag not in ("EF", "EC") or is_yo(self.tokens, index):
                continue
            stop = index + 2 if is_yo(self.tokens, index + 1) else index + 1
            form = token.form + "요" * (stop - index - 1)
            if self._goes_on(stop):
                continue
            head = index - 1
            while head > 0 and self.tokens[head].tag == "EP":
                head -= 1
            if head > 0 and self.tokens[head].form == "않" and self.tokens[head].start < self.tokens[head - 1].end:
                return None  # 힘들잖습니까 denies nothing
            must = self.tokens[head].form == "어야" and head < index - 1  # 쉬어야겠어요, short for 쉬어야 하겠어요
            if form in endings and head >= 0 and (must or tag(self.tokens[head]) in _PREDICATES):
                found.append(self._final(form, endings[form], head, index, stop))
            elif token.tag == "EF" or token.form.endswith("요"):
                return None
        for earlier, later in pairwise(found):
            same = (earlier.spoken, self.tokens[earlier.head].form) == (later.spoken, self.tokens[later.head].form)
            if same and later.question:  # 직접 들으신 거예요, 전해 들으신 거예요?
                found[found.index(earlier)] = replace(earlier, question=True)
        return found or self._fragment()

    def _goes_on(self, stop: int) -> bool:
        """Whether what looks like an end is but a part: 괜찮아요라고, 왜 그랬는지는, 아닐까 싶어요."""
        after = self.tokens[stop : stop + 1]
        return any(token.form == "싶" or (attached(self.tokens, stop) and token.tag[0] in "EJV") for token in after)

    def _fragment(self) -> list[Final]:
        """Return the end of a sentence without a predicate: 저도요, 이렇게요."""
        end = len(self.tokens)
        while end and self.tokens[end - 1].tag[0] == "S":
            end -= 1
        if not is_yo(self.tokens, end - 1) or self.tokens[end - 2].tag == "IC":
            return []
        return [Final("fragment", "", "", end - 2, end, frozenset(), self._asks(end))]

    def _final(self, form: str, ending: Ending, head: int, index: int, stop: int) -> Final:
        prefinals = {"시" if token.form == "으시" else token.form for token in self.tokens[head + 1 : index]}
        asks_favour = ending.act == "tell" and form.endswith("요")
        honours = prefinals == {"시"} or (not prefinals and self.tokens[head].form in POLITE_VERBS)
        return Final(
            act="honor" if asks_favour and honours else ending.act,
            base=ending.base,
            spoken=form.removesuffix("요").replace("죠", "지"),
            head=head,
            stop=stop,
            prefinals=frozenset(prefinals | {"시"} if ending.act == "honor" else prefinals),
            question=self._asks(stop),
        )

    def _asks(self, stop: int) -> bool:
        ahead = self.tokens[stop : stop + 3]
        asked = any(token.tag == "SF" and "?" in token.form for token in ahead)
        return asked or "".join(token.form for token in ahead).endswith("아니면")

    def manners(self, end: Final) -> Iterator[str]:
        """Yield the names under which a style may know this end, the narrowest first."""
        act = self._act(end)
        head, is_now = self.tokens[end.head], not {"었", "겠"} & end.prefinals
        about_you = "시" in end.prefinals or head.form in POLITE_VERBS
        willed = self._can_be_willed(end)
        requested = about_you and willed and "겠" in end.prefinals
        stem = self._stem(end.head)
        feels = about_you and stem in self.words["feelings"]
        trails_off = act == "echo" and any(token.tag == "SE" for token in self.tokens[end.stop : end.stop + 1])
        is_past, said = "었" in end.prefinals, self.clause(end.head)
        asked = self.clause(end.head, through=("라고",))
        moved = is_past and about_you and (feels or tag(head) in ("VA", "XSA"))
        kinds = {
            "sigh": self._is_sighed(end.head, self.tokens[: end.head]) and (not end.question or moved),
            "suggestion": is_now and self._is_suggested(end.head),
            "shared": end.question and (is_past or head.form == "그렇") and not self._is_denied(end.head),
            "checked": end.question and head.form == "맞",
            "acknowledged": head.form in ("그렇", "그러") or (not about_you and _has({"그런", "그렇게"}, said)),
            "insisted": _has({"저", "제", "저희", "당신"}, self.tokens[: end.head]),
            "bidden": end.base.startswith(("자", "으라")) or (end.base[:1] == "라" and tag(head) not in ("VCP", "VCN")),
            "proposed": end.base.startswith("자"),
            "retold": is_now and self._is_retold(end.head),
            "recounted": about_you and is_past and self._is_recounted(end.head),
            "voiced": not about_you and self._is_voiced(end.head),
            "instructed": self._is_instructed(end),
            "only": head.form == "밖에",
            "allowed": self._is_allowed(end),
            "favour": head.form.endswith("주"),
            "sorry": stem in self.words["sorry"],
            "heartfelt": bool({stem, self.tokens[end.head - 1].form + head.form} & self.words["heartfelt"]),
            "seems": head.form == "보" and self._follows_guess(end.head),
            "conditional": any(token.tag == "EC" and token.form.endswith("면") for token in self.tokens[: end.head]),
            "feeling": feels,
            "inferred": about_you and self._is_inferred(end),
            "gathered": not about_you and self._is_gathered(end),
            "felt": about_you and not end.question and (feels or self._is_felt(end)),
            "supposed": about_you and "겠" in end.prefinals and not willed,
            "question": end.question or trails_off,
            "yours": about_you,
            "giving": head.form == "드리" and not end.prefinals and self._is_given(end.head),
            "guess": self._is_guess(end, act),
            "quiet": end.act == "ask" and not end.question and not end.spoken.endswith("까"),
            "choice": requested and tag(head) == "VV" and _has(self.words["open_words"], asked),
            "request": requested,
            "chance": "겠" in end.prefinals and head.form not in ("모르", "알"),
            "copula": is_now and tag(head) in ("VCP", "VCN"),
            "linked": self._is_linked(end),
            "action": is_now and self._is_verb(end.head),
            "state": is_now and self._is_state(end),
            "tensed": not is_now,
        }
        if act == "wonder":
            wondering = self._wondering(end)
            if wondering == "invite" and _has({"우리"}, self.tokens[: end.head]):
                yield "wonder.together"
            yield f"wonder.{wondering}"
        yield from (f"{act}.{kind}" for kind, holds in kinds.items() if holds)
        yield act

    def _act(self, end: Final) -> str:
        plain = end.act in ("tell", "honor")
        if end.act == "tag" and not end.question and not end.prefinals and self._is_tried(end.head):
            return "propose"  # 하나씩 적어 보죠
        if end.question:
            return "ask" if plain or (end.act == "trail" and self._is_open()) else end.act
        if plain and (self.tokens[end.head].form == "어떻" or self._is_sighed(end.head, self.clause(end.head))):
            return "ask"
        if not plain or not self.tokens[end.stop - 1].form.endswith("요") or end.prefinals - {"시"}:
            return "tell" if end.act == "honor" else end.act

        if end.act == "honor":
            if not self._is_wished(end):
                return "tell"
            about = _is_spoken_of(self.clause(end.head), self.words["others"])
            return "unsure" if about and not self._is_asked(end.head) else "command"
        if not self._can_be_willed(end) or self._only_carries(end.head):
            return "tell"
        if self._is_shared(end):
            return "propose"
        humble = _has({"여쭈", "드리"}, self.tokens[: end.head])
        caring = self._stem(end.head) in self.words["selfcare"] and not self._has_topic(end.head)
        return "command" if caring or (self._is_asked(end.head) and not humble) else "tell"

    def _is_sighed(self, head: int, said: Sequence[Morpheme]) -> bool:
        """Whether 얼마나 makes the end an outcry (얼마나 힘드셨어요), and not a thought (얼마나 힘드셨을까 싶어요)."""
        return self.tokens[head].form != "싶" and _has({"얼마나"}, said)

    def _is_wished(self, end: Final) -> bool:
        """Whether -세요 asks something of the listener (쉬세요, 행복하세요) or honours what is so (대단하세요)."""
        head, stem, said = self.tokens[end.head], self._stem(end.head), self.clause(end.head)
        if stem in self.words["wishes"] or self._is_asked(end.head):
            return True
        if _is_spoken_of(said, self.words["elders"]):
            return False
        if (head.form, tag(head)) == ("계시", "VX"):  # 편히 쉬고 계세요
            return _has(self.words["restful"], said) and self._stem(max(0, end.head - 2)) in self.words["selfcare"]
        if (head.form, tag(head)) == ("계시", "VV"):
            return not _is_spoken_of(said, self.words["others"])
        doable = self._is_verb(end.head) and stem not in self.words["states"]
        return doable and not any(token.tag == "JKS" or token.form in ("안", "못") for token in said)

    def _is_tried(self, head: int) -> bool:
        return (self.tokens[head].form, self.tokens[head].tag) == ("보", "VX") and self._is_verb(head)

    def _is_asked(self, head: int) -> bool:
        """Whether the auxiliary makes a request of any verb: 해 주세요, 걱정 마세요."""
        token = self.tokens[head]
        if tag(token) == "VV":
            return len(token.form) > 1 and token.form.endswith("보")  # 바라보, 올려다보
        return tag(token) == "VX" and token.form in self.words["asking"] and self._is_verb(head)

    def _wondering(self, end: Final) -> str:
        """Tell apart what -ㄹ까요 does. Said with 겠, a question without an open word would expect a no."""
        head, said = self.tokens[end.head], self.clause(end.head)
        if "었" in end.prefinals and not _has({"얼마나"}, self.tokens):
            unreal = _has({"다면", "라면", "어도", "더라도"}, self.tokens)
            return "plain" if not unreal else "" if self._is_open() else "doubt"
        if head.form == "드리" or (_is_mine(said) and (self._is_verb(end.head) or head.form == "있")):
            return "offer"
        cued = head.form == "보" or _has(self.words["cues"] | {"같이", "함께", "우리"}, self.tokens)
        asked = self.clause(end.head, through=("라고", "라면"))
        if _names(asked, self.words["others"] | self.words["elders"]) and self._is_verb(end.head) and self._is_open():
            return "theirs"
        if self._can_be_willed(end) and (cued or not self._has_topic(end.head)):
            return "invite"
        if tag(head) in ("VCP", "VCN") or head.form == "맞" or _has({"왜"}, said):
            return "plain"
        if _has({"수", "어도"}, self.tokens[max(0, end.head - 2) : end.head]):
            return ""
        if head.form in ("있", "없"):
            return "plain"
        return "" if self._is_open() or head.form in ("않", "괜찮", "좋") else "doubt"

    def _is_shared(self, end: Final) -> bool:
        """Whether it is proposed to both: 같이 해 봐요, 천천히 가요, 서두르지 않기로 해요."""
        before, said = self.tokens[: end.head], self.clause(end.head)
        if _is_mine(before):
            return False
        joint, auxiliary = self._stem(end.head) in self.words["joint"], tag(self.tokens[end.head]) == "VX"
        if any(
            (token.form in ("같이", "함께") and token.tag == "MAG")
            or (token.form == "우리" and (after.tag[0] not in "JN" or after.form in self.words["times"]))
            or (token.form in ("저", "저희") and after.form in _COMPANY)
            for token, after in (*pairwise(before[:3]), *pairwise([*said, self.tokens[end.head]]))
        ):
            return joint or auxiliary or not self._has_topic(end.head)
        stem = self._stem(end.head)
        while before and before[-1].form != "로" and stem.startswith(before[-1].form):
            before = before[:-1]
        if [token.form for token in before[-2:]] == ["기", "로"]:  # 쉬기로 해요, 쉬기로 약속해요
            return True
        if stem == "나누" and not _has(_COMPANY, said) and not self._has_topic(end.head):
            return True
        if auxiliary:  # 천천히 줄여 가요
            joint = (
                self.tokens[end.head].form == "가"
                and end.head > 1
                and self._stem(end.head - 2)[-1:] not in ("지", "되")
            )
        return joint and _has(self.words["cues"], before) and not self._has_topic(end.head)

    def _is_instructed(self, end: Final) -> bool:
        """Whether -고요 is a step of an exercise: 두 발을 바닥에 붙이시고요, 눈을 살짝 감고요."""
        said = self.clause(end.head)
        stepped = end.act == "also" and not end.question and not end.prefinals - {"시"} and self._can_be_willed(end)
        told = "시" in end.prefinals or _has(self.words["limbs"], said)
        return stepped and told and not _has({"도"}, said) and not _is_mine(self.tokens[: end.head])

    def _is_voiced(self, head: int) -> bool:
        """Whether it is said in the listener's place: 나만 그런 것 같죠, 빈자리를 보면 목이 메죠."""
        before, stem = self.tokens[:head], self._stem(head)
        if self._is_denied(head) or _has({"누구", "사람", "저", "제"}, before):
            return False
        mine = any((token.form, token.tag) in _LISTENER for token in before)
        stirred = before[-1:] and before[-1].tag == "JKS" and _has(self.words["inner"], before[-2:-1])
        return bool(stirred) or (mine and stem in self.words["feelings"] | self.words["heartfelt"])

    def _is_given(self, head: int) -> bool:
        """Whether 드리 promises something (알려 드려요), and is not done by saying it (부탁드려요, 권해 드려요)."""
        before = self.tokens[max(0, head - 3) : head]
        return not any(token.tag == "NNG" for token in before[-1:]) and not _has(self.words["urging"], before)

    def _is_guess(self, end: Final, act: str) -> bool:
        """Whether 겠 guesses at what, told flatly, would sound like a promise: 곧 오겠네요, 놀라겠죠."""
        if "겠" not in end.prefinals or self.tokens[end.head].form in ("모르", "알"):
            return False
        return act == "tag" or (self._is_verb(end.head) and not {"시", "었"} & end.prefinals)

    def _can_be_willed(self, end: Final) -> bool:
        """Whether the predicate is something the listener could be asked to do."""
        said, name = self.clause(end.head), self._stem(end.head)
        return (
            self._is_verb(end.head)
            and "었" not in end.prefinals
            and name not in ("않", "못하")
            and name not in self.words["happenings"] | self.words["states"]
            and not name.endswith(("지", "되"))
            and not any(token.tag == "JKS" for token in said)
            and not _is_spoken_of(said, self.words["elders"] | self.words["others"])
            and not any(token.tag == "MAG" and token.form in ("얼마나", "안", "못") for token in said)
        )

    def _only_carries(self, head: int) -> bool:
        """Whether 하 is only held up by what stands before it: 물어볼까 해요, 말라고 해요, 잊혀지기도 해요."""
        if self.tokens[head].form != "하" or head < 2:
            return False
        before = self.tokens[head - 1]
        return (before.tag == "EC" and before.form != "게") or (
            before.tag == "JX" and self.tokens[head - 2].tag == "ETN"
        )

    def _is_verb(self, head: int) -> bool:
        """Whether 는 would stand in its present tense (먹는구려), as after an adjective it would not (좋구려)."""
        token = self.tokens[head]
        if tag(token) in ("VV", "XSV"):
            return token.form not in ("있", "없", "계시", "맞")
        if tag(token) != "VX" or token.form in ("싶", "있", "계시") or head < 1:
            return False
        ties = self.tokens[:head]
        while ties and ties[-1].tag == "JX":  # 남지는 않아요, 무겁기도 해요
            ties = ties[:-1]
        if [tie.form for tie in ties[-1:]] in (["만"], ["법"], ["듯"]):
            return False  # 답답할 만도 해요, 그럴 법도 해요
        if token.form in ("않", "못하") or (token.form == "하" and [tie.tag for tie in ties[-1:]] == ["ETN"]):
            return len(ties) > 1 and self._is_verb(len(ties) - 2)
        return not self._follows_guess(head)

    def _follows_guess(self, head: int) -> bool:
        return head > 0 and self.tokens[head - 1].form.endswith(("나", "가", "까"))  # 오려나 봐요, 아픈가 봐요

    def _is_state(self, end: Final) -> bool:
        """Whether ᆫ would stand in its present tense (좋은지, 계신지), as after 있 and a verb it would not (있는지)."""
        head = self.tokens[end.head]
        if head.form in ("있", "없"):
            return "시" in end.prefinals
        return tag(head) in ("VA", "VX", "XSA") and head.form not in POLITE_VERBS and not self._is_verb(end.head)

    def _is_suggested(self, head: int) -> bool:
        """Whether 어떻 asks what the listener thinks of doing it: 적어 보는 건 어때요, 같이 가면 어때요."""
        before = self.tokens[max(0, head - 2) : head]
        deed = [token.tag for token in before] in (["NNB", "JX"], ["NNB", "JKS"])
        return self.tokens[head].form == "어떻" and (deed or any(token.form.endswith("면") for token in before[-1:]))

    def _is_linked(self, end: Final) -> bool:
        """Whether the sentence asks twice or goes on: 지금 혼자 계세요, 아니면 누가 같이 있어요?"""
        asked = any(
            one.tag in ("EF", "EC") and one.form.endswith(("까", "요")) and after.tag == "SP"
            for one, after in pairwise(self.tokens[: end.head])
        )
        return asked or any(token.tag == "SP" for token in self.tokens[end.stop : end.stop + 1])

    def _is_allowed(self, end: Final) -> bool:
        """Whether a sentence closes with what is all right: 울어도 돼요. 천천히 하시면 돼요."""
        condition, said = self.tokens[end.head - 1].form, self.tokens[end.head].form
        allowed = condition == "어도" and said in ("되", "좋", "괜찮", "충분")
        allowed = allowed or (condition.endswith("면") and said == "되")
        return allowed and any(token.tag == "SF" for token in self.tokens[end.stop : end.stop + 1])

    def _is_inferred(self, end: Final) -> bool:
        """Whether it is gathered from what the listener told, not witnessed: 마음에 담아 두고 계셨군요."""
        head, cheered = self.tokens[end.head], any("!" in token.form for token in self.tokens[end.stop : end.stop + 1])
        favour = head.form == "주" and not any(token.tag == "JKS" for token in self.clause(end.head))
        return not cheered and "겠" not in end.prefinals and not favour and tag(head) not in ("VCP", "VCN")

    def _is_gathered(self, end: Final) -> bool:
        """Whether what is told without a 시 is the listener's all the same: 눈물이 쏟아졌군요, 가슴에 남아 있었네요."""
        said = self.clause(end.head)
        within = "었" in end.prefinals and _has(self.words["inner"], said)
        happens = end.act == "exclaim" and ("었" in end.prefinals or self._is_verb(end.head))
        return (happens or within) and self._is_inferred(end) and not _has({"저", "제"}, said)

    def _is_felt(self, end: Final) -> bool:
        """Whether only the listener can know it: 마음을 놓기 어려우시죠, 기운이 쭉 빠지시죠."""
        head = self.tokens[end.head]
        happens = not {"었", "겠"} & end.prefinals and not self._can_be_willed(end)
        happens = happens and head.form not in ("알", "모르", "맞", "계시") and tag(head) not in ("VCP", "VCN")
        return "겠" not in end.prefinals and (happens or tag(head) in ("VA", "XSA"))

    def _is_denied(self, head: int) -> bool:
        said = [*self.clause(head), self.tokens[head]]
        return any(f"{token.form}/{tag(token)}" in _DENIALS for token in said)

    def _is_retold(self, head: int) -> bool:
        """Whether the sentence gives back what the listener said: 안 나오셨다는 거네요, 듣고 싶으셨던 거네요."""
        told, noun = self.tokens[max(0, head - 4) : max(0, head - 1)], self.tokens[head - 1]
        quoted = any(token.form.endswith(("다는", "라는", "자는")) for token in told[-1:])
        if noun.form in ("이야기", "얘기"):
            return quoted
        return noun.form in ("거", "것", "말", "말씀", "뜻") and (quoted or _has(_HONOURS, told))

    def _is_recounted(self, head: int) -> bool:
        """Whether the sentence says what the listener once said: 이사하신다고 하셨어요."""
        before = self.tokens[max(0, head - 2) : head]  # 하, or 말씀하
        return self.tokens[head].form in ("하", "그러") and any(
            token.form.endswith(("다고", "라고")) for token in before
        )

    def _has_topic(self, head: int) -> bool:
        return any(
            particle.tag == "JX"
            and particle.form in ("은", "는", "ᆫ", "도")
            and tag(noun)[0] in "NX"
            and noun.form not in self.words["times"]
            for noun, particle in pairwise(self.clause(head))
        )

    def _is_open(self) -> bool:
        return _has(self.words["open_words"], self.tokens)

    def _stem(self, head: int) -> str:
        """Return the predicate with the noun or root that it makes a verb of: 속상하, 걱정되."""
        token, noun = self.tokens[head], self.tokens[max(0, head - 1)]
        made = token.tag.startswith("XS") or (token.form == "되" and noun.tag == "NNG" and attached(self.tokens, head))
        return noun.form + token.form if head and made else token.form

    def clause(self, index: int, *, through: tuple[str, ...] = ()) -> Sequence[Morpheme]:
        """Return the morphemes of the clause up to its predicate at `index`; `through` names connectives to pass."""
        start = index
        while start > 0 and (self.tokens[start - 1].form in through or not self._closes(start - 1)):
            start -= 1
        return self.tokens[start:index]

    def _closes(self, index: int) -> bool:
        token = self.tokens[index]
        if token.tag != "EC":
            return token.tag in ("ETM", "ETN", "EF", "SF")
        linked = index + 1 < len(self.tokens) and tag(self.tokens[index + 1]) == "VX"
        return not linked and token.form not in ("게", "지")

    def wisher(self) -> int | None:
        """Return after what to name the listener where only 시 says whose deed is wished: 저는 푹 쉬셨으면 해요."""
        wishes = [
            place
            for place, (end, wish) in enumerate(pairwise(self.tokens))
            if end.form in ("면", "으면") and wish.form in ("좋", "하", "싶") and self._is_your_deed(place)
        ]
        mine = [
            place
            for place, (me, particle) in enumerate(pairwise(self.tokens), start=1)
            if me.form in ("저", "저희") and particle.form in ("는", "도", "ᆫ")
        ]
        if not wishes or not mine:
            return None
        grounds = [place for place in range(mine[0], wishes[0]) if self.tokens[place].form in _GROUNDS]
        place = (grounds or mine[:1])[-1]  # 저는 곁에 없지만 꼭 쉬셨으면 해요: it is not you who are absent
        return place + 1 if self.tokens[place + 1].tag == "SP" else place

    def _is_your_deed(self, end: int) -> bool:
        deed = [place for place in range(max(0, end - 2), end) if self.tokens[place].form in _HONOURS]
        others = _is_spoken_of(self.tokens[:end], self.words["others"])
        return bool(deed) and not others and not self.honours_an_elder(deed[0])

    def owes_an_elder(self, index: int) -> bool:
        """Whether the courteous word at `index` is owed to someone spoken of, not to the listener."""
        token, after = self.tokens[index], self.tokens[index + 1 : index + 2]
        if token.form in _HUMBLE or (after and after[0].form == "드리"):
            return self._humbles_before_an_elder(index)
        if token.tag == "NNG" and not (after and after[0].tag == "XSV"):
            return self._is_owned_by_an_elder(index)
        return self.honours_an_elder(index)

    def honours_an_elder(self, index: int) -> bool:
        """Whether the 시 at `index` is for someone spoken of, not for the listener."""
        if {self._stem(index), self._stem(max(0, index - 1))} & self.words["felt_toward"]:
            return False
        said = self.clause(index, through=("다면", "라고"))
        if any(honour.form == "시" and quote.form == "라고" for honour, quote in pairwise(said)):
            said = self.clause(index)  # 아버님 연세가 여든이시라고 하셨어요: the second 시 is for the listener
        if self.tokens[max(0, index - 1)].form == "돌아가" and not any(token.tag == "JKB" for token in said):
            return True  # 돌아가시다 without a place is to die, and keeps its 시
        if _has({"께서"}, said) or _is_spoken_of(said, self.words["elders"]) or self._is_promised(index):
            return True
        if _is_styled(said) or self._describes_an_elder(index) or self._is_feared_of_an_elder(index):
            return True
        bidden = any(token.form == "라고" for token in self.tokens[index + 1 : index + 2])
        return bidden and self._humbles_before_an_elder(index)  # 아버님께 병원에 가 보시라고 말씀드렸어요

    def _describes_an_elder(self, index: int) -> bool:
        """Whether the 시 is of the elder named next: 몸이 불편하신 어머니, 키워 주신 할머니, but not 만나신 선생님."""
        honour = index + 1 if any(token.tag == "EP" for token in self.tokens[index + 1 : index + 2]) else index
        after = self.tokens[honour + 1 : honour + 3]
        if len(after) < 2 or after[0].tag != "ETM" or after[1].form not in self.words["elders"]:
            return False
        verb = self.tokens[honour if self.tokens[honour].form in POLITE_VERBS else honour - 1]
        own = any(token.tag == "JKS" for token in self.clause(index))
        return own or tag(verb) in ("VA", "XSA") or f"{verb.form}/{tag(verb)}" in ("주/VX", "계시/VV")

    def _is_feared_of_an_elder(self, index: int) -> bool:
        """Whether it is the elder before whom one fears it: 어머니께 말씀드리자니 실망하실까 봐."""
        said, after = self.clause(index), self.tokens[index + 1 : index + 3]
        start = index - len(said)
        feared = [token.form for token in after] == ["ᆯ까", "보"] and not any(token.tag == "JKS" for token in said)
        linked = start > 0 and self.tokens[start - 1].form in ("자니", "면", "으면")
        return feared and linked and self._humbles_before_an_elder(start - 1)

    def _is_promised(self, index: int) -> bool:
        """Whether 께서 still waits for its 시: 어머니께서 힘든 이야기를 꺼내셨군요."""
        for token in reversed(self.tokens[:index]):
            if token.form in _HONOURS:
                return False
            if token.form == "께서":
                return True
        return False

    def _humbles_before_an_elder(self, index: int) -> bool:
        """Whether it is an elder to whom one speaks or gives: 어머니께 말씀드렸어요, 장인어른을 뵙고."""
        if self.tokens[index].form == "께":
            return any(token.form in self.words["elders"] for token in self.tokens[max(0, index - 2) : index])
        if self.tokens[index].form == "드리" and _has(self.words["dues"], self.clause(index)):
            return True
        said = self.tokens[:index]
        return any(
            particle in ("께", "에게", "한테", "을", "를") and not _is_mine(said[place:])
            for place, particle in _marked(said, self.words["elders"])
        )

    def _is_owned_by_an_elder(self, index: int) -> bool:
        """Whether the noun is an elder's: 어머님 말씀, 할머니께서 들려주시던 말씀, but not 어머니께 하신 말씀."""
        said = self.clause(index, through=("던", "ᆫ", "은", "는"))
        return _has({"께서"}, said) or any(
            particle in ("", "의", "이", "가", "은", "는", "도") for _, particle in _marked(said, self.words["elders"])
        )


def tag(token: Morpheme) -> str:
    """Return the tag without Kiwi's mark for regular and irregular stems."""
    return token.tag.partition("-")[0]


def attached(tokens: Sequence[Morpheme], index: int) -> bool:
    """Whether the morpheme at `index` continues the word of the one before."""
    return 0 < index < len(tokens) and tokens[index].start <= tokens[index - 1].end


def is_yo(tokens: Sequence[Morpheme], index: int) -> bool:
    """Whether the morpheme at `index` is the 요 that only makes polite, as in 저는요."""
    return (
        attached(tokens, index)
        and (tokens[index].form == "요" or (tokens[index].form, tokens[index].tag) == ("이요", "JX"))
        and tokens[index].tag in ("JX", "EC", "EF", "MM", "IC")
        and tokens[index - 1].tag != "VCP"
    )


def _is_mine(said: Sequence[Morpheme]) -> bool:
    return any(a.form in ("저", "저희", "제") and b.form in ("가", "는", "도", "ᆫ") for a, b in pairwise(said))


def _marked(said: Sequence[Morpheme], people: Set[str]) -> Iterator[tuple[int, str]]:
    """Yield where one of these people is named, and the particle after: 선생님께."""
    for place, token in enumerate(said):
        if token.form in people:
            after = [near for near in said[place + 1 : place + 3] if near.tag != "XSN"]
            yield place, after[0].form if after else ""


def _is_spoken_of(said: Sequence[Morpheme], people: Set[str]) -> bool:
    return any(
        any(near.tag in ("JKS", "JX") and near.form in "이가은는도" for near in said[place + 1 : place + 3])
        or [near.tag for near in said[place + 1 : place + 4] if near.tag != "XSN"][:2] == ["MM", "NNB"]  # 부모님 두 분
        for place, token in enumerate(said)
        if token.form in people
    )


def _names(said: Sequence[Morpheme], people: Set[str]) -> bool:
    """Whether the deed is one of theirs: 본 사람은 뭐라고 할까요, 가까운 사람이라면 뭐라고 할까요."""
    supposed = any(one.form in people and after.tag == "VCP" for one, after in pairwise(said))
    return supposed or _is_spoken_of(said, people)


def _is_styled(said: Sequence[Morpheme]) -> bool:
    """Whether somebody is honoured by 분 after what they are: 아내분이, 상사분은."""
    return any(
        noun.tag == "NNG"
        and mark.form == "분"
        and mark.start == noun.end
        and particle.tag in ("JKS", "JX")
        and particle.form in ("이", "은", "도")
        for noun, mark, particle in zip(said, said[1:], said[2:], strict=False)
    )


def _has(forms: Set[str], said: Sequence[Morpheme]) -> bool:
    return any(token.form in forms and token.tag != "SW" for token in said)
