"""Kiwi's morphemes for restyling: read aright where it misreads, spelled back, and compared."""

import re
from collections.abc import Iterable, Sequence

from inference_server.korean import Morpheme, kiwi
from inference_server.tone_rules import Piece, Words

_QUOTES = ("다고", "라고", "자고", "냐고")
_RIEUL = 8  # the coda ㄹ
_CONTENT = ("NNG", "NNP", "NNB", "NP", "NR", "SN", "VV", "VA", "VX", "VCN", "XR", "MAG", "XSN")
# Kiwi calls these now one part of speech, now another.
_LIGHT = ("하", "되", "그러", "그렇", "그렇게", "이렇", "이렇게", "어떻", "데")
# What Kiwi cuts now one way, now another: 들었다 is 듣다 and 들다, 반가움 a noun of its own.
# fmt: off
_WHOLE = {
    "거": "것", "그거": "그것", "이거": "이것", "저거": "저것", "듣": "들", "걷": "걸", "드시": "먹",
    "기우": "기울", "그때": "때", "저마다": "저", "얼마나": "얼마", "지난주": "지나주", "지난달": "지나달",
    "안드로이드도": "안드로이드", "휴먼이": "휴먼", "푸": "풀", "도": "돌", "다": "달", "달래": "달", "펴": "피",
    "반가움": "반갑", "어려움": "어렵", "즐거움": "즐겁", "외로움": "외롭", "두려움": "두렵", "그리움": "그립",
    "괴로움": "괴롭", "아쉬움": "아쉽", "슬픔": "슬프", "기쁨": "기쁘", "아픔": "아프", "느낌": "느끼",
}
# fmt: on
_POSSESSIVES = {"내": "나", "제": "저", "네": "너"}


def corrected(tokens: Iterable[Morpheme], words: Words) -> list[Morpheme]:
    """Read again what Kiwi takes for something else."""
    read: list[Morpheme] = []
    for token in tokens:
        token = _torn(read, _contracted(read, _quoted(read, token)))
        read.append(_honorific(read, _mistaken(read, token, words), words))
    return read


def _quoted(read: list[Morpheme], token: Morpheme) -> Morpheme:
    match [*((each.form, each.tag) for each in read[-2:]), (token.form, token.tag)]:
        case [(said, "EC"), ("하", _), ("ᆸ니다" | "어요" as end, "EF")] if (
            said.endswith(_QUOTES) and token.start <= read[-2].start
        ):  # 라고 합니다 and 라고 해요 run together: 랍니다, 래요
            fused = chr(ord(said[-2]) + (17 if end == "ᆸ니다" else 28)) + end[1:]
            token = read[-2]._replace(form=said[:-2] + fused, tag="EF", end=token.end)
            del read[-2:]
        case [(said, "EC"), ("하", _), (after, "EC" | "ETM")] if (
            said.endswith(_QUOTES) and read[-1].start == read[-1].end and "가" <= after[0] <= "힣"
        ):  # 계신다니
            token = read[-2]._replace(form=said[:-1] + after, tag=token.tag, end=token.end)
            del read[-2:]
        case [("다" | "라" as said, "EC"), ("이" | "하", _), ("잖아요", _)] if read[-1].start == read[-1].end:
            read[-2:] = [read[-2]._replace(form=said + "고"), read[-1]._replace(form="하", tag="VV")]  # 쓰다잖아요
        case [*_, (said, "EC" | "EF"), ("잖아요", _)] if said.endswith(("다", "라")):
            read[-1] = read[-1]._replace(form=said + "고", tag="EC")
            read.append(Morpheme("하", "VV", token.start, token.start))  # 뚫는다잖아요
        case [*_, ("는", "ETM"), (said, "EC" | "EF")] if said.startswith("다") and read[-1].end == token.start:
            token = read.pop()._replace(form="는" + said, tag=token.tag, end=token.end)  # 걷는다면서요
    return token


def _contracted(read: list[Morpheme], token: Morpheme) -> Morpheme:
    match [*((each.form, each.tag) for each in read[-2:]), (token.form, token.tag)]:
        case [("지", "EC"), ("않", "VX"), ("어요", _)] if read[-1].start < read[-2].end:
            token = read[-2]._replace(form="잖아요", tag="EF", end=token.end)
            del read[-2:]
        case [("것", "NNB"), ("이", "VCP"), ("요", "EF" | "EC")] if (
            len(read) > 2 and read[-3].tag == "ETM" and read[-3].end == read[-1].start
        ):  # 않을게요, taken for 않을 것이요
            token = read[-3]._replace(form=read[-3].form + "게요", tag="EF", end=token.end)
            del read[-3:]
        case [*_, ("푸" | "도" | "사" as stem, "VV"), ("시" | "세요", _)] if stem != "사" or not any(
            each.tag == "JKO" for each in read
        ):
            read[-1] = read[-1]._replace(form={"푸": "풀", "도": "돌", "사": "살"}[stem])
        case [(_, "MAG"), ("이", "VCP"), ("요", "EC" | "EF")] if read[-1].start == read[-1].end:
            del read[-1]
            token = token._replace(tag="JX")  # 천천히요
        case [("챙기", "VV"), ("어", "EC"), ("들", "VX")]:
            token = token._replace(form="먹", tag="VV")  # 챙겨 드셨는지
        case [*_, ("더", "MAG"), ("ᆯ", "JKO")]:
            token = read.pop()._replace(form="덜")
        case [*_, ("뭐", "IC"), (_, "VV" | "VV-I" | "VV-R" | "VA" | "MAG" | "JKS")]:
            read[-1] = read[-1]._replace(tag="NP")
    return token


def _mistaken(read: list[Morpheme], token: Morpheme, words: Words) -> Morpheme:
    match [*((each.form, each.tag) for each in read[-2:]), (token.form, token.tag)]:
        case [*_, ("주무시", "VX")]:
            token = token._replace(tag="VV")  # 어떻게 주무세요
        case [*_, ("깁", "VV-I"), ("으시" | "으세요" as honour, _)] if not any(each.tag == "JKO" for each in read):
            read[-1] = read[-1]._replace(form="기울", tag="VV")
            token = token._replace(form=honour.removeprefix("으"))
        case [*_, ("저", "IC"), (_, kind)] if kind[0] != "S":
            read[-1] = read[-1]._replace(tag="NP")  # 저 여기 있을게요
        case [*_, ("어" | "아" | "라" | "ᆫ데", "EF"), (_, kind)] if kind[0] in "NMVXI":
            read[-1] = read[-1]._replace(tag="EC")  # 낯설어 밤마다 뒤척이신다면
        case [*_, (stem, "VA" | "VA-R"), (_, kind)] if stem in words["becoming"] and kind != "ETM":
            read[-1] = read[-1]._replace(tag="VV")  # 어깨가 굳으세요
    return token


def _torn(read: list[Morpheme], token: Morpheme) -> Morpheme:
    match [*((each.form, each.tag) for each in read[-2:]), (token.form, token.tag)]:
        case [("라", "EF"), ("고", "JKQ"), ("되", "VV")] if read[-2].end < read[-1].start:
            read[-2:] = [read[-2]._replace(tag="EC"), read[-1]._replace(form="고되", tag="VA", end=token.end)]
            token = read.pop()  # 자리라 고되시겠어요
        case [("는", "ETM"), ("지", "NNB" | "NNG"), ("궁금", _)] if read[-1].start == read[-2].end:
            read[-2:] = [read[-2]._replace(form="는지", tag="EC", end=read[-1].end)]
        case [("어", "EC"), ("보", "VX"), ("니까", _)] if len(read) > 2 and read[-1].start < read[-3].end:
            del read[-2:]
            token = token._replace(form="ᆸ니까", tag="EF")  # 갑니까
        case [("나", "NP"), ("의", "JKG"), ("쉬", "VV")] if read[-1].end == token.start:
            token = token._replace(form="내쉬", start=read[-2].start)
            del read[-2:]
        case [("저", "NP"), ("의", "JKG"), ("ᆯ", _)]:
            token = read[-2]._replace(form="젤", tag="MAG", end=token.end)
            del read[-2:]
    return token


def _honorific(read: list[Morpheme], token: Morpheme, words: Words) -> Morpheme:
    if (token.form, token.tag) == ("드세", "VA"):
        token = token._replace(form="드시", tag="VV")
    match [*((each.form, each.tag) for each in read[-2:]), (token.form, token.tag)]:
        case [("주무" | "계" as stem, "NNG"), ("이", "VCP"), ("세요", "EF")]:
            auxiliary = stem == "계" and len(read) > 2 and read[-3].tag == "EC"
            read[-2:] = [read[-2]._replace(form=stem + "시", tag="VX" if auxiliary else "VV")]
            return token._replace(form="어요")
        case [("어", "EC"), ("먹", "VV"), ("세요", "EF")] if len(read) > 2 and read[-3].form == "챙기":
            read[-1] = read[-1]._replace(form="드시", tag="VV")
            return token._replace(form="어요")
        case [*_, ("계세" | "주무세" as stem, _), ("어요" | "요", _)]:
            read[-1] = read[-1]._replace(form=stem[:-1] + "시", tag="VV")
            return token._replace(form="어요", tag="EF")
        case [*_, (humble, "VV")] if humble.endswith("드리") and humble[:-2] in words["speech"]:
            read.append(Morpheme(humble[:-2], "NNG", token.start, token.end - 2))
            return Morpheme("드리", "VV", token.end - 2, token.end)  # 부탁드리, a verb of its own to Kiwi
        case [*_, ("힘" | "정" | "잠" | "병" | "철" | "길" | "건" as noun, _), ("드시", "VV")] if (
            read[-1].end == token.start
        ):
            read[-1] = Morpheme(noun + "들", "VA" if noun == "힘" else "VV", read[-1].start, token.end)
            return Morpheme("시", "EP", token.end - 1, token.end)
        case [*_, (_, "JX" | "ETM" | "JKO"), ("드시", "VV")] if read[-1].end == token.start:
            return token._replace(tag="UN")  # 건드셔도: no word we know
        case [*_, ("드시", "VV")] if _enters(read, words):
            read.append(token._replace(form="들"))
            return Morpheme("시", "EP", token.end - 1, token.end)
    return token


def _enters(read: Sequence[Morpheme], words: Words) -> bool:
    """Whether 드시 is 들다 (생각이 드시다, 마음에 드시다) and nothing that is eaten."""
    if len(read) > 1 and read[-2].form == "챙기":
        return False
    for index in range(len(read) - 1, -1, -1):
        if read[index].tag in ("EC", "EF", "ETM") and read[index].form != "게" and not _goes_on(read, index):
            return False
        if read[index].tag == "NNG":
            marked = index + 1 < len(read) and read[index + 1].tag == "JKS"
            return read[index].form in words["arising"] or (marked and read[index].form not in words["drinks"])
    return False


def _goes_on(read: Sequence[Morpheme], index: int) -> bool:
    """Whether an ending is part of 고 나서, which a subject spans: 생각은 어떤 일이 있고 나서 드세요."""
    around = [token.form for token in read[max(0, index - 1) : index + 2]]
    return around[:2] in (["나", "서"], ["나", "어서"]) or around[1:] == ["고", "나"]


def spelled(written: Sequence[Piece], *, before: str, was: str) -> str:
    """Spell pieces as one word in place of `was`. The syllable `before` it decides how 이다 is spelled after it."""
    literal = "".join(piece.form for piece in written if not piece.tag)
    joined = [piece for piece in written if piece.tag]
    for place in range(1, len(joined)):
        # 계신지 and 계신다니 without their honour are 있는지 and 있다니: 있 takes 는 or nothing where 시 took ᆫ.
        if joined[place - 1].form in ("있", "없") and (end := joined[place].form).startswith("ᆫ"):
            joined[place] = joined[place]._replace(form=end[1:] if end.startswith("ᆫ다") else "는" + end[1:])
        if joined[place].form.startswith("ᆫ다") and _coda(joined[place - 1].form) not in (0, _RIEUL):
            joined[place] = joined[place]._replace(form="는" + joined[place].form[1:])  # 드신다면서, 먹는다면서
        if joined[place - 1].form.endswith(_QUOTES) and joined[place].form == "하":
            joined[place] = joined[place]._replace(space=True)  # 한 달이라잖아, 한 달이라고 하지 않아
        if joined[place - 1].form in ("그러", "이러", "저러") and joined[place].form.startswith(("어", "었")):
            joined[place - 1] = Piece(
                joined[place - 1].form[0] + "렇", "VA-I", joined[place - 1].space
            )  # 그래, not 그러
    if not joined:
        return literal
    if joined[0].tag != "VCP":
        return _word(joined).replace("것일세", "걸세").replace("거인가", "건가").replace("거일까", "걸까") + literal
    noun = before if "가" <= before <= "힣" else "것" if was.startswith("이") else "거"
    noun = "것" if joined[1:] and joined[1].form in ("기", "ᆯ세") else noun  # 친구이기 때문입니다, not 친구기
    return _word([Piece(noun, "NNG"), *joined])[1:] + literal


def _word(written: Sequence[Piece]) -> str:
    *stem, ending = written
    if (ending.form, ending.tag) != ("소", "EF"):
        word = _join(written)
        return word.removesuffix("되어") + "돼" if ending.form == "어" and word.endswith("되어") else word
    # Kiwi spells 좋 and 소 as 좋으소.
    if stem[-1].tag == "VCP":
        return _join(stem[:-1]) + "이오"
    bare = _join([*stem, Piece("지", "EF")]).removesuffix("지")
    coda = _coda(bare)
    if coda == _RIEUL:  # ㄹ falls: 만드오
        return bare[:-1] + chr(ord(bare[-1]) - coda) + "오"
    return bare + ("소" if coda else "오")


def _coda(word: str) -> int:
    return (ord(word[-1]) - ord("가")) % 28


def _join(written: Sequence[Piece]) -> str:
    # As an auxiliary Kiwi spells 못하 and 었 as 못하았; as a verb, 못했.
    verbs = (
        piece._replace(tag="VV") if piece.form.endswith("하") and piece.tag == "VX" else piece for piece in written
    )
    return str(kiwi().join(list(verbs)))


def heard(written: Iterable[Piece]) -> str:
    """Return what carries the meaning, the same however Kiwi cuts it: 돕+어+주 or 도와주, 예민+하 or 예민하."""
    content: list[str] = []
    verb = linked = None
    for piece in written:
        kind = piece.tag.partition("-")[0]
        if kind in ("VX", "VV") and verb and linked:
            content[-1] = _join([verb, linked])
        linked = piece if verb and (piece.form, kind) == ("어", "EC") else None
        if not linked:
            verb = piece if kind in ("VV", "VA", "VX") and not piece.form.endswith(_LIGHT) else None
        if kind[:1] == "V" and piece.form not in _LIGHT and kind != "VCP":
            content.append(_WHOLE.get(piece.form, piece.form.removesuffix("하")))
        elif kind in ("NNG", "NNP") and piece.form.endswith(("임", "일세", "습니다")):
            content.append(re.sub("(임|일세|습니다)$", "", piece.form))  # to Kiwi, a name runs on: 멘토스임, 반갑습니다
        elif piece.form in ("었", "겠") or (kind in _CONTENT and piece.form not in _LIGHT):
            content.append(_WHOLE.get(piece.form, piece.form))
        elif kind == "MM" and piece.form in _POSSESSIVES:
            content.append(_POSSESSIVES[piece.form])
        elif "잖" in piece.form:
            content.append("않")
        elif kind == "IC" and piece.form.startswith(("아니", "좋아")):
            content.append(piece.form.rstrip("야오요아"))
    return "".join(content)
