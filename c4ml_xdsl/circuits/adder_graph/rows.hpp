// How a sum of shifted values is built from rows of adders, and what that costs.
//
// A row adds two operands, or three where the target has such adders. It costs one site a bit of its result, but for
// the low bits where at most one operand lives, which pass by. Operands that together depend on no more bits of inputs
// than a LUT has are looked up in a table instead, however many they are: a LUT a bit, and no carries.
//
// The order is the one in which a synthesis flow rebuilds such trees: the earliest operands first, of these the
// narrowest, and one row of two where the number is even. With carry-save adders, more than three operands are a heap.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <vector>

#include "heap.hpp"

namespace c4ml {

using Integer = std::int64_t;

constexpr int TWO_LEVELS = 10, THREE_LEVELS = 13;  // by which the flow orders operands: tenths of a row of two

// Picoseconds of a row, from its operands' bit 0 to its own, and of one position of a carry chain. Later bits arrive
// later by as much, in operands too, so chains of rows overlap: fitted to chains of one to four rows of 4 to 16 bits.
constexpr int TWO_DELAY = 940, THREE_DELAY = 1880, CARRY_DELAY = 28;

// A row of three as a carry-save adder in front of a row of two: another site for each bit with three operands, and
// little more delay than a row of two.
constexpr int CARRY_SAVE_LEVELS = 14, CARRY_SAVE_DELAY = 1340;

// With carry-save adders, the picoseconds of a level.
constexpr int LEVEL = 94;

// A table of so many bits, and its picoseconds. To the flow's order it is no row; to our own one it is.
constexpr int TABLE_BITS = 6, TABLE_DELAY = 560, TABLE_LEVELS = 7;

// The bits of the narrowest integer that holds [low, high].
inline int width_of(Integer low, Integer high) {
  auto length = [](Integer x) { return 64 - std::countl_zero(static_cast<std::uint64_t>(x)); };
  if (low >= 0) return length(high);
  return std::max(length(-low - 1), high > 0 ? length(high) : 0) + 1;
}

// The inputs that a value depends on, sorted, where they have no more bits than a table.
struct Support {
  int count = 0, bits = 0;
  std::array<std::int32_t, TABLE_BITS> inputs{};
  std::array<std::int32_t, TABLE_BITS> widths{};

  // Adds the inputs of another one; false where they are too many.
  bool add(const Support& other) {
    int mine = 0;
    for (int i = 0; i < other.count; ++i) {
      while (mine < count && inputs[mine] < other.inputs[i]) ++mine;
      if (mine < count && inputs[mine] == other.inputs[i]) continue;
      if (bits + other.widths[i] > TABLE_BITS) return false;
      for (int j = count; j > mine; --j) {
        inputs[j] = inputs[j - 1];
        widths[j] = widths[j - 1];
      }
      inputs[mine] = other.inputs[i];
      widths[mine] = other.widths[i];
      bits += other.widths[i];
      ++count;
    }
    return true;
  }
};

// A summand, +-[low, high], whose bits below `start` are 0; `tag` is the caller's number of it. Its bit i arrives at
// `arrival` + i * CARRY_DELAY. Without a support it depends on more bits of inputs than a table has.
struct Operand {
  Integer low, high;
  int level, arrival, start, top, tag;
  bool negative;
  const Support* support = nullptr;

  bool is_signed() const { return low < 0; }
  bool lives_at(int position) const { return start <= position && (is_signed() || position < top); }
};

// What a sum costs in sites; `doubled` counts twice, but once the rows of two inside longer sums: a third operand will
// fit there, so the parity of a sum doesn't mislead who compares them.
struct Cost {
  int sites = 0, doubled = 0, level = 0, arrival = 0;
};

// When the lowest bit of a heap's sum is there.
inline int arrival_of(const Heap& heap) {
  if (heap.first_above(2) < heap.width()) return heap.arrival + CARRY_SAVE_DELAY;
  return heap.arrival + (heap.first_above(1) < heap.width() ? TWO_DELAY : 0);
}

class Rows {
 public:
  Rows(int arity, bool carry_save) : arity_(arity), carry_save_(carry_save) {}

  static bool earlier(const Operand& a, const Operand& b) {
    return a.level != b.level ? a.level < b.level : a.top < b.top;
  }

  static void sort(std::vector<Operand>& operands) {
    if (operands.size() > 24) {
      std::stable_sort(operands.begin(), operands.end(), earlier);
      return;
    }
    for (std::size_t i = 1; i < operands.size(); ++i)  // most sums are short
      for (std::size_t j = i; j > 0 && earlier(operands[j], operands[j - 1]); --j) std::swap(operands[j], operands[j - 1]);
  }

  // Plans the rows of a sum of sorted operands, whose result has `width` bits. `emit(operands, count, result, last)`
  // sees each row and returns the tag of its result; a result with a support is a table, of any number of operands.
  template <class Emit>
  Cost plan(const std::vector<Operand>& operands, int width, Emit&& emit) const {
    Cost cost;
    const std::size_t count = operands.size();
    if (count == 0) return cost;
    std::size_t next = 0, next_sum = 0;  // what is left of the operands, and of the sums, which are sorted too
    sums_.clear();
    supports_.clear();
    supports_.reserve(count);  // sums point to them
    if (carry_save_ && static_cast<int>(count) > arity_ && held_at_once(operands) < count)
      return heap(operands, width, emit);
    if (const std::size_t held = held_at_once(operands); held > 0) {
      const bool whole = held == count;
      if (whole && count == 1 && !operands[0].negative) {
        cost.level = operands[0].level;
        cost.arrival = operands[0].arrival;
        return cost;
      }
      Operand sum = row(operands.data(), static_cast<int>(held), whole ? width : -1, false, cost);
      sum.tag = emit(operands.data(), static_cast<int>(held), sum, whole);
      cost.level = sum.level;
      cost.arrival = sum.arrival;
      if (whole) return cost;
      sums_.push_back(sum);
      next = held;
    }
    Operand row_of[3];
    auto take = [&] {
      const bool sum = next == count || (next_sum < sums_.size() && earlier(sums_[next_sum], operands[next]));
      return sum ? sums_[next_sum++] : operands[next++];
    };
    int rest = static_cast<int>(count - next + sums_.size());
    auto add = [&](int taken, bool half) {
      for (int i = 0; i < taken; ++i) row_of[i] = take();
      Operand sum = row(row_of, taken, -1, half, cost);
      sum.tag = emit(row_of, taken, sum, false);
      std::size_t place = sums_.size();
      sums_.push_back(sum);
      for (; place > next_sum && earlier(sum, sums_[place - 1]); --place) sums_[place] = sums_[place - 1];
      sums_[place] = sum;
      rest -= taken - 1;
    };
    while (rest > arity_) {
      const int taken = arity_ == 3 && rest % 2 == 0 ? 2 : arity_;
      add(taken, arity_ == 3 && taken == 2);
    }
    if (carry_save_ && rest == 3 && next_sum == sums_.size() && is_late(operands[next + 2], operands[next + 1])) add(2, false);
    bool all_negative = true;
    for (std::size_t i = next; i < count; ++i) all_negative &= operands[i].negative;
    for (std::size_t i = next_sum; i < sums_.size(); ++i) all_negative &= sums_[i].negative;
    if (rest == arity_ && all_negative) add(2, false);  // 0 - a - b - c has one operand more
    for (int i = 0; i < rest; ++i) row_of[i] = take();
    if (rest == 1 && !row_of[0].negative) {
      cost.level = row_of[0].level;
      cost.arrival = row_of[0].arrival;
      return cost;
    }
    Operand sum = row(row_of, rest, width, false, cost, all_negative);
    cost.level = sum.level;
    cost.arrival = sum.arrival;
    emit(row_of, rest, sum, true);
    return cost;
  }

  // All operands as a heap.
  template <class Emit>
  Cost heap(const std::vector<Operand>& operands, int width, Emit&& emit) const {
    Operand sum{0, 0, 0, 0, operands[0].start, 0, 0, false};
    std::uint64_t ones = 0;
    words_.clear();
    for (const Operand& each : operands) {
      const bool fixed = each.low == each.high;
      sum.low += each.negative ? -each.high : each.low;
      sum.high += each.negative ? -each.low : each.high;
      sum.start = std::min(sum.start, each.start);
      if (fixed) {
        ones += static_cast<std::uint64_t>(each.negative ? -each.low : each.low);
        continue;
      }
      ones -= complement_of(each.start, each.top, each.is_signed(), each.negative);
      const Word word{each.start, each.top, each.arrival};
      std::size_t place = words_.size();
      words_.push_back(word);  // operands are nearly in the order of their arrival
      for (; place > 0 && words_[place - 1].arrival > word.arrival; --place) words_[place] = words_[place - 1];
      words_[place] = word;
    }
    sum.top = std::min(width, width_of(sum.low, sum.high));
    heap_.reduce(words_, ones, sum.top, [](const Step&) {});
    const int saved = heap_.first_above(2);
    Cost cost;
    cost.sites = heap_.sites + sum.top - heap_.first_above(1);
    for (int column = saved; column + 1 < sum.top; ++column) cost.sites += heap_.height(column) > 1;
    cost.doubled = 2 * cost.sites;
    cost.arrival = arrival_of(heap_);
    cost.level = sum.level = cost.arrival / LEVEL;
    sum.arrival = cost.arrival;
    emit(operands.data(), static_cast<int>(operands.size()), sum, true);
    return cost;
  }

  // What the bits of a summand are more than it, where bits that count as negative are inverted: modulo 2^64.
  static std::uint64_t complement_of(int start, int top, bool is_signed, bool negative) {
    const std::uint64_t sign = std::uint64_t{1} << (top - 1);
    if (!negative) return is_signed ? sign : 0;
    return (is_signed ? sign : 2 * sign) - (std::uint64_t{1} << start);
  }

  // One row; its cost is added up. A width of -1 stands for what the operands allow. From zero, all are subtracted.
  Operand row(const Operand* operands, int count, int width, bool half, Cost& cost, bool from_zero = false) const {
    Operand sum{0, 0, 0, operands[0].arrival, operands[0].start, 0, 0, true};
    for (int i = 0; i < count; ++i) sum.negative &= operands[i].negative;
    if (width >= 0) sum.negative = false;
    for (int i = 0; i < count; ++i) {
      const Operand& each = operands[i];
      if (each.negative != sum.negative) {
        sum.low -= each.high;
        sum.high -= each.low;
      } else {
        sum.low += each.low;
        sum.high += each.high;
      }
      sum.level = std::max(sum.level, each.level);
      sum.arrival = std::max(sum.arrival, each.arrival);
      sum.start = std::min(sum.start, each.start);
    }
    const int natural = width_of(sum.low, sum.high);
    sum.top = width < 0 ? natural : std::min(width, natural);
    const bool table = looked_up(operands, count, sum);
    int free = sum.top;  // below this position at most one operand lives, and that isn't subtracted
    int subtracted = 0;
    bool added_there = false;  // whether a positive operand lives at that position
    for (int i = 0; i < count; ++i) {
      const int position = operands[i].start;
      int positive = 0, negative = 0;
      for (int j = 0; j < count; ++j)
        if (operands[j].lives_at(position)) ++(operands[j].negative != sum.negative ? negative : positive);
      // the lowest bit of -x is that of x, which a table can use
      const int here = table && positive == 0 && negative == 1 ? position + 1 : position;
      if (positive + 2 * negative > 1 && here < free) {
        free = here;
        added_there = positive > 0;
      }
      subtracted += operands[i].negative != sum.negative;
    }
    const int operand_count = count + (from_zero ? 1 : 0);
    int sites = std::max(0, sum.top - free);
    if (sites > 0 && !table) {
      sum.level += operand_count < 3 ? TWO_LEVELS : carry_save_ ? CARRY_SAVE_LEVELS : THREE_LEVELS;
      sum.arrival += operand_count < 3 ? TWO_DELAY : carry_save_ ? CARRY_SAVE_DELAY : THREE_DELAY;
      // the carry that makes a complement of an inverted operand inverts the lowest bit as well: a site to undo that
      if (subtracted == 1) sites += operand_count == 3 ? 2 - added_there : added_there;
      if (subtracted > 1) sites += 2;
      if (carry_save_ && count == 3) {
        const int third = std::max({operands[0].start, operands[1].start, operands[2].start});
        sites = sum.top - free + std::max(0, sum.top - third - 1) + (subtracted > 1);
      }
    }
    cost.sites += sites;
    cost.doubled += half ? sites : 2 * sites;
    return sum;
  }

 private:
  // How many of the first operands a table takes in place of the first row; 0 where a row does as well. A constant costs
  // a table nothing.
  std::size_t held_at_once(const std::vector<Operand>& operands) const {
    Support support;
    std::size_t held = 0;
    while (held < operands.size() && operands[held].support && support.add(*operands[held].support)) ++held;
    if (held == operands.size() || static_cast<int>(held) > arity_) return held;
    if (held < 2 || operands[0].support->bits > 0) return 0;
    const std::size_t row = arity_ == 3 && operands.size() % 2 == 1 ? 2 : arity_;
    return 1 + std::min(held - 1, row);
  }

  // Whether a row is a table; its support, level and arrival then.
  bool looked_up(const Operand* operands, int count, Operand& sum) const {
    Support support;
    for (int i = 0; i < count; ++i)
      if (!operands[i].support || !support.add(*operands[i].support)) return false;
    supports_.push_back(support);
    sum.support = &supports_.back();
    sum.level = carry_save_ ? TABLE_LEVELS : 0;
    sum.arrival = TABLE_DELAY;
    return true;
  }

  // Whether a third operand comes so late that the first two are better added before.
  static bool is_late(const Operand& third, const Operand& second) {
    return third.level > second.level + CARRY_SAVE_LEVELS - TWO_LEVELS;
  }

  int arity_;
  bool carry_save_;
  mutable std::vector<Operand> sums_;
  mutable std::vector<Support> supports_;
  mutable std::vector<Word> words_;
  mutable Heap heap_;
};

}  // namespace c4ml
