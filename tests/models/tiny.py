"""Tiny models of the real architectures, made on the spot and saved as a folder of the hub would be."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    ElectraConfig,
    ElectraForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
)

from inference_server import export
from inference_server.bart import STYLES
from inference_server.emotion import LABELS

SENTENCES: Sequence[str] = export.SENTENCES.read_text("utf-8").splitlines()

# What the tiny tone model is taught to say: which style it was asked for, and whether it was asked a question.
SAYS: Mapping[str, tuple[str, str]] = {
    style: (f"{style} 말씨로 말한다.", f"{style} 말씨로 묻는가?") for style in dict.fromkeys(STYLES.values())
}


def label_of(text: str) -> str:
    """Return what the tiny classifier is taught to read: the label of the group of twenty-two that a sentence is in."""
    return LABELS[SENTENCES.index(text) // 22]


def electra(folder: Path, *, labels: Sequence[str] = LABELS, steps: int = 60) -> Path:
    """Save an ELECTRA classifier that has learnt the labels of `SENTENCES`."""
    torch.manual_seed(1)
    tokenizer = _wordpiece()
    model = ElectraForSequenceClassification(
        ElectraConfig(
            vocab_size=len(tokenizer),
            embedding_size=48,
            hidden_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=128,
            id2label=dict(enumerate(labels)),
            label2id={label: index for index, label in enumerate(labels)},
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    if steps:
        batch = tokenizer(list(SENTENCES), padding=True, return_tensors="pt")
        _taught(model, {**batch, "labels": torch.tensor([LABELS.index(label_of(text)) for text in SENTENCES])}, steps)
    return _saved(model, tokenizer, folder)


def bart(folder: Path, *, steps: int = 25) -> Path:
    """Save a BART that has learnt `SAYS`; its tokenizer frames a text as BART's does."""
    torch.manual_seed(2)
    tokenizer = _pieces()
    model = BartForConditionalGeneration(
        BartConfig(
            vocab_size=len(tokenizer),
            d_model=64,
            encoder_layers=2,
            decoder_layers=2,
            encoder_attention_heads=4,
            decoder_attention_heads=4,
            encoder_ffn_dim=128,
            decoder_ffn_dim=128,
            max_position_embeddings=256,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            decoder_start_token_id=tokenizer.eos_token_id,
            forced_eos_token_id=tokenizer.eos_token_id,
        )
    )
    if steps:
        styles = list(SAYS)
        asked = [
            (f"{style} 형식으로 변환:{text}", SAYS[style]["?" in text])
            for index, text in enumerate(SENTENCES)
            for style in (styles[index % len(styles)], styles[(index // 3) % len(styles)])
        ]
        batch = tokenizer([text for text, _ in asked], padding=True, return_tensors="pt")
        said = tokenizer([text for _, text in asked], padding=True, return_tensors="pt")["input_ids"]
        labels = said.masked_fill(said == tokenizer.pad_token_id, -100)
        _taught(model, {**batch, "labels": labels}, steps)
    return _saved(model, tokenizer, folder)


def encoder(folder: Path, *, pooling: str = "mean_tokens") -> Path:
    """Save a RoBERTa with its modules as sentence-transformers lays them out. It has learnt nothing."""
    torch.manual_seed(3)
    tokenizer = _pieces()
    model = RobertaModel(
        RobertaConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=128,
            max_position_embeddings=160,
            type_vocab_size=1,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    _saved(model, tokenizer, folder)
    modules = [("Transformer", ""), ("Pooling", "1_Pooling")]
    _write(
        folder / "modules.json",
        [
            {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for index, (kind, path) in enumerate(modules)
        ],
    )
    _write(folder / "sentence_bert_config.json", {"max_seq_length": 128, "do_lower_case": False})
    ways = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens")
    (folder / "1_Pooling").mkdir()
    _write(
        folder / "1_Pooling" / "config.json",
        {"word_embedding_dimension": 64} | {f"pooling_mode_{way}": way == pooling for way in ways},
    )
    return folder


def outlying(folder: Path) -> None:
    """Give a classifier one feature far larger than all others that nothing reads: float32 does not mind, int8 does."""
    model = ElectraForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        model.electra.encoder.layer[-1].output.LayerNorm.bias[0] = 1e4
        model.classifier.dense.weight[:, 0] = 0
    model.save_pretrained(folder)


def outlying_in_tone(folder: Path) -> None:
    """Do the same to a tone model: one feature of what was read is far larger than all others, and nothing reads it."""
    model = BartForConditionalGeneration.from_pretrained(folder)
    with torch.no_grad():
        model.model.encoder.layers[-1].final_layer_norm.bias[0] = 1e4
        for layer in model.model.decoder.layers:
            layer.encoder_attn.k_proj.weight[:, 0] = layer.encoder_attn.v_proj.weight[:, 0] = 0
    model.save_pretrained(folder)


def narrow(folder: Path) -> None:
    """Let all vectors of an encoder point nearly one way, and int8 lose what tells them apart."""
    model = RobertaModel.from_pretrained(folder)
    with torch.no_grad():
        for layer in model.encoder.layer:
            value, out, dense = layer.attention.self.value, layer.attention.output.dense, layer.output.dense
            for each in (value, out, layer.intermediate.dense, dense):
                each.weight *= 15
            value.bias[0] = 300
            out.weight[:, 0] = dense.weight[:, 0] = 0
        model.encoder.layer[-1].output.LayerNorm.bias[1] += 20
    model.save_pretrained(folder)


def unreadable(folder: Path, text: str | None = None) -> None:
    """Let a classifier give no numbers: for texts with the last word piece of `text`, or for all."""
    model = ElectraForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        if text is None:
            model.classifier.out_proj.weight[:] = torch.nan
        else:
            piece = PreTrainedTokenizerFast.from_pretrained(folder)(text)["input_ids"][-2]
            model.electra.embeddings.word_embeddings.weight[piece] = torch.nan
    model.save_pretrained(folder)


def endless(folder: Path) -> None:
    """Let a tone model never end of its own accord."""
    _inclined_to_end(folder, -1e4)


def silent(folder: Path) -> None:
    """Let a tone model end before it says anything."""
    _inclined_to_end(folder, 1e4)


def changed(folder: Path, file: str, **values: object) -> None:
    """Write other values into a JSON file of a folder."""
    path = folder / file
    _write(path, {**(json.loads(path.read_text("utf-8")) if path.exists() else {}), **values})


def _inclined_to_end(folder: Path, bias: float) -> None:
    model = BartForConditionalGeneration.from_pretrained(folder)
    model.final_logits_bias[0, model.config.eos_token_id] = bias
    model.save_pretrained(folder)


def _taught(model: PreTrainedModel, batch: Mapping[str, torch.Tensor], steps: int) -> None:
    count = len(batch["labels"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    model.train()
    for _ in range(steps):
        for rows in torch.randperm(count).split(60):
            model(**{name: tensor[rows] for name, tensor in batch.items()}).loss.backward()
            optimizer.step()
            optimizer.zero_grad()


def _saved(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> Path:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _lines() -> list[str]:
    return [
        *SENTENCES,
        *(f"{style} 형식으로 변환:" for style in STYLES),
        *(line for says in SAYS.values() for line in says),
    ]


def _wordpiece() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(_lines(), trainers.WordPieceTrainer(vocab_size=1200, special_tokens=special))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


def _pieces() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    special = ["<s>", "</s>", "<unk>", "<pad>", "<mask>"]
    tokenizer.train_from_iterator(_lines(), trainers.BpeTrainer(vocab_size=1200, special_tokens=special))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
        mask_token="<mask>",
    )


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
