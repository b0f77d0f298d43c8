"""What happens on a Space with ZeroGPU, whose hardware cannot be had here: only its refusals are imitated."""

import pickle
from pathlib import Path

import gradio as gr
import numpy as np
import pytest

from tryon.web import sampler
from tryon.web.sampler import Request, Sampler, gpu_seconds


def refuse(title: str):
    """A stand-in for `spaces.GPU` that has no GPU to give."""

    def decorator(**_):
        def wrapped(*_):
            raise gr.Error("You have exceeded your GPU quota.", title=title, print_exception=False)

        return lambda function: wrapped

    return decorator


@pytest.fixture
def request_(person_file: Path, garment_file: Path) -> Request:
    gr.set_static_paths([person_file.parents[1]])
    return Request({"path": str(person_file)}, {"path": str(garment_file)}, num_inference_steps=1, seed=2)


def test_seconds_of_gpu_follow_from_the_steps_and_never_fail():
    assert gpu_seconds(Request(None, None)) <= 30
    assert gpu_seconds(Request(None, None, num_inference_steps=50)) > gpu_seconds(Request(None, None)) + 30
    assert gpu_seconds(Request(None, None, num_inference_steps="many", checkpoint="none")) <= 60
    assert gpu_seconds(Request(None, None, num_inference_steps=10**9)) <= 300


def test_without_quota_the_small_checkpoint_paints_on_the_cpu(monkeypatch, painter, request_: Request):
    monkeypatch.setattr(sampler.spaces, "GPU", refuse("ZeroGPU quota exceeded"))
    monkeypatch.setattr(sampler, "cpu_pipeline", lambda name: painter)

    def no_gpu(name: str):
        raise AssertionError("the GPU's pipeline was asked for")

    *_, (name, image, info) = Sampler(no_gpu)(request_)
    assert (name, info["seed"], info["checkpoint"]) == ("result", 2, "small")
    *_, (_, usual, _) = Sampler(lambda name: painter)._dress(lambda name: painter, request_, None, None)
    assert (np.asarray(image) == np.asarray(usual)).all()
    assert Sampler(no_gpu).look(request_)[1].category == info["category"]


def test_other_refusals_of_the_gpu_reach_the_visitor(monkeypatch, request_: Request):
    monkeypatch.setattr(sampler.spaces, "GPU", refuse("ZeroGPU illegal duration"))
    with pytest.raises(gr.Error, match="exceeded"):
        list(Sampler(lambda name: None)(request_))


def test_what_goes_to_and_from_the_process_with_the_gpu_can_be_sent(painter, request_: Request):
    assert pickle.loads(pickle.dumps(request_)) == request_
    seen = Sampler(lambda name: painter).look(request_)
    assert pickle.loads(pickle.dumps(seen))[1].region.size == seen[0].size
    for stage in Sampler(lambda name: painter)(request_):
        pickle.dumps(stage)
