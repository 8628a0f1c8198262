// RUN: c4ml-opt %s -p comb-fold-bit-tests,comb-simplify | filecheck %s

// Whether b is 1 is b; whether it is 0, inverted, too.
// CHECK-LABEL: hw.module @tests(
// CHECK-NEXT:    [[ONE:%.*]] = hw.constant true
// CHECK-NEXT:    [[NOT:%.*]] = comb.xor %b, [[ONE]] : i1
// CHECK-NEXT:    hw.output %b, %b, [[NOT]], [[NOT]] : i1, i1, i1, i1
hw.module @tests(in %b: i1, out p: i1, out q: i1, out r: i1, out s: i1) {
  %zero = hw.constant false
  %one = hw.constant true
  %0 = comb.icmp eq %b, %one : i1
  %1 = comb.icmp eq %zero, %b : i1
  %2 = comb.xor %1, %one : i1
  %3 = comb.icmp ne %b, %one : i1
  hw.output %0, %2, %1, %3 : i1, i1, i1, i1
}

// Wider values, orders and bits that aren't constants stay as they are.
// CHECK-LABEL: hw.module @others(
// CHECK:         comb.icmp eq %w, {{.*}} : i2
// CHECK:         comb.icmp ult %b, {{.*}} : i1
// CHECK:         comb.icmp eq %b, %c : i1
hw.module @others(in %w: i2, in %b: i1, in %c: i1, out p: i1, out q: i1, out r: i1) {
  %0 = hw.constant 0 : i2
  %one = hw.constant true
  %1 = comb.icmp eq %w, %0 : i2
  %2 = comb.icmp ult %b, %one : i1
  %3 = comb.icmp eq %b, %c : i1
  hw.output %1, %2, %3 : i1, i1, i1
}
