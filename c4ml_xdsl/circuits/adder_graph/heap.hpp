// Sums of many words as heaps of bits: counters of up to six bits, a LUT level each, until three words are left.
//
// A counter takes bits of one column, which it counts once, or of two neighbouring ones; a LUT for each bit of the
// count. Six bits of a column become three for three LUTs, which is as cheap as the carry-save adder and the carry chain
// at the end take bits away, so heaps cost about a LUT for each bit that they lose. Words that arrive later join later.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <vector>

namespace c4ml {

constexpr int LUT_BITS = 6, LUT_DELAY = 700;  // the inputs of a LUT, and its picoseconds with the way to the next one

// A word of a heap: its bits from `start` to below `top`, which are there at `arrival`.
struct Word {
  int start, top, arrival;
};

// Counts `mine` bits of a column once and `others` of the next one twice, and adds 1 if `plus`.
struct Step {
  int level, column, mine, others;
  bool plus;
};

class Heap {
 public:
  static constexpr int WIDEST = 64;

  int sites = 0;
  int level = 0;             // LUT levels until at most three bits and ones are left in a column
  int arrival = 0;           // when these are there
  std::vector<int> levels;   // of the words: in how many LUT levels after the first one's they are there

  // Words in the order of their arrival; `ones` are the columns of a constant. Steps are given to `emit`.
  template <class Emit>
  void reduce(const std::vector<Word>& words, std::uint64_t ones, int width, Emit&& emit) {
    width_ = std::min(width, WIDEST);
    std::fill(height_.begin(), height_.begin() + width_, 0);
    ones_ = ones;
    sites = level = 0;
    levels.clear();
    if (words.empty()) return;
    const int last = words.back().arrival;
    const int first = rounds(last - words.front().arrival);
    for (const Word& word : words) levels.push_back(first - (last - word.arrival) / LUT_DELAY);
    std::size_t next = 0;
    for (;; ++level) {
      for (; next < words.size() && levels[next] <= level; ++next)
        for (int column = words[next].start; column < std::min(words[next].top, width_); ++column) ++height_[column];
      const bool all = next == words.size();
      const int highest = tallest();
      if (all && highest <= LAST) break;
      int target = LAST;
      while (2 * target < highest) target *= 2;
      if (!all) target = words.size() - next > LATE ? NO_TARGET : highest <= LAST ? TWO : target;
      count(target, emit);
    }
    arrival = last + (level - levels.back()) * LUT_DELAY;
  }

  // The bits and ones of a column that are left.
  int height(int column) const { return height_[column] + static_cast<int>(ones_ >> column & 1); }

  // The lowest column of more than so many bits and ones; the width where there is none.
  int first_above(int bits) const {
    int column = 0;
    while (column < width_ && height(column) <= bits) ++column;
    return column;
  }

  int width() const { return width_; }

 private:
  static constexpr int TWO = 2, LAST = 3, NO_TARGET = 1 << 20, MOST_BITS = 4, LATE = 2;
  using Columns = std::array<int, WIDEST + MOST_BITS>;

  static int rounds(int picoseconds) { return (picoseconds + LUT_DELAY - 1) / LUT_DELAY; }

  int tallest() const {
    int highest = 0;
    for (int column = 0; column < width_; ++column) highest = std::max(highest, height(column));
    return highest;
  }

  // One level: all that fills counters of six, and what columns are above the target.
  template <class Emit>
  void count(int target, Emit&& emit) {
    Columns arrived;
    std::fill(arrived.begin(), arrived.begin() + width_ + MOST_BITS, 0);
    for (int column = 0; column < width_; ++column) {
      const int above = column + 1 < width_ ? 1 : 0;
      while (height_[column] >= LUT_BITS) step(column, LUT_BITS, 0, arrived, emit);
      while (height(column) + arrived[column] > target) {
        const int here = height_[column], next = above ? height_[column + 1] : 0;
        const int excess = height(column) + arrived[column] - target;
        if (here >= 5) {
          step(column, 5, std::min(next, 1), arrived, emit);
        } else if (here == 4 && excess > 2) {
          step(column, 4, std::min(next, 1), arrived, emit);
        } else if (here >= 3) {
          step(column, 3, next >= 2 ? 2 : 0, arrived, emit);
        } else if (here == 2) {
          step(column, 2, next >= 2 && !(ones_ >> column & 1) ? 2 : 0, arrived, emit);
        } else if (here == 1 && ones_ >> column & 1) {
          step(column, 1, 0, arrived, emit);
        } else {
          break;
        }
      }
    }
    for (int column = 0; column < width_; ++column) height_[column] += arrived[column];
  }

  template <class Emit>
  void step(int column, int mine, int others, Columns& arrived, Emit&& emit) {
    const int most = mine + 2 * others;
    int bits = std::bit_width(static_cast<unsigned>(most));
    bool plus = false;
    if (ones_ >> column & 1) {  // where it makes the count no longer, or one bit and the one are all there is
      const int longer = std::bit_width(static_cast<unsigned>(most + 1));
      plus = longer == bits || mine == 1;
      if (plus) {
        bits = longer;
        ones_ &= ~(std::uint64_t{1} << column);
      }
    }
    height_[column] -= mine;
    if (others) height_[column + 1] -= others;
    for (int place = 0; place < bits && column + place < width_; ++place) {
      ++arrived[column + place];
      ++sites;
    }
    emit(Step{level, column, mine, others, plus});
  }

  Columns height_{};
  std::uint64_t ones_ = 0;
  int width_ = 0;
};

}  // namespace c4ml
