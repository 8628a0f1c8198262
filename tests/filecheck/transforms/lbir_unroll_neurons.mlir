// RUN: c4ml-opt -p lbir-unroll-neurons %s | filecheck %s

// The bias moves into the thresholds, those out of reach disappear, weights of 0 take no term, and a neuron without
// weights is a constant.

lbir.network @net inputs [#lbir.port<"x" bits 1 range [0, 1] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] outputs [#lbir.port<"y" bits 2 range [0, 3] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] {
^bb0(%x: tensor<1x3x!lbir.int<0, 1>>):
  %d = lbir.dense %x weights dense<[[1, 0, 2], [0, 0, 0]]> : tensor<2x3xi8> bias dense<[5, 7]> : tensor<2xi8> node "fc" : tensor<1x3x!lbir.int<0, 1>> -> tensor<1x2x!lbir.int<5, 8>>
  %t = lbir.threshold %d, dense<[[2, 7, 99], [1, 7, 8]]> : tensor<2x3xi8> base dense<0> : tensor<2xi8> ascending dense<1> : tensor<2xi8> node "act" : tensor<1x2x!lbir.int<5, 8>> -> tensor<1x2x!lbir.int<0, 3>>
  lbir.output %t : tensor<1x2x!lbir.int<0, 3>>
}

// CHECK:      neuron.layer @fc
// CHECK-NEXT: ^bb0(%x0: !lbir.int<0, 1>, %x1: !lbir.int<0, 1>, %x2: !lbir.int<0, 1>):
// CHECK-NEXT:   %acc0 = neuron.sum %x0, %x2 times [1, 2] plus 0 : !lbir.int<0, 1>, !lbir.int<0, 1> -> !lbir.int<0, 3>
// CHECK-NEXT:   %acc1 = neuron.constant 0 : !lbir.int<0, 0>
// CHECK-NEXT:   %y0 = neuron.threshold %acc0, [2] base 1 falling 0 : !lbir.int<0, 3> -> !lbir.int<1, 2>
// CHECK-NEXT:   %y1 = neuron.constant 2 : !lbir.int<2, 2>
// CHECK-NEXT:   neuron.yield %y0, %y1
// CHECK:      lbir.call @fc(%x) node "act"
