// RUN: c4ml-opt -p convert-qonnx-to-lbir %s | filecheck %s

// Branches of different scales meet on their common grid: 0.5 a + 0.75 b = 0.25 (2 a + 3 b). Functions of the same
// integers are one function.

qonnx.graph @net opset 20 (%x "x": tensor<1x2xf32>, %z "z": tensor<1x2xf32>) -> ("s": tensor<1x2xf32>, "y": tensor<1x2xf32>) {
  %half = qonnx.initializer "half" dense<0.5> : tensor<f32>
  %more = qonnx.initializer "more" dense<0.75> : tensor<f32>
  %zero = qonnx.initializer "zero" dense<0.0> : tensor<f32>
  %bits = qonnx.initializer "bits" dense<2.0> : tensor<f32>
  %a = qonnx.Quant "qa" (%x, %half, %zero, %bits) {signed = 1, narrow = 0} : (tensor<1x2xf32>, tensor<f32>, tensor<f32>, tensor<f32>) -> ("a": tensor<1x2xf32>)
  %b = qonnx.Quant "qb" (%z, %more, %zero, %bits) {signed = 0, narrow = 0} : (tensor<1x2xf32>, tensor<f32>, tensor<f32>, tensor<f32>) -> ("b": tensor<1x2xf32>)
  %s = qonnx.Add "add" (%a, %b) : (tensor<1x2xf32>, tensor<1x2xf32>) -> ("s": tensor<1x2xf32>)
  %g = qonnx.Sigmoid "gate" (%b) : (tensor<1x2xf32>) -> ("g": tensor<1x2xf32>)
  %m = qonnx.Mul "swish" (%b, %g) : (tensor<1x2xf32>, tensor<1x2xf32>) -> ("m": tensor<1x2xf32>)
  %y = qonnx.Quant "act" (%m, %half, %zero, %bits) {signed = 0, narrow = 0} : (tensor<1x2xf32>, tensor<f32>, tensor<f32>, tensor<f32>) -> ("y": tensor<1x2xf32>)
  qonnx.return %s, %y : tensor<1x2xf32>, tensor<1x2xf32>
}

// CHECK:      outputs [#lbir.port<"s" bits 5 range [-4, 11] scale array<f64: 2.500000e-01>
// CHECK:      lbir.add %x, %z times [dense<2> : tensor<1x1xi8>, dense<3> : tensor<1x1xi8>] plus dense<0>
// CHECK-SAME: node "add"
// CHECK:      lbir.activate %z steps [#lbir.step<mul dense<7.500000e-01> : tensor<1xf64>>, #lbir.step<mul of [#lbir.step<mul dense<7.500000e-01> : tensor<1xf64>>, #lbir.step<sigmoid>]>
// CHECK-SAME: #lbir.step<round half_even>] node "act"
