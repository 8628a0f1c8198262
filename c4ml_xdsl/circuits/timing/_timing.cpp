// The Python module `_timing`: see its stub for what it offers.
#include <nanobind/nanobind.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

#include "timing.hpp"

namespace nb = nanobind;
using c4ml::Cell;
using c4ml::Timing;

NB_MODULE(_timing, m) {
  nb::enum_<Cell>(m, "Cell")
      .value("WIRES", Cell::wires)
      .value("MERGED", Cell::merged)
      .value("LUT", Cell::lut)
      .value("ROW", Cell::row)
      .value("ROW_OF_THREE", Cell::row_of_three)
      .value("CARRY", Cell::carry)
      .value("PRODUCT", Cell::product);
  nb::class_<Timing::Path>(m, "Path").def_ro("delay", &Timing::Path::delay).def_ro("steps", &Timing::Path::steps);
  nb::class_<Timing::Group>(m, "Group")
      .def_ro("step", &Timing::Group::step)
      .def_ro("bits", &Timing::Group::bits)
      .def_ro("readers", &Timing::Group::readers);
  nb::class_<Timing::Arc>(m, "Arc")
      .def_ro("before", &Timing::Arc::before)
      .def_ro("behind", &Timing::Arc::behind)
      .def_ro("registers", &Timing::Arc::registers);
  nb::class_<Timing>(m, "Timing")
      .def(nb::init<>())
      .def("add_step", &Timing::add_step, nb::arg("instances") = 1, nb::arg("registers") = 0)
      .def("add_inputs", &Timing::add_inputs, nb::arg("count"))
      .def("add_cell", &Timing::add_cell, nb::arg("kind"), nb::arg("columns"), nb::arg("width"), nb::arg("negative") = 0)
      .def_prop_ro("steps", &Timing::steps)
      .def("earliest",
           [](Timing& timing, c4ml::Time clock, const std::vector<int>& given, const std::vector<int>& known) {
             std::vector<std::pair<int, int>> bounds;
             std::vector<int> stages = timing.earliest(clock, given, known, bounds);
             return std::pair(std::move(stages), std::move(bounds));
           }, nb::arg("clock"), nb::arg("given"), nb::arg("known") = std::vector<int>())
      .def("alone", &Timing::alone, nb::arg("step"))
      .def("paths", &Timing::paths, nb::arg("stages"))
      .def("groups", &Timing::groups)
      .def("arcs", &Timing::arcs);
}
