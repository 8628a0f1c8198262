"""The circuits of a step function, and the choice between them. Integers only, no IR."""

from typing import TypeAlias

from c4ml_xdsl.circuits.binary_search import BinarySearch
from c4ml_xdsl.circuits.class_chain import ClassChain, class_chain
from c4ml_xdsl.circuits.comparisons import Comparisons, comparisons
from c4ml_xdsl.circuits.step_function import StepFunction, width_of_range
from c4ml_xdsl.circuits.subtraction_row import SubtractionRow, subtraction_rows

StepForm: TypeAlias = SubtractionRow | ClassChain | Comparisons | BinarySearch

ADDED_SITES = 1.5
"""What a constant costs in a sum: a place in a row of three, which is free as often as not."""

MAXIMUM_COMPARED = 5
"""The most positions that single comparisons are worth a thought for."""

MAXIMUM_TRIED = 7
"""The most positions that are tried at 0, those in the middle first."""


def smallest_form(function: StepFunction, low: int, high: int, bits: int) -> StepForm:
    """
    The form that takes the fewest LUT sites, and of these the fastest.

    The function is one of x in [low, high], has a position there and none elsewhere; its result has `bits` bits.
    """
    forms: list[StepForm] = [*subtraction_rows(function, low, high, bits)]
    chain = class_chain(function, low, high, bits)
    if chain is not None:
        forms.append(chain)
    if len(function.positions) <= MAXIMUM_COMPARED:
        forms += comparisons(function, low, high, bits)
    forms.append(BinarySearch(function, low, high, bits))

    def order(form: StepForm) -> tuple[int, float]:
        cost = form.cost
        return cost.lut, cost.delay_ns

    return min(forms, key=order)


def cheapest_offset(function: StepFunction, low: int, high: int, bits: int, constant: int) -> int:
    """
    What to add to x, where that costs little, so that the function takes the fewest LUT sites.

    One position becomes 0, the sign's change, and starts a bucket; which one is tried out. A sum that grows by a bit
    costs a site, and one that adds anything besides its terms, where it adds `constant` now, about `ADDED_SITES`.
    """
    positions = function.positions
    middle = len(positions) // 2
    tried = sorted(range(len(positions)), key=lambda index: (abs(index - middle), index))[:MAXIMUM_TRIED]
    width = width_of_range(low, high)

    def sites(offset: int) -> tuple[float, float, int]:
        form = smallest_form(function.moved(offset), low + offset, high + offset, bits)
        cost, wider = form.cost, width_of_range(low + offset, high + offset) - width
        return cost.lut + wider + (ADDED_SITES if constant + offset else 0), cost.delay_ns, abs(offset)

    return min((0, -constant, *(-positions[index] for index in tried)), key=sites)
