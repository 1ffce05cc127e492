import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference_server.bart import BartTone
from inference_server.electra import ElectraEmotion
from inference_server.encoder import Encoder
from inference_server.export import GATES, SENTENCES, Refused, chrf, export, export_command
from inference_server.models import Folder, ModelUnavailable, NotFinite, Task, sha256_of
from tests.training.likeness import alike

for needed in ("torch", "transformers", "onnx", "onnxruntime", "ctranslate2"):
    pytest.importorskip(needed, reason=f"no {needed}: these convert transformer models (pip install 'mentos[models]')")

from tests.models import tiny  # noqa: E402

RUNTIMES: Mapping[Task, str] = {"emotion": "onnx", "tone": "ct2", "embedding": "onnx"}


@pytest.fixture(scope="module")
def sources(electra_folder: Path, bart_folder: Path, encoder_folder: Path) -> Mapping[Task, Path]:
    return {"emotion": electra_folder, "tone": bart_folder, "embedding": encoder_folder}


@pytest.fixture(scope="module")
def converted(sources: Mapping[Task, Path], tmp_path_factory: pytest.TempPathFactory) -> Mapping[Task, Path]:
    folder = tmp_path_factory.mktemp("converted")
    for task, source in sources.items():
        export(Folder.at(source, name=f"tiny/{task}", revision="a" * 40), folder / task, task=task, threads=1)
    return {task: folder / task for task in sources}


@pytest.fixture
def copy(electra_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(electra_folder, tmp_path / "source"))


def test_converted_emotions_are_those_of_the_source(
    sources: Mapping[Task, Path], converted: Mapping[Task, Path]
) -> None:
    texts = [*tiny.SENTENCES, "네", "오늘은 " * 200]
    first, second = (ElectraEmotion(Folder.at(at["emotion"]), threads=1).read(texts) for at in (sources, converted))
    same = [one.scores[0][0] == other.scores[0][0] for one, other in zip(first, second, strict=True)]

    assert np.mean(same) >= 0.99


def test_converted_vectors_are_those_of_the_source_and_bear_its_name(
    sources: Mapping[Task, Path], converted: Mapping[Task, Path]
) -> None:
    encoders = [Encoder(Folder.at(at["embedding"]), threads=1) for at in (sources, converted)]
    first, second = (encoder.embed([*tiny.SENTENCES, "네", "오늘은 " * 200]) for encoder in encoders)

    assert (first * second).sum(axis=1).min() >= 0.99
    assert encoders[1].name == "tiny/embedding"
    assert encoders[1].embed([]).shape == (0, encoders[0].size)


def test_converted_speech_is_that_of_the_source(sources: Mapping[Task, Path], converted: Mapping[Task, Path]) -> None:
    first, second = (BartTone(Folder.at(at["tone"]), threads=1) for at in (sources, converted))
    for style in ("선비", "enfp", "translator"):
        assert (
            chrf(
                [said or "" for said in second.write(tiny.SENTENCES, style)],
                [said or "" for said in first.write(tiny.SENTENCES, style)],
            )
            >= 90
        )


def test_converted_speech_is_checked_like_any(converted: Mapping[Task, Path]) -> None:
    tone = BartTone(Folder.at(converted["tone"]), threads=1)

    assert tone.restyle([], "선비") == []
    for text in ("네.", "", "시장에서 딸기 한 상자를 12000원에 샀어요.", "그리고 " * 250_000):
        assert tone.restyle([text, tiny.SENTENCES[0]], "선비") == [text, tiny.SAYS["선비"][0]]
    with pytest.raises(ValueError, match="no style"):
        tone.restyle(["네."], "사투리")


def test_both_runtimes_write_as_long_as_the_model_is_configured_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(GATES, "tone", replace(GATES["tone"], least=0.0))
    source = tiny.bart(tmp_path / "source", steps=4)
    for penalty, is_silent in ((1.0, False), (-20.0, True)):
        tiny.changed(source, "generation_config.json", num_beams=4, length_penalty=penalty)
        export(Folder.at(source), tmp_path / f"made{penalty}", task="tone", threads=1)
        for folder in (source, tmp_path / f"made{penalty}"):
            said = BartTone(Folder.at(folder), device="cpu", threads=1).write(tiny.SENTENCES[:4], "선비")
            assert [text == "" for text in said] == [is_silent] * 4


@pytest.mark.parametrize("spoilt", [tiny.endless, tiny.silent])
def test_where_nothing_is_said_nothing_shows_that_both_say_the_same(
    bart_folder: Path, tmp_path: Path, spoilt: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Path(shutil.copytree(bart_folder, tmp_path / "spoilt"))
    spoilt(source)
    with pytest.raises(Refused, match="chrf 0 on 240 sentences"):
        export(Folder.at(source), tmp_path / "made", task="tone", threads=1)

    monkeypatch.setitem(GATES, "tone", replace(GATES["tone"], least=0.0))
    export(Folder.at(source), tmp_path / "made", task="tone", threads=1)
    tone = BartTone(Folder.at(tmp_path / "made"), threads=1)
    assert tone.write(tiny.SENTENCES[:4], "선비") == [None if spoilt is tiny.endless else ""] * 4
    assert tone.restyle(tiny.SENTENCES[:4], "선비") == list(tiny.SENTENCES[:4])


def test_a_converted_classifier_is_never_sure_without_korean_and_reads_a_megabyte(
    converted: Mapping[Task, Path],
) -> None:
    emotion = ElectraEmotion(Folder.at(converted["emotion"]), threads=1)

    assert emotion.read([]) == []
    assert [ranking.is_confident for ranking in emotion.read(["", "😂", "I am sad", "\ud83d"])] == [False] * 4
    assert len(emotion.read(["그리고 " * 250_000])) == 1


def test_the_folder_says_what_it_was_made_from_and_how_near_it_is(
    sources: Mapping[Task, Path], converted: Mapping[Task, Path]
) -> None:
    for task, folder in converted.items():
        made = json.loads((folder / "mentos.json").read_text("utf-8"))
        assert (made["source"], made["revision"], made["runtime"]) == (f"tiny/{task}", "a" * 40, RUNTIMES[task])
        assert made["sha256"] == {"model.safetensors": sha256_of(sources[task] / "model.safetensors")}
        assert made["figures"]["sentences"] == 240
        opened = Folder.at(folder)
        assert (opened.name, opened.revision, opened.runtime) == (f"tiny/{task}", "a" * 40, RUNTIMES[task])


def test_what_was_converted_is_served_without_torch_and_transformers(converted: Mapping[Task, Path]) -> None:
    asked = f"""
import sys
from pathlib import Path
sys.modules |= dict.fromkeys(("torch", "transformers", "huggingface_hub", "safetensors"))
from inference_server.bart import BartTone
from inference_server.electra import ElectraEmotion
from inference_server.encoder import Encoder
from inference_server.models import Folder
at = Folder.at
assert len(ElectraEmotion(at(Path({str(converted["emotion"])!r})), threads=1).read(["고마워요"])[0].scores) == 11
assert Encoder(at(Path({str(converted["embedding"])!r})), threads=1).embed(["고마워요"]).shape == (1, 64)
assert BartTone(at(Path({str(converted["tone"])!r})), threads=1).write(["오늘은 날이 좋네요."], "왕")[0]
"""
    ran = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, timeout=120)

    assert ran.returncode == 0, ran.stderr[-2000:]


def test_a_converted_file_that_was_changed_is_refused(converted: Mapping[Task, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(converted["emotion"], tmp_path / "copy"))
    weights = folder / "model.onnx"
    weights.write_bytes(weights.read_bytes()[:-1])

    with pytest.raises(ModelUnavailable, match=r"model\.onnx is not the file that was pinned"):
        Folder.at(folder)


def test_onnx_runtime_says_nothing_of_what_it_was_given(
    converted: Mapping[Task, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(converted["emotion"], tmp_path / "copy"))
    tokenizer = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    tokenizer["model"]["vocab"]["비밀"] = 99_999
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), "utf-8")
    tiny.changed(folder, "config.json", vocab_size=100_000)
    changed = {file: sha256_of(folder / file) for file in ("tokenizer.json", "config.json")}
    made = json.loads((folder / "mentos.json").read_text("utf-8"))
    tiny.changed(folder, "mentos.json", files=made["files"] | changed)
    emotion = ElectraEmotion(Folder.at(folder), threads=1)

    with pytest.raises(RuntimeError, match="ONNX Runtime failed") as raised:
        emotion.read(["비밀"])
    assert "99999" not in str(raised.value)
    assert "".join(capfd.readouterr()) == ""


def test_a_model_that_int8_makes_another_is_refused_with_the_figures_and_nothing_is_left(
    copy: Path, electra_folder: Path, tmp_path: Path
) -> None:
    tiny.outlying(copy)
    before, after = (ElectraEmotion(Folder.at(at), device="cpu", threads=1) for at in (electra_folder, copy))
    assert (
        np.mean(
            [
                one.scores[0][0] == other.scores[0][0]
                for one, other in zip(before.read(tiny.SENTENCES), after.read(tiny.SENTENCES), strict=True)
            ]
        )
        > 0.9
    )  # as float32 it still reads

    (tmp_path / "out").mkdir()
    with pytest.raises(Refused, match=r"agreement 0\.\d+ on 240 sentences, and 0\.99 is asked"):
        export(Folder.at(copy), tmp_path / "out" / "made", task="emotion", threads=1)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_tone_model_that_int8_makes_another_is_refused_too(bart_folder: Path, tmp_path: Path) -> None:
    source = Path(shutil.copytree(bart_folder, tmp_path / "source"))
    tiny.outlying_in_tone(source)
    before, after = (BartTone(Folder.at(at), device="cpu", threads=1) for at in (bart_folder, source))
    assert after.write(tiny.SENTENCES[:8], "선비") == before.write(
        tiny.SENTENCES[:8], "선비"
    )  # as float32 it still speaks

    with pytest.raises(Refused, match=r"chrf \d.* on 240 sentences, and 90 is asked"):
        export(Folder.at(source), tmp_path / "made", task="tone", threads=1)


def test_vectors_that_all_point_one_way_are_not_alike_for_that(encoder_folder: Path, tmp_path: Path) -> None:
    source = Path(shutil.copytree(encoder_folder, tmp_path / "source"))
    tiny.narrow(source)

    with pytest.raises(Refused, match=r"centred cosine 0\.\d+ on 240 sentences, and 0\.99 is asked"):
        export(Folder.at(source), tmp_path / "made", task="embedding", threads=1)


def test_a_source_that_hardly_speaks_shows_nothing_by_its_silence() -> None:
    speech = GATES["tone"].likeness
    said = [f"{number}번째 말이오." for number in range(240)]

    assert speech(said, said) == pytest.approx(100.0)
    assert speech(["", *said[1:]], ["", *said[1:]]) == pytest.approx(100.0)
    assert speech([""] * 239 + said[:1], [""] * 239 + said[:1]) == 0.0


def test_a_source_that_cannot_be_read_leaves_nothing_either(copy: Path, tmp_path: Path) -> None:
    tiny.unreadable(copy, tiny.SENTENCES[100])

    (tmp_path / "out").mkdir()
    with pytest.raises(NotFinite, match="no finite numbers"):
        export(Folder.at(copy), tmp_path / "out" / "made", task="emotion", threads=1)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_model_of_another_kind_is_refused(encoder_folder: Path, bart_folder: Path, tmp_path: Path) -> None:
    for folder, task in ((encoder_folder, "tone"), (bart_folder, "embedding"), (encoder_folder, "emotion")):
        with pytest.raises(ModelUnavailable):
            export(Folder.at(folder), tmp_path / "made", task=task, threads=1)  # type: ignore[arg-type]
        assert list(tmp_path.iterdir()) == []


def test_a_converted_model_is_no_source_and_a_folder_that_is_there_no_target(
    converted: Mapping[Task, Path], electra_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelUnavailable, match="converted already"):
        export(Folder.at(converted["emotion"]), tmp_path / "made", task="emotion")
    with pytest.raises(ValueError, match="is there already"):
        export(Folder.at(electra_folder), converted["emotion"], task="emotion")
    with pytest.raises(ValueError, match="199 different sentences are too few"):
        export(Folder.at(electra_folder), tmp_path / "made", task="emotion", sentences=[*tiny.SENTENCES[:199]] * 2)


def test_converted_models_do_not_stand_in_for_each_other(converted: Mapping[Task, Path]) -> None:
    with pytest.raises(ModelUnavailable, match="as a tone model"):
        Encoder(Folder.at(converted["tone"]), threads=1)
    with pytest.raises(ModelUnavailable, match="the tone model is a BART"):
        BartTone(Folder.at(converted["embedding"]), threads=1)
    with pytest.raises(ModelUnavailable, match="other labels"):
        ElectraEmotion(Folder.at(converted["embedding"]), threads=1)


def test_the_command_tells_each_step_and_ends_well(
    electra_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status = export_command([str(electra_folder), "made/emotion", "--task", "emotion"])

    assert status == 0
    assert "4/4 electra: agreement" in capsys.readouterr().err
    assert Folder.at(tmp_path / "made" / "emotion").runtime == "onnx"
    assert export_command([str(electra_folder), "made/emotion", "--task", "emotion"]) == 1
    assert "is there already" in capsys.readouterr().err


def test_the_sentences_are_240_and_no_two_are_alike() -> None:
    sentences = SENTENCES.read_text("utf-8").splitlines()

    assert len(set(sentences)) == 240
    assert alike(sentences) == []


def test_chrf_is_the_papers() -> None:
    assert chrf(["오늘은 쉬시오."], ["오늘은 쉬시오."]) == pytest.approx(100.0)
    assert chrf(["가나다"], ["라마바"]) == 0.0
    assert chrf(["오늘은쉬시오."], ["오늘은 쉬시오."]) == pytest.approx(100.0)
    assert chrf([""], [""]) == 0.0
    # One letter of two, no pair: precision and recall are the mean of 1/2 and 0.
    assert chrf(["가나"], ["가다"]) == pytest.approx(25.0)
    # 2 of 2 letters and 1 of 1 pair are right, of 4 letters, 3 pairs, and triples that are not said.
    assert chrf(["가나"], ["가나다라"]) == pytest.approx(100 * 5 * (5 / 12) / (4 + 5 / 12))
