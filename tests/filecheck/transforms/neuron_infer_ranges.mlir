// RUN: c4ml-opt -p neuron-infer-ranges %s | filecheck %s

// What follows from an element that is 1 and one that is 0 or 1: sums, products, maxima, thresholds in both directions,
// tables of one and of several values.

// CHECK-LABEL: neuron.layer @source
// CHECK:         neuron.yield {{.*}} : !lbir.int<1, 1>, !lbir.int<0, 1>, !lbir.int<-8, 7>
neuron.layer @source {
^bb0(%x: !lbir.int<-8, 7>):
  %one = neuron.constant 1 : !lbir.int<1, 1>
  %bit = neuron.threshold %x, [3, 9] base 0 falling 0 : !lbir.int<-8, 7> -> !lbir.int<0, 2>
  neuron.yield %one, %bit, %x : !lbir.int<1, 1>, !lbir.int<0, 2>, !lbir.int<-8, 7>
}

// CHECK-LABEL: neuron.layer @all
// CHECK-NEXT:  ^bb0(%a: !lbir.int<1, 1>, %b: !lbir.int<0, 1>, %c: !lbir.int<-8, 7>):
// CHECK-NEXT:    %a_1 = neuron.constant 1
// CHECK-NEXT:    %sum = neuron.sum %b, %c times [2, -3] plus 10 : {{.*}} -> !lbir.int<-11, 36>
// CHECK-NEXT:    %product = neuron.sum %c times [1] plus 0 : !lbir.int<-8, 7> -> !lbir.int<-8, 7>
// CHECK-NEXT:    %most = neuron.max %a_1, %c : !lbir.int<1, 1>, !lbir.int<-8, 7> -> !lbir.int<1, 7>
// CHECK-NEXT:    %down = neuron.threshold %b, [1] base 4 falling 1 : !lbir.int<0, 1> -> !lbir.int<3, 4>
// CHECK-NEXT:    %table = neuron.table %b, [6, 5] : !lbir.int<0, 1> -> !lbir.int<5, 6>
// CHECK-NEXT:    %small = neuron.constant 1 : !lbir.int<1, 1>
// CHECK-NEXT:    %bit = neuron.requantize %b offset 0 shift 0 round "floor" : !lbir.int<0, 1> -> !lbir.int<0, 1>
// CHECK-NEXT:    %lookup = neuron.lookup %small, %bit in [5, 6] : !lbir.int<1, 1>, !lbir.int<0, 1> -> !lbir.int<5, 6>
// CHECK-NEXT:    neuron.yield %sum, %product, %most, %down, %table, %lookup :
neuron.layer @all {
^bb0(%a: !lbir.int<-8, 7>, %b: !lbir.int<-8, 7>, %c: !lbir.int<-8, 7>):
  %sum = neuron.sum %a, %b, %c times [5, 2, -3] plus 5 : !lbir.int<-8, 7>, !lbir.int<-8, 7>, !lbir.int<-8, 7> -> !lbir.int<-72, 78>
  %product = neuron.multiply %c, %a : !lbir.int<-8, 7>, !lbir.int<-8, 7> -> !lbir.int<-56, 64>
  %most = neuron.max %b, %a, %c : !lbir.int<-8, 7>, !lbir.int<-8, 7>, !lbir.int<-8, 7> -> !lbir.int<-8, 7>
  %down = neuron.threshold %b, [-2, -1, 1, 2] base 6 falling 1 : !lbir.int<-8, 7> -> !lbir.int<2, 6>
  %table = neuron.table %b, [9, 9, 9, 9, 9, 9, 9, 9, 6, 5, 0, 0, 0, 0, 0, 0] : !lbir.int<-8, 7> -> !lbir.int<0, 9>
  %small = neuron.requantize %a offset 0 shift 0 round "floor" : !lbir.int<-8, 7> -> !lbir.int<0, 1>
  %bit = neuron.requantize %b offset 0 shift 0 round "floor" : !lbir.int<-8, 7> -> !lbir.int<0, 1>
  %lookup = neuron.lookup %small, %bit in [3, 4, 5, 6] : !lbir.int<0, 1>, !lbir.int<0, 1> -> !lbir.int<3, 6>
  neuron.yield %sum, %product, %most, %down, %table, %lookup : !lbir.int<-72, 78>, !lbir.int<-56, 64>, !lbir.int<-8, 7>, !lbir.int<2, 6>, !lbir.int<0, 9>, !lbir.int<3, 6>
}

// A layer of two rows gets what occurs in either: its second element is 1 in one row and padded with -2 in the other.

// CHECK-LABEL: neuron.layer @rows
// CHECK-NEXT:  ^bb0(%p: !lbir.int<-2, 1>, %q: !lbir.int<-2, -2>):
// CHECK-NEXT:    %s = neuron.sum %p times [1] plus -2 : !lbir.int<-2, 1> -> !lbir.int<-4, -1>
neuron.layer @rows {
^bb0(%p: !lbir.int<-8, 7>, %q: !lbir.int<-8, 7>):
  %s = neuron.sum %p, %q times [1, 1] plus 0 : !lbir.int<-8, 7>, !lbir.int<-8, 7> -> !lbir.int<-16, 14>
  neuron.yield %s : !lbir.int<-16, 14>
}

// Counters have operands of 0 and 1, which must stay so.

// CHECK-LABEL: neuron.layer @counted
// CHECK-NEXT:  ^bb0(%p: !lbir.int<0, 1>):
// CHECK-NEXT:    %n = neuron.popcount %p
neuron.layer @counted {
^bb0(%p: !lbir.int<0, 1>):
  %n = neuron.popcount %p inverted [0] times [1] plus 0 : !lbir.int<0, 1> -> !lbir.int<0, 1>
  neuron.yield %n : !lbir.int<0, 1>
}

// So do layers that are called twice.

// CHECK-LABEL: neuron.layer @twice
// CHECK-NEXT:  ^bb0(%p: !lbir.int<-8, 7>):
neuron.layer @twice {
^bb0(%p: !lbir.int<-8, 7>):
  neuron.yield %p : !lbir.int<-8, 7>
}

// A layer that gives a constant, read by the others.

// CHECK-LABEL: neuron.layer @zero "requantize 1 -> 1; 1 of 1 outputs constant"
// CHECK-NEXT:  ^bb0(%p: !lbir.int<1, 1>):
// CHECK-NEXT:    %z = neuron.constant 0 : !lbir.int<0, 0>
// CHECK-NEXT:    neuron.yield %z : !lbir.int<0, 0>
neuron.layer @zero "requantize 1 -> 1" {
^bb0(%p: !lbir.int<-8, 7>):
  %z = neuron.requantize %p offset 1 shift 2 round "half_even" : !lbir.int<-8, 7> -> !lbir.int<-2, 1>
  neuron.yield %z : !lbir.int<-2, 1>
}

lbir.network @net inputs [#lbir.port<"x" bits 4 range [-8, 7] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] outputs [#lbir.port<"y" bits 8 range [-72, 78] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] {
^bb0(%x: tensor<1x1x!lbir.int<-8, 7>>):
  %s = lbir.call @source(%x) : tensor<1x1x!lbir.int<-8, 7>> -> tensor<1x3x!lbir.int<-8, 7>>
  %a = lbir.call @all(%s) : tensor<1x3x!lbir.int<-8, 7>> -> tensor<1x6x!lbir.int<-72, 78>>
  %b = lbir.gather %s axis 1 indices [0] : tensor<1x3x!lbir.int<-8, 7>> -> tensor<1x1x!lbir.int<-8, 7>>
  %p = lbir.pad %b value dense<-2> : tensor<1xi8> low [0, 0] high [0, 3] : tensor<1x1x!lbir.int<-8, 7>> -> tensor<1x4x!lbir.int<-8, 7>>
  %q = lbir.reshape %p : tensor<1x4x!lbir.int<-8, 7>> -> tensor<1x2x2x!lbir.int<-8, 7>>
  %r = lbir.call @rows(%q) : tensor<1x2x2x!lbir.int<-8, 7>> -> tensor<1x2x1x!lbir.int<-16, 14>>
  %z = lbir.call @zero(%b) : tensor<1x1x!lbir.int<-8, 7>> -> tensor<1x1x!lbir.int<-2, 1>>
  %n = lbir.call @counted(%b) : tensor<1x1x!lbir.int<-8, 7>> -> tensor<1x1x!lbir.int<0, 1>>
  %t = lbir.call @twice(%b) : tensor<1x1x!lbir.int<-8, 7>> -> tensor<1x1x!lbir.int<-8, 7>>
  %u = lbir.call @twice(%t) : tensor<1x1x!lbir.int<-8, 7>> -> tensor<1x1x!lbir.int<-8, 7>>
  lbir.output %a : tensor<1x6x!lbir.int<-72, 78>>
}
