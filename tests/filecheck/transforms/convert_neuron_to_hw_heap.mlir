// RUN: c4ml-opt -p convert-neuron-to-hw{minimize=delay} %s | filecheck %s
// RUN: c4ml-opt --verify-diagnostics -p convert-neuron-to-hw %s | filecheck %s --check-prefix=ROWS

// Seven bits of the same column are a counter of six and one bit; two words and a carry chain are left.

// CHECK:      %[[HIGH:.*]] = comb.truth_table %a, %b, %c, %d, %e, %f -> [
// CHECK-NEXT: %[[MIDDLE:.*]] = comb.truth_table %a, %b, %c, %d, %e, %f -> [
// CHECK-NEXT: %[[LOW:.*]] = comb.truth_table %a, %b, %c, %d, %e, %f -> [
// CHECK-NEXT: %count = comb.concat %[[HIGH]], %[[MIDDLE]], %[[LOW]] : i1, i1, i1
// CHECK-NEXT: %[[LOW:.*]] = comb.extract %count from 0
// CHECK-NEXT: %[[MIDDLE:.*]] = comb.extract %count from 1
// CHECK-NEXT: %[[HIGH:.*]] = comb.extract %count from 2
// CHECK:      %[[FIRST:.*]] = comb.concat %[[HIGH]], %[[MIDDLE]], %g : i1, i1, i1
// CHECK-NEXT: %[[SECOND:.*]] = comb.concat %{{.*}}, %{{.*}}, %[[LOW]] : i1, i1, i1
// CHECK-NEXT: %s = comb.add %[[SECOND]], %[[FIRST]] : i3

// ROWS: a sum is no row yet: run neuron-expand-sums first

neuron.layer @l {
^bb0(%a: !lbir.int<0, 1>, %b: !lbir.int<0, 1>, %c: !lbir.int<0, 1>, %d: !lbir.int<0, 1>, %e: !lbir.int<0, 1>, %f: !lbir.int<0, 1>, %g: !lbir.int<0, 1>):
  %s = neuron.sum %a, %b, %c, %d, %e, %f, %g times [1, 1, 1, 1, 1, 1, 1] plus 0 : !lbir.int<0, 1>, !lbir.int<0, 1>, !lbir.int<0, 1>, !lbir.int<0, 1>, !lbir.int<0, 1>, !lbir.int<0, 1>, !lbir.int<0, 1> -> !lbir.int<0, 7>
  neuron.yield %s : !lbir.int<0, 7>
}
lbir.network @net inputs [#lbir.port<"x" bits 1 range [0, 1] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] outputs [#lbir.port<"y" bits 3 range [0, 7] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] {
^bb0(%x: tensor<1x7x!lbir.int<0, 1>>):
  %y = lbir.call @l(%x) node "l" : tensor<1x7x!lbir.int<0, 1>> -> tensor<1x1x!lbir.int<0, 7>>
  lbir.output %y : tensor<1x1x!lbir.int<0, 7>>
}
