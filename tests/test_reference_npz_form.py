"""The binary form: what was saved is read again to the bit, with its dtypes; anything else is refused, and nothing is unpickled."""

import json

import numpy as np
import pytest

from backproof import Gradient, Problem, ProblemError, gradient, verify
from properties.problems.blocks import draw_problems
from properties.problems.support import Support
from reference.dtypes import DTYPES


def test_problems_survive(tmp_path):
    for i, problem in enumerate(draw_problems(40, 2, Support(wants=("x", "loss")))):
        problem.save(tmp_path / f"{i}.npz")
        assert Problem.load(tmp_path / f"{i}.npz") == problem


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=str)
def test_gradients_survive_with_their_dtypes(tmp_path, dtype):
    for i, problem in enumerate(draw_problems(20, 3, Support())):
        answer = gradient(problem)
        with np.errstate(over="ignore"):
            narrow = narrowed(problem, answer, dtype)
        narrow.save(tmp_path / f"{i}.npz")
        again = Gradient.load(tmp_path / f"{i}.npz")
        mine, theirs = list(narrow.arrays()), list(again.arrays())
        assert [place for place, _ in mine] == [place for place, _ in theirs]
        for (_, one), (_, other) in zip(mine, theirs, strict=True):
            assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())


def narrowed(problem, answer, dtype):
    """An answer in a dtype."""
    return Gradient(
        [weight.astype(dtype) for weight in answer.weights],
        [None if bias is None else given.astype(dtype) for bias, given in zip(problem.biases, answer.biases, strict=True)],
        x=answer.x.astype(dtype),
        loss=np.asarray(answer.loss).astype(dtype),
        deltas=[delta.astype(dtype) for delta in answer.deltas],
    )


@pytest.mark.parametrize("name", ["answer.npz", "answer.json"])
def test_tensors_of_torch_are_saved_as_they_are(tmp_path, name):
    torch = pytest.importorskip("torch")
    weight, bias = torch.tensor([[1.0, 2.5]], dtype=torch.bfloat16, requires_grad=True), torch.tensor([3.0], dtype=torch.bfloat16)
    Gradient([weight], [bias], loss=torch.tensor(0.5, dtype=torch.bfloat16)).save(tmp_path / name)
    again = Gradient.load(tmp_path / name)
    assert [array.dtype for _, array in again.arrays()] == [DTYPES["bfloat16"]] * 3
    assert (again.weights[0].tolist(), again.biases[0].tolist(), float(again.loss)) == ([[1.0, 2.5]], [3.0], 0.5)


def test_a_large_answer_is_judged_from_files(tmp_path):
    rng = np.random.default_rng(1)
    weights = [(rng.normal(size=(300, 400)) / 20).astype(np.float32), (rng.normal(size=(10, 300)) / 17).astype(np.float32)]
    problem = Problem(weights, activations=["tanh", "identity"], x=rng.normal(size=(64, 400)).astype(np.float32), y=np.zeros((64, 10)))
    problem.save(tmp_path / "problem.npz")
    answer = gradient(problem)
    narrow = Gradient([weight.astype(np.float32) for weight in answer.weights])
    narrow.weights[0][7] = 0.0
    narrow.save(tmp_path / "answer.npz")
    said = verify(Problem.load(tmp_path / "problem.npz"), Gradient.load(tmp_path / "answer.npz"))
    assert said.verdict == "wrong"
    where, how_sure = said.reason.split("; ")
    assert where == "outside are layer 1: dC/dW: 400 of 120000, in row 7 and all columns"
    assert how_sure == "beyond the worst-case rounding bound too, which is certain"


def saved(path, **arrays):
    np.savez(path, **arrays)
    return path


FORM = (
    '{"schema": "backproof.problem", "version": 1, "layers": 1, "activations": ["tanh"], "loss": "huber", "reduction": "sum", "wants": []}'
)
SECOND = (
    '{"schema": "backproof.problem", "version": 2, "layers": [{"activation": {"name": "elu", "alpha": -2.0}}], '
    '"loss": "huber", "reduction": "sum", "wants": ["weights", "biases", "x"]}'
)
NO_LIST = FORM.replace('"version": 1', '"version": 2')
NO_NUMBER = FORM.replace('"layers": 1', '"layers": []')
REFUSED = {
    "no zip": (lambda path: (path.write_bytes(b"nothing"), path)[1], "not a file of this form"),
    "no form": (lambda path: saved(path, x=np.zeros(2)), "not a file of this form"),
    "a pickle": (lambda path: saved(path, form=np.array({"schema": "backproof.problem"}, dtype=object)), "not a file of this form"),
    "another schema": (lambda path: saved(path, form=np.array('{"schema": "other"}')), "form has no schema 'backproof.problem'"),
    "another version": (lambda path: saved(path, form=np.array('{"schema": "backproof.problem", "version": 9}')), "version is 9"),
    "no layers": (lambda path: saved(path, form=np.array('{"schema": "backproof.problem", "version": 1}')), "form has no 'layers'"),
    "no number of layers": (lambda path: saved(path, form=np.array(NO_NUMBER)), "layers is .., expected a whole number"),
    "no list of layers": (lambda path: saved(path, form=np.array(NO_LIST)), "layers is"),
    "a single array": (lambda path: (np.save(path.open("wb"), np.zeros(3)), path)[1], "not a file of this form"),
    "nested too deeply": (lambda path: saved(path, form=np.array("[" * 100_000)), "not a file of this form"),
    "no names": (lambda path: saved(path, form=np.array(FORM.replace('["tanh"]', "[5]"))), "no names"),
    "no list of names": (lambda path: saved(path, form=np.array(FORM.replace('["tanh"]', "null"))), "no names"),
    "no activation": (lambda path: saved(path, form=np.array(SECOND.replace("activation", "other"))), "has no 'activation'"),
    "no weights": (lambda path: saved(path, form=np.array(FORM), x=np.zeros((1, 1))), "layer 1: weights is missing"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_problem_is_refused_with_the_name_of_the_file(tmp_path, name):
    write, message = REFUSED[name]
    with pytest.raises(ProblemError, match=f"file.npz: .*{message}"):
        Problem.load(write(tmp_path / "file.npz"))


def test_what_is_no_gradient_is_refused(tmp_path):
    np.savez(tmp_path / "g.npz", form=np.array('{"schema": "backproof.gradient", "version": 1, "layers": 2}'))
    with pytest.raises(ProblemError, match="layer 1: weights is missing"):
        Gradient.load(tmp_path / "g.npz")


def test_both_versions_of_a_problem_are_read_and_the_second_is_written(tmp_path):
    arrays = {"layer 1: weights": np.ones((1, 1)), "x": np.ones((1, 1)), "y": np.ones((1, 1))}
    first = FORM.replace('["tanh"]', '[["elu", {"alpha": -2.0}]]').replace('"wants": []', '"wants": ["x"]')
    for form in (first, SECOND):
        np.savez(tmp_path / "old.npz", form=np.array(form), **arrays)
        problem = Problem.load(tmp_path / "old.npz")
        assert (problem.activations, problem.wants) == ((("elu", {"alpha": -2.0}),), ("weights", "biases", "x"))
        problem.save(tmp_path / "new.npz")
        with np.load(tmp_path / "new.npz") as held:
            assert json.loads(str(held["form"])) == json.loads(SECOND)


def test_both_versions_of_a_gradient_are_read(tmp_path):
    for version, layers in ((1, 2), (2, [{}, {}])):
        form = json.dumps({"schema": "backproof.gradient", "version": version, "layers": layers})
        np.savez(tmp_path / "g.npz", form=np.array(form), **{"layer 1: weights": np.ones((2, 2)), "layer 2: weights": np.ones((1, 2))})
        assert [weight.shape for weight in Gradient.load(tmp_path / "g.npz").weights] == [(2, 2), (1, 2)]
