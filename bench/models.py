"""What the smaller transformers do on two CPU threads, as served here and as transformers serves them in float32.

    python -m bench.models > bench/results/models.json

Needs torch, and the hub for nothing: the models have the shapes of KcELECTRA and KoBART and random weights, made on the
spot, with tokenizers of `tests.models.tiny`. So speed and memory are those of the real ones, and what is said means
nothing. Only the classifier's head has learnt something, the labels of `TAUGHT`, with noise like that of int8, so that
the gate of `export` can be asked: that labels of those texts agree holds by construction, and says nothing of a real
model. The tone model ends each sentence after `WRITTEN` tokens, and what it drafts is random and taken back
(`bart.fault`), so its gate is off here.

Each engine has a process of its own, and those that are compared take turns, as many each. Others may be at work on the
machine, which can only add to a time: of every text (float32) or turn (ours) the least counts. Two threads of torch
wait for each other on cores that are not theirs, so float32 is asked on two and on one, and the better counts. Half the
CPU time of one thread is the best that two could do. Seconds are wall time.
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import aiohttp
from prometheus_client import REGISTRY

from bench.serving import SITUATION, TOKENS, model, server
from bot.backends.embedded import load_stylist
from bot.backends.inference import InProcess, ModelStylist, Patient
from bot.backends.resilience import Deadline, Fallback
from bot.conversation.ahead import ahead
from bot.conversation.characters import load as load_characters
from bot.conversation.counsellor import SENTENCES_AHEAD
from bot.conversation.gravity import weigh
from bot.conversation.model import Character, CharacterId
from bot.conversation.ports import Responder, Stylist
from bot.conversation.sentences import sentences
from bot.conversation.voice import Voice
from bot.safety import gate
from inference_server import export
from inference_server.emotion import LABELS
from inference_server.engines import Engines, open_engines
from inference_server.models import Folder, Models

THREADS = 2
CALLERS, READ = 32, 32
STYLE, TOGETHER, WRITTEN = "선비", 8, 40
RESTYLED = 2
"""Sentences that float32 restyles a turn: it is slow, and each has as many tokens to write."""
PAUSE_MS = 30
TURNS = 8

_SENTENCES = export.SENTENCES.read_text("utf-8").splitlines()
# Of one to three sentences, as people write: none twice.
_MESSAGES = [
    " ".join(_SENTENCES[(7 * number + 31 * part) % len(_SENTENCES)] for part in range(number % 3 + 1))
    for number in range(len(_SENTENCES))
]
TAUGHT, UNTAUGHT = _MESSAGES[: export.FEWEST], _MESSAGES[export.FEWEST :]


class Apart:
    """An engine in a process of its own, so that its threads, libraries and memory are nobody else's."""

    def __init__(self, opened: Callable[..., object], *about: object) -> None:
        self._process = ProcessPoolExecutor(1, get_context("spawn"), _open, (opened, about))

    def ask(self, work: Callable[..., Any], *about: object) -> Any:  # noqa: ANN401
        return self._process.submit(_ask, work, about).result()

    def close(self) -> None:
        self._process.shutdown()


_here: list[object] = []


def _open(opened: Callable[..., object], about: Sequence[object]) -> None:
    _here.append(opened(*about))


def _ask(work: Callable[..., object], about: Sequence[object]) -> object:
    return work(_here[0], *about)


def resident_mb(engine: object) -> int:
    """Return the resident memory of the process that holds the engine."""
    return int(Path("/proc/self/statm").read_text("utf-8").split()[1]) * os.sysconf("SC_PAGE_SIZE") // 2**20


@dataclass(frozen=True)
class Asked:
    """What one or several texts were answered, and what that took, in seconds."""

    answers: Sequence[str]
    wall: float
    cpu: float


def timed(work: Callable[[], Sequence[str]]) -> Asked:
    wall, cpu = perf_counter(), process_time()
    answers = work()
    return Asked(answers, perf_counter() - wall, process_time() - cpu)


# Models of the real shapes.


def make_emotion(_: object, source: Path, made: Path) -> Mapping[str, float]:
    """Save a classifier that has learnt the labels of `TAUGHT`, export it, and return the gate's figures."""
    import torch
    from transformers import AutoTokenizer, ElectraConfig, ElectraForSequenceClassification

    from tests.models import tiny

    tiny.electra(source, steps=0)
    tokenizer = AutoTokenizer.from_pretrained(source)
    torch.manual_seed(1)
    torch.set_num_threads(1)  # two wait for each other where others are at work
    classifier = ElectraForSequenceClassification(
        ElectraConfig(
            vocab_size=54_343,
            embedding_size=768,
            hidden_size=768,
            num_hidden_layers=12,
            num_attention_heads=12,
            intermediate_size=3072,
            id2label=dict(enumerate(LABELS)),
            label2id={label: index for index, label in enumerate(LABELS)},
            pad_token_id=tokenizer.pad_token_id,
        )
    ).eval()

    found = []
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for start in range(0, len(TAUGHT), 20):
            batch = tokenizer(TAUGHT[start : start + 20], padding=True, return_tensors="pt")
            found.append(classifier.electra(**batch).last_hidden_state[:, :1].float())
    heard = torch.cat(found)
    labels = torch.arange(len(TAUGHT)) % len(LABELS)
    optimizer = torch.optim.AdamW(classifier.classifier.parameters(), lr=1e-3)
    for _ in range(400):
        # with noise, as int8 has it
        unlike = heard + 0.3 * heard.std(dim=0) * torch.randn_like(heard)
        torch.nn.functional.cross_entropy(classifier.classifier(unlike), labels).backward()
        optimizer.step()
        optimizer.zero_grad()
    classifier.save_pretrained(source)
    return export.export(Folder.at(source), made, task="emotion", sentences=TAUGHT, threads=1)


def make_tone(_: object, source: Path, made: Path) -> None:
    """Save a BART that ends after `WRITTEN` tokens, and convert it without asking the gate."""
    import torch
    from transformers import BartConfig, BartForConditionalGeneration

    from tests.models import tiny

    tiny.bart(source, steps=0)
    pieces = json.loads((source / "tokenizer.json").read_text("utf-8"))
    known = pieces["model"]["vocab"]
    spoken = len(known)
    known |= {f"<{number}>": number for number in range(spoken, 30_000)}
    (source / "tokenizer.json").write_text(json.dumps(pieces, ensure_ascii=False), "utf-8")

    torch.manual_seed(2)
    bart = BartForConditionalGeneration(
        BartConfig(
            vocab_size=30_000,
            d_model=768,
            encoder_layers=6,
            decoder_layers=6,
            encoder_attention_heads=16,
            decoder_attention_heads=16,
            encoder_ffn_dim=3072,
            decoder_ffn_dim=3072,
            max_position_embeddings=1026,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=3,
            decoder_start_token_id=0,
            forced_eos_token_id=1,
        )
    )
    with torch.no_grad():
        bart.final_logits_bias[0, :5] = bart.final_logits_bias[0, spoken:] = -1e4
        # The end is unlikely, but for one position, whose vector points to it.
        bart.final_logits_bias[0, bart.config.eos_token_id] = -4
        positions = bart.model.decoder.embed_positions
        positions.weight[positions.offset + WRITTEN - 1] = 100 * bart.model.shared.weight[bart.config.eos_token_id]
    bart.save_pretrained(source)
    converted = export._to_ct2(Folder.at(source), made, "tone")
    export._sign(Folder.at(source), made, task="tone", runtime=converted.runtime, figures={})


# The engines: each is opened in its process, and asked there.


class Served:
    """The engines of `inference_server`, and the event loop to which they belong."""

    def __init__(self, *, emotion: str | None, tone: str | None) -> None:
        # as where they are not installed: CTranslate2 imports what it finds
        sys.modules["torch"] = sys.modules["transformers"] = None  # type: ignore[assignment]
        models = Models(emotion=emotion, tone=tone, embedding=None, device="cpu", threads=THREADS)
        self.engines: Engines = open_engines(models)
        assert not self.engines.missing, self.engines.missing
        self.run = asyncio.Runner().run


def serve(emotion: Path | None = None, tone: Path | None = None) -> Served:
    return Served(emotion=str(emotion) if emotion else None, tone=str(tone) if tone else None)


def pipeline_of(folder: Path) -> Callable[[str], str]:
    import torch
    from transformers import pipeline

    classify = pipeline("text-classification", model=str(folder), device="cpu", dtype=torch.float32)
    return lambda text: str(classify(text)[0]["label"])


def generator_of(folder: Path) -> Callable[[str], str]:
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    bart = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32).eval()

    def write(text: str) -> str:
        asked = tokenizer(f"{STYLE} 형식으로 변환:{text}", return_tensors="pt", return_token_type_ids=False)
        with torch.inference_mode():
            [written] = bart.generate(**asked, max_new_tokens=128, do_sample=False)
        assert len(written) == 1 + WRITTEN, len(written)
        return str(tokenizer.decode(written, skip_special_tokens=True))

    return write


def one_by_one(ask: Callable[[str], str], texts: Sequence[str], threads: int) -> list[Asked]:
    import torch

    torch.set_num_threads(threads)
    return [timed(partial(lambda text: [ask(text)], text)) for text in texts]


def read_together(served: Served, texts: Sequence[str]) -> Asked:
    """Read each text for one of `CALLERS`, who come back when they are answered."""
    waiting = enumerate(texts)
    labels: dict[int, str] = {}

    async def caller() -> None:
        for index, text in waiting:
            [ranking] = await served.engines.emotion([text], within_s=60)
            labels[index] = ranking.scores[0][0]

    async def all_callers() -> None:
        await asyncio.gather(*(caller() for _ in range(CALLERS)))

    def read() -> list[str]:
        served.run(all_callers())
        return [labels[index] for index in range(len(texts))]

    return timed(read)


def restyle_together(served: Served, texts: Sequence[str]) -> Asked:
    asked = timed(lambda: served.run(served.engines.tone(texts, STYLE, within_s=60)))
    assert not REGISTRY.get_sample_value("mentos_tone_unchanged_total", {"why": "unfinished"})
    return asked


# A whole reply.


@dataclass(frozen=True)
class Reply:
    """Seconds from the question to the end of the last sentence, by the model and as said, and of each restyling."""

    own: float
    said: float
    restyling: Sequence[float]

    @property
    def ratio(self) -> float:
        return self.said / self.own


@dataclass(frozen=True)
class Timed:
    """A stylist and what each of its sentences took."""

    stylist: Stylist
    taken: list[float]

    async def restyle(self, text: str, renderer: str) -> str:
        start = perf_counter()
        said = await self.stylist.restyle(text, renderer)
        self.taken.append(perf_counter() - start)
        return said


def reply(served: Served, tone: str, conversations: int) -> list[Reply]:
    """Let as many conversations each get one reply, by `rules` or by the model `kobart`."""
    failures: list[str] = []
    stylist: Stylist = load_stylist()
    available = set(load_stylist().renderers)
    if tone == "kobart":
        patient = Patient("tone", on_failure=lambda: failures.append(tone))
        stylist = ModelStylist(InProcess(served.engines), near=stylist, instead={}, patient=patient)
        available |= {f"kobart:{style}" for style in served.engines.about["tone"].styles or ()}
    character = load_characters(available=available)[CharacterId("seonbi")]
    assert character.renderer == ("kobart:선비" if tone == "kobart" else "rule:seonbi"), character.renderer
    replies = served.run(_replies(character, stylist, conversations))
    assert not failures, f"{len(failures)} sentences were too late, and said without the model"
    return replies


async def _replies(character: Character, stylist: Stylist, conversations: int) -> list[Reply]:
    with server(TOKENS, PAUSE_MS) as url:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            client, replica = model(session, url, at_once=conversations)
            responder = Fallback(Deadline(client, first_s=60, total_s=60), client, on_fallback=lambda: None)
            said = await asyncio.gather(*(_said(responder, character, stylist) for _ in range(conversations)))
            async with session.get(f"{url}/times") as response:
                own = [whole for _, whole in await response.json()]
            await replica.close()
    # the stand-in does not say whose reply it was, and they are as long
    return [Reply(statistics.median(own), seconds, taken) for seconds, taken in said]


async def _said(responder: Responder, character: Character, stylist: Stylist) -> tuple[float, list[float]]:
    """Say a reply as `Counsellor._spoken` does."""
    start = perf_counter()
    situation = replace(SITUATION, character=character)
    watched = Timed(stylist, [])
    gravity = weigh(situation.text, situation.emotion.label, situation.recent)
    voice = Voice(character, gravity, stylist=watched, seed=situation.text)

    async def say(sentence: str) -> None:
        assert gate.fault_of(sentence) is None
        assert gate.fault_of(await voice.say(sentence)) is None

    async for _ in ahead(sentences(responder.draft(situation)), say, at_most=SENTENCES_AHEAD):
        pass
    return perf_counter() - start, watched.taken


# The tables.


def emotion(source: Path, made: Path, memory: dict[str, object]) -> dict[str, object]:
    maker = Apart(dict)
    figures = maker.ask(make_emotion, source, made)
    maker.close()
    theirs, ours = Apart(pipeline_of, source), Apart(serve, made)
    loaded = [each.ask(resident_mb) for each in (theirs, ours)]

    agree = {
        what: agreement(theirs.ask(one_by_one, texts, 1), ours.ask(read_together, texts).answers)
        for what, texts in (("taught", TAUGHT), ("never taught", UNTAUGHT))
    }
    times = Turns(theirs, ours, read_together, texts=TAUGHT[:READ], singles=TAUGHT[:READ])
    memory["emotion, transformers float32"] = remembered(theirs, loaded[0])
    memory["emotion, ONNX Runtime int8"] = remembered(ours, loaded[1])
    for each in (theirs, ours):
        each.close()
    return {
        **times.compared(),
        f"labels agree by construction, the {len(TAUGHT)} taught": agree["taught"],
        f"labels agree by construction, the {len(TAUGHT)} taught, by export's gate": figures["agreement"],
        f"labels agree, {len(UNTAUGHT)} never taught": agree["never taught"],
    }


def tone(source: Path, made: Path, memory: dict[str, object]) -> tuple[dict[str, object], dict[str, object]]:
    maker = Apart(dict)
    maker.ask(make_tone, source, made)
    maker.close()
    theirs, ours = Apart(generator_of, source), Apart(serve, None, made)
    loaded = [each.ask(resident_mb) for each in (theirs, ours)]

    texts = _SENTENCES[:TOGETHER]
    theirs.ask(one_by_one, texts[:1], 1)
    ours.ask(restyle_together, texts)
    times = Turns(theirs, ours, restyle_together, texts=texts, singles=texts[:RESTYLED])
    memory["tone, transformers float32"] = remembered(theirs, loaded[0])
    theirs.close()
    alone = min((ours.ask(restyle_together, texts[:1]) for _ in range(TURNS)), key=lambda each: each.wall)
    whole = whole_reply(ours)
    memory["tone, CTranslate2 int8"] = remembered(ours, loaded[1])
    ours.close()
    return {**times.compared(), "ours, one text alone, s": round(alone.wall, 3)}, whole


class Turns:
    """Float32 one text at a time, on each number of threads, and ours many at once, in turns."""

    def __init__(
        self,
        theirs: Apart,
        ours: Apart,
        work: Callable[[Served, Sequence[str]], Asked],
        *,
        texts: Sequence[str],
        singles: Sequence[str],
    ) -> None:
        self.texts = len(texts)
        self.together: list[Asked] = []
        alone: dict[int, list[list[Asked]]] = {threads: [] for threads in range(1, THREADS + 1)}
        for _ in range(TURNS):
            for threads, turns in alone.items():
                turns.append(theirs.ask(one_by_one, singles, threads))
            self.together.append(ours.ask(work, texts))
        self._walls = {n: least([[each.wall for each in turn] for turn in turns]) for n, turns in alone.items()}
        self._cpu_on_one_thread = least([[each.cpu for each in turn] for turn in alone[1]])

    def compared(self) -> dict[str, object]:
        wall, cpu = (min(getattr(each, what) for each in self.together) / self.texts for what in ("wall", "cpu"))
        return {
            "float32 one by one, texts a second, by threads": {
                n: round(1 / each, 2) for n, each in self._walls.items()
            },
            "ours, texts a second": round(1 / wall, 2),
            "ratio to the better": round(min(self._walls.values()) / wall, 2),
            "float32 one by one on one thread, CPU ms a text": round(1000 * self._cpu_on_one_thread, 1),
            "ours, CPU ms a text": round(1000 * cpu, 1),
            "ratio, if float32 were twice as fast on two threads": round(self._cpu_on_one_thread / 2 / wall, 2),
        }


def least(turns: Sequence[Sequence[float]]) -> float:
    """Return the mean over texts of each one's least time."""
    return statistics.fmean(min(of_text) for of_text in zip(*turns, strict=True))


def whole_reply(served: Apart) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, way, conversations, runs in (
        ("rules", "rules", 1, 3),
        ("KoBART int8", "kobart", 1, 5),
        ("KoBART int8, 4 conversations at once", "kobart", 4, 1),
    ):
        replies = [each for _ in range(runs) for each in served.ask(reply, way, conversations)]
        fastest, *_, slowest = replies = sorted(replies, key=lambda each: each.ratio)
        middle = replies[len(replies) // 2]
        found[name] = {
            "the model's own, s": round(middle.own, 3),
            "said, s": round(middle.said, 3),
            "ratio, median": round(middle.ratio, 3),
            "ratio, fastest": round(fastest.ratio, 3),
            "ratio, slowest": round(slowest.ratio, 3),
            "a sentence restyled, s, median": round(statistics.median(middle.restyling), 4),
        }
    return found


def agreement(alone: Sequence[Asked], labels: Sequence[str]) -> float:
    same = [each.answers[0] == label for each, label in zip(alone, labels, strict=True)]
    return round(sum(same) / len(same), 3)


def remembered(engine: Apart, loaded: int) -> dict[str, int]:
    return {"loaded, MB": loaded, "after its work, MB": engine.ask(resident_mb)}


def main() -> None:
    start, load_before = perf_counter(), os.getloadavg()
    memory: dict[str, object] = {}
    for name, opened in (("this file alone", dict), ("every engine embedded", serve)):
        engine = Apart(opened)
        memory[name] = {"loaded, MB": engine.ask(resident_mb)}
        engine.close()
    with tempfile.TemporaryDirectory() as folder:
        emotions = emotion(Path(folder) / "electra", Path(folder) / "electra-int8", memory)
        tones, whole = tone(Path(folder) / "bart", Path(folder) / "bart-int8", memory)
    found = {
        "threads": THREADS,
        "cores": os.cpu_count(),
        "load average of a minute, before and after": [round(each[0], 1) for each in (load_before, os.getloadavg())],
        "the whole bench, s": round(perf_counter() - start),
        "emotion, KcELECTRA's shape": emotions,
        f"tone, KoBART's shape, {WRITTEN} tokens": tones,
        "whole reply in tone": whole,
        "memory": memory,
    }
    print(json.dumps(found, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
