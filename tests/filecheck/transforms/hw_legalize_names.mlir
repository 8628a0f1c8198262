// RUN: c4ml-opt -p hw-legalize-names %s | filecheck %s

// Instances follow their modules, and two names that become the same are kept apart.

hw.module @"a.b"(in %x: i1, out wire: i1) {
  hw.output %x : i1
}
hw.module @a_b(in %x: i1, out "1": i1) {
  %inst.wire = hw.instance "inst" @"a.b"(x: %x: i1) -> (wire: i1)
  hw.output %inst.wire : i1
}

// CHECK: hw.module @a_b(in %x: i1, out v_wire: i1)
// CHECK: hw.module @a_b_2(in %x: i1, out v_1: i1)
// CHECK: %inst_wire = hw.instance "inst" @a_b(x: %x: i1) -> (v_wire: i1)
