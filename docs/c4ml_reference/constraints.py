"""What IRDL constraints and traits are in words."""

from collections.abc import Mapping

from xdsl.dialects import builtin
from xdsl.ir import Attribute, Data, ParametrizedAttribute, TypeAttribute
from xdsl.irdl import (
    AllOf,
    AnyAttr,
    AnyOf,
    AttrConstraint,
    BaseAttr,
    EqAttrConstraint,
    MessageConstraint,
    OptionalDef,
    ParamAttrConstraint,
    RangeConstraint,
    RangeLengthConstraint,
    RangeOf,
    TypeVarConstraint,
    VarConstraint,
    VariadicDef,
)
from xdsl.irdl.constraints import AtLeast
from xdsl.traits import HasParent, OpTrait, SingleBlockImplicitTerminator

from c4ml_xdsl.dialects.qonnx import OnnxAttribute

from .markdown import code

WORDS: Mapping[type[Attribute], str] = {
    builtin.ArrayAttr: "array",
    builtin.DenseArrayBase: "dense array",
    builtin.DenseIntOrFPElementsAttr: "dense elements",
    builtin.FunctionType: "function type",
    builtin.IntAttr: "integer",
    builtin.IntegerAttr: "integer attribute",
    builtin.IntegerType: "integer type",
    builtin.NoneType: "none",
    builtin.StringAttr: "string",
    builtin.SymbolRefAttr: "symbol reference",
    builtin.TensorType: "tensor",
    builtin.UnitAttr: "unit",
}
"""What builtin's attributes are called; those of dialects have their own names."""


def attribute_name(attribute: type[Attribute]) -> str:
    """How a type or attribute is written: `!lbir.int`, `#lbir.port`; builtin's in words."""
    if attribute in WORDS:
        return WORDS[attribute]
    if attribute is TypeAttribute:
        return "type"
    if not issubclass(attribute, ParametrizedAttribute | Data):
        return code(attribute.__name__)
    return code(f"{'!' if issubclass(attribute, TypeAttribute) else '#'}{attribute.name}")


def constraint_text(constraint: AttrConstraint | RangeConstraint) -> str:
    """
    A constraint in words.

    Raises TypeError for a kind of constraint that no dialect has had, so that the page is never silent about one.
    """
    match constraint:
        case RangeLengthConstraint(constraint=inner, length=AtLeast(bound=bound)):
            return f"at least {bound}, each {constraint_text(inner)}"
        case RangeLengthConstraint(constraint=inner):
            return constraint_text(inner)
        case RangeOf(constr=inner) | MessageConstraint(constr=inner):
            return constraint_text(inner)
        case AnyAttr():
            return "any"
        case BaseAttr(attr=attribute):
            return attribute_name(attribute)
        case EqAttrConstraint(attr=builtin.IntegerType() as integer):
            return code(str(integer))
        case EqAttrConstraint(attr=attribute):
            return code(str(attribute))
        case OnnxAttribute():
            return constraint.kind.value
        case VarConstraint(name=name, constraint=AnyAttr()):
            return f"any, the same wherever {code(name)} stands"
        case VarConstraint(name=name, constraint=inner):
            return f"{constraint_text(inner)}, the same wherever {code(name)} stands"
        case TypeVarConstraint(base_constraint=inner):
            return constraint_text(inner)
        case AnyOf(attr_constrs=alternatives):
            return " or ".join(constraint_text(each) for each in alternatives)
        case AllOf(attr_constrs=parts):
            return constraint_text(parts[-1])
        case ParamAttrConstraint(base_attr=base, param_constrs=parameters):
            return _parametrised(base, parameters)
        case builtin.ArrayOfConstraint(elem_range_constraint=inner):
            return f"array of {constraint_text(inner)}"
        case builtin.SymbolNameConstraint():
            return "symbol name"
        case _:
            raise TypeError(f"no words for the constraint {constraint!r}")


def _parametrised(base: type[Attribute], parameters: tuple[AttrConstraint, ...]) -> str:
    if base is builtin.IntegerAttr:
        value_type = parameters[-1]
        if isinstance(value_type, EqAttrConstraint):
            return f"{code(str(value_type.attr))} attribute"
    return attribute_name(base)


def arity_text(definition: object) -> str:
    """How often what a definition defines may be there, where that isn't once."""
    if isinstance(definition, OptionalDef):
        return "optional"
    return "variadic" if isinstance(definition, VariadicDef) else ""


def trait_text(trait: OpTrait) -> str:
    """A trait's name, with the operations that it names."""
    name = type(trait).__name__.strip("_").removesuffix("Trait")
    match trait:
        case HasParent(op_types=operations):
            named = ", ".join(each.name for each in operations)
        case SingleBlockImplicitTerminator(op_type=operation):
            named = operation.name
        case _:
            named = ""
    return code(f"{name}<{named}>" if named else name)
