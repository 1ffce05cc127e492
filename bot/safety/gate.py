"""The last look at every sentence before it is shown: what must never be said is replaced by something safe.

Wordings find what is said plainly, and phone numbers; a classifier (`weights/gate.npz`, made by `training/gate.py`)
finds what is said in other words.
"""

import re
import unicodedata
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path

from bot.resources import toml
from bot.safety.linear import Linear
from bot.safety.normalise import readings
from bot.safety.replies import numbers


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_PHONE = _any(
    r"(?<![\d.,:/-])(?:0\d{1,2}[-.) ]{1,2}\d{3,4}[-. ]\d{4}|0\d{8,10}|1[5-9]\d\d[-. ]\d{4}|1[5-9]\d{6})(?![\d.,]*\d)"
)
_GROUPS = _any(
    r"(?<![\d.,:/-])(?!(?:19|20)\d\d[-~ ](?:19|20)\d\d(?!\d))\d{3,4}-\d{4}(?![\d-]|"
    "[ ]?(?:년|월|일|시|분|명|원|개|점|회|번째|살|세|만|천|보|칼로리|kcal))",
    r"\+82[- ]?\d",
    r"[영공일이삼사오육칠팔구]{3,4}(?:에|국|국에|다시)? ?(?:다시 )?[영공일이삼사오육칠팔구]{4}(?![가-힣]{0,2}(?:년|월|원|명))",
)
_SHORT = r"(?<![\d.,:/-])(1[1-9]\d{1,2}|9[18]\d|0\d{2,3})(?![\d.,:/-]*\d)"
_CALL = "(?:전화|문자|연락|신고|상담|걸어|걸면|누르|콜|핫라인|직통|call|text|dial|hotline|helpline)"
_PARTICLES = r"(?:번(?!째)|으?로|에|이나|나|혹은|또는|또|및|,)?(?:으?로|에서?|이나)?"
_COUNTED_IN = "(?:년|월|일|시|분|명|원|개|점|회|번째|살|세|만|천|%|kg|km|cm|m(?![a-z]))"
_SHORT_NUMBER = _any(
    rf"{_SHORT}['\"’”*)]{{0,3}} ?{_PARTICLES} ?(?:바로 |언제든 |꼭 |먼저 |24시간 )?(?:[가-힣]{{0,6}})?{_CALL}",
    rf"{_CALL} ?(?:번호)?(?:는|은|센터|소)? ?(?:at |us at )?['\"‘“*(:]{{0,3}} ?{_SHORT}(?! ?{_COUNTED_IN})",
    r"(?:전화|문자|연락|상담|신고|번호)[^\d]{0,12}#(\d{3,5})",
    r"(?<!\d)1 ?3 ?9 ?3(?! ?(?:년|명|원|개|점|만|천))(?!\d)",
)

_ADORNED = r"(?:사실 |정말 |진짜 |이미 |실제로 |전문 |경력 ?[가-힣\d ]{0,6}|\d+년차 ?|당신의 |전문적인 |심리 ?){0,3}"
_PROFESSION = "상담사|상담가|심리사|심리 ?상담사|심리치료사|치료사|의사|전문의|카운슬러|임상심리사"
_COPULA = "(?:예요|이에요|입니다|이야|야(?![가-힣])|이?거든|(?:으)?로서|이?니까|인데|이?라서|이니|이?랍니다|다$|이다)"
_CLAIM = _any(
    rf"(?:저|나|제|내)(?:는|도|가|야|의)? ?{_ADORNED}(?:사람|인간|{_PROFESSION}){_COPULA}",
    r"(?:상담사|의사|심리사|전문의|사람)(?:로서|으로서) (?:저|제가|말씀드리)",
    r"(?:AI|에이아이|인공지능|챗봇|기계|로봇|프로그램)(?:가|이) (?:아니에요|아닙니다|아니야)(?! ?라고)",
    r"(?:AI|인공지능|챗봇)(?:가|이) 아니라 (?:진짜 |실제 )?(?:사람|인간|상담사)",
    r"\bI(?:'m| am) not an? (?:AI|bot|machine)",
    r"\bI(?:'m| am) an? (?:real |actual |licensed |human )*(?:human|person|therapist|counsell?or|psychologist|doctor)",
)
_DENIAL = _any("(?:사람|인간|상담사|의사)[가-힣]{0,4} 아니")

_DISORDER = (
    "(?:우울증|조울증|양극성 ?장애|조현병|공황 ?장애|불안 ?장애|강박증|강박 ?장애|외상 ?후 ?스트레스 ?장애|adhd|ptsd"
    "|경계성 ?(?:인격|성격) ?장애|섭식 ?장애|거식증|폭식증|자폐|치매|사이코패스|소시오패스|나르시시스트)"
)
_SURELY = "(?:절대로?|100 ?%|백 ?퍼센트|무조건|완전히|확실히|반드시)"
_PROMISE = _any(
    r"비밀(?:은|을|로|이)? ?(?:꼭 |절대 |절대로 |반드시 |무조건 |우리끼리 )?"
    r"(?:지켜 ?(?:줄|드릴|줘|질)|지킬|보장|해 ?(?:줄|드릴)|간직할|유지)",
    r"아무(?:한테|에게)도 ?(?:절대 )?(?:말하지|말 안|이야기하지|얘기 안|알리지|안 말|얘기하지) ?(?:않을|할|않겠)",
    r"(?:우리|둘)(?:만의|둘만의|끼리만?의?) ?비밀",
    rf"{_SURELY} ?(?:[가-힣]{{1,6}} ){{0,3}}(?:안전(?:해|하|할)|낫게|괜찮아질|(?:나아질|나을|괜찮을|좋아질) ?거)",
    rf"{_SURELY} ?(?:[가-힣]{{1,6}} ){{0,3}}(?:위험하지 않|위험(?:은|이) 없|문제 ?없|해결(?:될|돼)|보장)",
    r"아무(?:런)? 위험(?:도|이) 없",
    r"(?:제가|내가) ?(?:꼭 |반드시 |다 |모두 )?(?:장담|보장)(?:할|해|하|합)",
    r"(?:나을|괜찮아질|좋아질|나아질|안전할) ?(?:거라고|것을|걸) ?(?:약속|장담|보장)",
    r"\b(?:I promise|I guarantee)\b.{0,40}\b(?:secret|safe|better|okay|fine|no one|nobody)",
    r"\bkeep (?:this|it) (?:a )?secret|our (?:little )?secret",
)
_EXCLUSIVE = _any(
    r"(?:저|나)만 ?(?:믿으|믿고|있으면 ?(?:돼|되|충분)|(?:당신|너)(?:을|를)? ?(?:이해|알아))",
    r"(?:다른 사람|사람들?|가족|친구)(?:은|들은|이|도|들도)? ?(?:다 )?(?:필요 ?없(?:어요|습|어)|당신을 몰라|너를 몰라)",
    r"(?:제가|내가|저는|나는) ?(?:평생|영원히|언제까지나|항상|절대) ?(?:[가-힣]+ ){0,2}(?:곁에|옆에|떠나지)",
    r"(?:우리|저랑|나랑) ?(?:사귀|연애|결혼)(?:어요|어|자|해요|해(?![가-힣]))|(?:저|나)도 (?:당신|너)(?:을|를)? ?(?:사랑해|좋아해요)",
    r"\b(?:only I|nobody but me) (?:understand|know)|you (?:don't|do not) need (?:anyone|anybody) else|\bI(?:'ll| will) (?:always|never) (?:be with|leave) you",
)
_DIAGNOSIS = _any(
    r"(?:당신|님|너|넌|선생님)(?:은|는|의 (?:증상|상태)은?)? ?(?:[가-힣]{1,6} ){0,2}"
    rf"{_DISORDER}(?:이에요|예요|입니다|이야|야(?![가-힣])|(?:이|가)? ?(?:확실|분명|맞))",
    rf"(?:진단|판정)(?:하자면|은|하면|을 내리면)[^.?!]{{0,12}}{_DISORDER}(?:이에요|예요|입니다|이야|야(?![가-힣]))",
    rf"^{_DISORDER}(?:이에요|예요|입니다|이네요|네요|(?:이|가)? ?(?:확실해|맞아|분명해))",
    r"\byou (?:clearly |definitely )?(?:have|suffer from|are) (?:an? )?(?:clinical |major )?(?:depression|depressive disorder|bipolar|schizophreni[ac]|adhd|ptsd|ocd|borderline|anorexia|bulimia)",
)
_METHOD = _any(
    r"치사량|치명적인 (?:양|방법|용량)|\b(?:lethal|fatal) dose",
    r"(?:가장|제일|더|덜) ?(?:확실|빠르|고통 ?없|아프지 ?않|편하|쉽)[가-힣]{0,3} ?(?:게 )?(?:죽|자살|목숨)",
    r"(?:목을? ?매|목매)(?:는 (?:방법|법)|려면|달려면|세요)",
    r"(?:손목|동맥|혈관|팔)(?:을|를)? ?(?:[가-힣]{1,4} )?(?:긋|그으|자르|베)"
    r"(?:는 (?:방법|법)|려면|으면 (?:돼|됩)|세요|으세요)",
    r"(?:번개탄|연탄)(?:을|를)? ?(?:[가-힣]{1,5} )?(?:피우|피워|태우)(?:면|세요|는 (?:방법|법)|려면)",
    r"(?:죽|자살하|자해하)는 (?:방법|법)(?:은|으로는|에는|을 알려|이란)",
    r"뛰어 ?내리(?:면 (?:돼|됩|확실)|세요|는 (?:방법|법))",
    r"\bhow to (?:kill|hang|cut) (?:your|my)self",
)
_DOSE = (
    r"(?:\d+|한|두|세|네|다섯|여섯|열|스무|서른|몇십)[ ~-]?(?:\d+ ?)?"
    r"(?:알|정|mg|밀리그램|캡슐|tablets?|pills?)(?:을|를|씩|만|까지|정도|이상|이하|쯤)?"
)
_MEDICINE = _any(
    rf"{_DOSE}[^.?!]{{0,12}}(?:먹|드시|드세|복용|삼키|삼켜|투여|take|swallow)",
    rf"(?:take|swallow) {_DOSE}",
    r"(?:약|약물|항우울제|수면제|안정제|처방약)(?:을|은|도)? ?(?:[가-힣]{1,4} )?"
    r"(?:끊으|끊어도 (?:돼|됩|괜)|중단하(?:세|셔도|는 게 (?:좋|나))|(?:그만 드|줄이|늘리)(?:세|셔도)|안 드셔도)"
    r"(?!시기 전|시면 안|면 안)",
)


def _has_foreign_number(sentence: str) -> bool:
    known = {re.sub(r"\D", "", number) for number in numbers().values()}
    found = [match[0] for pattern in (_PHONE, _GROUPS) for match in pattern.finditer(sentence)]
    found += [next(filter(None, match.groups()), match[0]) for match in _SHORT_NUMBER.finditer(sentence)]
    return any(re.sub(r"\D", "", number) not in known for number in found)


class Fault(StrEnum):
    """What a sentence must not say."""

    NUMBER = "number"
    METHOD = "method"
    MEDICINE = "medicine"
    DIAGNOSIS = "diagnosis"
    HUMAN = "human"
    PROMISE = "promise"
    SECRECY = "secrecy"
    EXCLUSIVE = "exclusive"
    TREATMENT = "treatment"


FINE = "fine"
FINE_FROM = 0.35
"""How likely a sentence must be fine to be shown."""


@cache
def learnt() -> Linear:
    """Read what `training/gate.py` wrote."""
    return Linear.load(Path(str(files(__package__).joinpath("weights/gate.npz"))))


def fault_of(sentence: str) -> Fault | None:
    """Return what a sentence says that must never be said, None where it may be shown.

    Looked for are phone numbers that are not in `hotlines.toml`, methods, doses and advice to change a medicine,
    diagnoses, claims to be human, a counsellor or a treatment, promises of secrecy or safety, and claims to be all that
    one needs: by wordings, and in Korean by the classifier as well.
    """
    sentence = unicodedata.normalize("NFKC", sentence)
    if _has_foreign_number(sentence):
        return Fault.NUMBER
    if _CLAIM.search(sentence) and not _DENIAL.search(sentence):
        return Fault.HUMAN
    plainly = next((fault for fault, told in _SAID if told.search(sentence)), None)
    return plainly or _sounds_like(sentence)


def _sounds_like(sentence: str) -> Fault | None:
    if not re.search("[가-힣]", sentence):
        return None
    chances = learnt().read(next(iter(readings(sentence))))
    if chances.pop(FINE) >= FINE_FROM:
        return None
    fault = Fault(max(chances, key=lambda name: chances[name]))
    is_help = any(number in sentence for number in numbers().values())
    return None if fault is Fault.TREATMENT and is_help else fault


_SAID = (
    (Fault.METHOD, _METHOD),
    (Fault.MEDICINE, _MEDICINE),
    (Fault.DIAGNOSIS, _DIAGNOSIS),
    (Fault.PROMISE, _PROMISE),
    (Fault.EXCLUSIVE, _EXCLUSIVE),
)


def safe_words(fault: Fault, sentence: str) -> str:
    """Return what is said in place of a sentence, in its language."""
    language = "ko" if re.search("[가-힣]", sentence) else "en"
    safe: str = toml("crisis.toml")[language]["gate"][fault]
    return safe.format(**numbers())


def gate(sentence: str) -> str:
    """Return a sentence as it is, or something safe in its place."""
    fault = fault_of(sentence)
    return sentence if fault is None else safe_words(fault, sentence)
