"""How far bf16 leads away: Heed's logits and gradients from Heed's in fp32, and PyTorch's under bf16 autocast from PyTorch's in fp32, on the
same weights and data.  Heed's way must be no longer."""

import tempfile

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel

import bert
import heed
from bounds import relative
from checks import check, finish
from families import import_from, save

MINI = dict(vocab_size=8192, num_hidden_layers=4, hidden_size=256, num_attention_heads=4, intermediate_size=1024)
SMALL = dict(vocab_size=8192, num_hidden_layers=4, hidden_size=512, num_attention_heads=8, intermediate_size=2048)
GPT_MINI = dict(vocab_size=8192, n_layer=4, n_embd=256, n_head=4, n_positions=256)
GPT_DEEP = dict(vocab_size=8192, n_layer=12, n_embd=256, n_head=4, n_positions=256)
RAGGED = [128, 77, 12, 128, 60, 101]


def make_bert(folder, sizes):
    return bert.make(folder, **sizes)


def make_gpt(folder, sizes):
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=3, eos_token_id=3, **sizes))
    save(folder, model)
    return model


def bert_logits(model, batch):
    return bert.forward(model, batch)[1]


def gpt_logits(model, batch):
    ids, _, mask, place = bert.padded(batch)
    hidden = model.transformer(input_ids=ids, attention_mask=mask).last_hidden_state.flatten(0, 1)[place]
    return model.lm_head(hidden[torch.as_tensor(np.asarray(batch["target_tokens"], dtype=np.int64))])


def of_torch(model, logits_of, batch, bf16):
    """Logits and gradients; under autocast the loss is fp32's, as it is in training."""
    model.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        logits = logits_of(model, batch)
        loss = torch.nn.functional.cross_entropy(logits.float(), torch.as_tensor(np.asarray(batch["target_ids"], dtype=np.int64)))
    loss.backward()
    return logits.detach().double().numpy(), {n: p.grad.double().numpy() for n, p in model.named_parameters() if p.grad is not None}


def of_heed(checkpoint, batch, folder, *precision):
    results = heed.model(checkpoint, batch, folder, *precision)
    return results["logits"], {n: g for n, g in results.items() if n not in ("hidden", "logits", "loss", "pairs")}


def together(gradients):
    return np.concatenate([gradients[name].ravel() for name in sorted(gradients)])


def distances(bf16, fp32):
    return relative(bf16[0], fp32[0]), relative(together(bf16[1]), together(fp32[1]))


def compare(name, make, logits_of, sizes, lengths):
    with tempfile.TemporaryDirectory() as folder:
        model = make(f"{folder}/hf", sizes).float().eval()
        checkpoint = import_from(f"{folder}/hf")
        batch = bert.random_batch(model.config, lengths, False)
        if logits_of is gpt_logits:
            batch["token_types"] = np.zeros_like(batch["token_types"])
        ours = [of_heed(checkpoint, batch, folder, *precision) for precision in (("bf16",), ())]
        theirs = [of_torch(model, logits_of, batch, bf16) for bf16 in (True, False)]
        for what, own, other in zip(("logits", "gradients"), distances(*ours), distances(*theirs)):
            check(f"{name}: {what}", 0 < own <= other, f"{own:.2e}, PyTorch {other:.2e}, ratio {own / other:.2f}")
        return ours, distances(*theirs)


def rounding_too_often_is_found(ours, limits):
    """The test of the test: what bf16 adds to fp32, three times as much."""
    bf16, fp32 = ours
    logits = fp32[0] + 3 * (bf16[0] - fp32[0])
    gradients = {n: g + 3 * (bf16[1][n] - g) for n, g in fp32[1].items()}
    found = [own > limit for own, limit in zip(distances((logits, gradients), fp32), limits)]
    check("three times the distance is found", all(found))


result = compare("BERT-mini", make_bert, bert_logits, MINI, RAGGED)
compare("BERT-small", make_bert, bert_logits, SMALL, RAGGED)
compare("GPT-mini", make_gpt, gpt_logits, GPT_MINI, RAGGED)
compare("GPT, 12 layers", make_gpt, gpt_logits, GPT_DEEP, [256, 200, 31])
rounding_too_often_is_found(*result)
finish()
