// RUN: c4ml-opt %s -p 'neuron-build-sums{strategy=common-pairs}' | filecheck %s

// a + 2 b occurs three times: as itself, negative, and shifted by two.
// CHECK-LABEL: neuron.layer @pairs attributes {c4ml.strategy = "common-pairs"}
// CHECK:         %pair0 = neuron.sum %a, %b times [1, 2] plus 0 : {{.*}} -> !lbir.int<0, 21>
// CHECK-NEXT:    %s = neuron.sum %c, %pair0 times [1, 1] plus 5
// CHECK-NEXT:    %t = neuron.sum %c, %pair0 times [1, -1] plus 0
// CHECK-NEXT:    %u = neuron.sum %pair0 times [4] plus -1
neuron.layer @pairs {
^bb0(%a: !lbir.int<0, 7>, %b: !lbir.int<0, 7>, %c: !lbir.int<0, 7>):
  %s = neuron.sum %a, %b, %c times [1, 2, 1] plus 5 : !lbir.int<0, 7>, !lbir.int<0, 7>, !lbir.int<0, 7> -> !lbir.int<5, 33>
  %t = neuron.sum %a, %b, %c times [-1, -2, 1] plus 0 : !lbir.int<0, 7>, !lbir.int<0, 7>, !lbir.int<0, 7> -> !lbir.int<-21, 7>
  %u = neuron.sum %a, %b times [4, 8] plus -1 : !lbir.int<0, 7>, !lbir.int<0, 7> -> !lbir.int<-1, 83>
  neuron.yield %s, %t, %u : !lbir.int<5, 33>, !lbir.int<-21, 7>, !lbir.int<-1, 83>
}

// Sums that read sums are refused: the layer is left as it was, and not marked.
// CHECK-LABEL: neuron.layer @refused {
// CHECK:         %s = neuron.sum %a, %b times [1, 2] plus 0
// CHECK-NEXT:    %t = neuron.sum %s, %a times [1, 4] plus 0
neuron.layer @refused {
^bb0(%a: !lbir.int<0, 7>, %b: !lbir.int<0, 7>):
  %s = neuron.sum %a, %b times [1, 2] plus 0 : !lbir.int<0, 7>, !lbir.int<0, 7> -> !lbir.int<0, 21>
  %t = neuron.sum %s, %a times [1, 4] plus 0 : !lbir.int<0, 21>, !lbir.int<0, 7> -> !lbir.int<0, 49>
  neuron.yield %s, %t : !lbir.int<0, 21>, !lbir.int<0, 49>
}
