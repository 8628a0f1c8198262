// When bits are there: a static timing analysis, bit by bit, in picoseconds.
//
// The carries of a row run right behind those of the row before, and a bit that is late goes to the fastest input of
// its LUT; so chains of rows take far less than the sum of their delays. Every wire in front of a LUT takes the same time.
//
// Bits are numbered. A cell computes some bits of others, and belongs to a step: what registers can't part. Given a
// stage for each step, a bit of an earlier stage comes out of a register.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <utility>
#include <vector>

namespace c4ml {

using Time = std::int64_t;

constexpr Time CONSTANT = -(Time{1} << 40);  // when a bit that never changes is there
constexpr int NONE = -1;                     // no bit

// The cells and wires of a device, in picoseconds.
struct Library {
  Time registers;                  // from the clock to a register's output, and the set-up time of the next one
  Time wire;                       // in front of a LUT
  std::array<Time, 6> lut_pins;    // from a LUT's input, the fastest pin first
  std::array<Time, 6> chain_pins;  // the same of a LUT in front of a carry chain
  std::array<Time, 3> row_pins;    // of the words of a row of three, in their order
  Time majority;                   // from the majority of a row of three to the next position's LUT
  // A block of four positions of a carry chain: from the LUT of one (first index) and from the carry into the block to
  // the sum at a position (second index) and to the carry out of it.
  std::array<std::array<Time, 4>, 4> select_to_sum, select_to_carry;
  std::array<Time, 4> carry_to_sum, carry_to_carry;
};

enum class Cell : int {
  wires,       // each bit is there with the last of its column
  merged,      // a function that the LUTs behind it take in, but takes a LUT where a stage ends with it
  lut,         // each bit is a function of its column; it takes in LUTs before it where few bits are read in all
  row,         // a carry chain: each bit is the sum of two in its column
  row_of_three,
  carry,       // one bit: the carry out of a chain
  product,     // all bits are there a wire and a bit of the first word after the other
};

class Timing {
 public:
  // Where LUTs collapse, one takes in those before it; a schedule that parts them makes them later again, so the times
  // of stages are computed without.
  Timing(const Library& library, bool collapse) : library_(library), collapse_(collapse) {}

  struct Path {
    Time delay;
    std::vector<int> steps;  // from the first to the last
  };
  struct Group {
    int step, bits;
    std::vector<int> readers;
  };
  struct Arc {
    int before, behind, registers;
  };

  // A step whose bits are there `instances` times; at least so many registers lie between it and what it reads.
  int add_step(int instances, int registers) {
    if (instances < 0 || registers < 0) throw std::invalid_argument("a negative count");
    steps_.push_back({instances, registers, static_cast<int>(cells_.size())});
    return static_cast<int>(steps_.size()) - 1;
  }

  // So many bits of the last step that depend on nothing; the first one's number.
  int add_inputs(int count) { return add_bits(count); }

  // A cell of the last step, with the bits that each column reads (NONE: a constant one); the first of its bits'
  // numbers. Each column of a row of three has three, `negative` of them at the end being subtracted.
  int add_cell(Cell kind, const std::vector<std::vector<int>>& columns, int width, int negative) {
    const int limit = static_cast<int>(step_of_.size());
    const bool by_column = kind != Cell::carry && kind != Cell::product;
    if (width < 1 || columns.empty() || (by_column && static_cast<int>(columns.size()) != width))
      throw std::invalid_argument("a cell of that width has other columns");
    cells_.push_back({kind, limit, width, static_cast<int>(columns_.size()), static_cast<int>(columns.size()), negative});
    for (const auto& column : columns) {
      columns_.push_back(bits_.size());
      for (int bit : column) {
        if (bit < NONE || bit >= limit) throw std::invalid_argument("a bit that isn't there yet");
        bits_.push_back(bit);
      }
      if (kind == Cell::row_of_three && (column.size() != 3 || negative < 0 || negative > 3))
        throw std::invalid_argument("a row of three with another number of words");
    }
    columns_.push_back(bits_.size());
    return add_bits(width);
  }

  int steps() const { return static_cast<int>(steps_.size()); }

  // Each step's earliest stage at a clock of so many picoseconds, none before its given one. Where a step has to go
  // behind that, `bounds` receives pairs of steps that one stage has no time for, which a register parts in `known`:
  // stages that the clock has time for. A step that takes longer by itself has a stage of its own.
  std::vector<int> earliest(Time clock, const std::vector<int>& given, const std::vector<int>& known,
                            std::vector<std::pair<int, int>>& bounds) {
    if (given.size() != steps_.size() || (!known.empty() && known.size() != steps_.size()))
      throw std::invalid_argument("one stage a step");
    reset(given);
    for (int step = 0; step < steps(); ++step) {
      int& stage = stages_[step];
      readings(step, [&](int bit) { stage = std::max(stage, stages_[step_of_[bit]] + steps_[step].registers); });
      if (evaluate(step, NONE) <= clock) continue;
      if (!known.empty()) bound(step, clock, known, bounds);
      ++stage;
      evaluate(step, NONE);
    }
    return stages_;
  }

  // How long a step takes whose inputs are all there at once.
  Time alone(int step) {
    if (step < 0 || step >= steps()) throw std::invalid_argument("no such step");
    if (arrivals_.size() != step_of_.size()) reset(std::vector<int>(steps_.size(), 0));
    return evaluate(step, step);
  }

  // Each stage's longest path.
  std::vector<Path> paths(const std::vector<int>& stages) {
    std::vector<std::pair<int, int>> bounds;
    if (earliest(-2 * CONSTANT, stages, {}, bounds) != stages) throw std::invalid_argument("a step before what it reads");
    const std::vector<Time>& ends = collapse_ ? arrivals_ : ends_;  // what is taken in ends nothing
    const int last = stages.empty() ? 0 : *std::max_element(stages.begin(), stages.end());
    std::vector<int> worst(last + 1, NONE);
    for (int bit = 0; bit < static_cast<int>(step_of_.size()); ++bit) {
      int& known = worst[stages[step_of_[bit]]];
      if (ends[bit] > CONSTANT && (known == NONE || ends[bit] > ends[known])) known = bit;
    }
    std::vector<Path> found;
    for (int bit : worst) {
      Path path{bit == NONE ? 0 : ends[bit], {}};
      for (int stage = bit == NONE ? 0 : stages[step_of_[bit]]; bit != NONE && stages[step_of_[bit]] == stage; bit = from_[bit])
        if (path.steps.empty() || path.steps.back() != step_of_[bit]) path.steps.push_back(step_of_[bit]);
      std::reverse(path.steps.begin(), path.steps.end());
      found.push_back(std::move(path));
    }
    return found;
  }

  // Bits of a step that the same steps read, with their number in all instances.
  std::vector<Group> groups() const {
    std::vector<std::vector<int>> readers(step_of_.size());
    for (int step = 0; step < steps(); ++step)
      readings(step, [&](int bit) {
        if (readers[bit].empty() || readers[bit].back() != step) readers[bit].push_back(step);
      });
    std::vector<Group> found;
    std::map<std::pair<int, std::vector<int>>, int> known;
    for (std::size_t bit = 0; bit < readers.size(); ++bit) {
      if (readers[bit].empty()) continue;
      const int step = step_of_[bit];
      auto [place, fresh] = known.try_emplace({step, std::move(readers[bit])}, static_cast<int>(found.size()));
      if (fresh) found.push_back({step, 0, place->first.second});
      found[place->second].bits += steps_[step].instances;
    }
    return found;
  }

  // Which steps read which, with the registers that must lie between them.
  std::vector<Arc> arcs() const {
    std::vector<Arc> found;
    std::vector<int> seen(steps_.size(), NONE);
    for (int step = 0; step < steps(); ++step)
      readings(step, [&](int bit) {
        int& last = seen[step_of_[bit]];
        if (last == step) return;
        last = step;
        found.push_back({step_of_[bit], step, steps_[step].registers});
      });
    return found;
  }

 private:
  struct Step {
    int instances, registers, first_cell;
  };
  struct Node {
    Cell kind;
    int first_bit, width, first_column, columns, negative;
  };
  struct Arrival {
    Time time = CONSTANT;
    int from = NONE;
    Arrival later(Time by) const { return {time > CONSTANT ? time + by : CONSTANT, from}; }
  };
  static Arrival latest(Arrival a, Arrival b) { return b.time > a.time ? b : a; }

  // The bits that a LUT reads, with what it has taken in, or a function that LUTs take in; none for other cells.
  struct Reads {
    int count = 0;
    std::array<int, 6> bits{};
  };

  void reset(const std::vector<int>& stages) {
    stages_ = stages;
    arrivals_.assign(step_of_.size(), 0);
    ends_.assign(step_of_.size(), 0);
    from_.assign(step_of_.size(), NONE);
    reads_.assign(step_of_.size(), {});
  }

  int add_bits(int count) {
    if (steps_.empty()) throw std::invalid_argument("no step yet");
    const int first = static_cast<int>(step_of_.size());
    step_of_.resize(first + count, steps() - 1);
    return first;
  }

  int end_of(int step) const {
    return step + 1 < steps() ? steps_[step + 1].first_cell : static_cast<int>(cells_.size());
  }

  // Calls with each bit of other steps that a step reads.
  template <typename Call>
  void readings(int step, Call call) const {
    for (int cell = steps_[step].first_cell; cell < end_of(step); ++cell) {
      const Node& node = cells_[cell];
      for (std::size_t i = columns_[node.first_column]; i < columns_[node.first_column + node.columns]; ++i)
        if (bits_[i] != NONE && step_of_[bits_[i]] != step) call(bits_[i]);
    }
  }

  // The time of the step's last bit. Bits of other steps than `only`, where one is given, are there at once.
  Time evaluate(int step, int only) {
    Time worst = CONSTANT;
    for (int cell = steps_[step].first_cell; cell < end_of(step); ++cell) {
      compute(cells_[cell], step, only);
      for (int i = 0; i < cells_[cell].width; ++i) worst = std::max(worst, ends_[cells_[cell].first_bit + i]);
    }
    return worst;
  }

  // Whether no register and no step that counts as there at once lies between a bit and a step.
  bool same(int bit, int step, int only) const {
    const int owner = step_of_[bit];
    return owner == step || (stages_[owner] == stages_[step] && (only == NONE || owner == only));
  }

  Arrival read(int bit, int step, int only) const {
    return {same(bit, step, only) || arrivals_[bit] <= CONSTANT ? arrivals_[bit] : library_.registers, bit};
  }

  // What a column reads; constant bits only where their place counts.
  void column(int index, int step, int only, bool placed) {
    column_.clear();
    for (std::size_t i = columns_[index]; i < columns_[index + 1]; ++i) {
      const Arrival arrival = bits_[i] == NONE ? Arrival{} : read(bits_[i], step, only);
      if (arrival.time > CONSTANT || placed) column_.push_back(arrival);
    }
  }

  // A carry chain, position by position.
  class Chain {
   public:
    explicit Chain(const Library& library) : library_(library) {}
    Arrival sum(Arrival select) {
      next(select);
      return out(library_.select_to_sum, library_.carry_to_sum);
    }
    Arrival carry(Arrival select) {
      next(select);
      return out(library_.select_to_carry, library_.carry_to_carry);
    }

   private:
    void next(Arrival select) {
      if (position_ == 3) entry_ = out(library_.select_to_carry, library_.carry_to_carry);
      position_ = (position_ + 1) % 4;
      selects_[position_] = select;
    }
    Arrival out(const std::array<std::array<Time, 4>, 4>& of_select, const std::array<Time, 4>& of_entry) const {
      Arrival result = entry_.later(of_entry[position_]);
      for (int i = 0; i <= position_; ++i) result = latest(result, selects_[i].later(of_select[i][position_]));
      return result;
    }
    const Library& library_;
    int position_ = -1;
    Arrival entry_;
    std::array<Arrival, 4> selects_;
  };

  void compute(const Node& node, int step, int only) {
    Arrival carry, majority;
    Chain chain(library_);
    for (int place = 0; place < node.columns; ++place) {
      column(node.first_column + place, step, only, node.kind == Cell::row_of_three);
      Arrival result;
      switch (node.kind) {
        case Cell::wires:
          for (const Arrival& each : column_)
            result = latest(result, collapse_ ? Arrival{ends_[each.from], each.from} : each);
          break;
        case Cell::merged:
          for (const Arrival& each : column_) result = latest(result, each);
          set(node.first_bit + place, result);
          if (collapse_ && column_.size() <= library_.lut_pins.size()) keep(node.first_bit + place, column_);
          ends_[node.first_bit + place] = lut(column_, library_.lut_pins).time;
          continue;
        case Cell::lut:
          result = collapsed(node.first_bit + place, step, only);
          break;
        case Cell::row:
        case Cell::row_of_three: {
          const bool three = node.kind == Cell::row_of_three;
          const Arrival own = three ? row_lut(column_, node.negative) : lut(column_, library_.chain_pins);
          result = chain.sum(three ? latest(own, majority.later(library_.majority)) : own);
          majority = own;
          break;
        }
        case Cell::carry:
          result = chain.carry(lut(column_, library_.chain_pins));
          if (place + 1 < node.columns) continue;
          set(node.first_bit, result);
          return;
        case Cell::product:
          for (const Arrival& each : column_) carry = latest(carry, each);
          if (place + 1 < node.columns) continue;
          for (int i = 0; i < node.width; ++i) set(node.first_bit + i, carry.later(library_.wire * node.columns));
          return;
      }
      set(node.first_bit + place, result);
    }
  }

  void set(int bit, Arrival arrival) {
    arrivals_[bit] = ends_[bit] = arrival.time;
    from_[bit] = arrival.from;
  }

  static void sort(std::vector<Arrival>& arrivals) {
    std::sort(arrivals.begin(), arrivals.end(),
              [](const Arrival& a, const Arrival& b) { return a.time != b.time ? a.time > b.time : a.from < b.from; });
  }

  // A LUT of what is in the column, which takes in what computes its latest inputs as long as that makes it earlier.
  Arrival collapsed(int bit, int step, int only) {
    if (!collapse_ || column_.size() > library_.lut_pins.size()) return lut(column_, library_.lut_pins);
    std::vector<Arrival> inputs = column_;
    Arrival best = lut(column_, library_.lut_pins);
    keep(bit, inputs);
    for (bool taken = true; taken;) {
      taken = false;
      sort(inputs);
      for (std::size_t i = 0; i < inputs.size() && !taken; ++i) {
        const int inner = inputs[i].from;
        if (reads_[inner].count == 0 || !same(inner, step, only)) continue;
        std::vector<Arrival> joined = inputs;
        joined.erase(joined.begin() + static_cast<std::ptrdiff_t>(i));
        for (int j = 0; j < reads_[inner].count; ++j) {
          const int each = reads_[inner].bits[j];
          if (std::none_of(joined.begin(), joined.end(), [&](const Arrival& known) { return known.from == each; }))
            joined.push_back(read(each, step, only));
        }
        if (joined.size() > library_.lut_pins.size()) continue;
        inputs = joined;
        taken = true;
        const Arrival result = lut(joined, library_.lut_pins);
        if (result.time < best.time) {
          best = result;
          keep(bit, inputs);
        }
      }
    }
    return best;
  }

  void keep(int bit, const std::vector<Arrival>& inputs) {
    reads_[bit].count = static_cast<int>(inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i) reads_[bit].bits[i] = inputs[i].from;
  }

  // A LUT's output: the later a bit, the faster its pin; more than six bits take several levels.
  Arrival lut(std::vector<Arrival>& inputs, const std::array<Time, 6>& pins) const {
    sort(inputs);
    while (inputs.size() > pins.size()) {
      std::vector<Arrival> early(inputs.end() - std::min(inputs.size() - pins.size() + 1, pins.size()), inputs.end());
      inputs.resize(inputs.size() - early.size());
      inputs.push_back(through(early, library_.lut_pins));
      sort(inputs);
    }
    return through(inputs, pins);
  }

  // The LUT of one bit of a row of three: what is subtracted has the faster pins, and of equals what is later.
  Arrival row_lut(std::vector<Arrival>& inputs, int negative) const {
    const auto earlier = [](const Arrival& a, const Arrival& b) { return a.time < b.time; };
    std::stable_sort(inputs.begin(), inputs.end() - negative, earlier);
    std::stable_sort(inputs.end() - negative, inputs.end(), earlier);
    return through(inputs, library_.row_pins);
  }

  template <std::size_t SIZE>
  Arrival through(const std::vector<Arrival>& inputs, const std::array<Time, SIZE>& pins) const {
    Arrival result;
    for (std::size_t i = 0; i < std::min(inputs.size(), SIZE); ++i) result = latest(result, inputs[i].later(library_.wire + pins[i]));
    return result;
  }

  // For each step that makes this one late by itself, or for all: the last step on that path from which on it is too long.
  void bound(int step, Time clock, const std::vector<int>& known, std::vector<std::pair<int, int>>& bounds) {
    bool alone = false;
    for (int owner : together(step)) {
      if (evaluate(step, owner) <= clock) continue;
      alone = true;
      trace(step, clock, known, bounds);
    }
    if (alone) return;
    evaluate(step, NONE);  // together they are late, as they share the LUTs' fast pins
    trace(step, clock, known, bounds);
  }

  // The steps of its own stage that a step reads.
  std::vector<int> together(int step) const {
    std::vector<int> found;
    readings(step, [&](int bit) {
      const int owner = step_of_[bit];
      if (stages_[owner] == stages_[step] && std::find(found.begin(), found.end(), owner) == found.end())
        found.push_back(owner);
    });
    return found;
  }

  void trace(int step, Time clock, const std::vector<int>& known, std::vector<std::pair<int, int>>& bounds) const {
    int bit = cells_[steps_[step].first_cell].first_bit;
    for (int cell = steps_[step].first_cell; cell < end_of(step); ++cell)
      for (int i = 0; i < cells_[cell].width; ++i)
        if (ends_[cells_[cell].first_bit + i] > ends_[bit]) bit = cells_[cell].first_bit + i;
    const Time late = ends_[bit] - clock;
    for (bool start = false; !start; bit = from_[bit]) {  // towards the path's start
      const int next = from_[bit], reader = step_of_[bit];
      start = next == NONE || (step_of_[next] != reader && stages_[step_of_[next]] != stages_[reader]);
      const bool entry = start || step_of_[next] != reader;
      if (entry && known[reader] < known[step] && (start ? Time{0} : arrivals_[next] - library_.registers) < late) {
        bounds.emplace_back(reader, step);
        return;
      }
    }
    // the path alone isn't what makes it late: any step before it that is apart will do
    std::vector<int> found = together(step);
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (known[found[i]] < known[step]) {
        bounds.emplace_back(found[i], step);
        return;
      }
      for (int owner : together(found[i]))
        if (std::find(found.begin(), found.end(), owner) == found.end()) found.push_back(owner);
    }
  }

  Library library_;
  bool collapse_;
  std::vector<Step> steps_;
  std::vector<Node> cells_;
  std::vector<std::size_t> columns_;
  std::vector<int> bits_, step_of_, stages_, from_;
  std::vector<Time> arrivals_;
  std::vector<Time> ends_;  // when a bit is there for a register
  std::vector<Reads> reads_;
  std::vector<Arrival> column_;
};

}  // namespace c4ml
