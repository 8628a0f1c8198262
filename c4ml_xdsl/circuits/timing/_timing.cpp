// The Python module `_timing`: see its stub for what it offers.
#include <nanobind/nanobind.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

#include "timing.hpp"

namespace nb = nanobind;
using c4ml::Cell;
using c4ml::Library;
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
  nb::class_<Library>(m, "Library")
      .def("__init__",
           [](Library* self, c4ml::Time registers, c4ml::Time wire, const std::array<c4ml::Time, 6>& lut_pins,
              const std::array<c4ml::Time, 6>& chain_pins, const std::array<c4ml::Time, 3>& row_pins,
              c4ml::Time majority, const std::array<std::array<c4ml::Time, 4>, 4>& select_to_sum,
              const std::array<std::array<c4ml::Time, 4>, 4>& select_to_carry,
              const std::array<c4ml::Time, 4>& carry_to_sum, const std::array<c4ml::Time, 4>& carry_to_carry) {
             new (self) Library{registers,     wire,            lut_pins,     chain_pins,    row_pins, majority,
                                select_to_sum, select_to_carry, carry_to_sum, carry_to_carry};
           }, nb::kw_only(), nb::arg("registers"), nb::arg("wire"), nb::arg("lut_pins"), nb::arg("chain_pins"), nb::arg("row_pins"),
           nb::arg("majority"), nb::arg("select_to_sum"), nb::arg("select_to_carry"), nb::arg("carry_to_sum"),
           nb::arg("carry_to_carry"));
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
      .def(nb::init<const Library&, bool>(), nb::arg("library"), nb::arg("collapse") = false)
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
