"""A tiny Llama that has learnt one answer by heart, saved as a hub folder would be."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

ANSWER = "그러셨군요. 오늘은 어떤 일이 있었어요?"
SPECIAL = ["<unk>", "<s>", "</s>", "<|im_end|>"]
# As EEVE's: a line for the speaker and what was said.
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
STEPS = 300


def save(folder: Path, *, answer: str = ANSWER) -> None:
    """Train for some seconds, whatever the prompt says, and save weights, tokenizer and template."""
    torch.manual_seed(0)
    tokenizer = _tokenizer(answer)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=4096,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    _learn(model, tokenizer, answer)
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)


def _tokenizer(answer: str) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([answer, "user: assistant: system:", "요즘 잠이 안 와요"] * 20, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="<|im_end|>", unk_token="<unk>", pad_token="</s>"
    )
    fast.chat_template = TEMPLATE
    return fast


def _learn(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, answer: str) -> None:
    """Teach the answer after prompts of random tokens, at random places: what is asked must not matter."""
    said = tokenizer.encode("assistant: ", add_special_tokens=False)
    learnt = [*tokenizer.encode(answer, add_special_tokens=False), tokenizer.eos_token_id]
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    model.train()
    for step in range(STEPS):
        length = int(torch.randint(4, 64, ()))
        start = int(torch.randint(0, 1500, ()))
        noise = torch.randint(4, len(tokenizer), (8, length))
        ending = torch.tensor([said + learnt]).expand(8, -1)
        ids = torch.cat([noise, ending], dim=1)
        labels = ids.clone()
        labels[:, : length + len(said)] = -100
        positions = torch.arange(start, start + ids.shape[1]).expand(8, -1)
        loss = model(input_ids=ids, labels=labels, position_ids=positions).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if step > 50 and loss.item() < 0.01:
            break
    model.eval()
