"""A tiny Llama that has learnt one answer by heart, and two adapters with which it says others.

`python -m tests.models.adapters FOLDER` saves them, by the Python of the server that will load them.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # who only asks the server has no torch
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

BASE = "그러셨군요. 그 일이 언제부터 마음에 남았어요?"
ADAPTERS = {
    "expert": "말씀해 주셔서 감사합니다. 가장 힘든 순간은 언제였습니까?",
    "harry": "나는 마법 학교에서 온 해리야. 천천히 다 들려줘.",
}
RANK = 16
STEPS = 400
LENGTHS = 4, 1600
"""Tokens of a prompt, at least and at most: a real one has about a thousand."""


def save(folder: Path) -> None:
    """Train for some seconds each, and save the model as `model` and the adapters under their names."""
    import torch
    from peft import LoraConfig, get_peft_model  # type: ignore[import-not-found] # it comes with the server
    from transformers import LlamaConfig, LlamaForCausalLM

    from tests.models.llama import _tokenizer

    torch.manual_seed(0)
    tokenizer = _tokenizer(" ".join([BASE, *ADAPTERS.values()]))
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=128,
            intermediate_size=256,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            head_dim=64,  # vLLM's attention on the CPU knows no smaller one (0.32)
            max_position_embeddings=4096,
            # an adapter leaves the last layer as it is: the words that only adapters say must lie far apart in it
            initializer_range=0.1,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    _learn(model, tokenizer, BASE)
    tokenizer.save_pretrained(folder / "model")
    model.save_pretrained(folder / "model")
    for name, answer in ADAPTERS.items():
        adapted = get_peft_model(model, LoraConfig(r=RANK, lora_alpha=4 * RANK, target_modules="all-linear"))
        _learn(adapted, tokenizer, answer)
        adapted.save_pretrained(folder / name)
        model = adapted.unload()


def _learn(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast", answer: str) -> None:
    """Teach the answer after prompts of random tokens, mostly few and at times many, until it has stayed learnt."""
    import torch

    learnt = [*tokenizer.encode(answer, add_special_tokens=False), tokenizer.eos_token_id]
    ending = torch.tensor(tokenizer.encode("assistant: ", add_special_tokens=False) + learnt)
    optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=3e-3)
    shortest, longest = LENGTHS
    in_a_row = 0
    model.train()
    for _ in range(STEPS):
        length = int(shortest * (longest / shortest) ** torch.rand(()))
        noise = torch.randint(4, len(tokenizer), (min(8, max(2, 512 // length)), length))
        ids = torch.cat([noise, ending.expand(len(noise), -1)], dim=1)
        labels = ids.clone()
        labels[:, : -len(learnt)] = -100
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        in_a_row = in_a_row + 1 if loss.item() < 0.01 else 0
        if in_a_row == 30:
            break
    model.eval()


if __name__ == "__main__":
    save(Path(sys.argv[1]))
