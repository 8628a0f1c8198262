// RUN: c4ml-opt -p "neuron-expand-sums{target=xilinx}" %s | filecheck %s --check-prefix=THREE
// RUN: c4ml-opt -p "neuron-expand-sums{target=generic}" %s | filecheck %s --check-prefix=TWO
// RUN: c4ml-opt -p "neuron-expand-sums{minimize=delay}" %s | filecheck %s --check-prefix=HEAP

// Products are built once a layer: both neurons read a * 3.

neuron.layer @l {
^bb0(%a: !lbir.int<0, 1>, %b: !lbir.int<0, 1>, %c: !lbir.int<0, 1>):
  %s = neuron.sum %a, %b, %c times [3, 1, 1] plus 0 : !lbir.int<0, 1>, !lbir.int<0, 1>, !lbir.int<0, 1> -> !lbir.int<0, 5>
  %t = neuron.sum %a, %b times [-6, 1] plus 0 : !lbir.int<0, 1>, !lbir.int<0, 1> -> !lbir.int<-6, 1>
  neuron.yield %s, %t : !lbir.int<0, 5>, !lbir.int<-6, 1>
}

// THREE:      %a_times3 = neuron.sum %a, %a times [-1, 4] plus 0
// THREE-NEXT: %s = neuron.sum %b, %c, %a_times3 times [1, 1, 1] plus 0
// THREE-NEXT: %t = neuron.sum %b, %a_times3 times [1, -2] plus 0
// THREE-NEXT: neuron.yield

// TWO:      %a_times3 = neuron.sum %a, %a times [-1, 4] plus 0
// TWO-NEXT: %[[ROW:.*]] = neuron.sum %b, %c times [1, 1] plus 0
// TWO-NEXT: %s = neuron.sum %{{.*}}, %{{.*}} times [1, 1] plus 0
// TWO-NEXT: %t = neuron.sum %b, %a_times3 times [1, -2] plus 0

// HEAP:      %s = neuron.sum %a, %a, %b, %c times [-1, 4, 1, 1] plus 0
// HEAP-NEXT: %t = neuron.sum %a, %a, %b times [2, -8, 1] plus 0
