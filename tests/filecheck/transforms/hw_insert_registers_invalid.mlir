// RUN: not c4ml-opt -p hw-insert-registers --split-input-file %s 2>&1 | filecheck %s

// CHECK: m has no stages: run hw-schedule-stages first

hw.module @m(in %a: i4, out o: i4) {
  hw.output %a : i4
}
