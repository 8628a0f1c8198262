// Random problems for the search, to be run with sanitizers and checked containers: stress COUNT.
#include <cstdio>
#include <cstdlib>

#include "search.hpp"

using namespace c4ml;

int main(int count, char** arguments) {
  const int problems = count > 1 ? std::atoi(arguments[1]) : 100;
  Random random(7);
  for (int problem = 0; problem < problems; ++problem) {
    const int arity = 2 + random.below(2);
    Graph graph(arity, arity == 3 && random.below(2), random.below(3) > 0);
    const int inputs = 1 + random.below(40), sums = 1 + random.below(10), bits = 1 + random.below(3);
    const bool single = random.below(2);
    for (int i = 0; i < inputs; ++i) {
      const Integer low = single ? 0 : random.below(4) - 2;
      graph.add_input(low, low + (single ? 1 : random.below(5)));
    }
    for (int i = 0; i < sums; ++i) graph.add_input(i - 4, i - 4);  // constants
    for (int i = 0; i < sums; ++i) {
      std::vector<Term> terms;
      for (int j = 0; j < inputs; ++j)
        for (int shift = 0; shift < bits; ++shift)
          if (random.below(3)) terms.push_back({j, static_cast<std::int16_t>(shift), random.below(2) > 0});
      if (i != 4) terms.push_back({inputs + i, 0, false});
      graph.add_list(std::move(terms), true);
    }
    std::optional<int> slack;
    if (random.below(3)) slack = random.below(2) ? 0 : -500;
    Search(graph, problem).run({random.below(2) ? 0 : 60, 1200, 150, problem % 2 == 0, slack});
  }
  std::puts("done");
}
