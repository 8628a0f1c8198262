// The Python module `_search`: see its stub for what it offers.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "search.hpp"

namespace nb = nanobind;

namespace {

using c4ml::Integer;
using Digits = std::vector<std::tuple<int, int, bool>>;  // input, or behind the inputs an earlier sum, shift, negative
using Summand = std::tuple<int, int, bool>;              // value, shift, negative
using Row = std::tuple<std::vector<Summand>, Integer, Integer, Integer, bool>;  // summands, constant, low, high, table

struct Result {
  std::vector<Row> rows;
  std::vector<Summand> outputs;
  int sites;
  int delay;
  int greedy, halfway;  // sites before the search's first iteration, and after half of them
};

class Emission {
 public:
  Emission(c4ml::Graph& graph, int inputs, int constants) : graph_(graph), inputs_(inputs), constants_(constants) {}

  Result run(const std::vector<int>& outputs) {
    Result result{};
    numbers_.resize(graph_.values.size());
    for (int i = 0; i < inputs_; ++i) numbers_[i] = {i, 0, false};
    for (int id : graph_.ordered()) emit(id, result);
    for (int id : outputs)
      result.outputs.push_back(graph_.values[id].terms.empty() ? Summand{-1, 0, false} : numbers_[id]);
    result.delay = graph_.latest();
    return result;
  }

 private:
  struct Part {
    Summand summand;
    c4ml::Form form;
  };

  void emit(int id, Result& result) {
    const c4ml::Value& value = graph_.values[id];
    std::vector<Part> parts;
    std::vector<c4ml::Operand> operands;
    for (const c4ml::Term& term : value.terms) {
      c4ml::Operand operand = graph_.operand_of(term);
      operand.tag = static_cast<int>(parts.size());
      operands.push_back(operand);
      Summand summand = is_constant(term.value) ? Summand{-1 - (term.value - inputs_), term.shift, false} : numbers_[term.value];
      if (!is_constant(term.value)) std::get<1>(summand) += term.shift;
      parts.push_back({summand, graph_.form_of({{term.value, term.shift, false}})});
    }
    if (value.terms.size() == 1 && !value.terms[0].negative && !is_constant(value.terms[0].value)) {
      numbers_[id] = parts[0].summand;
      return;
    }
    c4ml::Rows::sort(operands);
    const c4ml::Cost cost = graph_.rows.plan(
        operands, c4ml::width_of(value.low, value.high),
        [&](const c4ml::Operand* row, int count, const c4ml::Operand& sum, bool last) {
          const int shift = last ? 0 : sum.start;
          std::vector<Summand> summands;
          Integer constant = 0;
          c4ml::Form form;
          for (int i = 0; i < count; ++i) {
            const Part& part = parts[row[i].tag];
            auto [number, own, unused] = part.summand;
            const bool negative = row[i].negative != sum.negative;
            if (number < 0) {
              constant += (negative ? -1 : 1) * (graph_.values[inputs_ - 1 - number].low << own >> shift);
            } else {
              summands.emplace_back(number, own - shift, negative);
            }
            form = merged(form, part.form, negative ? -1 : 1);
          }
          auto [low, high] = graph_.range_of(form);
          numbers_[id] = {inputs_ + static_cast<int>(result.rows.size()), shift, false};
          const bool table = sum.support != nullptr;
          result.rows.emplace_back(std::move(summands), constant, low >> shift, high >> shift, table);
          parts.push_back({numbers_[id], std::move(form)});
          return static_cast<int>(parts.size()) - 1;
        });
    result.sites += cost.sites;
  }

  bool is_constant(int id) const { return id >= inputs_ && id < inputs_ + constants_; }

  static c4ml::Form merged(const c4ml::Form& a, const c4ml::Form& b, Integer factor) {
    c4ml::Form sum;
    auto at = a.begin();
    for (const auto& [input, coefficient] : b) {
      while (at != a.end() && at->first < input) sum.push_back(*at++);
      Integer added = factor * coefficient;
      if (at != a.end() && at->first == input) added += (at++)->second;
      if (added) sum.emplace_back(input, added);
    }
    sum.insert(sum.end(), at, a.end());
    return sum;
  }

  c4ml::Graph& graph_;
  int inputs_, constants_;
  std::vector<Summand> numbers_;
};

constexpr std::size_t LONGEST_SUM = 192, PART = 96, LONGEST_PART = 200;

// Long sums are sums of parts, of the same inputs in all of them, so that the time for each term stays what it is: the
// block of each input.
std::vector<int> blocks(std::size_t inputs, const std::vector<Digits>& sums) {
  std::size_t longest = 0, total = 0;
  std::vector<std::size_t> read(inputs, 0);
  for (const Digits& digits : sums) {
    longest = std::max(longest, digits.size());
    total += digits.size();
    for (const auto& digit : digits)
      if (std::get<0>(digit) < static_cast<int>(inputs)) ++read[std::get<0>(digit)];
  }
  std::vector<int> block_of(inputs, 0);
  if (longest <= LONGEST_SUM) return block_of;
  const std::size_t count = (longest + PART - 1) / PART;
  std::size_t before = 0;
  for (std::size_t i = 0; i < inputs; ++i) {
    block_of[i] = static_cast<int>(before * count / total);
    before += read[i];
  }
  return block_of;
}

Result search(const std::vector<std::pair<Integer, Integer>>& ranges, const std::vector<Digits>& sums,
              const std::vector<Integer>& constants, int arity, bool carry_save, bool tables, long iterations,
              int start_temperature, int end_temperature, bool thorough, std::optional<int> slack, std::uint64_t seed) {
  nb::gil_scoped_release released;
  c4ml::Graph graph(arity, carry_save, tables);
  for (const auto& [low, high] : ranges) graph.add_input(low, high);
  std::vector<int> zeros;
  for (Integer constant : constants) {
    zeros.push_back(constant ? std::countr_zero(static_cast<std::uint64_t>(constant)) : 0);
    graph.add_input(constant >> zeros.back(), constant >> zeros.back());
  }
  std::vector<int> outputs;
  const int inputs = static_cast<int>(ranges.size());
  const std::vector<int> block_of = blocks(ranges.size(), sums);
  for (std::size_t i = 0; i < sums.size(); ++i) {
    std::vector<c4ml::Term> terms, part;
    std::size_t first = 0;
    for (; first < sums[i].size() && std::get<0>(sums[i][first]) >= inputs; ++first) {
      const auto& [sum, shift, negative] = sums[i][first];
      terms.push_back({outputs.at(sum - inputs), static_cast<std::int16_t>(shift), negative});
    }
    for (std::size_t j = first; j < sums[i].size(); ++j) {
      const auto& [input, shift, negative] = sums[i][j];
      part.push_back({input, static_cast<std::int16_t>(shift), negative});
      const bool last = j + 1 == sums[i].size() || block_of[std::get<0>(sums[i][j + 1])] != block_of[input];
      if (!last && part.size() < LONGEST_PART) continue;
      if (part.size() == sums[i].size() - first || part.size() == 1)
        terms.insert(terms.end(), part.begin(), part.end());
      else
        terms.push_back({graph.add_list(part, false), 0, false});
      part.clear();
    }
    if (constants[i]) terms.push_back({static_cast<int>(ranges.size() + i), static_cast<std::int16_t>(zeros[i]), false});
    outputs.push_back(graph.add_list(std::move(terms), true));
  }
  c4ml::Search search(graph, seed);
  search.run({iterations, start_temperature, end_temperature, thorough, slack});
  Result result = Emission(graph, static_cast<int>(ranges.size()), static_cast<int>(constants.size())).run(outputs);
  result.greedy = static_cast<int>(search.greedy / 100);
  result.halfway = static_cast<int>(search.halfway / 100);
  return result;
}

// The sites of one row of operands (low, high, lowest bit that may be 1, negative).
int row_sites(const std::vector<std::tuple<Integer, Integer, int, bool>>& operands, int width) {
  std::vector<c4ml::Operand> row;
  bool all_negative = true;
  for (const auto& [low, high, start, negative] : operands) {
    row.push_back({low, high, 0, 0, start, c4ml::width_of(low, high), 0, negative});
    all_negative &= negative;
  }
  c4ml::Cost cost;
  c4ml::Rows(3, false).row(row.data(), static_cast<int>(row.size()), width, false, cost, all_negative);
  return cost.sites;
}

using Count = std::tuple<int, int, int, int, bool>;  // level, column, bits of it, bits of the next column, one more

// The counters of a heap of words (lowest bit, bit above the highest, arrival), sorted by arrival; in how many levels
// each of the words is there; and when the sum is.
std::tuple<std::vector<Count>, std::vector<int>, int> plan_heap(const std::vector<std::tuple<int, int, int>>& words,
                                                                std::uint64_t ones, int width) {
  std::vector<c4ml::Word> heap_words;
  for (const auto& [start, top, arrival] : words) heap_words.push_back({start, top, arrival});
  std::vector<Count> counts;
  c4ml::Heap heap;
  heap.reduce(heap_words, ones, width, [&](const c4ml::Step& step) {
    counts.emplace_back(step.level, step.column, step.mine, step.others, step.plus);
  });
  return {counts, heap.levels, c4ml::arrival_of(heap)};
}

}  // namespace

NB_MODULE(_search, m) {
  nb::class_<Result>(m, "Result")
      .def_ro("rows", &Result::rows)
      .def_ro("outputs", &Result::outputs)
      .def_ro("sites", &Result::sites)
      .def_ro("delay", &Result::delay)
      .def_ro("greedy", &Result::greedy)
      .def_ro("halfway", &Result::halfway);
  m.def("search", &search, nb::arg("ranges"), nb::arg("sums"), nb::arg("constants"), nb::arg("arity"),
        nb::arg("carry_save"), nb::arg("tables"), nb::arg("iterations"), nb::arg("start_temperature"), nb::arg("end_temperature"),
        nb::arg("thorough"), nb::arg("slack").none(), nb::arg("seed"));
  m.attr("ROW_DELAYS") = std::make_pair(c4ml::TWO_DELAY, c4ml::CARRY_SAVE_DELAY);
  m.attr("CARRY_DELAY") = c4ml::CARRY_DELAY;
  m.attr("LUT_DELAY") = c4ml::LUT_DELAY;
  m.def("plan_heap", &plan_heap, nb::arg("words"), nb::arg("ones"), nb::arg("width"));
  m.def("row_sites", &row_sites, nb::arg("operands"), nb::arg("width"));
}
