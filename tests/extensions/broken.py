"""Strategies that aren't as they should be, for a package that the tests make of this file."""

from c4ml_xdsl.dialects import neuron
from c4ml_xdsl.dialects.lbir import NumbersAttr
from c4ml_xdsl.strategies import Goal


def _sums(layer: neuron.LayerOp) -> list[neuron.SumOp]:
    return [each for each in layer.body.block.ops if isinstance(each, neuron.SumOp)]


def refuses(layer: neuron.LayerOp, goal: Goal) -> bool:
    """Leaves every layer as it is."""
    return False


def swaps(layer: neuron.LayerOp, goal: Goal) -> bool:
    """Swaps two weights of a sum, which leaves its range as it was."""
    for each in _sums(layer):
        coefficients = [*each.coefficients.data]
        last = next((i for i, value in enumerate(coefficients) if value != coefficients[0]), 0)
        if last and each.terms[0].type == each.terms[last].type:
            coefficients[0], coefficients[last] = coefficients[last], coefficients[0]
            each.properties["coefficients"] = NumbersAttr.of(coefficients)
            return True
    return False


def raises(layer: neuron.LayerOp, goal: Goal) -> bool:
    """Fails."""
    raise ZeroDivisionError("by nothing")


def invalid(layer: neuron.LayerOp, goal: Goal) -> bool:
    """Leaves a sum that has a coefficient too few."""
    first = _sums(layer)[0]
    first.properties["coefficients"] = NumbersAttr.of(first.coefficients.data[1:])
    return True


def other_results(layer: neuron.LayerOp, goal: Goal) -> bool:
    """Yields one value less."""
    last = layer.body.block.last_op
    assert last is not None
    last.operands = [*last.operands][1:]
    return True


no_function = 3
