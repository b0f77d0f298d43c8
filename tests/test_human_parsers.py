"""Other human parsers through their real loading code, on checkpoints of random or known weights made here."""

import sys
from pathlib import Path

import hub_server
import numpy as np
import pytest
import torch

from tryon.__main__ import main
from tryon.hub import CheckpointError
from tryon.images import InputError, read_image
from tryon.preprocessing import Preprocessor
from tryon.preprocessing.human_parsers import ATR, HUMAN_PARSERS, LIP, load_human_parser, to_our_labels
from tryon.preprocessing.parsing import LABEL, LABELS
from tryon.preprocessing.sources import load_choice, use_others

FASHN = (
    "background", "face", "hair", "top", "dress", "skirt", "pants", "belt", "bag", "hat", "scarf", "glasses", "arms",
    "hands", "legs", "feet", "torso", "jewelry",
)  # fmt: skip
SIDE = 64


def noise(side: int = 96) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (side, side, 3), dtype=np.uint8)


def annotated(**columns: slice) -> np.ndarray:
    """The annotator sure of labels in some columns of the picture, and of background in the others."""
    maps = np.zeros((len(LABELS), SIDE, SIDE), np.float32)
    maps[0] = 1
    for label, place in columns.items():
        maps[:, :, place] = 0
        maps[LABEL[label], :, place] = 1
    return maps


def found(names: list[str] | tuple[str, ...], **rows: str) -> np.ndarray:
    """A parser sure of labels in quarters of the picture from top to bottom."""
    maps = np.zeros((len(names), SIDE, SIDE), np.float32)
    for quarter, name in enumerate(rows.values()):
        maps[names.index(name), quarter * SIDE // 4 : (quarter + 1) * SIDE // 4] = 1
    return maps


def likeliest(probabilities: np.ndarray, row: float, column: float) -> str:
    return LABELS[probabilities[:, int(row * SIDE), int(column * SIDE)].argmax()]


def save_segformer(folder: Path, labels: list[str] | tuple[str, ...] = ATR, **changes: object) -> Path:
    """A tiny SegFormer of random weights as its repositories hold it."""
    transformers = pytest.importorskip("transformers")
    names = [name.capitalize() for name in labels]
    config = transformers.SegformerConfig(
        depths=[1] * 4,
        hidden_sizes=[8, 8, 16, 16],
        num_attention_heads=[1] * 4,
        mlp_ratios=[2] * 4,
        decoder_hidden_size=16,
        id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)},
        **changes,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.SegformerForSemanticSegmentation(config).save_pretrained(folder)
    transformers.SegformerImageProcessor(size={"height": 64, "width": 64}).save_pretrained(folder)
    return folder


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ValueError, match="schp, segformer-clothes, fashn-human-parser"):
        load_human_parser("densepose")
    with pytest.raises(ValueError, match="needs weights"):
        load_human_parser("schp")
    for library, names in {
        "onnxruntime": ["schp"],
        "transformers": ["segformer-clothes", "fashn-human-parser"],
    }.items():
        monkeypatch.setitem(sys.modules, library, None)
        for name in names:
            with pytest.raises(ImportError, match=f"pip install {library}"):
                load_human_parser(name, "somewhere")


@pytest.mark.parametrize("names", [ATR, LIP, FASHN], ids=["ATR", "LIP", "FASHN"])
def test_every_label_of_other_lists_has_a_meaning_and_nothing_is_lost(names):
    random = np.random.default_rng(0)
    given, seen = (random.dirichlet(np.ones(n), (SIDE, SIDE)).astype(np.float32) for n in (len(names), len(LABELS)))
    ours = to_our_labels(given.transpose(2, 0, 1), names, seen.transpose(2, 0, 1))
    assert ours.shape == (len(LABELS), SIDE, SIDE)
    assert ours.dtype == np.float32
    assert np.allclose(ours.sum(0), 1, atol=1e-5)
    background = [names.index(name) for name in ("background", "bag") if name in names]
    assert np.allclose(ours[0], given[..., background].sum(-1), atol=1e-5)


def test_what_a_list_does_not_tell_apart_the_annotator_decides():
    whose = annotated(right_leg=slice(0, 20), left_leg=slice(44, 64))
    ours = to_our_labels(found(ATR, a="face", b="left-leg", c="right-leg", d="left-shoe"), ATR, whose)
    for row in (0.3, 0.6):
        assert likeliest(ours, row, 0.2) == "right_leg"
        assert likeliest(ours, row, 0.35) == "right_leg", "a little beside where the annotator sees it"
        assert likeliest(ours, row, 0.8) == "left_leg"
    whose = annotated(right_hand=slice(0, 16), left_arm=slice(32, 64))
    ours = to_our_labels(found(ATR, a="right-arm"), ATR, whose)
    assert likeliest(ours, 0.1, 0.1) == "right_hand"
    assert likeliest(ours, 0.1, 0.9) == "left_arm"
    ours = to_our_labels(found(FASHN, a="arms"), FASHN, annotated(torso_skin=slice(0, 64)))
    assert likeliest(ours, 0.1, 0.5).endswith(("arm", "hand")), "whatever the annotator believes"
    ours = to_our_labels(found(ATR, a="face"), ATR, annotated(face=slice(0, 30), torso_skin=slice(34, 64)))
    assert [likeliest(ours, 0.1, x) for x in (0.1, 0.9)] == ["face", "torso_skin"]


def test_belts_and_scarves_belong_to_what_is_worn_and_bags_to_nothing():
    for names, dress, top, trousers in ((ATR, "dress", "upper-clothes", "pants"), (FASHN, "dress", "top", "pants")):
        ours = to_our_labels(found(names, a="scarf", b=dress, c="belt", d="bag"), names, annotated())
        assert [likeliest(ours, row, 0.5) for row in (0.1, 0.3, 0.6, 0.9)] == ["dress", "dress", "dress", "background"]
        ours = to_our_labels(found(names, a="scarf", b=top, c="belt", d=trousers), names, annotated())
        assert [likeliest(ours, row, 0.5) for row in (0.1, 0.3, 0.6, 0.9)] == ["upper", "upper", "lower", "lower"]
    ours = to_our_labels(found(ATR, a="hat", b="sunglasses", c="skirt"), ATR, annotated())
    assert [likeliest(ours, row, 0.5) for row in (0.1, 0.3, 0.6)] == ["hair", "face", "lower"]


@pytest.mark.parametrize(("name", "labels"), [("segformer-clothes", ATR), ("fashn-human-parser", FASHN)])
def test_segformer_reads_a_folder(tmp_path: Path, name: str, labels):
    parse = load_human_parser(name, save_segformer(tmp_path, labels))
    seen = np.full((len(LABELS), 96, 96), 1 / len(LABELS), np.float32)
    ours = parse(noise(), seen)
    assert ours.shape == seen.shape
    assert ours.dtype == np.float32
    assert np.allclose(ours.sum(0), 1, atol=1e-4)
    assert np.array_equal(ours, parse(noise(), seen))


def test_segformer_refuses_what_is_not_its_own(tmp_path: Path):
    with pytest.raises(ValueError, match="unknown labels: tail"):
        load_human_parser("segformer-clothes", save_segformer(tmp_path / "cats", ["background", "tail"]))
    folder = save_segformer(tmp_path / "other")
    (folder / "model.safetensors").write_bytes(hub_server.LARGE)
    with pytest.raises(ValueError, match="not those of the network"):
        load_human_parser("segformer-clothes", folder)
    torch.save({}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(OSError, match=r"model\.safetensors"):  # a pickle beside it is not looked at
        load_human_parser("segformer-clothes", folder)


def test_segformer_comes_from_a_commit_on_the_hub(tmp_path: Path, hub, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ValueError, match="commit"):
        load_human_parser("segformer-clothes", "acme/parser", "main")
    files = {path.name: path.read_bytes() for path in save_segformer(tmp_path / "made").iterdir()}
    hub.repos[("acme/parser", hub_server.COMMIT)] = {**files, "optimizer.pt": b"a pickle"}
    parse = load_choice(load_human_parser, f"segformer-clothes=acme/parser@{hub_server.COMMIT}")
    assert parse(noise(), np.ones((len(LABELS), 96, 96), np.float32)).shape == (len(LABELS), 96, 96)
    assert not [path for _, path, _, _ in hub.requests if path.endswith("optimizer.pt")]
    with pytest.raises(CheckpointError, match="not on the Hub"):
        load_human_parser("segformer-clothes", "acme/none", hub_server.COMMIT)
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(CheckpointError, match="the Hub cannot be reached"):
        load_human_parser("segformer-clothes", "acme/other", hub_server.COMMIT)


def test_schp_reads_a_folder_and_sees_the_colours_as_it_learnt_them(tmp_path: Path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    with pytest.raises(FileNotFoundError, match=r"parsing_atr\.onnx"):
        load_human_parser("schp", tmp_path)
    kernels = np.zeros((len(ATR), 3, 1, 1), np.float32)  # blue is a dress and red a top
    kernels[ATR.index("dress"), 0], kernels[ATR.index("upper-clothes"), 2] = 9, 9
    float32, sides = onnx.TensorProto.FLOAT, [1, 3, 32, 32]
    outputs = {"first": len(ATR), "last": len(ATR), "edges": 2}
    arrays = {"first": -kernels, "last": kernels, "edges": kernels[:2]}
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Conv", ["input.1", f"kernel of {name}"], [name]) for name in outputs],
        "parser",
        [onnx.helper.make_tensor_value_info("input.1", float32, sides)],
        [onnx.helper.make_tensor_value_info(name, float32, [1, n, 32, 32]) for name, n in outputs.items()],
        [onnx.numpy_helper.from_array(array, f"kernel of {name}") for name, array in arrays.items()],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, tmp_path / "parsing_atr.onnx")
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    picture[:32, :, 0] = picture[32:, :, 2] = 255
    ours = load_human_parser("schp", tmp_path)(picture, annotated())
    assert [likeliest(ours, row, 0.5) for row in (0.2, 0.8)] == ["upper", "dress"]


def test_the_conditions_follow_the_parser(pipeline, person_file: Path, garment_file: Path):
    def all_one_dress(image: np.ndarray, seen: np.ndarray) -> np.ndarray:
        assert image.shape == (*seen.shape[1:], 3)
        pooled = seen.copy()
        pooled[LABEL["dress"]] += pooled[LABEL["upper"]] + pooled[LABEL["lower"]]
        pooled[[LABEL["upper"], LABEL["lower"]]] = 0
        return pooled

    photos = read_image(person_file), read_image(garment_file)
    with torch.inference_mode():
        own = Preprocessor(pipeline.annotator)(*photos, category="dress").person_parsing
        other = Preprocessor(pipeline.annotator, human_parser=all_one_dress)(*photos, category="dress").person_parsing
    assert (own == LABEL["upper"]).mean() > 0.05
    assert not (other == LABEL["upper"]).any()
    assert (other == LABEL["dress"]).mean() > (own == LABEL["upper"]).mean()


def test_a_parser_that_sees_nobody_ends_in_a_sentence(pipeline, person_file: Path, garment_file: Path):
    def blind(image: np.ndarray, seen: np.ndarray) -> np.ndarray:
        return np.eye(len(LABELS), dtype=np.float32)[0][:, None, None].repeat(len(image), 1).repeat(len(image), 2)

    with torch.inference_mode(), pytest.raises(InputError, match="No person was found"):
        Preprocessor(pipeline.annotator, human_parser=blind)(read_image(person_file), read_image(garment_file))


def test_the_shell_takes_other_networks(
    person_file: Path, garment_file: Path, painter_folder: Path, tmp_path: Path, capsys
):
    command = [str(person_file), str(garment_file), "-o", str(tmp_path / "out.png"), "--num-inference-steps", "1"]
    command += ["--checkpoint", str(painter_folder)]
    for options, message in (
        (["--human-parser", "densepose=x"], "choose one of schp"),
        (["--human-parser", "schp"], "needs weights"),
        (["--human-parser", "fashn-human-parser=acme/parser@main"], "commit"),
        (["--pose-detector", "mediapipe=no.task"], "no model file no.task"),
    ):
        assert main([*command, *options]) == 2
        assert message in capsys.readouterr().err
    assert main([*command, "--human-parser", f"segformer-clothes={save_segformer(tmp_path / 'parser')}"]) in (0, 2)
    output = capsys.readouterr()
    assert (tmp_path / "out.png").is_file() or "photo" in output.err  # random labels may leave nobody to dress


def test_the_shell_names_all_of_them(capsys):
    from tryon.preprocessing.pose_detectors import POSE_DETECTORS

    with pytest.raises(SystemExit):
        main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    for name in (*HUMAN_PARSERS, *POSE_DETECTORS):
        assert name in text


def test_pipelines_of_another_kind_refuse_other_networks():
    use_others(object())
    with pytest.raises(ValueError, match="in its own way"):
        use_others(object(), human_parser="schp=folder")
