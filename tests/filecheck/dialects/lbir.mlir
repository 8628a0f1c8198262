// RUN: c4ml-opt %s | c4ml-opt | filecheck %s

// Whatever is printed is parsed again: the second c4ml-opt sees to that.

lbir.network @net inputs [#lbir.port<"x" bits 8 range [-127, 127] scale array<f64: 0.5> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] outputs [#lbir.port<"y" bits 4 range [0, 15] scale array<f64: 1.0, 2.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "softmax" along 0>] {
^bb0(%x: tensor<1x2x!lbir.int<-127, 127>>):
  %d = lbir.dense %x weights dense<[[1, -1], [0, 2]]> : tensor<2x2xi8> bias dense<[0, 3]> : tensor<2xi8> node "fc" : tensor<1x2x!lbir.int<-127, 127>> -> tensor<1x2x!lbir.int<-254, 257>>
  %r = lbir.requantize %d offset dense<[1, 0]> : tensor<2xi8> shift 4 round "half_even" node "act" : tensor<1x2x!lbir.int<-254, 257>> -> tensor<1x2x!lbir.int<0, 15>>
  %t = lbir.transpose %r by [1, 0] : tensor<1x2x!lbir.int<0, 15>> -> tensor<2x1x!lbir.int<0, 15>>
  %f = lbir.reshape %t : tensor<2x1x!lbir.int<0, 15>> -> tensor<1x2x!lbir.int<0, 15>>
  %h = lbir.threshold %f, dense<[[1, 2], [3, 4]]> : tensor<2x2xi8> base dense<0> : tensor<2xi8> ascending dense<1> : tensor<2xi8> : tensor<1x2x!lbir.int<0, 15>> -> tensor<1x2x!lbir.int<0, 2>>
  %u = lbir.table %h, dense<[[4, 1, 9], [0, 1, 0]]> : tensor<2x3xi8> : tensor<1x2x!lbir.int<0, 2>> -> tensor<1x2x!lbir.int<0, 9>>
  lbir.output %u : tensor<1x2x!lbir.int<0, 9>>
}

// CHECK:      lbir.network @net inputs [#lbir.port<"x" bits 8 range [-127, 127]
// CHECK-SAME: after "softmax" along 0>] {
// CHECK-NEXT: ^bb0(%x: tensor<1x2x!lbir.int<-127, 127>>):
// CHECK-NEXT:   %d = lbir.dense %x weights dense<[[1, -1], [0, 2]]> : tensor<2x2xi8> bias dense<[0, 3]> : tensor<2xi8> node "fc"
// CHECK-NEXT:   %r = lbir.requantize %d offset dense<[1, 0]> : tensor<2xi8> shift 4 round "half_even" node "act"
// CHECK-NEXT:   %t = lbir.transpose %r by [1, 0] :
// CHECK-NEXT:   %f = lbir.reshape %t :
// CHECK-NEXT:   %h = lbir.threshold %f, dense<[[1, 2], [3, 4]]> : tensor<2x2xi8> base
// CHECK-NEXT:   %u = lbir.table %h, dense<[[4, 1, 9], [0, 1, 0]]>
// CHECK-NEXT:   lbir.output %u : tensor<1x2x!lbir.int<0, 9>>
