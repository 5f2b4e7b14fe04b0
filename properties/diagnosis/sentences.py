"""What is said of a diagnosis: one to three sentences that a student understands."""

from collections.abc import Sequence

from properties.diagnosis.explanation import Reading
from properties.diagnosis.placing import Place
from properties.diagnosis.variant import Variant
from reference.functions.parametrised import name_and_parameters

DEFINITIONS = {
    "pre_activation": "the definition of z",
    "activation": "the definition of a",
    "posed": "what the network is given",
    "loss": "the loss",
}

FACTORS = {
    "output_error": "the derivative of the loss",
    "reduction": "what the samples count",
    "slope": "g', the derivative of the activation",
    "delta": "delta, the product of dC/da and g'",
    "error_below": "the error that is passed down, W^T delta",
    "weight_gradient": "dC/dW, while delta is as it should be",
    "bias_gradient": "dC/db, while delta is as it should be",
    "penalty": "what the penalty adds to dC/dW",
    "pre_activation": "z, in the forward pass",
    "activation": "a, in the forward pass",
}


def listed(equations: Sequence[int]) -> str:
    """ "equation 3", "equations 7 and 11"."""
    if len(equations) == 1:
        return f"equation {equations[0]}"
    return f"equations {', '.join(map(str, equations[:-1]))} and {equations[-1]}"


def where(step: str, equations: Sequence[int], layer: int | None, reading: Reading | None) -> str:
    """The place, in words: "equation 3, layer 2 (tanh)"."""
    named = listed(equations) if equations else DEFINITIONS.get(step, "the answer as a whole" if step == "answer" else "the network")
    if layer is None or not equations or step in ("output_error", "reduction", "answer"):
        return named
    activation = ""
    if step in ("slope", "delta") and reading is not None and layer <= reading.asked.problem.depth:
        activation = f" ({name_and_parameters(reading.asked.problem.activations[layer - 1])[0]})"
    return f"{named}, layer {layer}{activation}"


def of_cause(
    row: Variant,
    at: str,
    shows_when: str,
    answers: tuple[int, int, int],
    others: Sequence[Variant],
    unexplained: int = 0,
    lossy: bool = False,
) -> str:
    """A cause that is certain.

    answers: how many were given, how many of them were wrong, how many refused; others: the further mistakes;
    unexplained: how many refusals are not those of such a network; lossy: whether all is given with a formula that loses digits alone.
    """
    given, wrong, refused = answers
    condition = f", {row.where} alone" if row.where else ""
    shows = f" It shows {shows_when.rstrip('.')}." if shows_when and not row.where else ""
    if others:
        further = " and ".join(f'"{_sentence(other)}"' for other in others)
        end = f"With {further} beside it, a network gives all {given} answers, the {wrong} wrong ones too."
    elif wrong:
        beside = ", and a formula that loses digits," if lossy else ""
        end = f"A network with this one mistake{beside} gives all {given} of its answers, the {wrong} wrong ones too."
    else:
        end = f"A network with this one mistake fails in the same way on the same {refused} problems, and no answer that it gives is wrong."
    if unexplained:
        end += f" To {unexplained} further problems it gives no answer that can be judged, which this does not explain."
    return f"{at}: {_sentence(row)}{condition}.{shows} {end}"


def _sentence(row: Variant) -> str:
    """The first sentence of what is said of a variant, without its stop."""
    said = row.sentence.rstrip(".")
    return (
        said[0].lower() + said[1:] if said[:2].istitle() and not said.startswith(("ReLU", "SiLU", "GELU", "ELU", "SELU", "Huber")) else said
    )


def of_place(found: Place, at: str, hint: tuple[Variant, int, int] | None, extent: str = "") -> str:
    """A place without a cause.

    hint: a variant, how many wrong answers it explains, and of how many; extent: a sentence, at which z alone it is off, "" where all are.
    """
    what = FACTORS.get(found.step, "a factor that cannot be told apart from others")
    shows = f" It shows in {found.shows_when}." if found.shows_when else ""
    shows += f" {extent}" if extent else ""
    first = f"The first that is off, from the loss down, is {what}: {at}.{shows}"
    if hint is None:
        return f"{first} Cause not known: no mistake of the table gives all of its answers."
    row, explained, of = hint
    if explained == of:
        further = f"that explains all {of} wrong answers, but not those to further problems."
        return f"{first} Cause not known; it is as if {_sentence(row)}: {further}"
    return (
        f"{first} Cause not known; in part it is as if {_sentence(row)}: that explains {explained} of {of} wrong answers, and in the other "
        f"{of - explained} something else is off as well."
    )


def of_nothing_read(wrong: int, refused: int, answered: int) -> str:
    """Where something is off, and no factor of it can be read: so many answers are wrong, or refused of so many that were given."""
    if wrong:
        return f"{wrong} answers are wrong, and no factor of them can be read: what is off depends on more than one layer. Cause not known."
    if not answered:
        return f"It gives no answer to any of the {refused} problems that it supports."
    return f"It gives no answer to {refused} problems that it supports; those that it answers are right."
