"""One real training step of a torch module of one's own is a problem, and judged in one line; digits are real ones."""

import copy

import numpy as np
import pytest

import backproof
from backproof import ProblemError, TargetError, gradient, problem_from, verify_step

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional
MEAN_AND_SUM = ["mean", "sum"]


@pytest.fixture(scope="module")
def digits():
    """Images (1797, 64) from 0 to 1, and their classes."""
    found = pytest.importorskip("sklearn.datasets").load_digits()
    return torch.tensor(found.data / 16), torch.tensor(found.target)


def network(dtype=torch.float32, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(64, 24), nn.Tanh(), nn.Linear(24, 10)).to(dtype)


def step(digits, dtype=torch.float32, batch=64):
    images, classes = digits
    return images[:batch].to(dtype), classes[:batch]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("reduction", MEAN_AND_SUM)
def test_a_training_step_on_digits_is_right(digits, dtype, reduction):
    x, y = step(digits, dtype)
    loss = nn.CrossEntropyLoss(label_smoothing=0.1, ignore_index=3, reduction=reduction)
    judgement = verify_step(network(dtype), x, y, loss=loss)
    assert judgement.passed, str(judgement)
    assert judgement.precision.split("/")[0] == str(dtype).removeprefix("torch.")


LOSSES = {
    "cross-entropy": (nn.CrossEntropyLoss(), "softmax_cross_entropy", "mean"),
    "cross-entropy, a function": (F.cross_entropy, "softmax_cross_entropy", "mean"),
    "squares": (nn.MSELoss(), "mean_squared_error", "mean"),
    "squares, summed": (nn.MSELoss(reduction="sum"), "squared_error", "sum"),
    "binary cross-entropy": (nn.BCEWithLogitsLoss(), "binary_cross_entropy_with_logits", "mean"),
    "binary cross-entropy, summed": (nn.BCEWithLogitsLoss(reduction="sum"), "summed_binary_cross_entropy_with_logits", "sum"),
    "Huber": (nn.HuberLoss(delta=0.25), ("huber", {"delta": 0.25}), "mean"),
    "Huber by default": (nn.HuberLoss(), "huber", "mean"),
    "smooth L1": (nn.SmoothL1Loss(), "huber", "mean"),
    "a name": ("half_squared_error", "half_squared_error", "mean"),
    "a name and parameters": (("huber", {"delta": 2.0}), ("huber", {"delta": 2.0}), "mean"),
}


@pytest.mark.parametrize(("loss", "choice", "reduction"), LOSSES.values(), ids=LOSSES)
def test_each_loss_is_a_problem_whose_exact_gradient_is_pytorchs(digits, loss, choice, reduction):
    x, y = step(digits, torch.float64, 16)
    y = y if choice == "softmax_cross_entropy" else F.one_hot(y, 10).double()
    model = network(torch.float64)
    problem = problem_from(model, x, y, loss=loss)
    assert (problem.loss, problem.reduction, problem.widths, problem.batch) == (choice, reduction, (64, 24, 10), 16)
    judgement = verify_step(model, x, y, loss=loss)
    assert judgement.verdict in ("right", "lossy"), str(judgement)
    if callable(loss):
        value = loss(model(x), y)
        assert value.item() == pytest.approx(float(gradient(problem).loss), rel=1e-13)


OF_PROBABILITIES = {
    "mean": (nn.BCELoss(), "binary_cross_entropy_of_probabilities", "mean"),
    "sum": (nn.BCELoss(reduction="sum"), "summed_binary_cross_entropy_of_probabilities", "sum"),
    "a function": (F.binary_cross_entropy, "binary_cross_entropy_of_probabilities", "mean"),
}


@pytest.mark.parametrize(("loss", "choice", "reduction"), OF_PROBABILITIES.values(), ids=OF_PROBABILITIES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
def test_a_loss_of_probabilities_stands_behind_a_sigmoid(digits, dtype, loss, choice, reduction):
    x, y = step(digits, dtype, 16)
    y = F.one_hot(y, 10).to(dtype)
    model = nn.Sequential(network(dtype), nn.Sigmoid())
    problem = problem_from(model, x, y, loss=loss)
    assert (problem.loss, problem.reduction, problem.activations[-1]) == (choice, reduction, "sigmoid")
    assert loss(model(x), y).item() == pytest.approx(float(gradient(problem).loss), rel=1e-13 if dtype == torch.float64 else 1e-5)
    judgement = verify_step(model, x, y, loss=loss)
    assert judgement.verdict in ("right", "lossy"), str(judgement)
    wrong = nn.Sequential(network(dtype)[0], WithoutSlope(), network(dtype)[2], nn.Sigmoid())
    assert verify_step(wrong, x, y, loss=loss).verdict == "wrong"
    with pytest.raises(ProblemError, match="of probabilities, but the last layer has 'identity': expected sigmoid"):
        problem_from(network(dtype), x, y, loss=loss)


def test_smoothed_labels_are_what_they_are(digits):
    x, y = step(digits, batch=4)
    problem = problem_from(network(), x, y, loss=nn.CrossEntropyLoss(label_smoothing=0.5))
    assert np.array_equal(problem.y, 0.5 * np.eye(10)[y.numpy()] + 0.05)
    by_rows = problem_from(network(), x, F.one_hot(y, 10).float(), loss=nn.CrossEntropyLoss(label_smoothing=0.5))
    assert problem == by_rows


@pytest.mark.parametrize("reduction", MEAN_AND_SUM)
def test_ignored_samples_are_left_out_exactly(digits, reduction):
    x, y = step(digits, torch.float64, 12)
    model, kept = network(torch.float64), y != 3
    assert 0 < int(kept.sum()) < 12
    ignoring = nn.CrossEntropyLoss(ignore_index=3, reduction=reduction)
    problem = problem_from(model, x, y, loss=ignoring)
    assert problem == problem_from(model, x[kept], y[kept], loss=nn.CrossEntropyLoss(reduction=reduction))
    assert ignoring(model(x), y).item() == pytest.approx(float(gradient(problem).loss), rel=1e-13)


WEIGHED = {
    "classes": ({}, False),
    "classes, one of them ignored": ({"ignore_index": 3}, False),
    "classes, smoothed": ({"label_smoothing": 0.1}, False),
    "probabilities": ({}, True),
    "probabilities, smoothed": ({"label_smoothing": 0.25}, True),
}


@pytest.mark.parametrize(("options", "soft"), WEIGHED.values(), ids=WEIGHED)
@pytest.mark.parametrize("reduction", MEAN_AND_SUM)
def test_weights_of_classes_are_those_of_samples(digits, options, soft, reduction, seed_of_the_run):
    x, y = step(digits, torch.float64, 24)
    of_classes = torch.tensor([0.5, 1, 2, 3, 0.25, 0, 1.5, 1, 0.1, 4], dtype=torch.float64)
    loss = nn.CrossEntropyLoss(weight=of_classes, reduction=reduction, **options)
    y = torch.softmax(torch.randn(24, 10, dtype=torch.float64), dim=1) if soft else y
    model = network(torch.float64)
    problem = problem_from(model, x, y, loss=loss)
    assert loss(model(x), y).item() == pytest.approx(float(gradient(problem).loss), rel=1e-13)
    judgement = verify_step(model, x, y, loss=loss)
    assert judgement.passed, str(judgement)
    if reduction != MEAN_AND_SUM[seed_of_the_run % 2]:
        return  # a mistake is looked for with one of them in each run
    unweighed = problem.replaced(sample_weights=None)
    assert backproof.verify(unweighed, gradient(problem)).verdict == "wrong"
    wrong = nn.Sequential(model[0], WithoutSlope(), model[2])
    assert verify_step(wrong, x, y, loss=loss).verdict == "wrong"


def test_smoothed_labels_near_a_minimum_are_no_mistake_of_the_network(digits):
    """PyTorch rounds the labels alike in all samples; judged whole, a step like this one was 1.2 times as far off as the bound allows."""
    x, y = step(digits, batch=500)
    torch.manual_seed(0)
    model, loss = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)), nn.CrossEntropyLoss(label_smoothing=0.1)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(300):
        optimizer.zero_grad()
        loss(model(x), y).backward()
        optimizer.step()
    judgement = verify_step(model, x, y, loss=loss)
    assert judgement.passed, str(judgement)
    wrong = nn.Sequential(model[0], WithoutSlope(), model[2])
    assert verify_step(wrong, x, y, loss=loss).verdict == "wrong"


class Clamped(nn.Module):
    def forward(self, z):
        return z.clamp(min=0)


@pytest.mark.parametrize(("activation", "verdict"), [(Clamped, "right"), (lambda: WithoutSlope(), "wrong")], ids=["right", "wrong"])
def test_a_step_whose_numbers_do_not_tell_relu_from_relu6_is_judged(activation, verdict):
    torch.manual_seed(3)
    model, x = nn.Sequential(nn.Linear(4, 8), activation(), nn.Linear(8, 3)), torch.randn(16, 4)
    assert verify_step(model, x, torch.randint(3, (16,)), loss=nn.CrossEntropyLoss()).verdict == verdict


class WithoutSlope(nn.Module):
    class ReLU(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            return z.relu()

        @staticmethod
        def backward(ctx, upstream):
            return upstream

    def forward(self, z):
        return self.ReLU.apply(z)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=["float64", "float32", "bfloat16"])
def test_a_step_with_a_mistake_is_wrong(digits, dtype):
    x, y = step(digits, dtype)
    model = nn.Sequential(nn.Linear(64, 24), WithoutSlope(), nn.Linear(24, 10)).to(dtype)
    judgement = verify_step(model, x, y, loss=nn.CrossEntropyLoss())
    assert judgement.verdict == "wrong"
    assert judgement.place.layer == 1


@pytest.mark.parametrize("loss", [nn.NLLLoss(ignore_index=3), F.nll_loss, nn.CrossEntropyLoss()], ids=["NLL", "function", "CE"])
def test_a_module_that_ends_in_log_softmax_has_its_softmax_in_the_loss(digits, loss):
    x, y = step(digits)
    model, logs = network(), nn.Sequential(network(), nn.LogSoftmax(dim=1))
    by_logits = nn.CrossEntropyLoss(ignore_index=getattr(loss, "ignore_index", -100))
    assert problem_from(logs, x, y, loss=loss) == problem_from(model, x, y, loss=by_logits)
    judgement = verify_step(logs, x, y, loss=loss)
    assert judgement.passed, str(judgement)
    wrong = nn.Sequential(nn.Linear(64, 24), WithoutSlope(), nn.Linear(24, 10), nn.LogSoftmax(dim=1))
    assert verify_step(wrong, x, y, loss=loss).verdict == "wrong"


def test_the_loss_must_fit_the_end_of_the_module(digits):
    x, y = step(digits)
    logs = nn.Sequential(network(), nn.LogSoftmax(dim=1))
    for model, loss, message in (
        (network(), nn.NLLLoss(), "loss is NLLLoss, and the module does not end in log_softmax: say CrossEntropyLoss"),
        (logs, nn.MSELoss(), "loss is MSELoss, and the module ends in log_softmax: expected NLLLoss or CrossEntropyLoss"),
        (logs, "upstream", "loss is 'upstream', and the module ends in log_softmax: expected NLLLoss or CrossEntropyLoss"),
    ):
        with pytest.raises(ProblemError, match=message):
            problem_from(model, x, y, loss=loss)


def test_images_go_through_flatten_as_they_are(digits):
    x, y = step(digits)
    model = nn.Sequential(nn.Flatten(), network())
    images = x.view(-1, 1, 8, 8)
    assert problem_from(model, images, y, loss=nn.CrossEntropyLoss()) == problem_from(network(), x, y, loss=nn.CrossEntropyLoss())
    assert verify_step(model, images, y, loss=nn.CrossEntropyLoss()).passed
    assert verify_step(model, images.numpy(), y.numpy(), loss=nn.CrossEntropyLoss()).passed


def test_one_output_may_be_a_vector_and_its_losses_may_be_summed():
    model, x = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1)), torch.randn(8, 3)
    assert verify_step(model, x, torch.rand(8), loss=nn.BCEWithLogitsLoss(reduction="sum")).passed
    assert verify_step(model, x, torch.rand(8, 1), loss=nn.HuberLoss(reduction="sum")).passed
    squeezed = nn.Sequential(model, nn.Flatten(0))
    for loss in (nn.BCEWithLogitsLoss(), nn.MSELoss(), "half_squared_error"):
        assert verify_step(squeezed, x, torch.rand(8), loss=loss).passed


def test_the_model_and_its_gradients_are_left_as_they_were(digits):
    x, y = step(digits)
    model = network()
    model[0].bias.requires_grad_(False)
    nn.CrossEntropyLoss()(model(x), y).backward()
    state, given = copy.deepcopy(model.state_dict()), [parameter.grad for parameter in model.parameters()]
    numbers = [None if array is None else array.clone() for array in given]
    verify_step(model, x, y, loss=nn.CrossEntropyLoss())
    assert all(torch.equal(array, model.state_dict()[name]) for name, array in state.items())
    assert all(a is b for a, b in zip(given, [parameter.grad for parameter in model.parameters()], strict=True))
    assert all(a is b is None or torch.equal(a, b) for a, b in zip(numbers, given, strict=True))
    assert [parameter.requires_grad for parameter in model.parameters()] == [True, False, True, True]
    assert not x.requires_grad


REFUSED = {
    "class weights": (
        nn.CrossEntropyLoss(weight=torch.ones(3)),
        None,
        "CrossEntropyLoss has weights for 3 classes: expected one for each output, 10",
    ),
    "weights of the positive": (
        nn.BCEWithLogitsLoss(pos_weight=torch.ones(10)),
        None,
        "BCEWithLogitsLoss has weights for outputs, where a problem has",
    ),
    "no reduction": (nn.MSELoss(reduction="none"), None, "MSELoss has reduction='none': expected mean or sum"),
    "L1": (nn.L1Loss(), None, "loss is L1Loss: expected a module of torch.nn (CrossEntropyLoss, NLLLoss, MSELoss, "),
    "an unknown name": ("l1", None, "loss 'l1' is not known: expected one of half_squared_error"),
    "no loss": (None, None, "loss is None: expected a module of torch.nn (CrossEntropyLoss, NLLLoss, "),
    "a function of ones own": (
        lambda a, y: a.sum(),
        None,
        "loss is the function <lambda>: expected a module of torch.nn (CrossEntropyLoss, ",
    ),
    "another function": (F.l1_loss, None, "a function of torch.nn.functional (cross_entropy, nll_loss, "),
    "a sum over outputs": (
        nn.HuberLoss(reduction="sum"),
        lambda y: F.one_hot(y, 10),
        "HuberLoss with reduction='sum' adds up over 10 outputs, where a problem's has the mean: say 'mean'",
    ),
    "beta": (
        nn.SmoothL1Loss(beta=0.5),
        lambda y: F.one_hot(y, 10),
        "SmoothL1Loss with beta=0.5 is Huber's loss over beta, which has no name",
    ),
    "all ignored": (
        nn.CrossEntropyLoss(ignore_index=7),
        lambda y: 0 * y + 7,
        "y is 7, the index that is ignored, for every sample: nothing is left",
    ),
    "a class beyond": (nn.CrossEntropyLoss(), lambda y: y + 5, "y has the class 1"),
    "classes for squares": (nn.MSELoss(), None, "y has shape (64,): expected (64, 10)"),
    "classes in rows": (
        nn.CrossEntropyLoss(),
        lambda y: y.view(-1, 1),
        "y has shape (64, 1): expected a class for each sample, (64,), or probabilities, (64, 10)",
    ),
}


@pytest.mark.parametrize(("loss", "change", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_problem_is_told(digits, loss, change, message):
    x, y = step(digits)
    for function in (problem_from, verify_step):
        with pytest.raises(ProblemError) as error:
            function(network(), x, change(y) if change else y, loss=loss)
        assert message in str(error.value)


def test_the_reduction_is_said_once(digits):
    x, y = step(digits)
    with pytest.raises(ProblemError, match="reduction is 'sum', but CrossEntropyLoss says its own: leave it out"):
        problem_from(network(), x, y, loss=nn.CrossEntropyLoss(), reduction="sum")
    assert problem_from(network(), x, F.one_hot(y, 10), loss="squared_error", reduction="sum").reduction == "sum"


def test_what_is_no_model_or_no_batch_is_told(digits):
    x, y = step(digits)
    loss = nn.CrossEntropyLoss()
    for model, given, message in (
        (len, x, "model is a builtin_function_or_method: expected a torch.nn.Module"),
        (network(), x[0], r"x is of shape \(64,\): expected a tensor or an array of samples"),
        (network(), 3, "x is a int: expected a tensor or an array of samples"),
        (nn.Sequential(nn.Linear(64, 10), nn.LayerNorm(10)), x, "Sequential: LayerNorm at 1: not a stack"),
    ):
        with pytest.raises(TargetError, match=message):
            verify_step(model, given, y, loss=loss)
