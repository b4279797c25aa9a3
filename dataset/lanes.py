"""SIMD for numba: Lanes, a vector of floats that lives in registers, and the few operations DTW needs on it.

LLVM's own vectoriser leaves the warping recursion scalar; written on lanes it is six times as fast. LLVM lowers the
vectors to what the processor has (16 float32: one AVX-512 register, two of AVX2, four of SSE or NEON, or 16 scalars),
with the same results but for multiply_add's rounding. Only the bits of `less` need a little-endian processor.

numba's cache of compiled kernels does not notice a change of this file: touch the file of the kernels after one.
"""

# numba compares the signatures of an overload and of its implementation, annotations and all, so there are none here.
# mypy: allow-untyped-defs

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

_INDEX = ir.IntType(32)


class Lanes(types.Type):
    """The numba type of a vector of `count` floats, float32 or float64."""

    def __init__(self, dtype, count):
        self.dtype, self.count = dtype, count
        super().__init__(name=f"Lanes({dtype}, {count})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, lanes):
        super().__init__(manager, lanes, ir.VectorType(manager.lookup(lanes.dtype).get_value_type(), lanes.count))


def _shuffled(builder, vector, order):
    """A vector whose lane k is lane order[k] of `vector`."""
    return builder.shuffle_vector(vector, vector, ir.Constant(ir.VectorType(_INDEX, len(order)), list(order)))


def _define_arithmetic(operation, instruction):
    @intrinsic
    def apply(typing, left, right):
        def generate(context, builder, signature, arguments):
            return getattr(builder, instruction)(*arguments)

        return left(left, right), generate

    @overload(operation)
    def implementation(left, right):
        if isinstance(left, Lanes) and left == right:
            return lambda left, right: apply(left, right)
        return None


_define_arithmetic(operator.add, "fadd")
_define_arithmetic(operator.sub, "fsub")
_define_arithmetic(operator.mul, "fmul")
_define_arithmetic(operator.truediv, "fdiv")


@intrinsic
def multiply_add(typing, left, right, addend):
    """left · right + addend, rounded once where the processor can (so not for sums that must match another's)."""

    def generate(context, builder, signature, arguments):
        vector = arguments[0].type
        name = f"llvm.fmuladd.v{vector.count}{'f32' if isinstance(vector.element, ir.FloatType) else 'f64'}"
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(vector, [vector] * 3), name)
        return builder.call(function, arguments)

    return left(left, right, addend), generate


@intrinsic(prefer_literal=True)
def splat(typing, scalar, count):
    """The scalar in each of `count` (a constant) lanes."""
    lanes = Lanes(scalar, count.literal_value)

    def generate(context, builder, signature, arguments):
        empty = ir.Constant(context.get_value_type(lanes), ir.Undefined)
        return _shuffled(builder, builder.insert_element(empty, arguments[0], _INDEX(0)), [0] * lanes.count)

    return lanes(scalar, count), generate


@intrinsic(prefer_literal=True)
def load(typing, array, start, count):
    """array[start : start + count] of a flat array, `count` a constant; the bounds are the caller's to keep."""
    lanes = Lanes(array.dtype, count.literal_value)

    def generate(context, builder, signature, arguments):
        data = context.make_array(array)(context, builder, arguments[0]).data
        place = builder.gep(data, [arguments[1]])
        pointer = builder.bitcast(place, context.get_value_type(lanes).as_pointer())
        return builder.load(pointer, align=array.dtype.bitwidth // 8)

    return lanes(array, start, count), generate


@intrinsic
def store(typing, array, start, lanes):
    """array[start : start + count] = lanes, for a flat array; the bounds are the caller's to keep."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(array)(context, builder, arguments[0]).data
        place = builder.gep(data, [arguments[1]])
        pointer = builder.bitcast(place, context.get_value_type(lanes).as_pointer())
        builder.store(arguments[2], pointer, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.none(array, start, lanes), generate


@intrinsic
def less(typing, left, right):
    """left < right as an unsigned integer, bit k for lane k."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(builder.fcmp_ordered("<", *arguments), ir.IntType(left.count))

    return getattr(types, f"uint{left.count}")(left, right), generate


@intrinsic
def choose(typing, bits, lanes, other):
    """Lane k of `lanes` where bit k is set, of `other` elsewhere."""
    packed = getattr(types, f"uint{lanes.count}")

    def generate(context, builder, signature, arguments):
        mask = builder.bitcast(arguments[0], ir.VectorType(ir.IntType(1), lanes.count))
        return builder.select(mask, arguments[1], arguments[2])

    return lanes(packed, lanes, other), generate


@intrinsic
def shift_in(typing, scalar, lanes):
    """The scalar in lane 0 and lane k - 1 of `lanes` in lane k."""

    def generate(context, builder, signature, arguments):
        shifted = _shuffled(builder, arguments[1], [0, *range(lanes.count - 1)])
        return builder.insert_element(shifted, arguments[0], _INDEX(0))

    return lanes(lanes.dtype, lanes), generate


@intrinsic
def last_lane(typing, lanes):
    """The scalar in the last lane."""

    def generate(context, builder, signature, arguments):
        return builder.extract_element(arguments[0], _INDEX(lanes.count - 1))

    return lanes.dtype(lanes), generate
