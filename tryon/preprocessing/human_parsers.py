"""Other people's human parsers, each by its own library, for those who want one beside the annotator.

Nothing here is imported before it is chosen. `load_human_parser("schp", folder)` makes what `Preprocessor` and
`TryOnPipeline.human_parser` take. These networks know cloth from skin on photographs; what their lists of labels do
not tell apart, the annotator and the labels around decide.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from tryon.compatibility import define_missing_operators
from tryon.preprocessing.parsing import ARMS, GARMENTS, HANDS, LABEL, LABELS, LEGS, SHOES, SKIN, HumanParser
from tryon.preprocessing.sources import weights_folder

MEANINGS = {
    "background": ("background",),
    "hair": ("hair",),
    "hat": ("hair",),
    "face": ("face", "torso_skin"),  # the face of ATR has a neck
    "glasses": ("face",),
    "sunglasses": ("face",),
    "torso": ("torso_skin",),
    "jewelry": SKIN,
    "top": ("upper",),
    "upper-clothes": ("upper",),
    "coat": ("upper",),
    "scarf": ("upper", "dress"),
    "skirt": ("lower",),
    "pants": ("lower",),
    "belt": ("lower", "dress"),
    "dress": ("dress",),
    "jumpsuits": ("dress",),
    "bag": ("background",),  # no part of what is worn: it goes or stays with the region
    "hands": HANDS,
    "glove": HANDS,
    "legs": LEGS,
    "left-leg": LEGS,
    "right-leg": LEGS,
    "arms": (*ARMS, *HANDS),
    "left-arm": (*ARMS, *HANDS),
    "right-arm": (*ARMS, *HANDS),
    "feet": SHOES,
    "socks": SHOES,
    "left-shoe": SHOES,
    "right-shoe": SHOES,
}
"""What labels of other lists (ATR, LIP, FASHN) may be in ours, by name.

Sides are left to the annotator: lists do not agree on whose left is meant.
"""

ATR = (
    "background", "hat", "hair", "sunglasses", "upper-clothes", "skirt", "pants", "dress", "belt", "left-shoe",
    "right-shoe", "face", "left-leg", "right-leg", "left-arm", "right-arm", "bag", "scarf",
)  # fmt: skip
LIP = (
    "background", "hat", "hair", "glove", "sunglasses", "upper-clothes", "dress", "coat", "socks", "pants",
    "jumpsuits", "scarf", "skirt", "face", "left-arm", "right-arm", "left-leg", "right-leg", "left-shoe", "right-shoe",
)  # fmt: skip
"""Labels of these two datasets in the order of a network's channels."""

# ImageNet's statistics in the order of BGR, as SCHP was trained.
BGR_MEAN, BGR_STD = np.float32([0.406, 0.456, 0.485]), np.float32([0.225, 0.224, 0.229])
DECISION_SIDE = 64  # pixels: the annotator's word on what is what is smooth


def segformer_clothes(
    weights: str | Path, revision: str | None = None, device: str | torch.device = "cpu"
) -> HumanParser:
    """SegFormer B2 with the labels of ATR, by transformers; count it as for non-commercial use only.

    "mattmdjaga/segformer_b2_clothes" is tagged MIT, but is a fine-tuned SegFormer of NVIDIA, whose licence (of
    NVlabs/SegFormer) allows works made from it for research and evaluation only.

    Args:
        weights: folder with `config.json`, `preprocessor_config.json` and `model.safetensors`, or a repository on the
            Hub that has them.
        revision: commit of that repository, 40 hexadecimal digits; not for a folder.
        device: torch device.

    Raises:
        ImportError: transformers is not installed.
        ValueError: a repository without the commit to be used or out of reach; weights or labels of another network.
        OSError: the folder lacks a file.
    """
    return _segformer(weights, revision, device)


def fashn_human_parser(
    weights: str | Path, revision: str | None = None, device: str | torch.device = "cpu"
) -> HumanParser:
    """FASHN's parser, made for try-on: SegFormer B4 ("fashn-ai/fashn-human-parser"); for non-commercial use only.

    Its licence is NVIDIA's for SegFormer. Args and errors are those of `segformer_clothes`.
    """
    return _segformer(weights, revision, device)


def schp(weights: str | Path, revision: str | None = None, device: str | torch.device = "cpu") -> HumanParser:
    """SCHP (Li et al., "Self-Correction for Human Parsing", arXiv:1910.09777) as an ONNX network; MIT.

    The datasets that it learnt from, ATR and LIP, were collected for research.

    Args:
        weights: folder with `parsing_atr.onnx`, or a repository on the Hub that has it ("basso4/humanparsing").
        revision: commit of that repository, 40 hexadecimal digits; not for a folder.
        device: torch device; only "cuda" makes a difference.

    Raises:
        ImportError: onnxruntime is not installed.
        ValueError: a repository without the commit to be used or out of reach; a network with other labels.
        FileNotFoundError: the folder has no `parsing_atr.onnx`.
    """
    try:
        import onnxruntime  # optional, and slow
    except ImportError as error:
        raise ImportError("SCHP needs onnxruntime; run `pip install onnxruntime` and start again.") from error
    path = weights_folder(weights, revision, ["parsing_atr.onnx"]) / "parsing_atr.onnx"
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist.")
    wanted = [*(["CUDAExecutionProvider"] if torch.device(device).type == "cuda" else []), "CPUExecutionProvider"]
    providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
    session = onnxruntime.InferenceSession(str(path), providers=providers)
    lists = {len(names): names for names in (ATR, LIP)}
    # the network tells of labels twice, the second time for good, and then of edges
    outputs = [o.name for o in session.get_outputs() if len(o.shape) == 4 and o.shape[1] in lists]
    if not outputs:
        raise ValueError(f"{path} is no network with the labels of ATR or LIP.")
    given = session.get_inputs()[0]
    height, width = (side if isinstance(side, int) else 512 for side in given.shape[2:])

    def parse(image: np.ndarray, annotated: np.ndarray) -> np.ndarray:
        resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
        normal = (resized[..., ::-1].astype(np.float32) / 255 - BGR_MEAN) / BGR_STD
        (logits,) = session.run(outputs[-1:], {given.name: normal.transpose(2, 0, 1)[None]})
        return _translate(torch.from_numpy(logits), lists[logits.shape[1]], annotated)

    return parse


HUMAN_PARSERS: dict[str, Callable[..., HumanParser]] = {
    "schp": schp,
    "segformer-clothes": segformer_clothes,
    "fashn-human-parser": fashn_human_parser,
}
"""Functions that load a human parser, by name."""


def load_human_parser(name: str, *arguments: object, **settings: object) -> HumanParser:
    """Load one of `HUMAN_PARSERS`; the other arguments are those of its function.

    Raises:
        ValueError: there is none of that name, or no weights are named.
    """
    if name not in HUMAN_PARSERS:
        raise ValueError(f"Unknown human parser {name!r}; choose one of {', '.join(HUMAN_PARSERS)}.")
    if not arguments and "weights" not in settings:
        raise ValueError(f"The human parser {name} needs weights: a folder, or a repository on the Hub and a commit.")
    return HUMAN_PARSERS[name](*arguments, **settings)


def to_our_labels(found: np.ndarray, names: Sequence[str], annotated: np.ndarray) -> np.ndarray:
    """Probabilities over `LABELS` out of those over another list.

    Args:
        found: (n, S, S) float32, over `names`.
        names: keys of `MEANINGS`.
        annotated: (15, S, S) float32, what the annotator believes of the same picture.

    Returns:
        (15, S, S) float32; their sum over the labels is that of `found`.

    Raises:
        ValueError: a name is unknown.
    """
    unknown = sorted(set(names) - MEANINGS.keys())
    if unknown:
        raise ValueError(f"A human parser with unknown labels: {', '.join(unknown)}.")
    pooled: dict[tuple[str, ...], np.ndarray] = {}
    for name, probability in zip(names, found, strict=True):
        pooled[MEANINGS[name]] = pooled.get(MEANINGS[name], 0) + probability
    result = np.zeros((len(LABELS), *found.shape[1:]), np.float32)
    for labels in sorted(pooled, key=len):  # the plain ones first: cloth of two meanings goes by what else is worn
        rows = [LABEL[label] for label in labels]
        if len(rows) == 1:
            likeliest = 0
        elif set(labels) <= set(GARMENTS):
            likeliest = int(result[rows].sum((1, 2)).argmax())
        else:
            likeliest = _likeliest(annotated[rows])
        for place, row in enumerate(rows):
            result[row] += pooled[labels] * (likeliest == place)
    return result


def _likeliest(maps: np.ndarray) -> np.ndarray:
    """Which of some labels is meant at every pixel, by where the annotator sees them, near or far: (S, S) int."""
    small = [cv2.resize(m, (DECISION_SIDE, DECISION_SIDE), interpolation=cv2.INTER_AREA) for m in maps]
    near = [cv2.GaussianBlur(m, (0, 0), 1) + 1e-3 * cv2.GaussianBlur(m, (0, 0), DECISION_SIDE / 4) for m in small]
    return np.stack([cv2.resize(m, maps.shape[:0:-1], interpolation=cv2.INTER_LINEAR) for m in near]).argmax(0)


def _translate(logits: torch.Tensor, names: Sequence[str], annotated: np.ndarray) -> np.ndarray:
    """(1, n, h, w) logits to (15, S, S) probabilities over `LABELS`."""
    logits = F.interpolate(logits.float().cpu(), annotated.shape[1:], mode="bilinear")
    return to_our_labels(logits.softmax(1)[0].numpy(), names, annotated)


def _segformer(weights: str | Path, revision: str | None, device: str | torch.device) -> HumanParser:
    define_missing_operators()
    try:
        from transformers import SegformerForSemanticSegmentation, SegformerImageProcessor
    except ImportError as error:
        raise ImportError("SegFormer needs transformers; run `pip install transformers` and start again.") from error
    folder = weights_folder(weights, revision, ["config.json", "preprocessor_config.json", "model.safetensors"])
    processor = SegformerImageProcessor.from_pretrained(folder)
    model, about = SegformerForSemanticSegmentation.from_pretrained(
        folder, use_safetensors=True, output_loading_info=True
    )
    if about["missing_keys"] or about["mismatched_keys"]:
        raise ValueError(f"The weights in {folder} are not those of the network that its config.json describes.")
    model = model.to(device).eval()
    names = [model.config.id2label[index].lower() for index in range(model.config.num_labels)]
    to_our_labels(np.zeros((len(names), 2, 2), np.float32), names, np.zeros((len(LABELS), 2, 2), np.float32))

    def parse(image: np.ndarray, annotated: np.ndarray) -> np.ndarray:
        inputs = processor(image, return_tensors="pt").to(device)
        with torch.inference_mode():
            return _translate(model(**inputs).logits, names, annotated)

    return parse
