"""GPT-2 and ModernBERT: hidden states, logits, loss, every gradient, and greedy text, against transformers in double precision."""

import json
import os
import shutil
import sys
import tempfile

import numpy as np
import torch
from transformers import BertTokenizerFast, GPT2Config, GPT2LMHeadModel, GPT2TokenizerFast, ModernBertConfig, ModernBertForMaskedLM

import bert
import heed
from bounds import GRADIENT_BOUND, LOGITS, LOSS, gradient_shares, relative
from checks import check, finish
from exported import check_tokenizer

RAGGED = [40, 3, 64, 17, 64, 9, 33, 5]
TRANSPOSED = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")

GPT2 = {
    "GPT-2, 2 layers": dict(sizes=dict(vocab_size=320, n_layer=2, n_embd=64, n_head=4, n_positions=64), lengths=RAGGED),
    "GPT-2, odd sizes": dict(sizes=dict(vocab_size=101, n_layer=3, n_embd=45, n_head=5, n_inner=77, n_positions=70), lengths=RAGGED),
    "GPT-2, erf GELU": dict(sizes=dict(vocab_size=320, n_layer=2, n_embd=64, n_head=4, n_positions=64, activation_function="gelu"),
                            lengths=RAGGED),
    "GPT-2, long": dict(sizes=dict(vocab_size=320, n_layer=2, n_embd=64, n_head=2, n_positions=600), lengths=[600, 311]),
    "GPT-2 124M": dict(sizes=dict(vocab_size=50257, n_layer=12, n_embd=768, n_head=12, n_positions=1024), lengths=[64, 23, 41]),
}
MODERN = dict(vocab_size=320, hidden_size=64, num_hidden_layers=4, num_attention_heads=4, intermediate_size=96)
MODERNBERT = {
    "ModernBERT, 4 layers": dict(sizes=dict(MODERN, max_position_embeddings=64), lengths=RAGGED),
    "ModernBERT, rows beyond the window": dict(sizes=dict(MODERN, max_position_embeddings=400), lengths=[400, 129, 64, 211]),
    "ModernBERT, window ±8": dict(sizes=dict(MODERN, max_position_embeddings=64, local_attention=16), lengths=RAGGED),
    "ModernBERT-base": dict(sizes=dict(vocab_size=50368, hidden_size=768, num_hidden_layers=22, num_attention_heads=12, intermediate_size=1152,
                                       max_position_embeddings=8192), lengths=[150, 31]),
}


def save(folder, model):
    """Moves every weight from its initial value; saves the model and a vocabulary."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    with open(f"{folder}/vocab.txt", "w") as file:
        file.write("\n".join(bert.SPECIAL + [f"w{i}" for i in range(model.config.vocab_size - len(bert.SPECIAL))]) + "\n")


def import_from(folder, *more):
    heed.run("import", folder, "--output", f"{folder}-checkpoint", *more)
    return f"{folder}-checkpoint"


def loss_and_gradients(model, logits, batch):
    targets = torch.as_tensor(np.asarray(batch["target_ids"], dtype=np.int64))
    loss = torch.nn.functional.cross_entropy(logits, targets)
    loss.backward()
    return loss.item(), {n: p.grad.numpy() for n, p in model.named_parameters() if p.grad is not None}


def judge(name, ours, hidden, logits, loss, theirs):
    for what, tensor in (("hidden", hidden), ("logits", logits)):
        error = relative(ours[what], tensor.detach().numpy())
        check(f"{name}: {what}", error <= LOGITS, f"{error:.1e}")
    error = abs(ours["loss"].sum() - loss) / loss
    check(f"{name}: loss", error <= LOSS, f"{error:.1e}")
    missing = set(theirs) - set(ours)
    check(f"{name}: every gradient is there", not missing and len(theirs) + 3 == len(ours), ", ".join(sorted(missing)))
    shares = gradient_shares(ours, theirs)
    worst = max(shares, key=shares.get)
    check(f"{name}: {len(shares)} gradients", shares[worst] <= GRADIENT_BOUND, f"at most {shares[worst]:.3f} of the bound ({worst})")


def compare_gpt2(name, sizes, lengths):
    torch.manual_seed(0)
    config = GPT2Config(resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=3, eos_token_id=3, **sizes)
    model = GPT2LMHeadModel(config)
    with tempfile.TemporaryDirectory() as folder:
        save(f"{folder}/hf", model)
        model = model.double().eval()
        batch = bert.random_batch(config, lengths, False)
        batch["token_types"] = np.zeros_like(batch["token_types"])
        ours = heed.model(import_from(f"{folder}/hf"), batch, folder)
        ids, _, mask, place = bert.padded(batch)
        hidden = model.transformer(input_ids=ids, attention_mask=mask).last_hidden_state.flatten(0, 1)[place]
        logits = model.lm_head(hidden[torch.as_tensor(np.asarray(batch["target_tokens"], dtype=np.int64))])
        loss, theirs = loss_and_gradients(model, logits, batch)
        theirs = {n: g.T if n.endswith(TRANSPOSED) else g for n, g in theirs.items()}
        judge(name, ours, hidden, logits, loss, theirs)


def our_names(gradients, layers):
    """ModernBERT's gradients under the names that heed keeps them under; query, key and value apart."""
    names = {"model.embeddings.tok_embeddings.weight": "bert.embeddings.word_embeddings.weight",
             "model.embeddings.norm.weight": "bert.embeddings.LayerNorm.weight", "model.final_norm.weight": "bert.encoder.LayerNorm.weight",
             "head.dense.weight": "cls.predictions.transform.dense.weight", "head.norm.weight": "cls.predictions.transform.LayerNorm.weight",
             "decoder.bias": "cls.predictions.bias"}
    inner = {"attn.Wo": "attention.output.dense", "attn_norm": "attention.output.LayerNorm", "mlp.Wi": "intermediate.dense",
             "mlp.Wo": "output.dense", "mlp_norm": "output.LayerNorm"}
    for layer in range(layers):
        names.update({f"model.layers.{layer}.{a}.weight": f"bert.encoder.layer.{layer}.{b}.weight" for a, b in inner.items()})
    ours = {names[n]: g for n, g in gradients.items() if n in names}
    for layer in range(layers):
        parts = np.split(gradients[f"model.layers.{layer}.attn.Wqkv.weight"], 3)
        ours.update({f"bert.encoder.layer.{layer}.attention.self.{n}.weight": g for n, g in zip(("query", "key", "value"), parts)})
    return ours


def compare_modernbert(name, sizes, lengths):
    torch.manual_seed(0)
    config = ModernBertConfig(pad_token_id=None, bos_token_id=2, eos_token_id=3, cls_token_id=2, sep_token_id=3, attn_implementation="eager",
                              **sizes)
    model = ModernBertForMaskedLM(config)
    with tempfile.TemporaryDirectory() as folder:
        save(f"{folder}/hf", model)
        model = model.double().eval()
        batch = bert.random_batch(config, lengths, False)
        batch["token_types"] = np.zeros_like(batch["token_types"])
        ours = heed.model(import_from(f"{folder}/hf"), batch, folder)
        # One by one: a padded row's queries beyond the window see no key at all, and transformers gives not-a-numbers there.
        rows = np.split(batch["ids"], batch["offsets"][1:-1])
        hidden = torch.cat([model.model(input_ids=torch.as_tensor(row)[None]).last_hidden_state[0] for row in rows])
        logits = model.decoder(model.head(hidden[torch.as_tensor(np.asarray(batch["target_tokens"], dtype=np.int64))]))
        loss, theirs = loss_and_gradients(model, logits, batch)
        judge(name, ours, hidden, logits, loss, our_names(theirs, config.num_hidden_layers))


def greedy_text(name, sizes, tokens=200, caches=((), ("--no-cache",))):
    """Token for token what transformers generates, with and without the cache, for prompts of several lengths at once."""
    torch.manual_seed(1)
    config = GPT2Config(resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=3, eos_token_id=None, pad_token_id=0, **sizes)
    model = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)  # so that the likeliest token is not the same for ever
    draw = np.random.default_rng(0)
    prompts = [draw.integers(len(bert.SPECIAL), config.vocab_size, n) for n in (5, 1, 23)]
    with tempfile.TemporaryDirectory() as folder:
        save(f"{folder}/hf", model)
        checkpoint = import_from(f"{folder}/hf")
        texts = [" ".join(f"w{i - len(bert.SPECIAL)}" for i in prompt) for prompt in prompts]
        theirs = [model.generate(torch.as_tensor(p)[None], max_new_tokens=tokens, do_sample=False)[0, len(p):].tolist() for p in prompts]
        for cache in caches:
            made = json.loads(heed.run("generate", checkpoint, *texts, "--tokens", tokens, "--temperature", 0, "--json", *cache))
            ours = [c["ids"] for c in made["continuations"]]
            for o, t in zip(ours, theirs):  # transformers was told of no end, heed ends at [SEP]
                t[:] = t[: t.index(3)] if 3 in t else t
            agree = [next((i for i, (a, b) in enumerate(zip(o, t)) if a != b), min(len(o), len(t))) for o, t in zip(ours, theirs)]
            check(f"{name}: greedy text{' without cache' if cache else ''}", ours == theirs,
                  f"equal for {agree} of {[len(t) for t in theirs]} tokens, {[len(set(t)) for t in theirs]} different")


def there_and_back(name, make):
    torch.manual_seed(2)
    model = make()
    with tempfile.TemporaryDirectory() as folder:
        save(f"{folder}/hf", model)
        heed.run("export", import_from(f"{folder}/hf"), "--output", f"{folder}/back")
        returned, info = type(model).from_pretrained(f"{folder}/back", output_loading_info=True)
        check(f"{name}: nothing missing, nothing too many", not any(info.values()), str(info))
        ours, theirs = returned.state_dict(), model.state_dict()
        differing = [n for n in theirs if n not in ours or not torch.equal(ours[n], theirs[n])]
        check(f"{name}: {len(theirs)} tensors bit-equal", not differing and set(ours) == set(theirs), ", ".join(differing))
        ids = torch.randint(5, model.config.vocab_size, (2, 30))
        with torch.no_grad():
            same = torch.equal(returned.eval()(ids).logits, model.eval()(ids).logits)
        check(f"{name}: the same logits", same)
        if isinstance(model, ModernBertForMaskedLM):
            tokenizer = check_tokenizer(name, f"{folder}/back", BertTokenizerFast, ["w1 w7 [MASK] unheard", "", "w2"])
            with torch.no_grad():
                whole = model(**tokenizer(["w1 w7 [MASK]", "w2"], padding=True, return_tensors="pt")).logits
            check(f"{name}: the model takes what its tokenizer gives", torch.isfinite(whole).all())


def text_to_text(name):
    """With a BPE vocabulary trained here: the exported folder's tokenizer and model continue a text just as heed does."""
    torch.manual_seed(3)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=8192, n_layer=2, n_embd=64, n_head=4, n_positions=128, bos_token_id=0, eos_token_id=0)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    with tempfile.TemporaryDirectory() as folder:
        save(f"{folder}/hf", model)
        os.remove(f"{folder}/hf/vocab.txt")
        for file in ("vocab.json", "merges.txt"):
            shutil.copy(f"{heed.ENGLISH}/bpe/{file}", f"{folder}/hf/{file}")
        checkpoint = import_from(f"{folder}/hf")
        heed.run("export", checkpoint, "--output", f"{folder}/back")
        tokenizer = GPT2TokenizerFast.from_pretrained(f"{folder}/back")
        prompts = ["In the beginning God created", "naïve café 漢字 — don't!\n  two  spaces", "3.14"]
        check_tokenizer(name, f"{folder}/back", GPT2TokenizerFast, [*prompts, "", "<|endoftext|> and on"])
        made = json.loads(heed.run("generate", checkpoint, *prompts, "--tokens", 60, "--temperature", 0, "--json"))["continuations"]
        for prompt, ours in zip(prompts, made):
            ids = tokenizer(prompt, return_tensors="pt").input_ids
            theirs = model.generate(ids, max_new_tokens=60, do_sample=False, pad_token_id=0)[0, ids.shape[1]:].tolist()
            theirs = theirs[: theirs.index(0)] if 0 in theirs else theirs
            check(f"{name}: {prompt[:12]!r}…", ours["ids"] == theirs and ours["text"] == tokenizer.decode(theirs), f"{len(theirs)} tokens")


if __name__ == "__main__":
    for case, arguments in GPT2.items():
        compare_gpt2(case, **arguments)
    for case, arguments in MODERNBERT.items():
        compare_modernbert(case, **arguments)
    greedy_text("GPT-2, 2 layers", dict(vocab_size=320, n_layer=2, n_embd=64, n_head=4, n_positions=256))
    large = dict(vocab_size=50257, n_layer=12, n_embd=768, n_head=12, n_positions=256)
    greedy_text("GPT-2 124M", large, caches=((), ("--no-cache",)) if "--long" in sys.argv else ((),))
    text_to_text("GPT-2 with a vocabulary of its own")
    there_and_back("GPT2LMHeadModel", lambda: GPT2LMHeadModel(GPT2Config(**GPT2["GPT-2, odd sizes"]["sizes"], bos_token_id=3, eos_token_id=3)))
    there_and_back("ModernBertForMaskedLM", lambda: ModernBertForMaskedLM(ModernBertConfig(
        pad_token_id=None, bos_token_id=2, eos_token_id=3, cls_token_id=2, sep_token_id=3, max_position_embeddings=64, **MODERN)))
    finish()
