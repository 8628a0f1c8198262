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
// CHECK: the table must have a value for each integer of !lbir.int<0, 3>

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

// -----

%x = "test.op"() : () -> tensor<1x2x5x!lbir.int<0, 3>>
%y = lbir.conv %x weights dense<[[[1, 1]], [[1, 1]], [[1, 1]]]> : tensor<3x1x2xi8> bias dense<0> : tensor<3xi8> strides [1] dilations [1] groups 2 : tensor<1x2x5x!lbir.int<0, 3>> -> tensor<1x3x4x!lbir.int<0, 6>>
// CHECK: 2 groups don't fit 2 channels and the weights (3, 1, 2)

// -----

%x = "test.op"() : () -> tensor<1x2x5x!lbir.int<0, 3>>
%y = lbir.conv %x weights dense<1> : tensor<2x2x2xi8> bias dense<0> : tensor<2xi8> strides [2] dilations [3] groups 1 : tensor<1x2x5x!lbir.int<0, 3>> -> tensor<1x2x2x!lbir.int<0, 12>>
// CHECK: the result must have the shape (1, 2, 1)

// -----

%x = "test.op"() : () -> tensor<1x2x5x!lbir.int<0, 3>>
%y = lbir.max_pool %x kernel [6] strides [1] dilations [1] : tensor<1x2x5x!lbir.int<0, 3>> -> tensor<1x2x1x!lbir.int<0, 3>>
// CHECK: a kernel of (6,) doesn't fit the space (5,)

// -----

%x = "test.op"() : () -> tensor<1x2x!lbir.int<0, 3>>
%y = lbir.add %x, %x times [dense<1> : tensor<1xi8>, dense<-1> : tensor<1xi8>] plus dense<0> : tensor<1xi8> : tensor<1x2x!lbir.int<0, 3>>, tensor<1x2x!lbir.int<0, 3>> -> tensor<1x2x!lbir.int<0, 3>>
// CHECK: sums from -3 to 3 leave the result's range !lbir.int<0, 3>

// -----

%x = "test.op"() : () -> tensor<1x2x!lbir.int<1, 3>>
%y = lbir.pad %x value dense<0> : tensor<1xi8> low [0, 1] high [0, 0] : tensor<1x2x!lbir.int<1, 3>> -> tensor<1x3x!lbir.int<1, 3>>
// CHECK: the padded value must broadcast to the result and lie in its range

// -----

%x = "test.op"() : () -> tensor<1x2x!lbir.int<1, 3>>
%y = lbir.gather %x axis 1 indices [0, 2] : tensor<1x2x!lbir.int<1, 3>> -> tensor<1x2x!lbir.int<1, 3>>
// CHECK: an index leaves the axis

// -----

%x = "test.op"() : () -> tensor<1x2x!lbir.int<1, 3>>
%y = lbir.concat %x, %x axis 1 : tensor<1x2x!lbir.int<1, 3>>, tensor<1x2x!lbir.int<1, 3>> -> tensor<1x3x!lbir.int<1, 3>>
// CHECK: the operands' sizes along axis 1 don't add up

// -----

%x = "test.op"() : () -> tensor<1x2x!lbir.int<0, 3>>
%y = lbir.activate %x steps [#lbir.step<mul dense<[1.0, 2.0, 3.0]> : tensor<3xf64>>, #lbir.step<round floor>] : tensor<1x2x!lbir.int<0, 3>> -> tensor<1x2x!lbir.int<0, 9>>
// CHECK: a constant of the shape (3,) doesn't broadcast against tensor<1x2x!lbir.int<0, 3>>

// -----

%x = "test.op"() : () -> tensor<2x2x!lbir.int<0, 3>>
%y = lbir.call @l(%x) : tensor<2x2x!lbir.int<0, 3>> -> tensor<1x2x!lbir.int<0, 9>>
// CHECK: a call's operands and result must have the same rows
