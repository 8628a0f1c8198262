// RUN: c4ml-opt %s | c4ml-opt | filecheck %s

neuron.layer @fc "dense 2 -> 2" {
^bb0(%a: !lbir.int<-8, 7>, %b: !lbir.int<0, 3>):
  %c = neuron.constant 5 : !lbir.int<5, 5>
  %s = neuron.sum %a, %b times [3, -4] plus 1 : !lbir.int<-8, 7>, !lbir.int<0, 3> -> !lbir.int<-35, 22>
  %r = neuron.requantize %s offset 2 shift 3 round "half_even" : !lbir.int<-35, 22> -> !lbir.int<0, 3>
  %t = neuron.threshold %s, [-3, 0, 9] base 1 falling 0 : !lbir.int<-35, 22> -> !lbir.int<1, 4>
  %u = neuron.table %b, [1, 0, 0, 1] : !lbir.int<0, 3> -> !lbir.int<0, 1>
  %v = neuron.lookup %u, %b in [0, 1, 1, 2, 2, 2, 2, 3] : !lbir.int<0, 1>, !lbir.int<0, 3> -> !lbir.int<0, 3>
  neuron.yield %c, %r, %t, %v : !lbir.int<5, 5>, !lbir.int<0, 3>, !lbir.int<1, 4>, !lbir.int<0, 3>
}

neuron.layer @join operands [1, 1] {
^bb0(%a: !lbir.int<-8, 7>, %b: !lbir.int<0, 3>):
  %m = neuron.max %a, %b : !lbir.int<-8, 7>, !lbir.int<0, 3> -> !lbir.int<0, 7>
  %p = neuron.multiply %a, %b : !lbir.int<-8, 7>, !lbir.int<0, 3> -> !lbir.int<-24, 21>
  neuron.yield %m, %p : !lbir.int<0, 7>, !lbir.int<-24, 21>
}

// CHECK:      neuron.layer @fc "dense 2 -> 2" {
// CHECK-NEXT: ^bb0(%a: !lbir.int<-8, 7>, %b: !lbir.int<0, 3>):
// CHECK-NEXT:   %c = neuron.constant 5 : !lbir.int<5, 5>
// CHECK-NEXT:   %s = neuron.sum %a, %b times [3, -4] plus 1 : !lbir.int<-8, 7>, !lbir.int<0, 3> -> !lbir.int<-35, 22>
// CHECK-NEXT:   %r = neuron.requantize %s offset 2 shift 3 round "half_even" : !lbir.int<-35, 22> -> !lbir.int<0, 3>
// CHECK-NEXT:   %t = neuron.threshold %s, [-3, 0, 9] base 1 falling 0 : !lbir.int<-35, 22> -> !lbir.int<1, 4>
// CHECK-NEXT:   %u = neuron.table %b, [1, 0, 0, 1] : !lbir.int<0, 3> -> !lbir.int<0, 1>
// CHECK-NEXT:   %v = neuron.lookup %u, %b in [0, 1, 1, 2, 2, 2, 2, 3] : !lbir.int<0, 1>, !lbir.int<0, 3> -> !lbir.int<0, 3>
// CHECK-NEXT:   neuron.yield %c, %r, %t, %v :

// CHECK:      neuron.layer @join operands [1, 1] {
// CHECK-NEXT: ^bb0(%a: !lbir.int<-8, 7>, %b: !lbir.int<0, 3>):
// CHECK-NEXT:   %m = neuron.max %a, %b : !lbir.int<-8, 7>, !lbir.int<0, 3> -> !lbir.int<0, 7>
// CHECK-NEXT:   %p = neuron.multiply %a, %b : !lbir.int<-8, 7>, !lbir.int<0, 3> -> !lbir.int<-24, 21>

// Layers keep the attributes of others' passes.

neuron.layer @counted attributes {"from.elsewhere" = 3 : i64} {
^bb0(%c: !lbir.int<0, 1>, %d: !lbir.int<0, 1>):
  %n = neuron.popcount %c, %d inverted [0, 1] times [1, 2] plus 1 : !lbir.int<0, 1>, !lbir.int<0, 1> -> !lbir.int<1, 4>
  %b = neuron.bit 1 of %n : !lbir.int<1, 4> -> !lbir.int<0, 1>
  %y = neuron.compare %b, %d times [2, -1] least 1 : !lbir.int<0, 1>, !lbir.int<0, 1> -> !lbir.int<0, 1>
  neuron.yield %y : !lbir.int<0, 1>
}

// CHECK:      neuron.layer @counted attributes {from.elsewhere = 3 : i64} {
// CHECK-NEXT: ^bb0(%c: !lbir.int<0, 1>, %d: !lbir.int<0, 1>):
// CHECK-NEXT:   %n = neuron.popcount %c, %d inverted [0, 1] times [1, 2] plus 1 : !lbir.int<0, 1>, !lbir.int<0, 1> -> !lbir.int<1, 4>
// CHECK-NEXT:   %b = neuron.bit 1 of %n : !lbir.int<1, 4> -> !lbir.int<0, 1>
// CHECK-NEXT:   %y = neuron.compare %b, %d times [2, -1] least 1 : !lbir.int<0, 1>, !lbir.int<0, 1> -> !lbir.int<0, 1>
