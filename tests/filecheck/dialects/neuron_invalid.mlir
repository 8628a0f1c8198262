// RUN: c4ml-opt --verify-diagnostics --parsing-diagnostics --split-input-file %s | filecheck %s

%a = "test.op"() : () -> !lbir.int<0, 3>
%s = neuron.sum %a times [1, 2] plus 0 : !lbir.int<0, 3> -> !lbir.int<0, 3>
// CHECK: 1 terms have 2 coefficients

// -----

%a = "test.op"() : () -> !lbir.int<0, 3>
%s = neuron.sum %a times [2] plus 0 : !lbir.int<0, 3> -> !lbir.int<0, 7>
// CHECK: the range !lbir.int<0, 7> is wider than what the terms allow, 0 to 6

// -----

%a = "test.op"() : () -> !lbir.int<0, 3>
%s = neuron.sum %a times [0] plus 0 : !lbir.int<0, 3> -> !lbir.int<0, 0>
// CHECK: a coefficient is 0

// -----

%c = neuron.constant 4 : !lbir.int<0, 3>
// CHECK: the constant leaves its range

// -----

%a = "test.op"() : () -> !lbir.int<0, 3>
%t = neuron.threshold %a, [2, 1] base 0 falling 0 : !lbir.int<0, 3> -> !lbir.int<0, 2>
// CHECK: the thresholds aren't sorted

// -----

%a = "test.op"() : () -> !lbir.int<0, 3>
%m = neuron.max %a, %a : !lbir.int<0, 3>, !lbir.int<0, 3> -> !lbir.int<0, 2>
// CHECK: the range !lbir.int<0, 2> doesn't hold 0 to 3

// -----

%a = "test.op"() : () -> !lbir.int<0, 2>
%l = neuron.lookup %a, %a in [0, 1, 2, 3, 0, 1, 2, 3] : !lbir.int<0, 2>, !lbir.int<0, 2> -> !lbir.int<0, 3>
// CHECK: 9 combinations have 8 entries

// -----

%a = "test.op"() : () -> !lbir.int<0, 2>
%l = neuron.lookup %a in [0, 4, 0] : !lbir.int<0, 2> -> !lbir.int<0, 3>
// CHECK: an entry leaves the result's range

// -----

neuron.layer @join operands [1, 2] {
^bb0(%a: !lbir.int<-8, 7>, %b: !lbir.int<0, 3>):
  neuron.yield %a : !lbir.int<-8, 7>
}
// CHECK: 2 arguments don't make operands of (1, 2)

// -----

%a = "test.op"() : () -> !lbir.int<0, 1>
%p = neuron.popcount %a, %a, %a, %a, %a, %a, %a inverted [0, 0, 0, 0, 0, 0, 0] times [1, 1, 1, 1, 1, 1, 1] plus 0 : !lbir.int<0, 1>, !lbir.int<0, 1>, !lbir.int<0, 1>, !lbir.int<0, 1>, !lbir.int<0, 1>, !lbir.int<0, 1>, !lbir.int<0, 1> -> !lbir.int<0, 7>
// CHECK: a counter has from 1 to 6 operands

// -----

%a = "test.op"() : () -> !lbir.int<0, 1>
%p = neuron.popcount %a, %a inverted [0] times [1, 1] plus 0 : !lbir.int<0, 1>, !lbir.int<0, 1> -> !lbir.int<0, 2>
// CHECK: there must be a 0 or a 1 for each operand, whether it is inverted

// -----

%a = "test.op"() : () -> !lbir.int<0, 1>
%p = neuron.popcount %a, %a inverted [0, 1] times [1, 0] plus 0 : !lbir.int<0, 1>, !lbir.int<0, 1> -> !lbir.int<0, 1>
// CHECK: there must be a positive weight for each operand, and no negative constant

// -----

%a = "test.op"() : () -> !lbir.int<0, 2>
%p = neuron.popcount %a, %a inverted [0, 1] times [1, 1] plus 0 : !lbir.int<0, 2>, !lbir.int<0, 2> -> !lbir.int<0, 2>
// CHECK: an operand of the range !lbir.int<0, 2> isn't 0 or 1

// -----

%a = "test.op"() : () -> !lbir.int<0, 1>
%p = neuron.popcount %a, %a inverted [0, 1] times [1, 2] plus 1 : !lbir.int<0, 1>, !lbir.int<0, 1> -> !lbir.int<0, 4>
// CHECK: the result's range must be 1 to 4

// -----

%a = "test.op"() : () -> !lbir.int<0, 3>
%b = neuron.bit 2 of %a : !lbir.int<0, 3> -> !lbir.int<0, 1>
// CHECK: there is no bit 2

// -----

%a = "test.op"() : () -> !lbir.int<0, 3>
%b = neuron.bit 1 of %a : !lbir.int<0, 3> -> !lbir.int<0, 2>
// CHECK: a bit's range must be 0 to 1

// -----

%a = "test.op"() : () -> !lbir.int<0, 1>
%c = neuron.compare %a, %a times [1, 3] least 1 : !lbir.int<0, 1>, !lbir.int<0, 1> -> !lbir.int<0, 1>
// CHECK: a coefficient is no power of two

// -----

%a = "test.op"() : () -> !lbir.int<-1, 0>
%c = neuron.compare %a times [1] least 1 : !lbir.int<-1, 0> -> !lbir.int<0, 1>
// CHECK: an operand of the range !lbir.int<-1, 0> isn't 0 or 1

// -----

%a = "test.op"() : () -> !lbir.int<0, 1>
%c = neuron.compare %a times [1] least 1 : !lbir.int<0, 1> -> !lbir.int<0, 2>
// CHECK: a comparison's range must be 0 to 1
