// RUN: c4ml-opt -p neuron-drop-unread %s | filecheck %s

// Nothing reads the first and third result of @second; with the neuron of the third goes that of @first, which it reads.
// The fourth of @first is read in the second row of @rows only, which is enough; the fifth is an output of the network.

// CHECK-LABEL: neuron.layer @first attributes {c4ml.unread = #lbir.numbers[2]}
// CHECK-NEXT:  ^bb0(%x: !lbir.int<-3, -1>):
// CHECK-NEXT:    %s = neuron.sum %x times [3] plus 0
// CHECK-NEXT:    %unread = neuron.constant -1 : !lbir.int<-1, -1>
// CHECK-NEXT:    neuron.yield %x, %s, %unread, %x, %s :
neuron.layer @first {
^bb0(%x: !lbir.int<-3, -1>):
  %s = neuron.sum %x times [3] plus 0 : !lbir.int<-3, -1> -> !lbir.int<-9, -3>
  %t = neuron.sum %x times [2] plus 0 : !lbir.int<-3, -1> -> !lbir.int<-6, -2>
  neuron.yield %x, %s, %t, %x, %s : !lbir.int<-3, -1>, !lbir.int<-9, -3>, !lbir.int<-6, -2>, !lbir.int<-3, -1>, !lbir.int<-9, -3>
}

// CHECK-LABEL: neuron.layer @second "dense 3 -> 3; 2 of 3 outputs read by nothing" attributes {c4ml.unread = #lbir.numbers[0, 2]}
// CHECK:         %u = neuron.sum %a, %b times [1, 1] plus 0
// CHECK-NEXT:    %unread = neuron.constant 0
// CHECK-NEXT:    neuron.yield %unread, %u, %unread :
neuron.layer @second "dense 3 -> 3" {
^bb0(%a: !lbir.int<-9, -1>, %b: !lbir.int<-9, -1>, %c: !lbir.int<-9, -1>):
  %u = neuron.sum %a, %b times [1, 1] plus 0 : !lbir.int<-9, -1>, !lbir.int<-9, -1> -> !lbir.int<-18, -2>
  %v = neuron.sum %a, %c times [1, -1] plus 9 : !lbir.int<-9, -1>, !lbir.int<-9, -1> -> !lbir.int<1, 17>
  neuron.yield %a, %u, %v : !lbir.int<-9, -1>, !lbir.int<-18, -2>, !lbir.int<1, 17>
}

// CHECK-LABEL: neuron.layer @rows {
neuron.layer @rows {
^bb0(%p: !lbir.int<-9, 0>, %q: !lbir.int<-9, 0>):
  neuron.yield %q : !lbir.int<-9, 0>
}

// Layers that are called twice stay as they are.

// CHECK-LABEL: neuron.layer @twice {
neuron.layer @twice {
^bb0(%p: !lbir.int<-9, 0>):
  neuron.yield %p, %p : !lbir.int<-9, 0>, !lbir.int<-9, 0>
}

lbir.network @net inputs [#lbir.port<"x" bits 3 range [-3, -1] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] outputs [#lbir.port<"y" bits 6 range [-18, 17] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">, #lbir.port<"z" bits 5 range [-9, -1] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">, #lbir.port<"w" bits 5 range [-9, 0] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">, #lbir.port<"v" bits 5 range [-9, 0] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] {
^bb0(%x: tensor<1x1x!lbir.int<-3, -1>>):
  %a = lbir.call @first(%x) : tensor<1x1x!lbir.int<-3, -1>> -> tensor<1x5x!lbir.int<-9, -1>>
  %b = lbir.gather %a axis 1 indices [0, 1, 2] : tensor<1x5x!lbir.int<-9, -1>> -> tensor<1x3x!lbir.int<-9, -1>>
  %c = lbir.call @second(%b) : tensor<1x3x!lbir.int<-9, -1>> -> tensor<1x3x!lbir.int<-18, 17>>
  %d = lbir.gather %c axis 1 indices [1] : tensor<1x3x!lbir.int<-18, 17>> -> tensor<1x1x!lbir.int<-18, 17>>
  %e = lbir.gather %a axis 1 indices [4] : tensor<1x5x!lbir.int<-9, -1>> -> tensor<1x1x!lbir.int<-9, -1>>
  %f = lbir.gather %a axis 1 indices [0, 3] : tensor<1x5x!lbir.int<-9, -1>> -> tensor<1x2x!lbir.int<-9, -1>>
  %g = lbir.pad %f value dense<0> : tensor<1xi8> low [0, 2] high [0, 0] : tensor<1x2x!lbir.int<-9, -1>> -> tensor<1x4x!lbir.int<-9, 0>>
  %h = lbir.reshape %g : tensor<1x4x!lbir.int<-9, 0>> -> tensor<1x2x2x!lbir.int<-9, 0>>
  %i = lbir.call @rows(%h) : tensor<1x2x2x!lbir.int<-9, 0>> -> tensor<1x2x1x!lbir.int<-9, 0>>
  %j = lbir.gather %i axis 1 indices [0] : tensor<1x2x1x!lbir.int<-9, 0>> -> tensor<1x1x1x!lbir.int<-9, 0>>
  %k = lbir.call @twice(%j) : tensor<1x1x1x!lbir.int<-9, 0>> -> tensor<1x1x2x!lbir.int<-9, 0>>
  %l = lbir.gather %k axis 2 indices [0] : tensor<1x1x2x!lbir.int<-9, 0>> -> tensor<1x1x1x!lbir.int<-9, 0>>
  %m = lbir.call @twice(%l) : tensor<1x1x1x!lbir.int<-9, 0>> -> tensor<1x1x2x!lbir.int<-9, 0>>
  %n = lbir.gather %m axis 2 indices [0] : tensor<1x1x2x!lbir.int<-9, 0>> -> tensor<1x1x1x!lbir.int<-9, 0>>
  lbir.output %d, %e, %i, %n : tensor<1x1x!lbir.int<-18, 17>>, tensor<1x1x!lbir.int<-9, -1>>, tensor<1x2x1x!lbir.int<-9, 0>>, tensor<1x1x1x!lbir.int<-9, 0>>
}
