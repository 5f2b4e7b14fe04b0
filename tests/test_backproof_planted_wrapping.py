"""A function is wrapped where it is defined, whatever kind it is of, and who has it already calls the new one."""

import asyncio
import importlib.util
import inspect
import types

import pytest

from backproof.planted.following import is_module
from backproof.planted.wrapping import Unwrappable, wrap


def module_of(code):
    module = types.ModuleType("given")
    exec(code, vars(module))
    return module


CODE = """
import functools

def plain(x, *, by=1.0):
    "doubled"
    return 2 * x * by

def decorator(f):
    @functools.wraps(f)
    def inner(*args, **kwargs):
        return f(*args, **kwargs)
    return inner

@decorator
def decorated(x):
    return 2 * x

def closed(k):
    def inside(x):
        return k * x
    return inside

closure = closed(2)
partial = functools.partial(plain, by=1.0)
cached = functools.lru_cache(plain)

class Layer:
    def method(self, x):
        return 2 * x
    @staticmethod
    def static(x):
        return 2 * x
    @classmethod
    def of_class(cls, x):
        return 2 * x

class Heir(Layer):
    def with_super(self, x):
        return super().method(x)

class Called:
    kept = 1
    def __call__(self, x):
        return 2 * x

called = Called()
layer = Layer()
TABLE = {"plain": plain, "decorated": decorated, "closure": closure}

def steps(x):
    yield 2 * x
    y = yield 3 * x
    return y

async def awaited(x):
    return 2 * x

def recursive(x, n=3):
    return 2 * x if n == 0 else recursive(x, n - 1)

number = 3
"""


def tripled(answer, args, kwargs):
    return 3 * answer


@pytest.mark.parametrize(
    "path",
    [
        "plain",
        "decorated",
        "closure",
        "partial",
        "cached",
        "called",
        "layer.method",
        "Layer.static",
        "Layer.of_class",
        "Heir.of_class",
        "recursive",
    ],
)
def test_a_function_of_any_kind_is_wrapped(path):
    module = module_of(CODE)
    wrap(module, path, tripled)
    assert eval(path, vars(module))(1.0) == 6


@pytest.mark.parametrize("path", ["Layer.method", "Heir.with_super", "Heir.method"])
def test_a_method_is_wrapped(path):
    module = module_of(CODE)
    wrap(module, path, tripled)
    assert getattr(module.Heir(), path.partition(".")[2])(1.0) == 6


def test_what_an_heir_inherits_is_wrapped_in_the_heir_alone():
    module = module_of(CODE)
    wrap(module, "Heir.method", tripled)
    assert module.Layer().method(1.0) == 2


@pytest.mark.parametrize("name", ["plain", "decorated", "closure"])
def test_who_has_the_function_already_calls_the_new_one(name):
    module = module_of(CODE)
    before = getattr(module, name)
    wrap(module, name, tripled)
    assert getattr(module, name) is before
    assert module.TABLE[name](1.0) == 6
    assert before(x=1.0) == 6


def test_a_function_still_looks_as_it_did():
    module = module_of(CODE)
    signature = inspect.signature(module.plain)
    wrap(module, "plain", tripled)
    assert inspect.signature(module.plain) == signature
    assert (module.plain.__name__, module.plain.__doc__, module.plain.__kwdefaults__) == ("plain", "doubled", {"by": 1.0})
    assert module.plain(1.0, by=2.0) == 12


def test_each_item_of_a_generator_is_faulted():
    module = module_of(CODE)
    wrap(module, "steps", tripled)
    given = module.steps(1.0)
    assert [next(given), given.send(None)] == [6, 9]
    with pytest.raises(StopIteration) as end:
        given.send("sent")
    assert end.value.value == "sent"


def test_what_is_awaited_is_faulted():
    module = module_of(CODE)
    wrap(module, "awaited", tripled)
    assert asyncio.run(module.awaited(1.0)) == 6


def test_it_is_wrapped_once_where_a_module_is_loaded_twice():
    module = module_of(CODE)
    wrap(module, "plain", tripled)
    wrap(module, "plain", tripled)
    assert module.plain(1.0) == 6


REFUSED = {
    "absent": "given has no absent: it has .*plain",
    "Layer.absent": "Layer has no absent: it has .*method",
    "Layer": "Layer is a class: name one of its methods, as Layer.method",
    "number": "number is a int, and no function",
}


@pytest.mark.parametrize(("path", "message"), REFUSED.items())
def test_what_is_no_function_is_refused(path, message):
    with pytest.raises(Unwrappable, match=message):
        wrap(module_of(CODE), path, tripled)


def test_a_function_of_autograd_is_wrapped():
    torch = pytest.importorskip("torch")
    module = module_of("""
import torch

class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, upstream):
        return 2 * upstream
""")
    wrap(module, "Double.backward", tripled)
    x = torch.ones(2, requires_grad=True)
    module.Double.apply(x).sum().backward()
    assert x.grad.tolist() == [6, 6]


def test_rules_of_jax_are_wrapped_though_they_were_handed_over_before():
    jax = pytest.importorskip("jax")
    module = module_of("""
import jax

@jax.custom_vjp
def double(x):
    return 2 * x

def forward(x):
    return double(x), None

def backward(kept, upstream):
    return (2 * upstream,)

double.defvjp(forward, backward)
jitted = jax.jit(lambda x: 2 * x)
""")
    wrap(module, "backward", lambda answer, args, kwargs: (3 * answer[0],))
    assert float(jax.grad(module.double)(1.0)) == 6
    assert float(jax.jit(jax.grad(module.double))(1.0)) == 6
    wrap(module, "jitted", tripled)
    assert float(module.jitted(1.0)) == 6


def test_a_module_is_known_by_its_name_or_its_file(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("")
    spec = importlib.util.spec_from_file_location("some.name", file)
    module = importlib.util.module_from_spec(spec)
    assert is_module(module, "some.name")
    assert is_module(module, str(file))
    assert not is_module(module, "name")
    assert not is_module(module, str(tmp_path / "other.py"))
    assert not is_module(types.SimpleNamespace(), "name")


DEEP = """
import asyncio

def deep(n):
    if n:
        yield from deep(n - 1)
    yield float(n + 1)

async def awaited(n):
    await asyncio.sleep(0)
    return 1.0 if n == 0 else await awaited(n - 1)

def patient():
    try:
        yield 1.0
    except ValueError:
        yield 2.0
"""


def test_a_generator_that_calls_itself_has_the_fault_once():
    module = module_of(DEEP)
    wrap(module, "deep", tripled)
    assert list(module.deep(2)) == [3, 6, 9]


def test_a_coroutine_that_calls_itself_has_the_fault_once_and_others_beside_it_have_it_too():
    module = module_of(DEEP)
    wrap(module, "awaited", tripled)
    assert asyncio.run(module.awaited(3)) == 3

    async def beside():
        return await asyncio.gather(module.awaited(2), module.awaited(0))

    assert asyncio.run(beside()) == [3, 3]


def test_what_is_thrown_into_a_generator_reaches_it():
    module = module_of(DEEP)
    wrap(module, "patient", tripled)
    running = module.patient()
    assert next(running) == 3
    assert running.throw(ValueError()) == 6
    running.close()
