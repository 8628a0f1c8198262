// RUN: c4ml-opt -p comb-simplify %s | filecheck %s

// Equal operations are merged where operands, their order, properties and types are the same; nothing else is.

hw.module @merge(in %a: i4, in %b: i4, out p: i4, out q: i4, out r: i4, out s: i1, out t: i1, out u: i2, out v: i2) {
  %0 = comb.sub %a, %b : i4
  %1 = comb.sub %b, %a : i4
  %2 = comb.sub %a, %b : i4
  %3 = comb.icmp slt %a, %b : i4
  %4 = comb.icmp ult %a, %b : i4
  %5 = comb.extract %a from 0 : (i4) -> i2
  %6 = comb.extract %a from 1 : (i4) -> i2
  %unused = comb.extract %0 from 1 : (i4) -> i2
  hw.output %0, %1, %2, %3, %4, %5, %6 : i4, i4, i4, i1, i1, i2, i2
}

// CHECK:      hw.module @merge
// CHECK-NEXT:   %[[A:.*]] = comb.sub %a, %b : i4
// CHECK-NEXT:   %[[B:.*]] = comb.sub %b, %a : i4
// CHECK-NEXT:   comb.icmp slt %a, %b : i4
// CHECK-NEXT:   comb.icmp ult %a, %b : i4
// CHECK-NEXT:   comb.extract %a from 0 : (i4) -> i2
// CHECK-NEXT:   comb.extract %a from 1 : (i4) -> i2
// CHECK-NEXT:   hw.output %0, %1, %0, %2, %3, %4, %5 : i4, i4, i4, i1, i1, i2, i2
