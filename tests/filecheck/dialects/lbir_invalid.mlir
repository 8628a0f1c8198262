// RUN: c4ml-opt --verify-diagnostics --parsing-diagnostics --split-input-file %s | filecheck %s

%x = "test.op"() : () -> tensor<1x2x!lbir.int<0, 3>>
%d = lbir.dense %x weights dense<[[1, 1]]> : tensor<1x2xi8> bias dense<[0]> : tensor<1xi8> : tensor<1x2x!lbir.int<0, 3>> -> tensor<1x1x!lbir.int<0, 5>>
// CHECK: sums from 0 to 6 leave the result's range !lbir.int<0, 5>

// -----

%x = "test.op"() : () -> tensor<1x2x!lbir.int<0, 3>>
%d = lbir.dense %x weights dense<[[1, 1, 1]]> : tensor<1x3xi8> bias dense<[0]> : tensor<1xi8> : tensor<1x2x!lbir.int<0, 3>> -> tensor<1x1x!lbir.int<0, 9>>
// CHECK: 3 inputs a neuron don't fit the tensor

// -----

%x = "test.op"() : () -> tensor<1x1x!lbir.int<0, 3>>
%t = lbir.threshold %x, dense<[[2, 1]]> : tensor<1x2xi8> base dense<0> : tensor<1xi8> ascending dense<1> : tensor<1xi8> : tensor<1x1x!lbir.int<0, 3>> -> tensor<1x1x!lbir.int<0, 2>>
// CHECK: a row of thresholds isn't sorted

// -----

%x = "test.op"() : () -> tensor<1x1x!lbir.int<0, 3>>
%t = lbir.table %x, dense<[[0, 1, 2]]> : tensor<1x3xi8> : tensor<1x1x!lbir.int<0, 3>> -> tensor<1x1x!lbir.int<0, 2>>
// CHECK: the table must have one row an element and one value for each integer of !lbir.int<0, 3>

// -----

%x = "test.op"() : () -> tensor<1x1x!lbir.int<0, 3>>
%r = lbir.requantize %x offset dense<0> : tensor<1xi8> shift 61 round "floor" : tensor<1x1x!lbir.int<0, 3>> -> tensor<1x1x!lbir.int<0, 1>>
// CHECK: the shift must be between 0 and 60

// -----

%x = "test.op"() : () -> tensor<1x1x!lbir.int<0, 3>>
%r = lbir.requantize %x offset dense<0> : tensor<1xi8> shift 1 round "sideways" : tensor<1x1x!lbir.int<0, 3>> -> tensor<1x1x!lbir.int<0, 1>>
// CHECK: unknown rounding sideways

// -----

%x = "test.op"() : () -> tensor<2x!lbir.int<3, 0>>
// CHECK: the range from 3 to 0 is empty
