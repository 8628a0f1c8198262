// RUN: c4ml-opt %s -p comb-narrow-adders | filecheck %s

// The three lowest bits of the sum are those of x.
// CHECK-LABEL: hw.module @shifted(
// CHECK-NEXT:    [[LOW:%.*]] = comb.extract %x from 0 : (i6) -> i3
// CHECK-NEXT:    [[HIGH:%.*]] = comb.extract %x from 3 : (i6) -> i3
// CHECK-NEXT:    [[SUM:%.*]] = comb.add [[HIGH]], %y : i3
// CHECK-NEXT:    %s = comb.concat [[SUM]], [[LOW]] : i3, i3
// CHECK-NEXT:    hw.output %s : i6
hw.module @shifted(in %x: i6, in %y: i3, out s: i6) {
  %0 = hw.constant 0 : i3
  %1 = comb.concat %y, %0 : i3, i3
  %s = comb.add %x, %1 : i6
  hw.output %s : i6
}

// A row of three stays one row, which is what devices with ternary adders build.
// CHECK-LABEL: hw.module @three(
// CHECK:         [[SUM:%.*]] = comb.add {{.*}} : i4
// CHECK-NEXT:    [[CUT:%.*]] = comb.extract %z from 1
// CHECK-NEXT:    [[ROW:%.*]] = comb.sub [[SUM]], {{.*}} : i4
// CHECK-NEXT:    %s = comb.concat [[ROW]], {{.*}} : i4, i2
hw.module @three(in %x: i6, in %y: i4, in %z: i5, out s: i6) {
  %0 = hw.constant 0 : i2
  %1 = comb.concat %y, %0 : i4, i2
  %2 = hw.constant 0 : i3
  %3 = comb.extract %z from 0 : (i5) -> i3
  %4 = comb.concat %3, %2 : i3, i3
  %5 = comb.add %x, %1 : i6
  %s = comb.sub %5, %4 : i6
  hw.output %s : i6
}

// What is subtracted has the lowest bits: they need the borrow.
// CHECK-LABEL: hw.module @borrows(
// CHECK:         comb.sub {{.*}} : i6
hw.module @borrows(in %x: i6, in %y: i3, out s: i6) {
  %0 = hw.constant 0 : i3
  %1 = comb.concat %y, %0 : i3, i3
  %s = comb.sub %1, %x : i6
  hw.output %s : i6
}
