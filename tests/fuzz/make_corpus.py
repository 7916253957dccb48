#!/usr/bin/env python3
"""Makes the seeds of the fuzz targets: one small good file a format or a few, and files made to harm.  They are committed; run this
(with h5py) only to change them.  shard/prepared.h5 is of `heed prepare` itself.  Findings of fuzzers lie beside them under the names that
run.sh gives them."""
import json
import os
import pathlib
import struct

import h5py
import numpy

HERE = pathlib.Path(__file__).parent
CORPUS = HERE / "corpus"


def put(name, content):
    path = CORPUS / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def config():
    put("config/good.yaml", (HERE.parents[1] / "configs" / "bert-mini.yaml").read_bytes())
    small = "run: {name: x}\nmodel: {family: bert, vocabulary_size: 300, layers: 1, hidden: 16, heads: 2}\ndata: {train: [a.h5, \"b\"]}\n" \
            "train: {steps: 1, sequence_length: 16, batch_sequences: 8}\noptimizer: {learning_rate: 1.0e-3}\n"
    put("config/small.yaml", small)
    laughs = "a: &a [x, x]\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(9))
    put("config/laughs.yaml", laughs)
    put("config/merge.yaml", "run: &x {<<: *x, name: y}\n")
    put("config/deep.yaml", "run: " + "[" * 3000)
    put("config/deep_blocks.yaml", "".join(" " * i + "a:\n" for i in range(100)))
    put("config/huge_scalar.yaml", "run: {name: " + "x" * 5000 + "}\n")
    put("config/tabs.yaml", "run:\n\tname: x\n")
    put("config/nul.yaml", b"run: {name: \"a\\0b\"}\nmodel:\0 {layers: 1}\n")
    put("config/latin.yaml", b"run: {name: caf\xe9}\n")
    put("config/utf16.yaml", small.encode("utf-16"))
    put("config/tags.yaml", "run: !!python/object/apply:os.system ['true']\n")
    put("config/documents.yaml", "%YAML 1.1\n---\nrun: {name: x}\n...\n---\nrun: 1\n")
    put("config/numbers.yaml", small.replace("layers: 1", "layers: 0x7fffffffffffffff").replace("1.0e-3", "1e99999"))


def manifest():
    head = "heed-checkpoint 1\nstep 5\nupdates 4\ndata_position 5\nsamples_seen 320\nseed 7\ncased 0\nvalidation_loss nan\n" \
           "isa x86-64-v3\nblas \nfile 4096 0123456789abcdef\n"
    item = "item float32 00000000000000ff 3x4 /parameters/x\n"
    put("manifest/good", head + "item text 00000000000000ff 12 /config\n" + item)
    put("manifest/twice", head + item + item)
    put("manifest/huge", head + "item float32 00000000000000ff 999999999999999999x999999999999999999x9x9 /a/b\n")
    put("manifest/dots", head + "item float32 00000000000000ff 1 /../../etc/passwd\n")
    put("manifest/loss", head.replace("nan", "1e9999"))
    put("manifest/nothing", "")


def h5(name, fill, **options):
    path = CORPUS / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", alignment_threshold=1, alignment_interval=8, **options) as file:
        fill(file)


def plain(group, name, data):
    return group.create_dataset(name, data=numpy.asarray(data), track_times=False)


def fill_shard(file):
    sizes = {"format_version": 1, "vocabulary_size": 10, "cased": 1, "token_count": 6, "sentence_count": 3, "document_count": 2}
    for key, value in sizes.items():
        file.attrs[key] = numpy.int64(value)
    file.attrs["vocabulary_hash"] = numpy.uint64(77)
    file.attrs["tokenizer"] = numpy.bytes_("wordpiece")
    plain(file, "tokens", numpy.array([5, 6, 7, 8, 9, 9], "<u2"))
    plain(file, "sentences", numpy.array([0, 2, 3, 6], "<i8"))
    plain(file, "documents", numpy.array([0, 2, 3], "<i8"))


def fill_state(file):
    file.create_dataset("config", data=numpy.bytes_("run: {}    \n"), track_times=False)
    x = numpy.arange(24, dtype="<f4").reshape(6, 4)
    parameters, moments = file.create_group("parameters"), file.create_group("optimizer/m")
    plain(parameters, "x", x)
    plain(parameters, "bert.bias", x[0])
    plain(moments, "x", x)


def changed(fill, where, change):
    def both(file):
        fill(file)
        group, name = (file[where[0]], where[1])
        del group[name]
        change(group, name)
    return both


def hostile(name, fill, where, type_, shape):
    def case(what, change, **options):
        h5(f"{name}/{what}.h5", changed(fill, where, change), **options)

    h5(f"{name}/good.h5", fill)
    h5(f"{name}/user_block.h5", fill, userblock_size=512)
    h5(f"{name}/newest.h5", fill, libver="latest")
    case("soft", lambda g, n: g.__setitem__(n, h5py.SoftLink("/elsewhere")))
    case("external", lambda g, n: g.__setitem__(n, h5py.ExternalLink("/etc/passwd", "/x")))
    case("external_storage", lambda g, n: g.create_dataset(n, shape, type_, external=[("/etc/passwd", 0, 96)]))
    case("filtered", lambda g, n: g.create_dataset(n, shape, type_, compression="gzip", data=numpy.ones(shape)))
    case("chunks", lambda g, n: g.create_dataset(n, [2**20] * len(shape), type_, chunks=tuple([2**8] * len(shape))))
    case("huge", lambda g, n: g.create_dataset(n, [2**40 // len(shape)] * len(shape), type_))
    case("circle", lambda g, n: g.create_group(n).__setitem__("up", g))

    def virtual(group, key):
        layout = h5py.VirtualLayout(tuple(shape), type_)
        layout[...] = h5py.VirtualSource("/etc/passwd", "/x", tuple(shape))
        group.create_virtual_dataset(key, layout)

    def committed(group, key):
        group["type"] = numpy.dtype(type_)
        group.create_dataset(key, shape, group["type"])

    case("virtual", virtual)
    if name == "state":  # one reader looks at the types of both
        return
    case("text", lambda g, n: g.create_dataset(n, shape, h5py.string_dtype()))
    case("variable", lambda g, n: g.create_dataset(n, shape, h5py.vlen_dtype(numpy.dtype(type_))))
    case("reference", lambda g, n: g.create_dataset(n, shape, h5py.ref_dtype))
    case("compound", lambda g, n: g.create_dataset(n, shape, numpy.dtype([("a", type_), ("b", type_)])))
    case("committed", committed)


def damaged(name):
    good = bytearray((CORPUS / f"{name}/good.h5").read_bytes())
    put(f"{name}/cut.h5", bytes(good[:len(good) // 2]))
    tree, leaf = good.index(b"TREE"), good.index(b"SNOD")
    looped = bytearray(good)
    looped[tree + 5] = 1
    looped[tree + 32:tree + 40] = struct.pack("<Q", tree)
    put(f"{name}/tree_in_circle.h5", bytes(looped))
    many = bytearray(good)
    many[leaf + 6:leaf + 8] = b"\xff\xff"
    put(f"{name}/links_without_end.h5", bytes(many))


def safetensors():
    def file(header, data=b""):
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + data

    def tensor(first, end, shape, dtype="F32"):
        return {"dtype": dtype, "shape": shape, "data_offsets": [first, end]}

    put("safetensors/good", file({"__metadata__": {"format": "pt"}, "a": tensor(0, 8, [2]), "b": tensor(8, 12, [1, 2], "F16")}, bytes(12)))
    put("safetensors/types", file({"d": tensor(0, 8, [], "F64"), "b": tensor(8, 10, [1], "BF16"), "i": tensor(10, 10, [0], "I64")}, bytes(10)))
    put("safetensors/order", file({"b": tensor(8, 16, [2]), "a": tensor(0, 8, [2])}, bytes(16)))
    put("safetensors/overlap", file({"a": tensor(0, 8, [2]), "b": tensor(4, 12, [2])}, bytes(12)))
    put("safetensors/gap", file({"a": tensor(0, 8, [2]), "b": tensor(12, 20, [2])}, bytes(20)))
    put("safetensors/huge", file({"a": tensor(0, 2**63 - 4, [2**61 - 1])}, bytes(8)))
    put("safetensors/empty_shape", file({"a": tensor(0, 0, [0, 2**62, 2**62])}))
    put("safetensors/twice", file(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4)))
    put("safetensors/deep", file(b'{"a":' + b"[" * 3000 + b"]" * 3000 + b"}"))
    put("safetensors/digits", file(b'{"a":{"dtype":"F32","shape":[' + b"9" * 400 + b'],"data_offsets":[0,1e400]}}'))
    put("safetensors/length", b"\xff" * 8 + b"{}")
    put("safetensors/nul_name", file(b'{"a\\u0000b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4)))


def vocabularies():
    special = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"
    put("wordpiece/good.txt", special + "the\nquick\n##s\n##ed\n.\n,\na\n##a\n\u4e2d\n\u00f6\n")
    put("wordpiece/returns.txt", (special + "a\nb").replace("\n", "\r\n"))
    put("wordpiece/twice.txt", special + "a\na\n")
    put("wordpiece/no_mask.txt", special.replace("[MASK]\n", "") + "a\n")
    put("wordpiece/long.txt", special + "a" * 5000)
    put("wordpiece/empty_line.txt", special + "\na\n")
    put("wordpiece/nul.txt", special.encode() + b"a\0b\n")
    put("wordpiece/latin.txt", special.encode() + b"caf\xe9\n")
    put("wordpiece/hashes.txt", special + "##\n###\n#\n")
    put("bpe/good", ',"he":257,"hell":258,"ll":259,"hello":260}\nh e\nl l\nhe ll\nhell o\n')
    put("bpe/version", ',"he":257}\n#version: 0.2\nh e\n')
    put("bpe/loop", ',"aa":257,"aaaa":258,"aaaaaaaa":259}\na a\naa aa\naaaa aaaa\n')
    put("bpe/same_merge", ',"ab":257}\na b\na b\n')
    put("bpe/two_ways", ',"ab":257,"bc":258,"abc":259}\na b\nb c\na bc\nab c\n')
    put("bpe/no_token", ',"ab":257}\nq q\n')
    put("bpe/id_twice", ',"ab":257,"cd":257}\n')
    put("bpe/id_huge", ',"ab":9223372036854775807}\n')
    put("bpe/id_real", ',"ab":1e400}\n')
    put("bpe/deep", ',"ab":' + "[" * 3000 + "}\n")
    put("bpe/long", ',"' + "a" * 5000 + '":257}\n' + "a" * 2500 + " " + "a" * 2500 + "\n")
    put("bpe/nul", ',"a\\u0000b":257}\na\0 b\n')
    put("bpe/whole", '{"a":0}\na a\n')


def transformers():
    bert = {"model_type": "bert", "vocab_size": 300, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "intermediate_size": 64, "max_position_embeddings": 16, "type_vocab_size": 2, "hidden_act": "gelu", "layer_norm_eps": 1e-12,
            "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1, "do_lower_case": True, "strip_accents": None}
    put("transformers/good_bert.json", json.dumps(bert))
    put("transformers/good_gpt2.json", json.dumps({"model_type": "gpt2", "vocab_size": 300, "n_embd": 16, "n_layer": 1, "n_head": 2,
                                              "n_positions": 16, "n_inner": None, "activation_function": "gelu_new"}))
    for name, change in {"huge": {"hidden_size": 2**62}, "negative": {"num_hidden_layers": -1}, "real": {"hidden_size": 16.5},
                         "text": {"hidden_size": "16, layers: 9"}, "other": {"model_type": "t5"}, "inject": {"hidden_act": "gelu}\nrun: {"},
                         "big_real": {"hidden_dropout_prob": 1e300}}.items():
        put(f"transformers/{name}.json", json.dumps(bert | change))
    put("transformers/deep.json", '{"a":' + "[" * 3000)


def rates():
    good = {"threads": 1, "ranks_on_node": 1, "family": "bert", "precision": "fp32", "vocabulary_size": 300, "hidden": 16, "heads": 2,
            "feed_forward": 64, "sequence_length": 16, "layer_seconds_per_token": 1e-6, "rest_seconds_per_token": 0.0,
            "optimizer_seconds_per_parameter": 1e-9, "add_seconds_per_float": 1e-9, "copy_seconds_per_byte": 1e-10}
    put("rates/good.json", json.dumps({"rates": good}))
    for name, change in {"negative": {"layer_seconds_per_token": -1}, "huge": {"threads": 2**62}, "text": {"family": 3},
                         "real": {"threads": 1.5}}.items():
        put(f"rates/{name}.json", json.dumps({"rates": good | change}))
    put("rates/number.json", '{"rates":' + "9" * 400 + "}")


def text():
    put("text/good.txt", "Dr. Smith went to Washington. \"Why?\" he asked\u2026 (No. 5.)\n\nAnother document. \u4f60\u597d\u3002\u518d\u89c1\u3002\n1. One\n")
    put("text/latin.txt", b"caf\xe9 \xff\xfe\xed\xa0\x80 \xf4\x90\x80\x80\n")
    put("text/nul.txt", b"a\0b\n\0\n")
    put("text/combining.txt", "e" + "\u0301" * 400 + "\u1e9e\u0130\ufb03 \U0001d400\n")
    put("text/spaces.txt", "\u00a0\u2003\u3000\t \r\n\r\n\v\f\n")
    put("text/utf16.txt", "abc".encode("utf-16"))
    put("text/gzip.txt", b"\x1f\x8b\x08\0\0\0\0\0")
    put("text/long_word.txt", "x" * 3000 + " " + "[MASK]" * 50 + "<|endoftext|>")
    put("text/empty.txt", "")


if __name__ == "__main__":
    os.environ["HDF5_USE_FILE_LOCKING"] = "FALSE"
    for make in (config, manifest, safetensors, vocabularies, transformers, rates, text):
        make()
    hostile("shard", fill_shard, ("/", "tokens"), "<u2", [6])
    hostile("state", fill_state, ("/parameters", "x"), "<f4", [6, 4])
    damaged("shard")
    damaged("state")
