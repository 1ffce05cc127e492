"""What the answers to fixed questions say: yes, no, that there is no such wish, that one is safe, what bars the way."""

import re

SHORT = 25
"""Letters up to which a message may be no more than a yes or a no."""

YES = re.compile(
    r"^(?:네+|넵|넹|예+|응+|어+|웅|ㅇㅇ|ㅇ|그래요?|맞아요?|그런 ?것 ?같아요?|있어요?|있습니다|그럴 ?때(?:가|도)? ?있|가끔|자주|조금|매일"
    r"|자꾸|(?:생각)?(?:나요|들어요|해요)|yes|yeah|yep|sometimes|often|i do)(?![가-힣]*(?:지 ?않|아니|없))",
    re.IGNORECASE,
)
NO = re.compile(
    r"^(?:아니[요오]?(?![가-힣]*라)|아뇨|아닙니다|아냐|ㄴㄴ|ㄴ$|전혀|그런 ?(?:건|생각은?|마음은?|거는?|뜻은?) ?(?:아니|아냐|없|안|전혀)"
    r"|그 ?정도는? ?아니|(?:없어요?|없습니다)|죽고 ?싶(?:은|진|지는?) ?(?:건|않|정도는)|no\b|nope|not really|i don'?t)",
    re.IGNORECASE,
)
DENIES = re.compile(
    r"그런 ?(?:생각|마음|뜻)(?:은|까지는?|이|도)? ?(?:전혀 |절대 |이제 )?(?:없|안 ?(?:해|들|하)|아니)"
    r"|(?:죽|자살)[가-힣 ]{0,8}(?:생각|마음)(?:은|이|도)? ?(?:전혀 |절대 |이제 |정말 )?(?:없|안 ?(?:해|들|하)|아니)"
    r"|죽고 ?싶(?:지는? ?않|은 ?(?:건|것은|게|정도는) ?아니|진 ?않)|no(?:t)? (?:thoughts?|plans?) of (?:dying|suicide)|don'?t want to die",
    re.IGNORECASE,
)
SAFE = re.compile(
    r"(?:옆|곁)에 (?:[가-힣]{1,6} )?(?:있어(?! ?[주줄줘도야])|있습니다|계[셔세]|와 ?[있줬준주]|왔)|(?:같이|함께) (?:있어(?! ?[주줄줘도야])|있습니다|있기로|자기로|가기로|병원)"
    r"|(?:전화|문자|신고|연락|상담)(?:를|은|도)? ?(?:방금 |지금 )?(?:했어|했습|해 ?봤|해 ?볼게|할게|하고 ?있|걸었|보냈|드렸)"
    r"|(?:병원|응급실|상담|센터)(?:에|으로|을|를)? ?(?:왔|가고 ?있|도착|갈게|가 ?볼게|예약)|(?:구급차|119|경찰)(?:이|가|에)? ?(?:왔|오고|온대|불렀)"
    r"|(?<!못 )(?<!안 )(?:치웠|버렸|맡겼|내려 ?왔)(?:어|습|다|네|는)|(?:좀|조금|많이|한결|이제) ?(?:괜찮아(?:졌|요|$)|나아졌|진정|가라앉|편해졌)"
    r"|i called|i'?m (?:safe|with (?:my|somebody|someone))|feeling (?:better|calmer)",
    re.IGNORECASE,
)
BARRIER = re.compile(
    r"(?:전화|말|문자|상담|신고|연락|병원|얘기|이야기)[가-힣 ]{0,12}(?:못 ?하겠|무서|무섭|겁|싫|힘들|어려|부담|떨려|부끄|창피|소용|자신 ?없|용기)"
    r"|소용 ?없|(?:들킬|알게 ?될|알까|혼날)[가-힣 ]{0,6}(?:봐|까)|돈(?:이)? ?(?:없|들)|비밀로|이미 ?해 ?봤|(?:아무도|들어 ?줄 ?사람) ?없"
    r"|(?:can'?t|scared to|afraid to|don'?t want to) (?:call|talk|tell|text)|no use|useless",
    re.IGNORECASE,
)
UNSAFE = re.compile(
    r"안 ?받|아무도|없[어다는네고음]|없습|못 ?|안 ?(?:괜찮|할|하고|갈|가고)|않|무서|무섭|혼자|싫|소용|더 ?(?:심|힘|커)|그래도 ?(?:죽|또)|또 ?(?:죽|하고)"
    r"|\b(?:not|no|nobody|alone|didn'?t|won'?t|can'?t)\b",
    re.IGNORECASE,
)
"""Beside what makes safe it says that one is not."""


def is_safe(text: str) -> bool:
    return bool(SAFE.search(text)) and not UNSAFE.search(text)
