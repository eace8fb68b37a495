// The best of a catalogue and ranks of relevant candidates; and the kernels behind them.
#include <pybind11/stl.h>

#include <optional>
#include <tuple>
#include <vector>

#include "bindings/bindings.h"
#include "bindings/kernel_arguments.h"
#include "bindings/signals.h"
#include "nn/topk.h"

namespace py = pybind11;

namespace fastnn {
namespace {

using OptionalPair = std::optional<Pair>;

// Lists of n queries, whose starts and positions fit and rise.
Lists to_lists(const OptionalPair& pair, const char* name, int64_t m, int64_t n) {
  if (!pair) return {};
  const auto* starts = input<int64_t>(pair->first, name, {m + 1});
  const auto* positions = input<int32_t>(pair->second, name, {kAny});
  check(starts[0] == 0 && starts[m] == pair->second.size(), name, ": expected starts from 0 to ",
        pair->second.size());
  for (int64_t i = 0; i < m; ++i) {
    check(starts[i] <= starts[i + 1], name, ": expected rising starts");
  }
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t at = starts[i], last = -1; at < starts[i + 1]; last = positions[at++]) {
      check(positions[at] > last && positions[at] < n, name, ": expected rising positions in [0, ",
            n, ")");
    }
  }
  return {starts, positions};
}

template <class T>
Catalogue<T> to_catalogue(const py::array& queries, const Optional& items,
                          const std::string& metric, const Optional& biases) {
  const auto [m, d] = matrix(queries, "queries");
  if (!items) return {m, d, 0, nullptr, nullptr, nullptr, {}, input<T>(queries, "queries")};
  const int64_t n = matrix(*items, "items").first;
  check(std::max(m, n) < int64_t{1} << 31, "items: expected fewer than 2**31, got ", n);
  return {m,
          n,
          d,
          input<T>(queries, "queries"),
          input<T>(*items, "items", {n, d}),
          maybe<T>(biases, "biases", {n}),
          named<Similarity>({"dot", "cosine", "euclidean"}, metric, "metric"),
          nullptr};
}

using Ranked = std::tuple<py::array, py::array, std::vector<py::array_t<int64_t>>>;

// Positions and scores of the best k; above, before and after of relevant candidates. None at an
// item that is not finite, if asked to look.
template <class T>
std::optional<Ranked> rank_all(const Catalogue<T>& catalogue, int64_t k, const Lists& exclude,
                               const Lists& relevant, int64_t n_relevant, int threads,
                               bool finite) {
  check(k >= 1, "k: expected at least 1, got ", k);
  auto positions = new_array<int64_t>({catalogue.m, k});
  auto scores = new_array<T>({catalogue.m, k});
  std::vector<py::array_t<int64_t>> counts;
  for (int i = 0; i < 3; ++i) counts.push_back(new_array<int64_t>({n_relevant}));
  for (auto& count : counts) std::fill_n(count.mutable_data(), n_relevant, 0);
  const Request<T> ranking{k,
                           positions.mutable_data(),
                           scores.mutable_data(),
                           relevant,
                           counts[0].mutable_data(),
                           counts[1].mutable_data(),
                           counts[2].mutable_data()};
  SignalPoll ask;
  bool done = false;
  {
    const py::gil_scoped_release released;
    done = rank(catalogue, exclude, threads, finite, ranking, [&] { return ask(); });
  }
  ask.raise();
  if (!done) return std::nullopt;
  return Ranked{positions, scores, counts};
}

std::optional<Ranked> rank_arrays(const py::array& queries, const Optional& items, int64_t k,
                                  const std::string& metric, const Optional& biases,
                                  const OptionalPair& exclude, const OptionalPair& relevant,
                                  int threads, bool finite) {
  return by_type(queries, "queries", [&](auto zero) {
    using T = decltype(zero);
    const Catalogue<T> catalogue = to_catalogue<T>(queries, items, metric, biases);
    return rank_all<T>(catalogue, k, to_lists(exclude, "exclude", catalogue.m, catalogue.n),
                       to_lists(relevant, "relevant", catalogue.m, catalogue.n),
                       relevant ? relevant->second.size() : 0, threads, finite && items);
  });
}

// --- kernels -------------------------------------------------------------------------------------

// Scores and positions of x above the threshold, and how many of x were looked at.
std::tuple<py::array, py::array, int64_t> select(const std::string& isa, const py::array& x,
                                                 double threshold, int32_t first, int64_t room) {
  return by_type(x, "x", [&](auto zero) -> std::tuple<py::array, py::array, int64_t> {
    using T = decltype(zero);
    check(room >= 0 && room <= x.size() + kSelectRoom, "room: expected 0 to ",
          x.size() + kSelectRoom, ", got ", room);
    std::vector<Candidate<T>> found(static_cast<size_t>(room));
    Index count = 0;
    const Index seen = table<T>(isa).select(x.size(), input<T>(x, "x"), static_cast<T>(threshold),
                                            first, room, found.data(), &count);
    auto scores = new_array<T>({count});
    auto positions = new_array<int32_t>({count});
    for (Index i = 0; i < count; ++i) {
      const auto at = static_cast<size_t>(i);
      scores.mutable_data()[i] = found[at].score, positions.mutable_data()[i] = found[at].position;
    }
    return {scores, positions, seen};
  });
}

std::pair<int64_t, int64_t> count_scores(const std::string& isa, const py::array& x, double score) {
  return by_type(x, "x", [&](auto zero) {
    using T = decltype(zero);
    Index above = 0, equal = 0;
    table<T>(isa).count_scores(x.size(), input<T>(x, "x"), static_cast<T>(score), &above, &equal);
    return std::pair<int64_t, int64_t>{above, equal};
  });
}

py::array distances(const std::string& isa, const py::array& q, const py::array& v) {
  return by_type(q, "q", [&](auto zero) -> py::array {
    using T = decltype(zero);
    const auto [m, d] = matrix(q, "q");
    const int64_t n = matrix(v, "v").first;
    auto y = new_array<T>({m, n});
    Buffer<T> scratch(table<T>(isa).distance_scratch(d));
    table<T>(isa).distances(m, n, d, input<T>(q, "q"), input<T>(v, "v", {n, d}), y.mutable_data(),
                            n, scratch.data());
    return y;
  });
}

}  // namespace

void bind_topk(py::module_& m) {
  m.def("rank", &rank_arrays, py::arg("queries"), py::arg("items"), py::arg("k"),
        py::arg("metric") = "dot", py::arg("biases") = py::none(), py::arg("exclude") = py::none(),
        py::arg("relevant") = py::none(), py::arg("threads") = 0, py::arg("finite") = false);
  py::module_ k = m.attr("kernels");
  const auto isa = py::arg("isa");
  k.def("select", &select, isa, py::arg("x"), py::arg("threshold"), py::arg("first"),
        py::arg("room"));
  k.def("count_scores", &count_scores, isa, py::arg("x"), py::arg("score"));
  k.def("distances", &distances, isa, py::arg("q"), py::arg("v"));
}

}  // namespace fastnn
