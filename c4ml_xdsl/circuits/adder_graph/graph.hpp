// Sums that share what they have in common: a graph whose values are inputs, constants, nodes and outputs.
//
// A node or an output is a list of terms, +-(value << shift). What it stands for, its linear form over the inputs,
// never changes; how it is put together does. Changes are kept in a journal until they are accepted or taken back.
#pragma once

#include <array>
#include <map>
#include <tuple>
#include <utility>

#include "rows.hpp"

namespace c4ml {

struct Term {
  std::int32_t value;
  std::int16_t shift;
  bool negative;

  bool operator==(const Term&) const = default;
};

// Where a value is read: in the list of `list`.
struct Use {
  std::int32_t list;
  std::int16_t shift;
  bool negative;

  bool operator==(const Use&) const = default;
};

using Form = std::vector<std::pair<std::int32_t, Integer>>;  // coefficients of inputs, sorted

constexpr int NEVER = 1 << 28;

struct Value {
  Integer low = 0, high = 0;
  std::vector<Term> terms;
  std::vector<Use> uses;
  std::vector<Operand> sorted;  // the terms as operands, or nothing
  Form form;
  const Support* support = nullptr;
  Cost cost;
  int required = NEVER;  // when it must be there, as far as is known
  std::uint32_t version = 0;
  std::int32_t width = 0;
  std::int32_t place = -1;  // among the nodes
  bool output = false, alive = false;
};

class Graph {
 public:
  static constexpr std::size_t LONGEST = 256;  // terms of a list whose patterns are looked for
  static constexpr std::size_t MERGED = 128;   // terms up to which a node with one reader is put in its list
  static constexpr std::size_t LONG = 12;      // terms from which on it is worth while to keep operands sorted

  Graph(int arity, bool carry_save, bool tables) : rows(arity, carry_save), tables_(tables) {}

  std::vector<Value> values;
  std::vector<std::int32_t> nodes;  // the nodes that are alive
  Rows rows;
  long total = 0;        // the sites of all lists
  long late = 0;         // picoseconds of all outputs after the deadline
  int deadline = NEVER;  // for the last bits of outputs

  int add_input(Integer low, Integer high) {
    const int id = static_cast<int>(values.size());
    values.emplace_back();
    values.back().low = low;
    values.back().high = high;
    values.back().width = width_of(low, high);
    values.back().form = {{id, 1}};
    values.back().support = support_of(values.back().form);
    values.back().alive = true;
    return id;
  }

  int add_list(std::vector<Term> terms, bool output) {
    int id;
    if (!free_.empty() && !output) {
      id = free_.back();
      free_.pop_back();
    } else {
      id = static_cast<int>(values.size());
      values.emplace_back();
    }
    values[id].output = output;
    values[id].form = form_of(terms);
    std::tie(values[id].low, values[id].high) = range_of(values[id].form);
    values[id].width = width_of(values[id].low, values[id].high);
    values[id].support = support_of(values[id].form);
    remember(id);  // as dead
    values[id].alive = true;
    if (!output) {
      values[id].place = static_cast<int>(nodes.size());
      nodes.push_back(id);
    }
    set_terms(id, std::move(terms));
    return id;
  }

  // Replaces how a list is put together.
  void set_terms(int id, std::vector<Term> terms) {
    remember(id);
    Value& value = values[id];
    for (const Term& term : value.terms) drop_use(term.value, {id, term.shift, term.negative});
    for (const Term& term : terms) values[term.value].uses.push_back({id, term.shift, term.negative});
    value.terms = std::move(terms);
    ++value.version;
    touch(id);
  }

  // Puts a node's terms in the places where it is read: in one list, or in all.
  void dissolve(int node, int only = -1) {
    std::vector<int> readers;
    for (const Use& use : values[node].uses)
      if ((only < 0 || use.list == only) && std::find(readers.begin(), readers.end(), use.list) == readers.end())
        readers.push_back(use.list);
    for (int reader : readers) {
      std::vector<Term> terms;
      terms.reserve(values[reader].terms.size() + values[node].terms.size());
      for (const Term& term : values[reader].terms)
        if (term.value != node) add_term(terms, term);
      for (const Term& term : values[reader].terms)
        if (term.value == node)
          for (const Term& inner : values[node].terms)
            add_term(terms, {inner.value, static_cast<std::int16_t>(inner.shift + term.shift),
                             inner.negative != term.negative});
      set_terms(reader, std::move(terms));
    }
  }

  // Adds a term; two equal ones become one of twice the value, opposite ones nothing.
  static void add_term(std::vector<Term>& terms, Term term) {
    for (std::size_t i = 0; i < terms.size(); ++i) {
      if (terms[i].value == term.value && terms[i].shift == term.shift) {
        const bool same = terms[i].negative == term.negative;
        terms.erase(terms.begin() + static_cast<std::ptrdiff_t>(i));
        if (same) add_term(terms, {term.value, static_cast<std::int16_t>(term.shift + 1), term.negative});
        return;
      }
    }
    terms.push_back(term);
  }

  // Removes nodes that nobody reads, and puts those with one reader, or of one term, in their readers' lists. Brings
  // costs and levels of all lists up to date.
  void settle() {
    while (!untidy_.empty()) {
      const int id = untidy_.back();
      untidy_.pop_back();
      Value& value = values[id];
      if (value.place < 0) continue;
      if (value.uses.empty()) {
        erase(id);
      } else if (value.terms.size() <= 1) {  // of none where the terms have cancelled out
        dissolve(id);
        erase(id);
      } else if (value.uses.size() == 1 &&
                 values[value.uses[0].list].terms.size() + value.terms.size() <= MERGED) {
        dissolve(id);
        erase(id);
      }
    }
    while (!stale_.empty()) {
      const int id = stale_.back();
      stale_.pop_back();
      if (!values[id].alive) continue;
      const Cost cost = cost_of(values[id].terms, values[id].width);
      values[id].sorted.clear();
      const Cost before = values[id].cost;
      total += cost.sites - before.sites;
      late -= lateness(values[id]);
      values[id].cost = cost;
      late += lateness(values[id]);
      if (cost.level != before.level || cost.arrival != before.arrival)
        for (const Use& use : values[id].uses) {
          remember(use.list);
          stale_.push_back(use.list);
        }
    }
  }

  Cost cost_of(const std::vector<Term>& terms, int width) const {
    scratch_.clear();
    for (const Term& term : terms) scratch_.push_back(operand_of(term));
    Rows::sort(scratch_);
    return rows.plan(scratch_, width, [](const Operand*, int, const Operand&, bool) { return 0; });
  }

  // The terms of a list as operands in the order in which rows take them; valid until something changes.
  const std::vector<Operand>& sorted(int id) {
    Value& value = values[id];
    if (value.sorted.empty()) {
      for (const Term& term : value.terms) value.sorted.push_back(operand_of(term));
      Rows::sort(value.sorted);
    }
    return value.sorted;
  }

  // Tells the terms of a list apart.
  static int tag_of(int value, int shift) { return value * 64 + shift; }

  Operand operand_of(const Term& term) const {
    const Value& value = values[term.value];
    const Integer low = value.low * (Integer{1} << term.shift), high = value.high * (Integer{1} << term.shift);
    // the width is that of the unshifted value and the shift, but for 0 and -1, which no input that matters is
    const int arrival = value.cost.arrival - CARRY_DELAY * term.shift;
    return {low, high, value.cost.level, arrival, term.shift, width_of(low, high), tag_of(term.value, term.shift),
            term.negative, value.support};
  }

  // What a value of some form depends on, where that fits in a table.
  const Support* support_of(const Form& form) {
    if (!tables_) return nullptr;
    Support support;
    for (const auto& [input, coefficient] : form) {
      const Value& value = values[input];
      if (value.low == value.high) continue;  // a constant
      if (support.count == TABLE_BITS || support.bits + value.width > TABLE_BITS) return nullptr;
      support.inputs[support.count] = input;
      support.widths[support.count++] = value.width;
      support.bits += value.width;
    }
    auto key = support.inputs;
    std::fill(key.begin() + support.count, key.end(), -1);
    return &supports_.try_emplace(key, support).first->second;
  }

  Form form_of(const std::vector<Term>& terms) const {
    Form sum, next;
    for (const Term& term : terms) {
      const Integer factor = (term.negative ? -1 : 1) * (Integer{1} << term.shift);
      next.clear();
      auto a = sum.begin();
      for (const auto& [input, coefficient] : values[term.value].form) {
        while (a != sum.end() && a->first < input) next.push_back(*a++);
        Integer added = factor * coefficient;
        if (a != sum.end() && a->first == input) added += (a++)->second;
        if (added) next.emplace_back(input, added);
      }
      next.insert(next.end(), a, sum.end());
      sum.swap(next);
    }
    return sum;
  }

  std::pair<Integer, Integer> range_of(const Form& form) const {
    Integer low = 0, high = 0;
    for (const auto& [input, coefficient] : form) {
      const Integer a = coefficient * values[input].low, b = coefficient * values[input].high;
      low += std::min(a, b);
      high += std::max(a, b);
    }
    return {low, high};
  }

  // When the last bit of the last output arrives.
  int latest() const {
    int last = 0;
    for (const Value& value : values)
      if (value.output) last = std::max(last, ready(value));
    return last;
  }

  // Sets when outputs are to be there.
  void ask_for(int picoseconds) {
    deadline = picoseconds;
    late = 0;
    for (const Value& value : values) late += lateness(value);
  }

  // Says of all values when they must be there for the outputs to be in time, as sums are put together now.
  void require() {
    for (Value& value : values) value.required = value.output ? deadline - CARRY_DELAY * value.width : NEVER;
    std::vector<int> order = ordered();
    std::vector<std::pair<std::vector<int>, int>> built;
    std::vector<int> limits;
    for (auto id = order.rbegin(); id != order.rend(); ++id) {
      const Value& value = values[*id];
      const int count = static_cast<int>(value.terms.size());
      scratch_.clear();
      for (int i = 0; i < count; ++i) {
        scratch_.push_back(operand_of(value.terms[i]));
        scratch_.back().tag = i;
      }
      Rows::sort(scratch_);
      built.clear();
      rows.plan(scratch_, value.width, [&](const Operand* row, int taken, const Operand& sum, bool) {
        std::vector<int> tags;
        int arrival = row[0].arrival;
        for (int i = 0; i < taken; ++i) {
          tags.push_back(row[i].tag);
          arrival = std::max(arrival, row[i].arrival);
        }
        built.emplace_back(std::move(tags), sum.arrival - arrival);
        return count + static_cast<int>(built.size()) - 1;
      });
      limits.assign(count + built.size(), value.required);
      for (int row = static_cast<int>(built.size()) - 1; row >= 0; --row)
        for (int tag : built[row].first) limits[tag] = limits[count + row] - built[row].second;
      for (int i = 0; i < count; ++i) {
        Value& read = values[value.terms[i].value];
        read.required = std::min(read.required, limits[i] + CARRY_DELAY * value.terms[i].shift);
      }
    }
  }

  // The lists that changed since this was asked last.
  std::vector<int> take_changed() {
    std::vector<int> result;
    for (int id : changed_)
      if (values[id].alive && values[id].terms.size() > 1) result.push_back(id);
    std::sort(result.begin(), result.end());
    result.erase(std::unique(result.begin(), result.end()), result.end());
    changed_.clear();
    return result;
  }

  void accept() {
    for (const Saved& each : journal_) {
      journaled_[each.id] = false;
      if (!values[each.id].alive) free_.push_back(each.id);
    }
    journal_.clear();
  }

  void take_back() {
    // uses first: all lists that changed leave, then the old ones come back
    for (const Saved& each : journal_)
      for (const Term& term : values[each.id].terms) drop_use(term.value, {each.id, term.shift, term.negative}, false);
    for (Saved& each : journal_) {
      Value& value = values[each.id];
      for (const Term& term : each.terms) values[term.value].uses.push_back({each.id, term.shift, term.negative});
      value.terms = std::move(each.terms);
      value.sorted.clear();
      value.cost = each.cost;
      if (!each.alive) free_.push_back(each.id);
      if (value.alive && !each.alive) {
        leave_nodes(each.id);
      } else if (!value.alive && each.alive) {
        value.place = static_cast<int>(nodes.size());
        nodes.push_back(each.id);
      }
      value.alive = each.alive;
      ++value.version;
      journaled_[each.id] = false;
    }
    total = journal_total_;
    late = journal_late_;
    journal_.clear();
    changed_.clear();
  }

  // Makes all lists what they were once; their numbers may stand for other values by now.
  void restore(const std::vector<std::pair<int, std::vector<Term>>>& lists) {
    for (Value& value : values) {
      value.uses.clear();
      value.terms.clear();
      value.place = -1;
      value.alive = value.alive && value.form.size() == 1 && &value - values.data() == value.form[0].first;
    }
    nodes.clear();
    free_.clear();
    total = late = 0;
    for (const auto& [id, terms] : lists) {
      Value& value = values[id];
      value.terms = terms;
      value.sorted.clear();
      value.cost = {};
      for (const Term& term : terms) values[term.value].uses.push_back({id, term.shift, term.negative});
    }
    std::vector<int> order = ordered();
    for (int id : order) {
      Value& value = values[id];
      value.alive = true;
      value.form = form_of(value.terms);
      std::tie(value.low, value.high) = range_of(value.form);
      value.width = width_of(value.low, value.high);
      value.support = support_of(value.form);
      value.cost = cost_of(value.terms, value.width);
      total += value.cost.sites;
      late += lateness(value);
      if (!value.output) {
        value.place = static_cast<int>(nodes.size());
        nodes.push_back(id);
      }
    }
    for (std::size_t id = 0; id < values.size(); ++id)
      if (!values[id].alive && !values[id].output) free_.push_back(static_cast<int>(id));
    stale_.clear();
    untidy_.clear();
    changed_.clear();
  }

  // All lists, each behind those that it reads.
  std::vector<int> ordered() const {
    std::vector<int> order;
    std::vector<char> state(values.size(), 0);
    std::vector<std::pair<int, std::size_t>> stack;
    for (std::size_t root = 0; root < values.size(); ++root) {
      if (values[root].terms.empty() || state[root]) continue;
      stack.emplace_back(static_cast<int>(root), 0);
      state[root] = 1;
      while (!stack.empty()) {
        auto& [id, next] = stack.back();
        if (next == values[id].terms.size()) {
          order.push_back(id);
          stack.pop_back();
          continue;
        }
        const int read = values[id].terms[next++].value;
        if (!state[read] && !values[read].terms.empty()) {
          state[read] = 1;
          stack.emplace_back(read, 0);
        }
      }
    }
    return order;
  }

  // All lists as they were before the changes in the journal.
  std::vector<std::pair<int, std::vector<Term>>> before() const {
    std::vector<std::pair<int, std::vector<Term>>> lists;
    std::vector<const Saved*> saved(values.size(), nullptr);
    for (const Saved& each : journal_) saved[each.id] = &each;
    for (std::size_t id = 0; id < values.size(); ++id) {
      const bool alive = saved[id] ? saved[id]->alive : values[id].alive;
      const auto& terms = saved[id] ? saved[id]->terms : values[id].terms;
      if (alive && !terms.empty()) lists.emplace_back(static_cast<int>(id), terms);
    }
    return lists;
  }

 private:
  static int ready(const Value& value) { return value.cost.arrival + CARRY_DELAY * value.width; }

  int lateness(const Value& value) const { return value.output ? std::max(0, ready(value) - deadline) : 0; }

  struct Saved {
    int id;
    std::vector<Term> terms;
    Cost cost;
    bool alive;
  };

  void remember(int id) {
    if (journaled_.size() < values.size()) journaled_.resize(values.size(), false);
    if (journaled_[id]) return;
    if (journal_.empty()) {
      journal_total_ = total;
      journal_late_ = late;
    }
    journaled_[id] = true;
    journal_.push_back({id, values[id].terms, values[id].cost, values[id].alive});
  }

  void touch(int id) {
    stale_.push_back(id);
    changed_.push_back(id);
    untidy_.push_back(id);
  }

  void drop_use(int value, const Use& use, bool tidy = true) {
    auto& uses = values[value].uses;
    auto found = std::find(uses.begin(), uses.end(), use);
    *found = uses.back();
    uses.pop_back();
    if (tidy) untidy_.push_back(value);
  }

  void erase(int id) {
    set_terms(id, {});
    total -= values[id].cost.sites;
    values[id].cost = {};
    values[id].alive = false;
    leave_nodes(id);
  }

  void leave_nodes(int id) {
    const int last = nodes.back();
    nodes[values[id].place] = last;
    values[last].place = values[id].place;
    nodes.pop_back();
    values[id].place = -1;
  }

  bool tables_;
  std::map<std::array<std::int32_t, TABLE_BITS>, Support> supports_;
  long journal_total_ = 0, journal_late_ = 0;
  std::vector<Saved> journal_;
  std::vector<bool> journaled_;
  std::vector<int> free_, stale_, untidy_, changed_;
  mutable std::vector<Operand> scratch_;
};

}  // namespace c4ml
