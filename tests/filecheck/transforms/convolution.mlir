// RUN: c4ml-opt -p convert-qonnx-to-lbir,lbir-fold-thresholds,lbir-infer-ranges,lbir-unroll-neurons %s | filecheck %s

// A convolution is padded with the zero point, solved once, and called for each of its three positions.

qonnx.graph @net opset 20 (%x "x": tensor<1x1x3xf32>) -> ("y": tensor<1x1x3xf32>) {
  %one = qonnx.initializer "one" dense<1.0> : tensor<f32>
  %two = qonnx.initializer "two" dense<2.0> : tensor<f32>
  %zero = qonnx.initializer "zero" dense<0.0> : tensor<f32>
  %bits = qonnx.initializer "bits" dense<3.0> : tensor<f32>
  %q = qonnx.Quant "input" (%x, %one, %two, %bits) {signed = 0, narrow = 0} : (tensor<1x1x3xf32>, tensor<f32>, tensor<f32>, tensor<f32>) -> ("q": tensor<1x1x3xf32>)
  %w = qonnx.quantized_constant "w" bits 3 signed codes(dense<[[[1, -2, 1]]]> : tensor<1x1x3xi8>) scale(dense<1.0> : tensor<f32>) zero_point(dense<0.0> : tensor<f32>) : tensor<1x1x3xf32>
  %c = qonnx.Conv "conv" (%q, %w) {pads = [1, 1]} : (tensor<1x1x3xf32>, tensor<1x1x3xf32>) -> ("c": tensor<1x1x3xf32>)
  %y = qonnx.Quant "act" (%c, %two, %zero, %bits) {signed = 1, narrow = 0} : (tensor<1x1x3xf32>, tensor<f32>, tensor<f32>, tensor<f32>) -> ("y": tensor<1x1x3xf32>)
  qonnx.return %y : tensor<1x1x3xf32>
}

// CHECK:      neuron.layer @conv "conv 3 -> 1, requantize; inputs 0 to 7, sums -13 to 15, outputs -4 to 3" {
// CHECK:        %acc0 = neuron.sum %x0, %x1, %x2 times [1, -2, 1] plus 1 :
// CHECK-NEXT:   %y0 = neuron.requantize %acc0 offset -1 shift 1 round "half_even" :
// CHECK:        %0 = lbir.pad %x value dense<2> : tensor<1x1x1xi8> low [0, 0, 1] high [0, 0, 1] node "conv" :
// CHECK-NEXT:   %1 = lbir.patches %0 kernel [3] strides [1] dilations [1] :
// CHECK-NEXT:   %2 = lbir.call @conv(%1) axes [0, 2, 1] node "act" operations [{{.*}}] : {{.*}} -> tensor<1x3x1x!lbir.int<-4, 3>>
// CHECK-NEXT:   %3 = lbir.transpose %2 by [0, 2, 1] :
