// RUN: c4ml-opt -p 'comb-split-rows{clock-ns=2.0},comb-simplify' %s | filecheck %s

// Rows of three that are too long are carry-save adders; what is subtracted is inverted, with a carry.

hw.module @m(in %a: i12, in %b: i12, in %c: i12, out o: i12, out p: i12, out q: i12) {
  %0 = comb.add %a, %b, %c : i12
  %1 = comb.sub %a, %b : i12
  %2 = comb.sub %1, %c : i12
  %3 = comb.add %a, %b : i12
  hw.output %0, %2, %3 : i12, i12, i12
}

// CHECK:      %[[AB:.*]] = comb.and %a, %b : i12
// CHECK:      %[[AC:.*]] = comb.and %a, %c : i12
// CHECK:      %[[BC:.*]] = comb.and %b, %c : i12
// CHECK:      %[[MAJORITY:.*]] = comb.or %[[AB]], %[[AC]], %[[BC]] : i12
// CHECK:      %[[PARITY:.*]] = comb.xor %a, %b, %c : i12
// CHECK:      %[[PART:.*]] = comb.extract %[[MAJORITY]] from 0 : (i12) -> i11
// CHECK:      %[[CARRIES:.*]] = comb.concat %[[PART]], %{{.*}} : i11, i1
// CHECK:      %[[SUM:.*]] = comb.add %[[PARITY]], %[[CARRIES]] : i12
// CHECK:      %[[NOT:.*]] = comb.xor %a, %{{.*}} : i12
// CHECK:      %[[INVERSE:.*]] = comb.add %{{.*}}, %{{.*}} : i12
// CHECK:      %[[DIFFERENCE:.*]] = comb.xor %[[INVERSE]], %{{.*}} : i12
// CHECK:      %[[SHORT:.*]] = comb.add %a, %b : i12
// CHECK-NEXT: hw.output %[[SUM]], %[[DIFFERENCE]], %[[SHORT]] : i12, i12, i12
