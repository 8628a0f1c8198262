// RUN: c4ml-opt -p convert-neuron-to-hw,comb-simplify %s | filecheck %s

// Half-even rounding: the rounding constant is in the sum already, so a tie shows as low bits of 0 and clears the
// lowest bit. Thresholds on few bits are tables. Element 0 is in the lowest bits.

neuron.layer @act {
^bb0(%a: !lbir.int<-8, 7>, %b: !lbir.int<-8, 7>):
  %r = neuron.requantize %a offset -1 shift 1 round "half_even" : !lbir.int<-8, 7> -> !lbir.int<0, 3>
  %t = neuron.threshold %b, [-3, 0, 5] base 0 falling 0 : !lbir.int<-8, 7> -> !lbir.int<0, 3>
  neuron.yield %r, %t : !lbir.int<0, 3>, !lbir.int<0, 3>
}
lbir.network @net inputs [#lbir.port<"x" bits 4 range [-8, 7] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] outputs [#lbir.port<"y" bits 2 range [0, 3] scale array<f64: 1.0> zero_point array<f64: 0.0> axis 0 rounding "ROUND" after "">] {
^bb0(%x: tensor<1x2x!lbir.int<-8, 7>>):
  %y = lbir.call @act(%x) node "act" : tensor<1x2x!lbir.int<-8, 7>> -> tensor<1x2x!lbir.int<0, 3>>
  lbir.output %y : tensor<1x2x!lbir.int<0, 3>>
}

// CHECK:      hw.module @act(in %x: i8, out y: i4)
// CHECK-NEXT:   %a = comb.extract %x from 0 : (i8) -> i4
// CHECK-NEXT:   %b = comb.extract %x from 4 : (i8) -> i4
// CHECK:        %[[TIE:.*]] = comb.icmp eq %{{.*}}, %{{.*}} : i1
// CHECK:        comb.truth_table %{{.*}} -> [
// CHECK:        hw.output %{{.*}} : i4
// CHECK:      hw.module @net(in %{{.*}}x: i8, out y: i4)
// CHECK-NEXT:   %act_y = hw.instance "act_inst" @act(x: %{{.*}}: i8) -> (y: i4)
