"""The circuits of a step function, and the choice between them. Integers only, no IR."""

from typing import TypeAlias

from c4ml_xdsl.circuits.binary_search import BinarySearch
from c4ml_xdsl.circuits.class_chain import ClassChain, class_chain
from c4ml_xdsl.circuits.step_function import StepFunction
from c4ml_xdsl.circuits.subtraction_row import SubtractionRow, subtraction_rows

StepForm: TypeAlias = SubtractionRow | ClassChain | BinarySearch


def smallest_form(function: StepFunction, low: int, high: int, bits: int) -> StepForm:
    """
    The form that takes the fewest LUT sites, and of these the fastest.

    The function is one of x in [low, high], has a position there and none elsewhere; its result has `bits` bits.
    """
    forms: list[StepForm] = [*subtraction_rows(function, low, high, bits)]
    chain = class_chain(function, low, high, bits)
    if chain is not None:
        forms.append(chain)
    forms.append(BinarySearch(function, low, high, bits))
    return min(forms, key=lambda form: (form.cost.lut, form.cost.delay_ns))
