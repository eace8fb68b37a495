#include "nn/topk.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "base/check.h"
#include "base/parallel.h"

namespace fastnn {
namespace {

constexpr int64_t kLeastJobs = 16;          // few queries: the catalogue is cut into so many pieces
constexpr int64_t kLeastBlocks = 4;         // of at least so many blocks, and k
constexpr int64_t kMostPlaces = 1 << 22;    // places for candidates that a thread keeps
constexpr double kWorkPerThread = 1 << 19;  // multiply-adds a call needs before a second one pays

// A type, so that the library's loops take it in; without branches, which none could predict.
struct Better {
  template <class T>
  bool operator()(const Candidate<T>& a, const Candidate<T>& b) const {
    return (a.score > b.score) | ((a.score == b.score) & (a.position < b.position));
  }
};

// Moves the best k of n candidates to the front, 0 < k < n; the others are lost. Partitions without
// branches, which random scores would mislead: better ones move down, the others to spare[n].
template <class T>
void move_best(Candidate<T>* all, int64_t n, int64_t k, Candidate<T>* spare) {
  const Better better;
  int64_t begin = 0, end = n;
  for (int round = 0; round < 32 && end - begin > 8; ++round) {
    std::swap(all[begin + (end - begin) / 2], all[end - 1]);
    const Candidate<T> pivot = all[end - 1];
    int64_t low = begin;
    for (int64_t i = begin; i < end - 1; ++i) {
      const Candidate<T> own = all[i];
      all[low] = own, spare[i - low] = own;
      low += better(own, pivot);
    }
    if (low >= k) {
      end = low;
      if (low == k) return;
      continue;
    }
    all[low] = pivot;
    if (low + 1 == k) return;
    std::copy_n(spare, end - 1 - low, all + low + 1);
    begin = low + 1;
  }
  std::nth_element(all + begin, all + k - 1, all + end, better);
}

// The best k candidates seen so far of one query, and some that may be among them.
template <class T>
struct Selection {
  Candidate<T>*found, *spare;  // spare: as many places
  int64_t count;
  T threshold;  // of no use are scores that are not higher: k candidates at lower positions are

  void clear() { count = 0, threshold = -std::numeric_limits<T>::infinity(); }

  void cut(int64_t k) {
    if (count <= k) return;
    move_best(found, count, k, spare);
    count = k;
    threshold = found[0].score;
    for (int64_t i = 1; i < k; ++i) threshold = std::min(threshold, found[i].score);
  }

  // Cuts between blocks rather than within: half of what is sorted out should be new.
  void scan(int64_t k, int64_t room, int64_t n, const T* x, int64_t first) {
    if (count >= k + std::max(k / 2, kSelectRoom)) cut(k);
    for (int64_t p = 0; p < n;) {
      if (room - count < kSelectRoom) cut(k);
      p += kernels<T>().select(n - p, x + p, threshold, static_cast<int32_t>(first + p), room,
                               found, &count);
    }
  }
};

// The numbers of one call, fixed by the shapes.
template <class T>
struct Plan {
  Plan(const Catalogue<T>& catalogue, const Request<T>& ranking) : blocks(blocks_of(catalogue)) {
    k = std::min(ranking.k, catalogue.n);
    room = k + std::max(k, blocks.items) + kSelectRoom;
    blocks.queries = std::min(blocks.queries, std::max<int64_t>(catalogue.m, 1));
    blocks.queries = std::clamp<int64_t>(kMostPlaces / room, 1, blocks.queries);
    query_blocks = (catalogue.m + blocks.queries - 1) / blocks.queries;
    const int64_t item_blocks = (catalogue.n + blocks.items - 1) / blocks.items;
    const int64_t wanted = (kLeastJobs + query_blocks - 1) / std::max<int64_t>(query_blocks, 1);
    const int64_t most = std::min(item_blocks / kLeastBlocks,
                                  catalogue.n / (kLeastBlocks * std::max<int64_t>(k, 1)));
    const int64_t pieces = std::clamp<int64_t>(most, 1, std::max<int64_t>(wanted, 1));
    piece = std::max<int64_t>((item_blocks + pieces - 1) / pieces, 1) * blocks.items;
    n_pieces = std::max<int64_t>((catalogue.n + piece - 1) / piece, 1);
    for (int64_t b = 0; b < query_blocks && ranking.relevant.starts != nullptr; ++b) {
      const int64_t end = std::min((b + 1) * blocks.queries, catalogue.m);
      most_relevant = std::max(most_relevant, ranking.relevant.starts[end] -
                                                  ranking.relevant.starts[b * blocks.queries]);
    }
  }

  Blocks blocks;
  int64_t k, room;
  int64_t query_blocks, piece, n_pieces;  // piece: items of a job
  int64_t most_relevant = 0;              // of a block of queries
};

// What one thread works with: a block of scores, selections, counts of relevant candidates.
template <class T>
class Worker {
 public:
  Worker(const Catalogue<T>& catalogue, const Lists& exclude, const Request<T>& ranking,
         const Plan<T>& plan, const T* scales)
      : catalogue_(catalogue),
        exclude_(exclude),
        ranking_(ranking),
        plan_(plan),
        block_(catalogue, plan.blocks, scales),
        places_(static_cast<size_t>((plan.blocks.queries + 1) * plan.room)),
        selections_(static_cast<size_t>(plan.blocks.queries)),
        scores_(static_cast<size_t>(plan.most_relevant)),
        counts_(3 * static_cast<size_t>(plan.most_relevant)) {}

  // Ranks items begin .. end for n queries; false when one of the items is not finite.
  template <class Stop>
  bool run(int64_t query, int64_t n, int64_t begin, int64_t end, bool finite, Stop stop) {
    start(query, n);
    for (int64_t item = begin; item < end; item += plan_.blocks.items) {
      const int64_t width = std::min(plan_.blocks.items, end - item);
      if (finite && !items_finite(item, width)) return false;
      if (stop()) return true;
      block_.fill(query, n, item, width, exclude_);
      for (int64_t i = 0; i < n; ++i) {
        selections_[static_cast<size_t>(i)].scan(plan_.k, plan_.room, width, block_.row(i), item);
      }
      if (ranking_.relevant.starts != nullptr) count_block(query, n, item, width);
    }
    add_counts(query, n);
    return true;
  }

  Selection<T>& selection(int64_t i) { return selections_[static_cast<size_t>(i)]; }

 private:
  void start(int64_t query, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
      selection(i).found = places_.data() + i * plan_.room;
      selection(i).spare = places_.data() + plan_.blocks.queries * plan_.room;
      selection(i).clear();
    }
    if (ranking_.relevant.starts == nullptr) return;
    const int64_t* starts = ranking_.relevant.starts + query;
    for (int64_t i = 0; i < n; ++i) {
      block_.gather(query + i, starts[i + 1] - starts[i], ranking_.relevant.positions + starts[i],
                    scores_.data() + (starts[i] - starts[0]));
    }
    std::fill(counts_.begin(), counts_.end(), 0);
  }

  bool items_finite(int64_t item, int64_t width) const {
    const T* items = catalogue_.items + item * catalogue_.d;
    return std::isfinite(kernels<T>().sum_squares(width * catalogue_.d, items));
  }

  void count_block(int64_t query, int64_t n, int64_t item, int64_t width) {
    const Kernels<T>& k = kernels<T>();
    const int64_t* starts = ranking_.relevant.starts + query;
    for (int64_t i = 0; i < n; ++i) {
      const T* row = block_.row(i);
      for (int64_t at = starts[i]; at < starts[i + 1]; ++at) {
        const auto place = static_cast<size_t>(at - starts[0]);
        int64_t* counts = counts_.data() + 3 * place;
        const int64_t own = ranking_.relevant.positions[at] - item;
        const int64_t low = std::clamp<int64_t>(own, 0, width);
        const int64_t high = std::clamp<int64_t>(own + 1, 0, width);
        k.count_scores(low, row, scores_[place], counts, counts + 1);
        k.count_scores(width - high, row + high, scores_[place], counts, counts + 2);
      }
    }
  }

  // Whole numbers, so that the order of the pieces does not matter.
  void add_counts(int64_t query, int64_t n) {
    if (ranking_.relevant.starts == nullptr) return;
    const int64_t begin = ranking_.relevant.starts[query];
    for (int64_t at = begin; at < ranking_.relevant.starts[query + n]; ++at) {
      const int64_t* counts = counts_.data() + 3 * (at - begin);
      __atomic_fetch_add(ranking_.above + at, counts[0], __ATOMIC_RELAXED);
      __atomic_fetch_add(ranking_.before + at, counts[1], __ATOMIC_RELAXED);
      __atomic_fetch_add(ranking_.after + at, counts[2], __ATOMIC_RELAXED);
    }
  }

  const Catalogue<T>& catalogue_;
  const Lists& exclude_;
  const Request<T>& ranking_;
  const Plan<T>& plan_;
  ScoreBlock<T> block_;
  std::vector<Candidate<T>> places_;
  std::vector<Selection<T>> selections_;
  std::vector<T> scores_;        // of the relevant candidates of the block's queries
  std::vector<int64_t> counts_;  // and what stands against each: above, before, after
};

// Writes the best of a query in order.
template <class T>
void write_best(const Request<T>& ranking, int64_t k, int64_t query, Selection<T>& selection) {
  selection.cut(k);
  std::sort(selection.found, selection.found + selection.count, Better());
  int64_t* positions = ranking.positions + query * ranking.k;
  T* scores = ranking.scores + query * ranking.k;
  for (int64_t i = 0; i < ranking.k; ++i) {
    const bool there = i < selection.count;
    positions[i] = there ? selection.found[i].position : -1;
    scores[i] = there ? selection.found[i].score : -std::numeric_limits<T>::infinity();
  }
}

// The best of each piece of the catalogue, of all queries: found[m, n_pieces, k], count of each.
template <class T>
struct Pieces {
  Pieces(int64_t m, const Plan<T>& plan) : plan(plan) {
    if (plan.n_pieces == 1) return;
    found.resize(static_cast<size_t>(checked_multiply(m, checked_multiply(plan.n_pieces, plan.k))));
    counts.resize(static_cast<size_t>(m * plan.n_pieces));
  }

  void keep(int64_t query, int64_t piece, Selection<T>& selection) {
    selection.cut(plan.k);
    const int64_t at = query * plan.n_pieces + piece;
    counts[static_cast<size_t>(at)] = selection.count;
    std::copy_n(selection.found, selection.count, found.data() + at * plan.k);
  }

  void merge(int64_t query, const Request<T>& ranking) {
    Candidate<T>* all = found.data() + query * plan.n_pieces * plan.k;
    std::vector<Candidate<T>> spare(static_cast<size_t>(plan.n_pieces * plan.k));
    Selection<T> selection{all, spare.data(), 0, T{0}};
    for (int64_t piece = 0; piece < plan.n_pieces; ++piece) {
      const int64_t count = counts[static_cast<size_t>(query * plan.n_pieces + piece)];
      std::copy_n(all + piece * plan.k, count, all + selection.count);
      selection.count += count;
    }
    write_best(ranking, plan.k, query, selection);
  }

  const Plan<T>& plan;
  std::vector<Candidate<T>> found;
  std::vector<int64_t> counts;
};

template <class T>
int choose_threads(const Catalogue<T>& catalogue, const Plan<T>& plan, int most) {
  const double work = static_cast<double>(catalogue.m) * static_cast<double>(catalogue.n) *
                      static_cast<double>(catalogue.d + 4);
  const double useful = std::clamp(work / kWorkPerThread, 1.0, 1e6);
  if (most <= 0) most = default_threads();
  return static_cast<int>(
      std::min<int64_t>({most, static_cast<int64_t>(useful),
                         std::max<int64_t>(plan.query_blocks * plan.n_pieces, 1)}));
}

// A share of [0, n) for a member of a team.
std::pair<int64_t, int64_t> share(int64_t n, const Team& team) {
  return {n * team.member / team.size, n * (team.member + 1) / team.size};
}

}  // namespace

template <class T>
bool rank(const Catalogue<T>& catalogue, const Lists& exclude, int threads, bool finite,
          const Request<T>& ranking, const Ask& ask) {
  const Plan<T> plan(catalogue, ranking);
  Pieces<T> pieces(catalogue.m, plan);
  Buffer<T> scales;
  if (catalogue.similarity == Similarity::kCosine) scales.reset(catalogue.n);
  const int team_size = choose_threads(catalogue, plan, threads);
  std::vector<std::unique_ptr<Worker<T>>> workers;
  for (int i = 0; i < team_size; ++i) {
    workers.push_back(
        std::make_unique<Worker<T>>(catalogue, exclude, ranking, plan, scales.data()));
  }
  const int64_t jobs = plan.query_blocks * plan.n_pieces;
  std::atomic<int64_t> next{0};
  std::atomic<bool> stopped{false};
  parallel(team_size, [&](const Team& team) {
    if (scales.size() > 0) {
      const auto [begin, end] = share(catalogue.n, team);
      inverse_lengths(begin, end, catalogue.d, catalogue.items, scales.data());
      team.wait();
    }
    Worker<T>& worker = *workers[static_cast<size_t>(team.member)];
    Poll poll(ask);
    const auto stop = [&] {
      if (team.member == 0 && poll.stop()) stopped.store(true, std::memory_order_relaxed);
      return stopped.load(std::memory_order_relaxed);
    };
    for (int64_t job = next.fetch_add(1); job < jobs && !stop(); job = next.fetch_add(1)) {
      const int64_t block = job / plan.n_pieces, piece = job % plan.n_pieces;
      const int64_t query = block * plan.blocks.queries, begin = piece * plan.piece;
      const int64_t n = std::min(plan.blocks.queries, catalogue.m - query);
      const int64_t end = std::min(begin + plan.piece, catalogue.n);
      if (!worker.run(query, n, begin, end, finite && block == 0, stop)) stopped.store(true);
      for (int64_t i = 0; i < n && plan.n_pieces > 1; ++i) {
        pieces.keep(query + i, piece, worker.selection(i));
      }
      for (int64_t i = 0; i < n && plan.n_pieces == 1; ++i) {
        write_best(ranking, plan.k, query + i, worker.selection(i));
      }
    }
    team.wait();
    if (plan.n_pieces == 1 || stopped.load()) return;
    const auto [begin, end] = share(catalogue.m, team);
    for (int64_t query = begin; query < end; ++query) pieces.merge(query, ranking);
  });
  return !stopped.load();
}

#define FASTNN_INSTANTIATE(T) \
  template bool rank(const Catalogue<T>&, const Lists&, int, bool, const Request<T>&, const Ask&);
FASTNN_INSTANTIATE(float)
FASTNN_INSTANTIATE(double)
#undef FASTNN_INSTANTIATE

}  // namespace fastnn
