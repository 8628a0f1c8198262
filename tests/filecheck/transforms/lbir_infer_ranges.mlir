// RUN: c4ml-opt -p lbir-infer-ranges %s | filecheck %s

// A table loses the entries that are never read, and its own range follows from those that are.

lbir.network @net inputs [#lbir.port<"x" bits 2 range [0, 3] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] outputs [#lbir.port<"y" bits 8 range [0, 255] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] {
^bb0(%x: tensor<1x1x!lbir.int<0, 3>>):
  %d = lbir.dense %x weights dense<[[1]]> : tensor<1x1xi8> bias dense<[1]> : tensor<1xi8> : tensor<1x1x!lbir.int<0, 3>> -> tensor<1x1x!lbir.int<-1, 5>>
  %t = lbir.table %d, dense<[[9, 8, 0, 1, 0, 2, 7]]> : tensor<1x7xi8> : tensor<1x1x!lbir.int<-1, 5>> -> tensor<1x1x!lbir.int<0, 9>>
  lbir.output %t : tensor<1x1x!lbir.int<0, 9>>
}

// CHECK: %d = lbir.dense {{.*}} -> tensor<1x1x!lbir.int<1, 4>>
// CHECK: %t = lbir.table %d, dense<{{\[\[}}0, 1, 0, 2]]> : tensor<1x4xi8> : tensor<1x1x!lbir.int<1, 4>> -> tensor<1x1x!lbir.int<0, 2>>
