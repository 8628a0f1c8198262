// RUN: c4ml-opt -p 'hw-insert-registers{valid=true}' %s | filecheck %s
// RUN: c4ml-opt -p 'hw-insert-registers{valid=true}' -t verilog %s | filecheck %s --check-prefix VERILOG

// Of a value only the bits that are read later are kept, each as long as it is read; wires are repeated.

hw.module @kernel(in %x: i4, out y: i2) attributes {c4ml.stages = #lbir.numbers[0, 2]} {
  %sum = comb.add %x, %x {c4ml.stage = 0 : i64} : i4
  %0 = comb.extract %sum from 1 : (i4) -> i2
  %1 = comb.extract %sum from 3 : (i4) -> i1
  %2 = comb.concat %1, %1 : i1, i1
  %z = comb.xor %0, %2 {c4ml.stage = 1 : i64} : i2
  %y = comb.and %z, %2 {c4ml.stage = 2 : i64} : i2
  hw.output %y : i2
}

hw.module @top(in %a: i4, out o: i2) attributes {c4ml.stages = #lbir.numbers[0, 2]} {
  %0 = hw.instance "one" @kernel(x: %a: i4) -> (y: i2)
  hw.output %0 : i2
}

// CHECK:      hw.module @kernel(in %clk: !seq.clock, in %x: i4, out y: i2)
// CHECK-NEXT:   %sum = comb.add %x, %x : i4
// CHECK-NEXT:   %[[A:.*]] = comb.extract %sum from 1 : (i4) -> i3
// CHECK-NEXT:   %sum_b1_s1 = seq.compreg %[[A]], %clk : i3
// CHECK-NEXT:   %[[B:.*]] = comb.extract %sum_b1_s1 from 0 : (i3) -> i2
// CHECK-NEXT:   %[[C:.*]] = comb.extract %sum_b1_s1 from 2 : (i3) -> i1
// CHECK-NEXT:   %[[D:.*]] = comb.concat %[[C]], %[[C]] : i1, i1
// CHECK-NEXT:   %z = comb.xor %[[B]], %[[D]] : i2
// CHECK-NEXT:   %z_s2 = seq.compreg %z, %clk : i2
// CHECK-NEXT:   %sum_b3_s2 = seq.compreg %[[C]], %clk : i1
// CHECK-NEXT:   %[[E:.*]] = comb.concat %sum_b3_s2, %sum_b3_s2 : i1, i1
// CHECK-NEXT:   %y = comb.and %z_s2, %[[E]] : i2
// CHECK-NEXT:   hw.output %y : i2
// CHECK:      hw.module @top(in %clk: !seq.clock, in %rst: i1, in %in_valid: i1, in %a: i4, out out_valid: i1, out o: i2)
// CHECK-NEXT:   %{{.*}} = hw.instance "one" @kernel(clk: %clk: !seq.clock, x: %a: i4) -> (y: i2)
// CHECK-NEXT:   %[[LOW:.*]] = hw.constant false
// CHECK-NEXT:   %valid_s1 = seq.compreg %in_valid, %clk reset %rst, %[[LOW]] : i1
// CHECK-NEXT:   %valid_s2 = seq.compreg %valid_s1, %clk reset %rst, %[[LOW]] : i1
// CHECK-NEXT:   hw.output %valid_s2, %{{.*}} : i1, i2

// VERILOG:      input  wire clk,
// VERILOG:        reg  [2:0] sum_b1_s1;
// VERILOG:        always @(posedge clk) begin
// VERILOG-NEXT:     sum_b1_s1 <= sum[3:1];
// VERILOG-NEXT:     z_s2 <= z;
// VERILOG-NEXT:     sum_b3_s2 <= sum_b1_s1[2];
// VERILOG-NEXT:   end
// VERILOG:          valid_s1 <= rst ? 1'd0 : in_valid;
