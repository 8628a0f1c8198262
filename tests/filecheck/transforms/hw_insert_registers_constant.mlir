// RUN: c4ml-opt -p 'hw-insert-registers{valid=true}' %s | filecheck %s

// A result that never changes has no registers, but what says that it is there has.

hw.module @m(in %a: i4, out o: i1) attributes {c4ml.stages = #lbir.numbers[0, 1]} {
  %0 = hw.constant true
  hw.output %0 : i1
}

// CHECK:      hw.module @m(in %clk: !seq.clock, in %rst: i1, in %in_valid: i1, in %a: i4, out out_valid: i1, out o: i1)
// CHECK-NEXT:   %[[ONE:.*]] = hw.constant true
// CHECK-NEXT:   %[[LOW:.*]] = hw.constant false
// CHECK-NEXT:   %valid_s1 = seq.compreg %in_valid, %clk reset %rst, %[[LOW]] : i1
// CHECK-NEXT:   hw.output %valid_s1, %[[ONE]] : i1, i1
