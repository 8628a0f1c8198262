// RUN: c4ml-opt -t verilog %s | filecheck %s

hw.module @m(in %a: i4, in %b: i4, out y: i5, out z: i1) attributes {comment = "a row of three"} {
  %sign = comb.extract %a from 3 : (i4) -> i1
  %0 = comb.concat %sign, %a : i1, i4
  %1 = hw.constant false
  %2 = comb.concat %1, %b : i1, i4
  %3 = comb.add %0, %2 : i5
  %row = comb.sub %3, %2 : i5
  %4 = hw.constant -3 : i5
  %5 = comb.icmp sge %row, %4 : i5
  %6 = comb.truth_table %5, %sign -> [false, true, true, false]
  hw.output %row, %6 : i5, i1
}

// CHECK:      // a row of three
// CHECK-NEXT: module m (
// CHECK-NEXT:   input  wire [3:0] a,
// CHECK-NEXT:   input  wire [3:0] b,
// CHECK-NEXT:   output wire [4:0] y,
// CHECK-NEXT:   output wire z
// CHECK-NEXT: );
// CHECK-NEXT:   wire sign = a[3];
// CHECK-NEXT:   wire [4:0] row = ({sign, a} + {1'd0, b}) - {1'd0, b};
// CHECK-NEXT:   wire t = $signed(row) >= $signed(5'h1d);
// CHECK-NEXT:   wire [3:0] entries = 4'h6;
// CHECK-NEXT:   wire t_1 = entries[{t, sign}];
// CHECK-NEXT:   assign y = row;
// CHECK-NEXT:   assign z = t_1;
// CHECK-NEXT: endmodule
