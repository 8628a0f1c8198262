// RUN: c4ml-opt -p "neuron-compress-sums{strategy=compressor}" %s | filecheck %s --check-prefixes=CHECK,COUNT
// RUN: c4ml-opt -p "neuron-compress-sums{strategy=compressor minimize=delay}" %s | filecheck %s --check-prefixes=CHECK,HEAP

// A threshold of a sum of single bits: counters, and for delay the carry of one addition.

// CHECK-LABEL: @sign
neuron.layer @sign {
^bb0(%a: !lbir.int<0, 1>, %b: !lbir.int<0, 1>, %c: !lbir.int<0, 1>, %d: !lbir.int<0, 1>, %e: !lbir.int<0, 1>, %f: !lbir.int<0, 1>):
  %s = neuron.sum %a, %b, %c, %d, %e, %f times [1, -1, 1, 1, 1, 1] plus 0 : !lbir.int<0, 1>, !lbir.int<0, 1>, !lbir.int<0, 1>, !lbir.int<0, 1>, !lbir.int<0, 1>, !lbir.int<0, 1> -> !lbir.int<-1, 5>
  %t = neuron.threshold %s, [2] base 0 falling 0 : !lbir.int<-1, 5> -> !lbir.int<0, 1>
  neuron.yield %t : !lbir.int<0, 1>
}
// CHECK:      neuron.popcount %a, %b, %c, %d, %e, %f inverted [0, 1, 0, 0, 0, 0]
// COUNT:      neuron.threshold
// HEAP:       neuron.compare
// HEAP-NOT:   neuron.threshold
