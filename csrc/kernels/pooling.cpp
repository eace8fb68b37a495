// Pooling: the greatest or the mean of every window. Channels lie on the lanes. Windows are cut to
// the image before anything else, so that a border never counts; they are not dilated.
#include "kernels/lanes.h"

namespace fastnn::FASTNN_ISA {
namespace {

// --- windows -------------------------------------------------------------------------------------

// The pixels of an axis that a window sees.
struct Span {
  Index begin, end;
};

FASTNN_INLINE Span seen(Index at, Index stride, Index before, Index size, Index n) {
  const Index first = at * stride - before;
  return {first > 0 ? first : 0, least(first + size, n)};
}

// What one window sees of an image, kSize x kSize pixels if that is not 0.
template <int kSize>
struct View {
  Index w;
  Span rows, columns;

  FASTNN_INLINE Index first() const { return rows.begin * w + columns.begin; }
  FASTNN_INLINE Index height() const { return kSize > 0 ? kSize : rows.end - rows.begin; }
  FASTNN_INLINE Index width() const { return kSize > 0 ? kSize : columns.end - columns.begin; }
  FASTNN_INLINE Index pixels() const { return height() * width(); }
};

// Calls body(pixel) for all pixels of a view but the first `without`, row by row.
template <int kSize, class Body>
FASTNN_INLINE void for_pixels(View<kSize> view, Index without, Body body) {
  const Index height = view.height(), width = view.width();
#pragma GCC unroll 2
  for (Index i = 0; i < height; ++i) {
#pragma GCC unroll 2
    for (Index j = i == 0 ? without : 0; j < width; ++j) body(view.first() + i * view.w + j);
  }
}

// Asks for the pixels of a row of windows that come kAhead bytes after this window's.
constexpr Index kAhead = 2048;

template <class T>
FASTNN_INLINE void ask_ahead(const Window& a, Index channels, const T* x, Span rows, Index column) {
  for (Index i = rows.begin; i < rows.end; ++i) {
    const T* from = x + (i * a.w + column) * channels + kAhead / static_cast<Index>(sizeof(T));
    for (Index c = 0; c < a.sw * channels; c += kBlock<T>) __builtin_prefetch(from + c);
  }
}

// Calls body(output pixel, view, first channel, vectors, access) for all windows of an image. far
// is the image if it is to be asked for ahead, or null.
template <class T, class Body>
FASTNN_INLINE void for_windows(const Window& a, Index channels, const T* far, Body body) {
  for (Index i = 0; i < a.oh; ++i) {
    const Span rows = seen(i, a.sh, a.top, a.kh, a.h);
    for (Index j = 0; j < a.ow; ++j) {
      const Span columns = seen(j, a.sw, a.left, a.kw, a.w);
      const Index height = rows.end - rows.begin, width = columns.end - columns.begin;
      if (far != nullptr) ask_ahead(a, channels, far, rows, columns.begin);
      const auto all_channels = [&](auto view) {
        for_lanes<T, 4>(channels, [&](Index c, auto vectors, auto access) {
          body(i * a.ow + j, view, c, vectors, access);
        });
      };
      if (height == 2 && width == 2) {
        all_channels(View<2>{a.w, rows, columns});
      } else {
        all_channels(View<0>{a.w, rows, columns});
      }
    }
  }
}

// --- maxima --------------------------------------------------------------------------------------

// The first maximum of a window. doubt collects a sum of all values: it is NaN if one of them is.
template <class T, int kVectors, bool kKeeps, int kSize, class Access>
FASTNN_INLINE void greatest(const T* x, Index channels, View<kSize> view, T* y, int32_t* chosen,
                            Access access, Vector<T>& doubt) {
  Vector<T> best[kVectors], sum[kVectors];
  Integers<T> at[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    best[v] = sum[v] = access.read(x + view.first() * channels + v * kLanes<T>);
    at[v] = repeat<T>(view.first());
  }
  for_pixels(view, 1, [&](Index pixel) {
    for (int v = 0; v < kVectors; ++v) {
      const Vector<T> value = access.read(x + pixel * channels + v * kLanes<T>);
      if (kKeeps) at[v] = value > best[v] ? repeat<T>(pixel) : at[v];
      best[v] = value > best[v] ? value : best[v];
      sum[v] += value;
    }
  });
  for (int v = 0; v < kVectors; ++v) {
    access.write(y + v * kLanes<T>, best[v]);
    if (kKeeps) access.write(chosen + v * kLanes<T>, at[v]);
    doubt += sum[v];
  }
}

// The maxima of one image if no value is NaN; else, or by a sum of infinities, false.
template <class T, bool kKeeps>
bool max_image(const Window& a, Index channels, bool far, const T* x, T* y, int32_t* chosen) {
  Vector<T> doubt = {};
  for_windows(a, channels, far ? x : nullptr,
              [&](Index out, auto view, Index c, auto vectors, auto access) {
                const Index to = out * channels + c;
                greatest<T, vectors, kKeeps>(x + c, channels, view, y + to,
                                             kKeeps ? chosen + to : nullptr, access, doubt);
              });
  bool certain = true;
  for (int j = 0; j < kLanes<T>; ++j) certain = certain && doubt[j] == doubt[j];
  return certain;
}

// The same for any image: the first NaN of a window is its maximum.
template <class T, bool kKeeps>
void max_any_image(const Window& a, Index channels, const T* x, T* y, int32_t* chosen) {
  for (Index i = 0; i < a.oh; ++i) {
    const Span rows = seen(i, a.sh, a.top, a.kh, a.h);
    for (Index j = 0; j < a.ow; ++j, y += channels, chosen += kKeeps ? channels : 0) {
      const Span columns = seen(j, a.sw, a.left, a.kw, a.w);
      const View<0> view{a.w, rows, columns};
      const T* from = x + view.first() * channels;
      for (Index c = 0; c < channels; ++c) {
        y[c] = from[c];
        if (kKeeps) chosen[c] = static_cast<int32_t>(view.first());
      }
      for_pixels(view, 1, [&](Index pixel) {
        for (Index c = 0; c < channels; ++c) {
          const T value = x[pixel * channels + c];
          const bool takes = !(value <= y[c]) && y[c] == y[c];
          if (kKeeps && takes) chosen[c] = static_cast<int32_t>(pixel);
          y[c] = takes ? value : y[c];
        }
      });
    }
  }
}

template <class T, bool kKeeps>
void max_images(const Window& a, Index images, Index channels, const T* x, T* y, int32_t* chosen) {
  const bool far = is_far<T>(images * a.h * a.w * channels);
  for (Index image = 0; image < images; ++image) {
    if (!max_image<T, kKeeps>(a, channels, far, x, y, chosen))
      max_any_image<T, kKeeps>(a, channels, x, y, chosen);
    x += a.h * a.w * channels;
    y += a.oh * a.ow * channels;
    if (kKeeps) chosen += a.oh * a.ow * channels;
  }
}

template <class T>
void max_pool_forward(const Window& a, Index images, Index channels, const T* x, T* y,
                      int32_t* chosen) {
  if (chosen != nullptr) return max_images<T, true>(a, images, channels, x, y, chosen);
  max_images<T, false>(a, images, channels, x, y, nullptr);
}

// --- gradients -----------------------------------------------------------------------------------

// Every pixel lies in one window at most, or in none.
FASTNN_INLINE bool overlaps(const Window& a) { return a.kh > a.sh || a.kw > a.sw; }
FASTNN_INLINE bool covers(const Window& a) {
  return a.kh >= a.sh && a.kw >= a.sw && (a.oh - 1) * a.sh - a.top + a.kh >= a.h &&
         (a.ow - 1) * a.sw - a.left + a.kw >= a.w;
}

// A window's gradient for one vector of channels, to be given to its pixels: where they were
// chosen, or to each alike.
template <class T>
struct ToChosen {
  Vector<T> d;
  Integers<T> at;
  FASTNN_INLINE Vector<T> part(Index pixel) const {
    return at == repeat<T>(pixel) ? d : Vector<T>{};
  }
};
template <class T>
struct ToEach {
  Vector<T> d;
  FASTNN_INLINE Vector<T> part(Index) const { return d; }
};

// Gives the gradients of all windows to their pixels; those of windows that overlap add up in the
// order of the windows. read(position in dy, view, access) makes a ToChosen or a ToEach.
template <class T, bool kOverlaps, class Read>
FASTNN_INLINE void spread(const Window& a, Index images, Index channels, T* dx, Read read) {
  const Index size = a.h * a.w * channels;
  for (Index image = 0; image < images; ++image, dx += size) {
    if (kOverlaps || !covers(a)) std::memset(dx, 0, sizeof(T) * static_cast<size_t>(size));
    const T* far = nullptr;
    for_windows(a, channels, far, [&](Index out, auto view, Index c, auto vectors, auto access) {
      const Index from = (image * a.oh * a.ow + out) * channels + c;
      decltype(read(from, view, access)) gradient[vectors];
      for (int v = 0; v < vectors; ++v) gradient[v] = read(from + v * kLanes<T>, view, access);
      for_pixels(view, 0, [&](Index pixel) {
        T* to = dx + pixel * channels + c;
        for (int v = 0; v < vectors; ++v, to += kLanes<T>) {
          const Vector<T> d = gradient[v].part(pixel);
          access.write(to, kOverlaps ? access.read(to) + d : d);
        }
      });
    });
  }
}

template <class T, class Read>
FASTNN_INLINE void spread(const Window& a, Index images, Index channels, T* dx, Read read) {
  if (overlaps(a)) return spread<T, true>(a, images, channels, dx, read);
  spread<T, false>(a, images, channels, dx, read);
}

template <class T>
void max_pool_backward(const Window& a, Index images, Index channels, const int32_t* chosen,
                       const T* dy, T* dx) {
  spread(a, images, channels, dx, [=](Index from, auto, auto access) {
    return ToChosen<T>{access.read(dy + from), access.read(chosen + from)};
  });
}

template <class T>
void average_pool_backward(const Window& a, Index images, Index channels, const T* dy, T* dx) {
  spread(a, images, channels, dx, [=](Index from, auto view, auto access) {
    return ToEach<T>{access.read(dy + from) / static_cast<T>(view.pixels())};
  });
}

// Sums run along each row of the window, then down its rows.
template <class T>
void average_pool_forward(const Window& a, Index images, Index channels, const T* x, T* y) {
  const bool far = is_far<T>(images * a.h * a.w * channels);
  for (Index image = 0; image < images; ++image) {
    for_windows(a, channels, far ? x : nullptr,
                [&](Index out, auto view, Index c, auto vectors, auto access) {
                  Vector<T> total[vectors] = {};
                  const Index height = view.height(), width = view.width();
#pragma GCC unroll 2
                  for (Index i = 0; i < height; ++i) {
                    const T* row = x + (view.first() + i * view.w) * channels + c;
                    Vector<T> sum[vectors] = {};
#pragma GCC unroll 2
                    for (Index j = 0; j < width; ++j) {
                      for (int v = 0; v < vectors; ++v)
                        sum[v] += access.read(row + j * channels + v * kLanes<T>);
                    }
                    for (int v = 0; v < vectors; ++v) total[v] += sum[v];
                  }
                  for (int v = 0; v < vectors; ++v) {
                    access.write(y + out * channels + c + v * kLanes<T>,
                                 total[v] / static_cast<T>(view.pixels()));
                  }
                });
    x += a.h * a.w * channels;
    y += a.oh * a.ow * channels;
  }
}

}  // namespace

template <class T>
void add_pooling(Kernels<T>& table) {
  table.max_pool_forward = max_pool_forward<T>;
  table.max_pool_backward = max_pool_backward<T>;
  table.average_pool_forward = average_pool_forward<T>;
  table.average_pool_backward = average_pool_backward<T>;
}
template void add_pooling(Kernels<float>& table);
template void add_pooling(Kernels<double>& table);

}  // namespace fastnn::FASTNN_ISA
