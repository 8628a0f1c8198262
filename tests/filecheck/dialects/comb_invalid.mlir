// RUN: c4ml-opt --verify-diagnostics --parsing-diagnostics --split-input-file %s | filecheck %s

%a = "test.op"() : () -> i8
%0 = comb.extract %a from 7 : (i8) -> i2
// CHECK: 2 bits from 7 on leave the 8 bits

// -----

%a = "test.op"() : () -> i2
%0 = comb.replicate %a : (i2) -> i5
// CHECK: 5 bits are no multiple of 2

// -----

%a, %b = "test.op"() : () -> (i1, i1)
%0 = comb.truth_table %a, %b -> [true, false]
// CHECK: 2 inputs need 4 entries

// -----

%a = "test.op"() : () -> i2
%0 = comb.icmp near %a, %a : i2
// CHECK: unknown comparison near
