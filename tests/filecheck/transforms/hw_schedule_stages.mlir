// RUN: c4ml-opt -p 'hw-schedule-stages{latency=2 register-inputs=true}' %s | filecheck %s
// RUN: c4ml-opt -p 'hw-schedule-stages{clock-ns=1.2}' %s | filecheck %s --check-prefix CLOCK
// RUN: not c4ml-opt -p 'hw-schedule-stages{clock-ns=0.9}' %s 2>&1 | filecheck %s --check-prefix SHORT
// RUN: not c4ml-opt -p 'hw-schedule-stages{latency=1 register-inputs=true register-outputs=true}' %s 2>&1 | filecheck %s --check-prefix FEW

// All instances of a module are in the same stages; narrow values are what registers hold.

hw.module @kernel(in %x: i8, out y: i1) {
  %0 = comb.extract %x from 0 : (i8) -> i4
  %1 = comb.extract %x from 4 : (i8) -> i4
  %sum = comb.add %0, %1 : i4
  %2 = comb.extract %sum from 3 : (i4) -> i1
  %3 = comb.extract %sum from 2 : (i4) -> i1
  %y = comb.truth_table %2, %3 -> [false, true, true, false]
  hw.output %y : i1
}

hw.module @top(in %a: i8, in %b: i8, out o: i1) {
  %0 = hw.instance "one" @kernel(x: %a: i8) -> (y: i1)
  %1 = hw.instance "two" @kernel(x: %b: i8) -> (y: i1)
  %both = comb.and %0, %1 : i1
  hw.output %both : i1
}

// CHECK:      hw.module @kernel(in %x: i8, out y: i1) attributes {c4ml.stages = #lbir.numbers[1, 2]} {
// CHECK:        %sum = comb.add %0, %1 {c4ml.stage = 1 : i64} : i4
// CHECK:        %y = comb.truth_table %2, %3 -> [false, true, true, false] {c4ml.stage = 2 : i64}
// CHECK:      hw.module @top({{.*}}) attributes {c4ml.stages = #lbir.numbers[0, 2]} {
// CHECK:        %both = comb.and %0, %1 {c4ml.stage = 2 : i64} : i1

// CLOCK:      hw.module @top({{.*}}) attributes {c4ml.stages = #lbir.numbers[0, 1]} {

// SHORT: error: kernel: comb.add of sum takes 1.156 ns, more than the clock of 0.9 ns

// FEW: error: 1 cycles are too few for the registers at inputs and outputs
