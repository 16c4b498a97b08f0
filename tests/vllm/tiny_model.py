"""Write a Llama of two tiny random layers with a tokenizer and a chat template: ``tiny_model.py FOLDER``."""

from __future__ import annotations

import sys

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

MARKS = ["<s>", "</s>", "<pad>", "<|user|>", "<|assistant|>", "<|system|>"]
TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SENTENCE = "a small model that knows one sentence still has to answer every question"


def tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level tokenizer, so that any text has tokens."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=384, special_tokens=MARKS, initial_alphabet=alphabet)
    bpe.train_from_iterator([SENTENCE] * 40, trainer)
    made = PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token="<s>", eos_token="</s>", pad_token="<pad>", model_max_length=256
    )
    made.chat_template = TEMPLATE
    return made


def model(words: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Two layers of 64: enough for an engine to load, page and sample."""
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=256,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
        tie_word_embeddings=False,
    )
    return LlamaForCausalLM(config)


if __name__ == "__main__":
    folder = sys.argv[1]
    words = tokenizer()
    words.save_pretrained(folder)
    model(words).save_pretrained(folder)
