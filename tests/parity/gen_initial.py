"""Golden weights under the names of other programs and what their models make of
them, for tests/models/test_initial.c.

    python tests/parity/gen_initial.py tests/golden/initial

<case>.weights.safetensors is a whole state dict as the origin saves it,
<case>.safetensors holds the inputs (in.images, in.ids, in.lengths) and the
embeddings (out.image, out.text; of BERT the pooled features as out.text, of
timm's ViT those of the photos as out.image). Computed by torch 2.13.0, open_clip
3.3.0, transformers 5.23.0 and timm 1.0.31 on the CPU.
"""

import functools
import sys
from pathlib import Path

import torch
import transformers
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from safetensors.torch import save_file
from timm.models.vision_transformer import VisionTransformer

OUT = Path(sys.argv[1])
VOCABULARY, CONTEXT, SIZE, PATCH, WIDTH, DIM = 20, 6, 16, 8, 8, 6
torch.set_grad_enabled(False)


def shake(module):
    for value in module.state_dict().values():
        if value.is_floating_point() and value.ndim <= 1:
            value.add_(torch.randn_like(value) * 0.1)
    return module.eval()


def inputs():
    """The largest id ends each text, 0 pads."""
    ids = torch.tensor([[3, 7, 19, 0, 0, 0], [5, 1, 2, 9, 4, 19], [19, 0, 0, 0, 0, 0]])
    return {"in.images": torch.randn(3, 3, SIZE, SIZE), "in.ids": ids,
            "in.lengths": torch.tensor([3, 6, 1])}


def save(case, module, tensors):
    OUT.mkdir(parents=True, exist_ok=True)
    state = {k: v.clone().contiguous() for k, v in module.state_dict().items()}
    save_file(state, OUT / f"{case}.weights.safetensors")
    save_file({k: v.contiguous() for k, v in tensors.items()},
              OUT / f"{case}.safetensors")


def open_clip():
    torch.manual_seed(21)
    model = shake(CLIP(
        DIM, CLIPVisionCfg(layers=1, width=WIDTH, head_width=4, patch_size=PATCH,
                           image_size=SIZE),
        CLIPTextCfg(context_length=CONTEXT, vocab_size=VOCABULARY, width=WIDTH,
                    heads=2, layers=1)))
    t = inputs()
    t["out.image"] = model.encode_image(t["in.images"], normalize=True)
    t["out.text"] = model.encode_text(t["in.ids"], normalize=True)
    save("open_clip", model, t)


def hf_clip():
    torch.manual_seed(22)
    small = dict(hidden_size=WIDTH, intermediate_size=4 * WIDTH,
                 num_hidden_layers=1, num_attention_heads=2)
    model = shake(transformers.CLIPModel(transformers.CLIPConfig(
        text_config=dict(small, vocab_size=VOCABULARY, eos_token_id=VOCABULARY - 1,
                         bos_token_id=1, pad_token_id=0,
                         max_position_embeddings=CONTEXT),
        vision_config=dict(small, image_size=SIZE, patch_size=PATCH),
        projection_dim=DIM)))
    t = inputs()
    out = model(input_ids=t["in.ids"], pixel_values=t["in.images"])
    t["out.image"], t["out.text"] = out.image_embeds, out.text_embeds
    save("hf_clip", model, t)


def hf_siglip():
    torch.manual_seed(24)
    small = dict(hidden_size=WIDTH, intermediate_size=4 * WIDTH,
                 num_hidden_layers=1, num_attention_heads=2)
    model = shake(transformers.SiglipModel(transformers.SiglipConfig(
        text_config=dict(small, vocab_size=VOCABULARY, max_position_embeddings=CONTEXT),
        vision_config=dict(small, image_size=SIZE, patch_size=PATCH))))
    t = inputs()
    out = model(input_ids=t["in.ids"], pixel_values=t["in.images"])
    t["in.lengths"] = torch.full((3,), CONTEXT)  # pads count
    t["out.image"], t["out.text"] = out.image_embeds, out.text_embeds
    save("hf_siglip", model, t)


def timm_vit():
    torch.manual_seed(25)
    model = shake(VisionTransformer(
        img_size=SIZE, patch_size=PATCH, embed_dim=WIDTH, depth=1, num_heads=2,
        num_classes=0, pre_norm=True,
        norm_layer=functools.partial(torch.nn.LayerNorm, eps=1e-5)))
    t = {"in.images": inputs()["in.images"]}
    t["out.image"] = model(t["in.images"])
    save("timm_vit", model, t)


def hf_bert():
    torch.manual_seed(23)
    model = shake(transformers.BertModel(transformers.BertConfig(
        hidden_size=WIDTH, intermediate_size=4 * WIDTH, num_hidden_layers=1,
        num_attention_heads=2, vocab_size=VOCABULARY,
        max_position_embeddings=2 * CONTEXT)))
    t = inputs()
    del t["in.images"]
    mask = (torch.arange(CONTEXT) < t["in.lengths"].unsqueeze(1)).long()
    t["out.text"] = model(input_ids=t["in.ids"], attention_mask=mask).pooler_output
    save("hf_bert", model, t)


if __name__ == "__main__":
    open_clip()
    hf_clip()
    hf_bert()
    hf_siglip()
    timm_vit()
