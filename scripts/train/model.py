"""phi-mini in plain torch, with the parameter names of transformers' PhiForCausalLM, so that a state dict serves both.

Written out because it trains faster than the general class; export.py checks that the logits agree.
"""
import torch
import torch.nn.functional as F
from torch import nn

CONFIG = dict(
    architectures=["PhiForCausalLM"], model_type="phi", vocab_size=4096, hidden_size=320, num_hidden_layers=6,
    num_attention_heads=4, num_key_value_heads=4, intermediate_size=1280, hidden_act="gelu_new", layer_norm_eps=1e-5,
    max_position_embeddings=512, partial_rotary_factor=0.4, rope_theta=10000.0, rope_scaling=None, qk_layernorm=False,
    tie_word_embeddings=False, attention_dropout=0.0, embd_pdrop=0.0, resid_pdrop=0.0, initializer_range=0.02,
    bos_token_id=4016, eos_token_id=4016, use_cache=True, torch_dtype="bfloat16")
D, L, H, V, T = 320, 6, 4, 4096, 512
HEAD, ROT = D // H, 32


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        for name in ("q_proj", "k_proj", "v_proj", "dense"): setattr(self, name, nn.Linear(D, D))

    def forward(self, x, cos, sin, mask):
        b, t, _ = x.shape
        q, k, v = (p(x).view(b, t, H, HEAD).transpose(1, 2) for p in (self.q_proj, self.k_proj, self.v_proj))
        # Two products and a softmax: on a CPU in bf16 faster to train than the fused attention, whose backward pass is slow there.
        s = (rotate(q, cos, sin) * HEAD ** -0.5) @ rotate(k, cos, sin).transpose(-1, -2)
        y = torch.softmax(s + mask, -1).to(v.dtype) @ v
        return self.dense(y.transpose(1, 2).reshape(b, t, D))


def rotate(x, cos, sin):
    a, b, rest = x[..., :ROT // 2], x[..., ROT // 2:ROT], x[..., ROT:]
    return torch.cat((a * cos - b * sin, b * cos + a * sin, rest), -1)


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(D, 4 * D), nn.Linear(4 * D, D)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x), approximate="tanh"))


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.input_layernorm, self.self_attn, self.mlp = nn.LayerNorm(D, eps=1e-5), Attention(), Mlp()

    def forward(self, x, cos, sin, mask):
        n = self.input_layernorm(x)
        return x + self.self_attn(n, cos, sin, mask) + self.mlp(n)


class Body(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed_tokens = nn.Embedding(V, D)
        self.layers = nn.ModuleList(Layer() for _ in range(L))
        self.final_layernorm = nn.LayerNorm(D, eps=1e-5)
        angle = torch.outer(torch.arange(T).float(), 10000.0 ** (-torch.arange(0, ROT, 2).float() / ROT))
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)
        self.register_buffer("mask", torch.full((T, T), -1e9).triu(1), persistent=False)

    def forward(self, ids):
        x = self.embed_tokens(ids)
        cos, sin = self.cos[:ids.shape[1]].to(x.dtype), self.sin[:ids.shape[1]].to(x.dtype)
        mask = self.mask[:ids.shape[1], :ids.shape[1]]
        for layer in self.layers: x = layer(x, cos, sin, mask)
        return self.final_layernorm(x)


class PhiMini(nn.Module):
    def __init__(self):
        super().__init__()
        self.model, self.lm_head = Body(), nn.Linear(D, V)
        for name, p in self.named_parameters():
            if p.ndim == 2: nn.init.normal_(p, std=0.02 / ((2 * L) ** 0.5 if "dense" in name or "fc2" in name else 1))
            elif name.endswith("bias"): nn.init.zeros_(p)

    def forward(self, ids):
        return self.lm_head(self.model(ids))
