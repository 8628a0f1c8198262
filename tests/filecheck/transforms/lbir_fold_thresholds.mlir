// RUN: c4ml-opt -p lbir-fold-thresholds %s | filecheck %s

// A real scale becomes thresholds: 0.3 x rounds to 1 at x = 2 and to 2 at x = 6 (0.3 * 5 = 1.5 goes to even).
// A falling chain counts downwards, and what isn't monotone becomes a table.

lbir.network @net inputs [#lbir.port<"x" bits 3 range [0, 7] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] outputs [#lbir.port<"a" bits 8 range [-128, 127] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">, #lbir.port<"b" bits 8 range [-128, 127] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] {
^bb0(%x: tensor<1x1x!lbir.int<0, 7>>):
  %a = lbir.activate %x steps [#lbir.step<mul dense<0.3> : tensor<1xf64>>, #lbir.step<round half_even>] : tensor<1x1x!lbir.int<0, 7>> -> tensor<1x1x!lbir.int<-128, 127>>
  %b = lbir.activate %x steps [#lbir.step<mul dense<-0.5> : tensor<1xf64>>, #lbir.step<round floor>] : tensor<1x1x!lbir.int<0, 7>> -> tensor<1x1x!lbir.int<-128, 127>>
  lbir.output %a, %b : tensor<1x1x!lbir.int<-128, 127>>, tensor<1x1x!lbir.int<-128, 127>>
}

// CHECK: %a = lbir.threshold %x, dense<{{\[\[\[}}2, 6]]]> : tensor<1x1x2xi8> base dense<0> : tensor<1x1xi8> ascending dense<1> : tensor<1x1xi8>
// CHECK-SAME: -> tensor<1x1x!lbir.int<-128, 127>>
// CHECK: %b = lbir.threshold %x, dense<{{\[\[\[}}1, 3, 5, 7]]]> : tensor<1x1x4xi8> base dense<0> : tensor<1x1xi8> ascending dense<0> : tensor<1x1xi8>
// CHECK-SAME: -> tensor<1x1x!lbir.int<-128, 127>>

// A clip of integers is one, however many levels it has.

lbir.network @wide inputs [#lbir.port<"x" bits 34 range [-8589934592, 8589934591] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] outputs [#lbir.port<"a" bits 33 range [0, 8589934591] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] {
^bb0(%x: tensor<1x1x!lbir.int<-8589934592, 8589934591>>):
  %a = lbir.activate %x steps [#lbir.step<max dense<0.0> : tensor<1xf64>>, #lbir.step<round half_even>] : tensor<1x1x!lbir.int<-8589934592, 8589934591>> -> tensor<1x1x!lbir.int<0, 8589934591>>
  lbir.output %a : tensor<1x1x!lbir.int<0, 8589934591>>
}

// CHECK: %a = lbir.requantize %x offset dense<0> : tensor<1x1xi8> shift 0 round "half_even"
