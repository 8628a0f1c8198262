// The search for common parts: greedy replacement of patterns, then ruin and recreate.
//
// A pattern is a common part of lists, of any length, up to a shift and a sign. It is found by laying lists over each
// other at every offset at which two terms meet. What a pattern saves is the difference of the lists' own costs.
// Ruin and recreate (Schrimpf et al. 2000) takes a few nodes apart and shares again what that has changed.
//
// Where there is a deadline, each value has a required time, as in static timing analysis: a pattern that would make a
// list later than its readers can wait for counts as that much dearer, and so do late outputs when changes are judged.
#pragma once

#include <array>
#include <cmath>
#include <cstring>
#include <optional>

#include "graph.hpp"

namespace c4ml {

// Marsaglia's xorshift64*: the same numbers everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 2685821657736338717ULL + 88172645463325252ULL) {}

  std::uint64_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 2685821657736338717ULL;
  }
  int below(int bound) { return static_cast<int>((next() >> 33) % static_cast<std::uint64_t>(bound)); }

 private:
  std::uint64_t state_;
};

struct Budget {
  long iterations;
  int start_temperature, end_temperature;  // hundredths of a site
  bool thorough;  // more is taken apart at once, and the order in which patterns are tried varies more
  std::optional<int> slack;  // picoseconds by which outputs may be later than the latest is without sharing
};

class Search {
 public:
  Search(Graph& graph, std::uint64_t seed) : graph_(graph), random_(seed) {
    for (int i = 0; i < 256; ++i) thresholds_[i] = static_cast<int>(std::lround(-std::log((i + 0.5) / 256) * 1024));
    slots_.resize(1 << 11, {0, 0, -1, 0});
  }

  // Replaces patterns, the best one first, until none saves anything.
  void share(const std::vector<int>& lists, int noise) {
    heap_.clear();
    for (int id : lists) look(id, noise);
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end());
      const Entry entry = heap_.back();
      heap_.pop_back();
      Candidate& candidate = best_[entry.list];
      if (candidate.serial != entry.serial) continue;
      // where a list has changed since, the pattern must be looked for again
      bool fresh = graph_.values[entry.list].alive;
      for (const auto& [id, version] : candidate.versions) fresh &= graph_.values[id].version == version;
      if (!fresh) {
        if (graph_.values[entry.list].alive) look(entry.list, noise);
        continue;
      }
      const int node = apply(candidate);
      candidate.serial = 0;
      graph_.settle();
      if (graph_.deadline != NEVER && graph_.values[node].alive) inherit(node);
      for (int id : graph_.take_changed()) look(id, noise);
    }
  }

  void run(const Budget& budget) {
    std::vector<int> all;
    for (std::size_t id = 0; id < graph_.values.size(); ++id)
      if (graph_.values[id].terms.size() > 1) all.push_back(static_cast<int>(id));
    graph_.settle();
    graph_.take_changed();
    if (budget.slack) graph_.ask_for(graph_.latest() + *budget.slack);
    require();
    for (long before = graph_.total + 1; graph_.total < before;) {
      before = graph_.total;
      share(all, 0);
      graph_.accept();
      require();
      all.clear();
      for (std::size_t id = 0; id < graph_.values.size(); ++id)
        if (graph_.values[id].terms.size() > 1) all.push_back(static_cast<int>(id));
    }
    long best = greedy = halfway = objective();
    bool saved = false;
    std::vector<std::pair<int, std::vector<Term>>> best_lists;
    for (long iteration = 0; iteration < budget.iterations && !graph_.nodes.empty(); ++iteration) {
      if (iteration == budget.iterations / 2) halfway = best;
      const long before = objective();
      const long temperature = budget.start_temperature + (budget.end_temperature - budget.start_temperature) *
                                                              iteration / budget.iterations;
      ruin(budget.thorough);
      graph_.settle();
      share(graph_.take_changed(), static_cast<int>(temperature / (budget.thorough ? 25 : 50)));
      const long worse = objective() - before;
      const long allowed = temperature * thresholds_[random_.below(256)] / 1024;
      if (worse > allowed) {
        graph_.take_back();
        continue;
      }
      if (worse > 0 && before == best && !saved) {
        best_lists = graph_.before();
        saved = true;
      }
      graph_.accept();
      if (objective() < best) {
        best = objective();
        saved = false;
      }
      if (--until_required_ <= 0) require();
    }
    if (saved && objective() > best) graph_.restore(best_lists);
  }

  // The objective before the first iteration, and the best one after half of them.
  long greedy = 0, halfway = 0;

  // Hundredths of a site that a picosecond too late counts for: a row too late is about as bad as 40 sites.
  static constexpr int LATE = 4;

 private:
  static constexpr int WORDS = 4;
  // Patterns of a list that are ranked: what it shares with so many others, and what of these two share with it.
  static constexpr std::size_t SINGLE = 32, CROSSED = 16;
  // Of these so many are evaluated exactly: more cost time and gained nothing.
  static constexpr std::size_t TRIED = 4;
  struct Mask {
    std::array<std::uint64_t, WORDS> words{};
    void set(int i) { words[i >> 6] |= std::uint64_t{1} << (i & 63); }
    bool get(int i) const { return words[i >> 6] >> (i & 63) & 1; }
    int count() const {
      int sum = 0;
      for (std::uint64_t word : words) sum += std::popcount(word);
      return sum;
    }
    bool holds(const Mask& other, int used) const {
      for (int i = 0; i < used; ++i)
        if (other.words[i] & ~words[i]) return false;
      return true;
    }
    Mask operator&(const Mask& other) const {
      Mask both;
      for (int i = 0; i < WORDS; ++i) both.words[i] = words[i] & other.words[i];
      return both;
    }
    bool operator==(const Mask&) const = default;
    bool operator<(const Mask& other) const { return words < other.words; }
  };

  // A list laid over another one: `list` has the masked terms too, shifted by `shift`, with the sign changed or not.
  struct Alignment {
    int list;
    int shift;
    bool negative;
    int count;
    Mask mask;
  };

  struct Candidate {
    std::uint64_t serial = 0;
    int score = 0;
    std::vector<Term> pattern;  // as in `list`
    std::vector<Alignment> places;
    std::vector<std::pair<int, std::uint32_t>> versions;
  };

  struct Entry {
    int score, list;
    std::uint64_t serial;
    bool operator<(const Entry& other) const {
      return score != other.score ? score < other.score : list > other.list;
    }
  };

  struct Slot {
    std::uint64_t key;
    std::uint32_t stamp;
    std::int32_t index, first;
  };

  long objective() const { return 100 * graph_.total + LATE * graph_.late; }

  // Brings required times up to date. They are used a little longer than they are right: the objective is exact.
  void require() {
    if (graph_.deadline == NEVER) return;
    graph_.require();
    until_required_ = 1 + static_cast<int>(graph_.nodes.size()) / 16;
  }

  // A new node must be there before its readers are late, or later than they are already.
  void inherit(int node) {
    Value& value = graph_.values[node];
    int slack = NEVER;
    for (const Use& use : value.uses) {
      const Value& reader = graph_.values[use.list];
      slack = std::min(slack, std::max(0, reader.required - reader.cost.arrival));
    }
    value.required = value.cost.arrival + slack;
  }

  // Finds the best pattern of one list.
  void look(int id, int noise) {
    const std::vector<Term>& terms = graph_.values[id].terms;
    const int size = static_cast<int>(terms.size());
    if (size < 2 || size > static_cast<int>(Graph::LONGEST)) return;
    align(id);
    if (alignments_.empty()) return;
    const int used = (size + 63) / 64;  // words of the masks
    masks_.clear();
    if (alignments_.size() > CROSSED)
      std::stable_sort(alignments_.begin(), alignments_.end(),
                       [](const Alignment& a, const Alignment& b) { return a.count > b.count; });
    const std::size_t single = std::min(alignments_.size(), SINGLE), crossed = std::min(alignments_.size(), CROSSED);
    for (std::size_t i = 0; i < single; ++i) masks_.push_back(alignments_[i].mask);
    for (std::size_t i = 0; i < crossed; ++i)
      for (std::size_t j = i + 1; j < crossed; ++j) {
        const Mask both = alignments_[i].mask & alignments_[j].mask;
        if (both.count() >= 2) masks_.push_back(both);
      }
    std::sort(masks_.begin(), masks_.end());
    masks_.erase(std::unique(masks_.begin(), masks_.end()), masks_.end());
    // a rough score for all, the real one for the best of these
    ranked_.clear();
    ends_.clear();
    for (const Term& term : terms) {
      const Operand operand = graph_.operand_of(term);
      ends_.emplace_back(operand.start, operand.top);
    }
    widths_.clear();
    for (const Alignment& each : alignments_) {
      const Value& value = graph_.values[each.list];
      widths_.emplace_back(value.width, value.output ? -1 : static_cast<int>(value.terms.size()));
    }
    const int own = graph_.values[id].width;
    for (const Mask& mask : masks_) {
      const int length = mask.count();
      int top = 0, start = 1 << 20;
      for (int word = 0; word < used; ++word)
        for (std::uint64_t rest = mask.words[word]; rest; rest &= rest - 1) {
          const auto& [low, high] = ends_[64 * word + std::countr_zero(rest)];
          top = std::max(top, high);
          start = std::min(start, low);
        }
      int gain = own - (top - start + 1);
      for (std::size_t i = 0; i < alignments_.size(); ++i)
        if (alignments_[i].mask.holds(mask, used)) {
          gain += widths_[i].first;
          if (widths_[i].second == length) gain += top - start;
        }
      ranked_.emplace_back(-gain * (length - 1), static_cast<int>(ranked_.size()));
    }
    const std::size_t tried = std::min(ranked_.size(), TRIED);
    std::partial_sort(ranked_.begin(), ranked_.begin() + static_cast<std::ptrdiff_t>(tried), ranked_.end());
    Candidate best;
    for (std::size_t i = 0; i < tried; ++i) {
      Candidate candidate = evaluate(id, masks_[ranked_[i].second]);
      if (candidate.score > 0 && noise > 0) candidate.score = std::max(1, candidate.score + random_.below(2 * noise + 1) - noise);
      if (candidate.score > best.score) best = std::move(candidate);
    }
    if (best_.size() < graph_.values.size()) best_.resize(graph_.values.size());
    best.serial = best.score > 0 ? ++serial_ : 0;
    if (best.score > 0) {
      heap_.push_back({best.score, id, best.serial});
      std::push_heap(heap_.begin(), heap_.end());
    }
    best_[id] = std::move(best);
  }

  // Lays all lists over one list, at every offset where two terms meet.
  void align(int id) {
    alignments_.clear();
    next_stamp();
    const std::vector<Term>& terms = graph_.values[id].terms;
    for (std::size_t i = 0; i < terms.size(); ++i) {
      for (const Use& use : graph_.values[terms[i].value].uses) {
        const int shift = use.shift - terms[i].shift;
        if (use.list == id && shift <= 0) continue;  // itself; of two copies inside one list the lower one looks
        const bool negative = use.negative != terms[i].negative;
        const std::uint64_t key = (static_cast<std::uint64_t>(use.list) << 9) |
                                  (static_cast<std::uint64_t>(shift + 128) << 1) | (negative ? 1 : 0);
        Slot& slot = find(key);
        if (slot.stamp != stamp_) {
          slot = {key, stamp_, -1, static_cast<std::int32_t>(i)};
          if (++filled_ * 2 > slots_.size()) grow();
          continue;
        }
        if (slot.index < 0) {  // the second term that meets
          slot.index = static_cast<int>(alignments_.size());
          alignments_.push_back({use.list, shift, negative, 1, {}});
          alignments_.back().mask.set(slot.first);
        }
        Alignment& found = alignments_[slot.index];
        found.mask.set(static_cast<int>(i));
        ++found.count;
      }
    }
  }

  Slot& find(std::uint64_t key) {
    std::size_t place = key * 0x9E3779B97F4A7C15ULL >> 40 & (slots_.size() - 1);
    while (slots_[place].stamp == stamp_ && slots_[place].key != key) place = (place + 1) & (slots_.size() - 1);
    return slots_[place];
  }

  void next_stamp() {
    filled_ = 0;
    if (++stamp_ == 0) {
      for (Slot& slot : slots_) slot.stamp = 0;
      stamp_ = 1;
    }
  }

  void grow() {
    std::vector<Slot> old;
    old.swap(slots_);
    slots_.resize(old.size() * 2, {0, 0, -1, 0});
    for (const Slot& slot : old)
      if (slot.stamp == stamp_) find(slot.key) = slot;
  }

  // What a pattern really saves, in halves of a site.
  Candidate evaluate(int id, const Mask& mask) {
    Candidate result;
    const Value& value = graph_.values[id];
    for (std::size_t i = 0; i < value.terms.size(); ++i)
      if (mask.get(static_cast<int>(i))) result.pattern.push_back(value.terms[i]);
    for (const Alignment& each : alignments_)
      if (each.mask.holds(mask, WORDS)) result.places.push_back(each);
    result.places.push_back({id, 0, false, 0, {}});
    std::stable_sort(result.places.begin(), result.places.end(),
                     [](const Alignment& a, const Alignment& b) { return a.list < b.list; });
    const Node node = normalised(result.pattern);
    const Form form = graph_.form_of(node.terms);
    const auto [low, high] = graph_.range_of(form);
    const Cost cost = graph_.cost_of(node.terms, width_of(low, high));
    const Support* support = graph_.support_of(form);
    int saved = 0, replaced = 0;
    for (std::size_t i = 0; i < result.places.size();) {
      const int list = result.places[i].list;
      const Value& reader = graph_.values[list];
      result.versions.emplace_back(list, reader.version);
      const bool single = i + 1 == result.places.size() || result.places[i + 1].list != list;
      operands_.clear();
      int times = 0;
      if (single && reader.terms.size() > Graph::LONG) {
        const Alignment& place = result.places[i++];
        const int shift = node.shift + place.shift;
        if (shift < 0) return {};
        replace(graph_.sorted(list), result.pattern, place,
                operand(low, high, cost, shift, node.negative != place.negative, support));
        times = 1;
      } else {
        std::vector<Term>& terms = scratch_;
        terms = reader.terms;
        for (; i < result.places.size() && result.places[i].list == list; ++i) {
          if (!remove(terms, result.pattern, result.places[i])) continue;
          ++times;
          const int shift = node.shift + result.places[i].shift;
          if (shift < 0) return {};
          operands_.push_back(operand(low, high, cost, shift, node.negative != result.places[i].negative, support));
        }
        if (times == 0) continue;
        if (terms.empty() && times == 1 && !reader.output) {
          replaced += times;
          saved += reader.cost.doubled;  // it is the pattern
          continue;
        }
        for (const Term& term : terms) operands_.push_back(graph_.operand_of(term));
        Rows::sort(operands_);
      }
      replaced += times;
      const Cost after =
          graph_.rows.plan(operands_, reader.width, [](const Operand*, int, const Operand&, bool) { return 0; });
      saved += reader.cost.doubled - after.doubled;
      if (graph_.deadline != NEVER) {
        const int late = after.arrival - std::max(reader.required, reader.cost.arrival);
        if (late > 0) saved -= late * LATE / 50;
      }
    }
    if (replaced < 2) return {};
    result.score = saved - cost.doubled;
    return result;
  }

  static Operand operand(Integer low, Integer high, const Cost& cost, int shift, bool negative, const Support* support) {
    const Integer factor = Integer{1} << shift;
    const int arrival = cost.arrival - CARRY_DELAY * shift;
    low *= factor;
    high *= factor;
    return {low, high, cost.level, arrival, shift, width_of(low, high), -1, negative, support};
  }

  // Sorted operands without those of a pattern, and with the one that stands for it.
  void replace(const std::vector<Operand>& sorted, const std::vector<Term>& pattern, const Alignment& place,
               const Operand& added) {
    std::array<int, Graph::LONGEST> tags;
    int count = 0;
    for (const Term& term : pattern) tags[count++] = Graph::tag_of(term.value, term.shift + place.shift);
    bool waiting = true;
    for (const Operand& each : sorted) {
      if (count > 0) {
        const auto found = std::find(tags.begin(), tags.begin() + count, each.tag);
        if (found != tags.begin() + count) {
          *found = tags[--count];
          continue;
        }
      }
      if (waiting && Rows::earlier(added, each)) {
        operands_.push_back(added);
        waiting = false;
      }
      operands_.push_back(each);
    }
    if (waiting) operands_.push_back(added);
  }

  struct Node {
    std::vector<Term> terms;
    int shift;
    bool negative;
  };

  // A pattern as a node: the lowest shift is 0, and most terms are positive.
  static Node normalised(const std::vector<Term>& pattern) {
    Node node{pattern, pattern[0].shift, false};
    int negative = 0;
    for (const Term& term : pattern) {
      node.shift = std::min<int>(node.shift, term.shift);
      negative += term.negative;
    }
    const int positive = static_cast<int>(pattern.size()) - negative;
    node.negative = negative > positive;
    if (negative == positive)
      for (const Term& term : pattern)
        if (term.shift == node.shift) {
          node.negative = term.negative;
          break;
        }
    for (Term& term : node.terms) {
      term.shift = static_cast<std::int16_t>(term.shift - node.shift);
      term.negative = term.negative != node.negative;
    }
    return node;
  }

  // Takes a pattern out of a list; false, and nothing done, where it isn't there (any more).
  static bool remove(std::vector<Term>& terms, const std::vector<Term>& pattern, const Alignment& place) {
    std::array<int, Graph::LONGEST> found;
    int count = 0;
    for (const Term& term : pattern) {
      const Term wanted{term.value, static_cast<std::int16_t>(term.shift + place.shift), term.negative != place.negative};
      const auto at = std::find(terms.begin(), terms.end(), wanted);
      if (at == terms.end()) return false;
      found[count++] = static_cast<int>(at - terms.begin());
    }
    std::sort(found.begin(), found.begin() + count);
    while (count > 0) terms.erase(terms.begin() + found[--count]);
    return true;
  }

  // Puts a node in the place of a pattern.
  int apply(const Candidate& candidate) {
    const Node node = normalised(candidate.pattern);
    const int id = graph_.add_list(node.terms, false);
    for (std::size_t i = 0; i < candidate.places.size();) {
      const int list = candidate.places[i].list;
      std::vector<Term> terms = graph_.values[list].terms;
      bool changed = false;
      for (; i < candidate.places.size() && candidate.places[i].list == list; ++i) {
        if (!remove(terms, candidate.pattern, candidate.places[i])) continue;
        changed = true;
        Graph::add_term(terms, {id, static_cast<std::int16_t>(node.shift + candidate.places[i].shift),
                                node.negative != candidate.places[i].negative});
      }
      if (changed) graph_.set_terms(list, std::move(terms));
    }
    return id;
  }

  // Takes something apart: nodes, or the digits of a coefficient.
  void ruin(bool thorough) {
    const int kind = random_.below(100);
    if (kind < 12) {
      flip_digits();
      return;
    }
    const int first = graph_.nodes[random_.below(static_cast<int>(graph_.nodes.size()))];
    if (kind < 24 && graph_.values[first].uses.size() > 2) {
      const auto& uses = graph_.values[first].uses;
      dissolve(first, uses[random_.below(static_cast<int>(uses.size()))].list);
      return;
    }
    const int times = thorough ? 1 + (kind >= 50) + (kind >= 70) + 3 * (kind >= 85) : 1 + (kind >= 60) + (kind >= 85);
    int node = first;
    for (int i = 0; i < times; ++i) {
      const int next = neighbour(node);
      dissolve(node, -1);
      node = next;
      if (node < 0 || !graph_.values[node].alive || graph_.values[node].terms.empty()) break;
    }
  }

  // Another node near a node: one that is read together with it, or that it reads.
  int neighbour(int node) {
    const Value& value = graph_.values[node];
    const int reader = value.uses.empty() ? node : value.uses[random_.below(static_cast<int>(value.uses.size()))].list;
    const auto& terms = graph_.values[random_.below(3) ? reader : node].terms;
    int found = -1;
    for (int attempt = 0; attempt < 4 && found < 0; ++attempt) {
      const Term& term = terms[random_.below(static_cast<int>(terms.size()))];
      if (term.value != node && graph_.values[term.value].place >= 0) found = term.value;
    }
    return found >= 0 ? found : graph_.nodes[random_.below(static_cast<int>(graph_.nodes.size()))];
  }

  void dissolve(int node, int only) {
    const std::size_t length = graph_.values[node].terms.size();
    for (const Use& use : graph_.values[node].uses)
      if (graph_.values[use.list].terms.size() + 2 * length > Graph::LONGEST) return;
    graph_.dissolve(node, only);
  }

  // Two digits of a coefficient in a list, 2 + 1 or 4 - 1, become the other two.
  void flip_digits() {
    int list = -1;
    for (int attempt = 0; attempt < 8; ++attempt) {
      const int id = random_.below(static_cast<int>(graph_.values.size()));
      if (graph_.values[id].terms.size() > 1) {
        list = id;
        break;
      }
    }
    if (list < 0) return;
    const std::vector<Term>& terms = graph_.values[list].terms;
    const int start = random_.below(static_cast<int>(terms.size()));
    for (std::size_t k = 0; k < terms.size(); ++k) {
      const Term low = terms[(start + k) % terms.size()];
      for (const Term& high : terms) {
        if (high.value != low.value || high.shift <= low.shift || high.shift > low.shift + 2) continue;
        const bool same = high.negative == low.negative;
        if (same != (high.shift == low.shift + 1)) continue;
        std::vector<Term> changed;
        for (const Term& term : terms)
          if (!(term == low) && !(term == high)) changed.push_back(term);
        const std::int16_t other = static_cast<std::int16_t>(low.shift + (same ? 2 : 1));
        Graph::add_term(changed, {low.value, other, high.negative});
        Graph::add_term(changed, {low.value, low.shift, !low.negative});
        graph_.set_terms(list, std::move(changed));
        return;
      }
    }
  }

  Graph& graph_;
  Random random_;
  std::array<int, 256> thresholds_;
  std::vector<Slot> slots_;
  std::uint32_t stamp_ = 0;
  std::size_t filled_ = 0;
  std::vector<Alignment> alignments_;
  std::vector<Mask> masks_;
  std::vector<std::pair<int, int>> ranked_;
  std::vector<Candidate> best_;  // of each list
  std::vector<Entry> heap_;
  std::uint64_t serial_ = 0;
  int until_required_ = 0;
  std::vector<Term> scratch_;
  std::vector<Operand> operands_;
  std::vector<std::pair<int, int>> ends_, widths_;
};

}  // namespace c4ml
