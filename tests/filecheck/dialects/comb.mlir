// RUN: c4ml-opt %s | c4ml-opt | filecheck %s
// RUN: c4ml-opt -p dce %s | filecheck %s --check-prefix=DCE

hw.module @m(in %a: i4, in %b: i4, in %c: i1, out o: i4, out p: i1) {
  %0 = comb.add %a, %b, %a : i4
  %1 = comb.sub %0, %b : i4
  %2 = comb.icmp slt %0, %1 : i4
  %3 = comb.extract %a from 2 : (i4) -> i2
  %4 = comb.replicate %c : (i1) -> i2
  %5 = comb.concat %3, %4 : i2, i2
  %6 = comb.mux %2, %5, %1 : i4
  %7 = comb.parity %a : i4
  %8 = comb.truth_table %2, %7 -> [true, false, false, true]
  %unused = comb.xor %a, %b : i4
  hw.output %6, %8 : i4, i1
}

// CHECK:      %0 = comb.add %a, %b, %a : i4
// CHECK-NEXT: %1 = comb.sub %0, %b : i4
// CHECK-NEXT: %2 = comb.icmp slt %0, %1 : i4
// CHECK-NEXT: %3 = comb.extract %a from 2 : (i4) -> i2
// CHECK-NEXT: %4 = comb.replicate %c : (i1) -> i2
// CHECK-NEXT: %5 = comb.concat %3, %4 : i2, i2
// CHECK-NEXT: %6 = comb.mux %2, %5, %1 : i4
// CHECK-NEXT: %7 = comb.parity %a : i4
// CHECK-NEXT: %8 = comb.truth_table %2, %7 -> [true, false, false, true]
// CHECK-NEXT: %unused = comb.xor
// DCE-NOT:    comb.xor
