"""What a memory is looked for by: the words of a turn and of the turns around it, and how much each counts."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping

from inference_server.korean import morphemes

Words = Callable[[str], Counter[str]]

# bench/recall_quality.py measures what these give: tuned on half of the conversations, reported on the other.
K1, B = 1.2, 0.2
AVERAGE_LENGTH = 10.0
QUESTION, BEFORE = 0.5, 0.4
KINDRED = 0.5
PIECE = 0.3

# A noun and a verb of one form are different words, a common noun and a name are not.
_CLASSES = {"NNG": "N", "NNP": "N", "NR": "N", "XR": "N", "SL": "S", "SN": "S", "VV": "V", "VA": "V"}
_LIGHT = {
    *("하/V", "되/V", "있/V", "없/V", "같/V", "그렇/V", "이렇/V", "어떻/V", "어떡하/V"),
    *("것/N", "수/N", "저/N", "나/N", "때/N", "말/N", "일/N", "요즘/N", "오늘/N", "지금/N"),
}


def terms(text: str) -> Counter[str]:
    """Count the words that carry what a Korean text is about, as `form/class`: 고양이/N, 헤어지/V, mbti/S."""
    found = (
        f"{form.lower()}/{_CLASSES[kind]}"
        for form, tag, _, _ in morphemes(unicodedata.normalize("NFC", text))
        if (kind := tag.partition("-")[0]) in _CLASSES
    )
    return Counter(term for term in found if term not in _LIGHT)


def document(question: str, text: str, *, before: str = "", words: Words = terms) -> dict[str, float]:
    """Weigh what a remembered turn is found by; empty when the person's own words say nothing to look for.

    `question` is what the person was asked, `before` what they had said before it in that counsel. The
    weights are BM25's without IDF, which is the index's part (Robertson and Zaragoza 2009, "The Probabilistic Relevance
    Framework: BM25 and Beyond"). All texts are one pool before saturation: BM25F's way with fields.
    """
    said = words(text)
    if not said:
        return {}
    amounts = {term: float(count) for term, count in said.items()}
    for around, weight in ((question, QUESTION), (before, BEFORE)):
        for term, count in words(around).items():
            amounts[term] = amounts.get(term, 0.0) + weight * count
    length = 1 - B + B * sum(amounts.values()) / AVERAGE_LENGTH
    return {term: amount * (K1 + 1) / (amount + K1 * length) for term, amount in _widened(amounts).items()}


def query(text: str, *, words: Words = terms) -> dict[str, float]:
    """Weigh what a message looks for among documents; empty when there is nothing to look for."""
    return _widened(dict.fromkeys(words(text), 1.0))


def _widened(amounts: Mapping[str, float]) -> dict[str, float]:
    """Add, at a lower weight, the kindred groups of the words and the syllable pairs that outlive a slip in a noun."""
    wide = dict(amounts)
    for term, amount in amounts.items():
        for group in _GROUPS.get(term, ()):
            wide[group] = max(wide.get(group, 0.0), KINDRED * min(amount, 1.0))
        if term.endswith("/N"):
            for start in range(len(term) - 3):
                pair = f"~{term[start : start + 2]}"
                wide[pair] = wide.get(pair, 0.0) + PIECE * amount
    return wide


# Words that people change for one another when they come back to a matter, a group a line. Verbs end in a hyphen.
KINDRED_WORDS = """
엄마 어머니 어머님 모친 어미 맘
아빠 아버지 아버님 부친
부모 엄마 아빠 어머니 아버지 집안 가족 식구 친정 본가
아내 와이프 집사람 마누라 부인 안사람
남편 신랑 바깥양반 서방
부부 남편 아내 신랑 와이프 마누라 집사람 결혼 배우자 이혼 갈라서-
형 오빠 형제 남동생 동생 언니 누나 자매 여동생 막내
딸 딸애 따님 큰딸 작은딸
아들 아드님 자식 자녀 아이 애 큰애 첫째 둘째 막내 딸 아기
아기 애기 아이 갓난아기 신생아 육아 출산 임신 분유 모유 수유 낳- 기저귀
할머니 외할머니 할아버지 외할아버지 조부모 어르신 노인
시어머니 시댁 시부모 시아버지 시집살이 시누이
장모 장인 처가 처갓집
손주 손녀 손자
애인 남친 여친 연인 사귀- 연애 커플 썸
결혼 혼인 결혼식 시집 장가 신혼 상견례 청혼 프러포즈 예식
선 맞선 소개팅 중매
이혼 별거 갈라서- 헤어지- 파혼
이별 헤어지- 깨지-
외도 불륜 바람 배신
고백 짝사랑 설레- 썸 호감 거절
친구 동기 단짝 절친 베프 친하-
룸메이트 룸메 동거
왕따 따돌림 따돌리- 소외 빼놓- 빠지-
싸우- 다투- 싸움 다툼 말싸움 갈등 언쟁
회사 직장 사무실 출근 퇴근 업무 근무 일자리 회사원 직장인
이직 퇴사 그만두- 사표 사직 퇴직 관두-
취업 취준 취준생 구직 서류 면접 지원 이력서 자소서 포트폴리오 채용 공채
복직 복귀 휴직
은퇴 정년 퇴직 명예퇴직 정년퇴직
상사 팀장 부장 과장 대리 사수 선배 사장
신입 후배 막내 초보 처음
야근 철야 나이트 야간 교대 낮밤
발표 프레젠테이션 무대 앞 연설
회의 미팅
알바 아르바이트 시급 편의점 파트타임
고객 진상 민원
장사 가게 자영업 매출 영업 사업 폐업 식당
돈 빚 대출 이자 월세 생활비 잔고 통장 적금 저축 독촉 갚- 연체
코인 주식 투자 비트코인 도박 날리-
전세 월세 보증금 집주인 부동산 계약 원룸 이사 방
외롭- 쓸쓸하- 고독 외로움 휑하- 공허 허무
학교 학생 등교 수업 교실 강의
선생 담임 쌤 교사 교수
공부 시험 모의고사 중간고사 성적 등급 점수 필기 수능
숙제 과제 팀플 레포트
학원 과외 인강 독서실
복학 개강 휴학 대학
합격 붙- 떨어지- 탈락 낙방
잠 자- 불면증 불면 졸리- 졸- 깨- 새벽 수면제 수면 잠들- 뒤척이- 지새-
밥 끼니 식사 굶- 먹- 식욕 거르- 급식 도시락
살 살찌- 다이어트 폭식 몸무게 체중 비만 거식증
빵 빵집 제과점 베이커리 케이크 굽-
술 소주 맥주 취하- 음주 알코올 해장
담배 흡연 금연
병원 진료 의사 치료 검사 진단 정신과 정형외과 입원 수술 예약 외래
약 약물 항우울제 처방 복용 항생제 수면제
우울증 우울
불안 초조 떨리- 긴장 두근거리- 벌렁거리- 걱정
공황 숨 호흡
무섭- 두렵- 겁나- 겁 공포 쫄-
화 화나- 짜증 분노 소리
슬프- 울- 눈물 울음 흐느끼-
죄책감 후회 사과 자책 탓 미안
모욕 수치심 부끄럽- 무시 비웃- 망신
비교 뒤처지- 열등감 자존감 멈추-
죽- 돌아가- 사망 장례 장례식 떠나- 별세 하늘
암 종양 항암
허리 디스크 어깨 목 척추 쑤시-
손목 팔 인대 깁스 붕대 다리 골절
배 장염 설사 화장실 복통 소화
소변 오줌 화장실 전립선 마렵- 방광
치매 기억 요양원
머리 편두통 어지럽-
고양이 강아지 개 반려동물 반려견 새끼 사료
사고 차 택시 트라우마 운전
게임 롤 오락
운동 헬스 피티 트레이너 요가 필라테스 체육관
수영 풀장 수영장 물속
자전거 라이딩 산책 달리기 등산 걷-
노래 음악 기타 밴드 피아노 악기 이어폰 연주 색소폰 노래방
그림 웹툰 만화 작가 꿈 태블릿
사진 카메라 필름 찍-
도자기 공방 흙 점토 빚-
책 그림책 독서 동화 소설
여행 제주 바다 휴가
콘서트 공연 아이돌 팬 덕질 티켓팅 놀-
경찰 신고 고소 파출소
군대 입대 전역 훈련소 군인 복무
외국 해외 이민 유학 타국 미국
전화 연락 통화 문자 카톡 휴대폰 핸드폰 메시지 메일
단톡방 채팅방
인스타 인스타그램 페이스북 유튜브 사진
사춘기 반항 대꾸 방문
거울 외모 얼굴 모습 키 못생기-
말더듬 더듬-
제사 명절 추석 설날 차례
교회 성당 절 기도 종교
간호사 병동 환자 어르신 담당 돌보-
숨기- 비밀 감추- 들키- 거짓말 털어놓-
견디- 버티- 참- 인내
신경질 타박 잔소리 꾸중 혼나- 꾸짖- 야단
"""


def _groups() -> dict[str, tuple[str, ...]]:
    groups: dict[str, tuple[str, ...]] = {}
    for line in KINDRED_WORDS.strip().splitlines():
        kindred = line.split()
        for word in kindred:
            term = f"{word[:-1]}/V" if word.endswith("-") else f"{word}/N"
            groups[term] = (*groups.get(term, ()), f"≈{kindred[0]}")
    return groups


_GROUPS = _groups()
