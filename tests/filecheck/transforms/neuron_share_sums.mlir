// RUN: c4ml-opt -p "neuron-share-sums{target=xilinx}" %s | filecheck %s --check-prefixes=CHECK,THREE
// RUN: c4ml-opt -p "neuron-share-sums{target=generic}" %s | filecheck %s --check-prefixes=CHECK,TWO

// Both sums hold a + 2 b, one of them twice.

// CHECK-LABEL: @shared
neuron.layer @shared {
^bb0(%a: !lbir.int<0, 127>, %b: !lbir.int<0, 127>, %c: !lbir.int<0, 127>):
  %s = neuron.sum %a, %b, %c times [1, 2, 1] plus 0 : !lbir.int<0, 127>, !lbir.int<0, 127>, !lbir.int<0, 127> -> !lbir.int<0, 508>
  %t = neuron.sum %a, %b, %c times [2, 4, -1] plus 0 : !lbir.int<0, 127>, !lbir.int<0, 127>, !lbir.int<0, 127> -> !lbir.int<-127, 762>
  neuron.yield %s, %t : !lbir.int<0, 508>, !lbir.int<-127, 762>
}
// TWO:        %[[BOTH:.*]] = neuron.sum %a, %b times [1, 2] plus 0
// TWO-NEXT:   %s = neuron.sum %c, %[[BOTH]] times [1, 1] plus 0
// TWO-NEXT:   %t = neuron.sum %c, %[[BOTH]] times [-1, 2] plus 0
// THREE:      %s = neuron.sum {{.*}} times [1, 1, 2] plus 0
// THREE-NEXT: %t = neuron.sum {{.*}} times
// CHECK-NEXT: neuron.yield %s, %t

// Sums of few bits are looked up in a LUT, where the network's inputs or single bits are summed.

// CHECK-LABEL: @few
neuron.layer @few {
^bb0(%a: !lbir.int<0, 3>, %b: !lbir.int<-2, 1>, %c: !lbir.int<0, 127>):
  %s = neuron.sum %a, %b, %c times [1, -1, 1] plus 1 : !lbir.int<0, 3>, !lbir.int<-2, 1>, !lbir.int<0, 127> -> !lbir.int<0, 133>
  neuron.yield %s : !lbir.int<0, 133>
}
// THREE:      %[[FEW:.*]] = neuron.lookup %a, %b in [3, 2, 1, 0, 4, 3, 2, 1, 5, 4, 3, 2, 6, 5, 4, 3]
// THREE-NEXT: %s = neuron.sum {{.*}}, {{.*}} times [1, 1] plus 0
// TWO-NOT:    lookup
// CHECK:      neuron.yield %s

// What is known of a sum's range stays, and a sum of nothing is a constant.

// CHECK-LABEL: @known
neuron.layer @known {
^bb0(%a: !lbir.int<0, 3>):
  %s = neuron.sum %a times [1] plus 0 : !lbir.int<0, 3> -> !lbir.int<0, 2>
  %t = neuron.sum times [] plus 7 : -> !lbir.int<7, 7>
  neuron.yield %s, %t : !lbir.int<0, 2>, !lbir.int<7, 7>
}
// CHECK: %s = neuron.sum %a times [1] plus 0 : !lbir.int<0, 3> -> !lbir.int<0, 2>
// CHECK-NEXT: %t = neuron.constant 7

// Sums of sums come in stages; what stands between them stays between.

// CHECK-LABEL: @stages
neuron.layer @stages {
^bb0(%a: !lbir.int<0, 127>, %b: !lbir.int<0, 127>):
  %s = neuron.sum %a, %b times [1, 1] plus 0 : !lbir.int<0, 127>, !lbir.int<0, 127> -> !lbir.int<0, 254>
  %t = neuron.threshold %s, [4] base 0 falling 0 : !lbir.int<0, 254> -> !lbir.int<0, 1>
  %u = neuron.sum %a, %t times [1, 4] plus 0 : !lbir.int<0, 127>, !lbir.int<0, 1> -> !lbir.int<0, 131>
  neuron.yield %u : !lbir.int<0, 131>
}
// CHECK:      %s = neuron.sum %a, %b
// CHECK-NEXT: %t = neuron.threshold %s
// CHECK-NEXT: %u = neuron.sum %t, %a

// More than 57 bits are left to neuron-expand-sums.

// CHECK-LABEL: @wide
neuron.layer @wide {
^bb0(%a: !lbir.int<0, 1152921504606846975>):
  %s = neuron.sum %a times [3] plus 0 : !lbir.int<0, 1152921504606846975> -> !lbir.int<0, 3458764513820540925>
  neuron.yield %s : !lbir.int<0, 3458764513820540925>
}
// CHECK: %s = neuron.sum %a times [3]

// A value of one integer is no input of a table, however many bits it has.

// CHECK-LABEL: @known_value
neuron.layer @known_value {
^bb0(%a: !lbir.int<0, 3>, %b: !lbir.int<9000000000, 9000000000>):
  %s = neuron.sum %a, %b times [1, 1] plus 0 : !lbir.int<0, 3>, !lbir.int<9000000000, 9000000000> -> !lbir.int<9000000000, 9000000003>
  neuron.yield %s : !lbir.int<9000000000, 9000000003>
}
// THREE: %s = neuron.lookup %a in [9000000000, 9000000001, 9000000002, 9000000003]
// TWO:   %s = neuron.sum %a, %b times [1, 1]
