// RUN: c4ml-opt -p "qonnx-infer-shapes,qonnx-fold-constants,convert-qonnx-to-lbir" %s | filecheck %s
// RUN: c4ml-opt -p "qonnx-infer-shapes,qonnx-fold-constants,convert-qonnx-to-lbir,lbir-fold-thresholds,lbir-infer-ranges" %s | filecheck %s --check-prefix=FOLDED

// Weights are quantised when constants are folded; what stands behind the accumulator is kept as one exact chain, and
// folds to a shift with rounding and saturation, as all scales are powers of two.

qonnx.graph @g opset 20 (%x "x": tensor<1x2xf32>) -> ("y": tensor<1x1xf32>) {
  %s = qonnx.initializer "s" dense<0.5> : tensor<f32>
  %z = qonnx.initializer "z" dense<0.0> : tensor<f32>
  %b = qonnx.initializer "b" dense<4.0> : tensor<f32>
  %w = qonnx.initializer "w" dense<[[1.6], [-0.4]]> : tensor<2x1xf32>
  %q = qonnx.Quant "quant_x" (%x, %s, %z, %b) {signed = 1, narrow = 0} : (tensor<1x2xf32>, tensor<f32>, tensor<f32>, tensor<f32>) -> ("q": tensor<1x2xf32>)
  %wq = qonnx.Quant "quant_w" (%w, %s, %z, %b) {signed = 1, narrow = 1} : (tensor<2x1xf32>, tensor<f32>, tensor<f32>, tensor<f32>) -> ("wq": tensor<2x1xf32>)
  %a = qonnx.MatMul "fc" (%q, %wq) : (tensor<1x2xf32>, tensor<2x1xf32>) -> ("a": tensor<1x1xf32>)
  %r = qonnx.Relu "relu" (%a) : (tensor<1x1xf32>) -> ("r": tensor<1x1xf32>)
  %y = qonnx.Quant "quant_y" (%r, %s, %z, %b) {signed = 0, narrow = 0} : (tensor<1x1xf32>, tensor<f32>, tensor<f32>, tensor<f32>) -> ("y": tensor<1x1xf32>)
  qonnx.return %y : tensor<1x1xf32>
}

// CHECK:      lbir.network @g
// CHECK:      ^bb0(%x: tensor<1x2x!lbir.int<-8, 7>>):
// CHECK-NEXT: %[[A:.*]] = lbir.dense %x weights dense<{{\[\[}}3, -1]]> : tensor<1x2xi8> bias dense<0> : tensor<1xi8> node "fc"
// CHECK-SAME: -> tensor<1x1x!lbir.int<-31, 29>>
// CHECK-NEXT: lbir.activate %{{.*}} steps [#lbir.step<mul dense<5.000000e-01>{{.*}}#lbir.step<max dense<0.000000e+00>{{.*}}#lbir.step<round half_even>] node "quant_y"

// FOLDED:      lbir.requantize %{{.*}} offset dense<0> : tensor<1xi8> shift 1 round "half_even" node "quant_y"
// FOLDED-SAME: -> tensor<1x1x!lbir.int<0, 14>>
