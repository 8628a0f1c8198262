// RUN: c4ml-opt -p comb-simplify %s | filecheck %s

// Constants fold; the predicates of comparisons read two's complement where they are signed.

hw.module @fold(out a: i4, out b: i1, out c: i1, out d: i4, out e: i2, out f: i1) {
  %0 = hw.constant 7 : i4
  %1 = hw.constant -2 : i4
  %sum = comb.add %0, %1, %1 : i4
  %signed = comb.icmp slt %1, %0 : i4
  %unsigned = comb.icmp ult %1, %0 : i4
  %mux = comb.mux %signed, %0, %1 : i4
  %high = comb.extract %1 from 2 : (i4) -> i2
  %table = comb.truth_table %signed, %unsigned -> [false, false, true, false]
  hw.output %sum, %signed, %unsigned, %mux, %high, %table : i4, i1, i1, i4, i2, i1
}

// CHECK:      hw.module @fold
// CHECK-NOT:  comb.
// CHECK:      hw.output %[[A:.*]], %[[B:.*]], %[[C:.*]], %[[D:.*]], %[[E:.*]], %[[F:.*]] :
