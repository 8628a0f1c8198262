// RUN: c4ml-opt -p "neuron-tabulate{strategy=table}" %s | filecheck %s --check-prefixes=CHECK,TABLE
// RUN: c4ml-opt -p neuron-tabulate %s | filecheck %s --check-prefixes=CHECK,AUTO

// A whole neuron: what it reads are six bits, one of them the sign, and three integers instead of four.

// CHECK-LABEL: @neuron
neuron.layer @neuron {
^bb0(%a: !lbir.int<0, 2>, %b: !lbir.int<-1, 0>):
  %s = neuron.sum %a, %b times [3, 5] plus 1 : !lbir.int<0, 2>, !lbir.int<-1, 0> -> !lbir.int<-4, 7>
  %r = neuron.requantize %s offset 0 shift 1 round "floor" : !lbir.int<-4, 7> -> !lbir.int<-1, 2>
  neuron.yield %r : !lbir.int<-1, 2>
}
// CHECK:      %r = neuron.lookup %a, %b in [-1, 0, -1, 2, 1, 2] : !lbir.int<0, 2>, !lbir.int<-1, 0> -> !lbir.int<-1, 2>
// CHECK-NEXT: neuron.yield %r

// A sum of 16 bits stays, and with it what reads it; the maximum of two activations doesn't.

// CHECK-LABEL: @parts
neuron.layer @parts {
^bb0(%a: !lbir.int<-128, 127>, %b: !lbir.int<-128, 127>, %c: !lbir.int<0, 1>, %d: !lbir.int<0, 1>):
  %s = neuron.sum %a, %b times [1, 1] plus 0 : !lbir.int<-128, 127>, !lbir.int<-128, 127> -> !lbir.int<-256, 254>
  %t = neuron.threshold %s, [0] base 0 falling 0 : !lbir.int<-256, 254> -> !lbir.int<0, 1>
  %p = neuron.sum %c, %d times [1, -2] plus 0 : !lbir.int<0, 1>, !lbir.int<0, 1> -> !lbir.int<-2, 1>
  %q = neuron.threshold %p, [0] base 0 falling 0 : !lbir.int<-2, 1> -> !lbir.int<0, 1>
  %m = neuron.max %q, %c : !lbir.int<0, 1>, !lbir.int<0, 1> -> !lbir.int<0, 1>
  %n = neuron.max %t, %m : !lbir.int<0, 1>, !lbir.int<0, 1> -> !lbir.int<0, 1>
  neuron.yield %n : !lbir.int<0, 1>
}
// CHECK:      %s = neuron.sum %a, %b
// CHECK-NEXT: %t = neuron.threshold %s
// CHECK-NEXT: %m = neuron.lookup %c, %d in [1, 0, 1, 1]
// CHECK-NEXT: %n = neuron.max %t, %m

// A raw sum of ten bits is smaller as an adder: `auto` leaves it.

// CHECK-LABEL: @raw
neuron.layer @raw {
^bb0(%a: !lbir.int<0, 31>, %b: !lbir.int<0, 31>):
  %s = neuron.sum %a, %b times [1, 1] plus 0 : !lbir.int<0, 31>, !lbir.int<0, 31> -> !lbir.int<0, 62>
  neuron.yield %s : !lbir.int<0, 62>
}
// TABLE: %s = neuron.lookup %a, %b in
// AUTO:  %s = neuron.sum %a, %b
