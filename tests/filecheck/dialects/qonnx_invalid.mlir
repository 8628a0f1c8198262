// RUN: c4ml-opt --verify-diagnostics --parsing-diagnostics --split-input-file %s | filecheck %s

qonnx.graph @g opset 20 (%x "x": tensor<1x2xf32>) -> ("y": tensor<1x2xf32>) {
  %y = qonnx.Quant "q" (%x) {signed = 1, narrow = 0} : (tensor<1x2xf32>) -> ("y": tensor<1x2xf32>)
  qonnx.return %y : tensor<1x2xf32>
}
// CHECK: Quant
