// The contract of a layer. Planning happens in the constructor: shapes are checked, the output's
// shape and the parameters declared. Running is const: all that changes lies in Memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "base/buffer.h"
#include "kernels/kernels.h"
#include "nn/graph.h"

namespace fastnn {

// An array that training changes, with its optimizer's slots.
template <class T>
struct Parameter {
  std::string name;
  Shape shape;
  double l1 = 0, l2 = 0;
  bool trainable = true;
  bool table = false;       // rows are looked up by ids
  bool rowwise = false;     // its slots hold one number a row
  Buffer<T> value;          // the numbers, or
  Buffer<uint16_t> halves;  // bfloat16 in their place: only tables of float
  bool kept = false;        // in a file that was there before: no initial values are wanted
  Buffer<T> slots[3];
  Buffer<T> gradient;  // only while gradients are stored: clipping by a norm, gradients()
  int64_t size() const { return size_of(shape); }
  Shape slot_shape() const { return rowwise ? Shape{shape[0]} : shape; }

  // Elements first .. first + count, rounded to the nearest where halves are held.
  void write(int64_t first, int64_t count, const T* from);
  void read(int64_t first, int64_t count, T* to) const;
  void flush() const {
    value.flush();
    halves.flush();
  }
};

// The slots of a parameter from one element on, as an update takes them: null for those it lacks.
template <class T>
class Slots {
 public:
  Slots(Parameter<T>& parameter, int64_t from) {
    for (int i = 0; i < 3; ++i) {
      Buffer<T>& slot = parameter.slots[i];
      at_[i] = slot.size() > 0 ? slot.data() + from : nullptr;
    }
  }
  T* operator[](int i) const { return at_[i]; }

 private:
  T* at_[3];
};

// Where the values of a batch lie, by node; every pointer is that of the batch's first row.
template <class T>
struct Memory {
  std::vector<T*> values;              // outputs of float nodes
  std::vector<const int32_t*> ids;     // outputs of ids nodes
  std::vector<T*> gradients;           // of a node's output; null where none is needed
  std::vector<std::vector<T*>> edges;  // where a node writes the gradient of each input, or null
  std::vector<T*> extras;              // Layer::extra elements per row
  std::vector<T*> shared;              // Layer::shared elements per batch
  std::vector<int32_t*> marks;         // Layer::marks elements per row
};

// How a pass runs.
template <class T>
struct Pass {
  const Kernels<T>& kernels;
  bool training = false;           // noise layers act
  bool folded = false;             // layers do the work of those folded into them
  bool statistics = false;         // layers that mix rows take the batch's statistics
  NoiseKey noise{};                // seed and step; the stream is the layer's
  T* scratch = nullptr;            // of this thread, Layer::scratch(rows) elements
  const T* row_weights = nullptr;  // of the batch, or null
  T row_scale = 0;                 // 1 / sum of the batch's weights
  T* penalties = nullptr;          // of the batch, one per row
};

template <class T>
class Layer;

// Rows first .. first + count of the batch as one layer sees them.
template <class T>
class Rows {
 public:
  Rows(const Layer<T>& layer, const Memory<T>& memory, const Pass<T>& pass, int64_t first,
       int64_t count)
      : first(first), count(count), pass(pass), layer_(layer), memory_(memory) {}

  const T* input(size_t i) const;
  const int32_t* ids(size_t i) const;
  T* output() const;
  T* output_gradient() const;
  T* input_gradient(size_t i) const;  // null when nobody needs it
  T* extra() const;                   // null in prediction
  int32_t* marks() const;
  T* shared() const;

  const int64_t first, count;
  const Pass<T>& pass;

 private:
  const Layer<T>& layer_;
  const Memory<T>& memory_;
};

// A piece of a dense parameter, one unit of work of the weights phase: elements begin .. end, and
// runs - 1 more pieces as long, each `stride` elements after the one before.
struct Tile {
  int layer, parameter;
  int64_t begin, end;
  double cost;  // relative: elements, times the products behind each per row of the batch
  int64_t runs = 1, stride = 0;
  int64_t size() const { return runs * (end - begin); }
};

// A table whose rows are looked up by ids: one row of gradient per lookup.
struct TableUse {
  int ids_node;
  int64_t lookups;     // per row of the batch
  int32_t padding;     // id that is no lookup, or -1
  bool every_row;      // sparse_update="dense"
  bool exact = false;  // sparse_update="exact": before rows are looked up, they catch up
};

// A looked-up number costs as much as this many operations: it waits for memory, as do its slots.
constexpr double kWorkPerElement = 200;

template <class T>
class Layer {
 public:
  explicit Layer(const Node& node, const std::vector<Value>& inputs)
      : name(node.name), inputs(inputs), sources(node.inputs) {}
  virtual ~Layer() = default;

  // Writes the output of these rows; in backward, first the inputs' gradients from the output's.
  virtual void forward(const Rows<T>& rows) const = 0;
  virtual void backward(const Rows<T>& rows) const = 0;

  // The weights phase of dense parameters: pieces of work, and the gradient of one piece over a
  // whole batch (g[tile.size()], contiguous), with tile_scratch() elements of scratch.
  virtual void add_tiles(std::vector<Tile>&) const {}
  virtual void gradient(const Tile&, const Rows<T>&, T* /*g*/) const {}
  virtual int64_t tile_scratch() const { return 0; }

  // The values of a piece of a parameter (null: of all of them) have changed: what is derived from
  // them follows.
  virtual void refresh(const Tile* /*piece*/) const {}

  // A layer that mixes rows (batch statistics) cuts the rows phase. collect() takes what some rows
  // contribute; when all are in, combine() makes Memory::shared of it, its columns divided among
  // `parts`; then comes forward(), or backward(). After a step that was applied: finish().
  virtual bool mixes_rows() const { return false; }
  virtual void collect(const Rows<T>&) const {}
  virtual void combine(const Rows<T>& /*batch*/, int /*part*/, int /*parts*/) const {}
  virtual void collect_backward(const Rows<T>&) const {}
  virtual void combine_backward(const Rows<T>& /*batch*/, int /*part*/, int /*parts*/) const {}
  virtual void finish(const Rows<T>& /*batch*/) const {}

  // Whether this layer, in prediction, can do the work of `next` too, which alone uses the value
  // of this layer (and of those it took over already); and brings what it needs for that up to
  // date: called when weights may have changed. A pass that is `folded` then does all of it.
  using Others = std::vector<const Layer<T>*>;
  virtual bool folds(const Others& /*taken*/, const Layer<T>& /*next*/) const { return false; }
  virtual void fold(const Others& /*taken*/) const {}

  // A layer with a table (its only parameter) says how it is used, and where the gradients of the
  // lookups lie: rows of output_dim elements, `lookups` per row of the batch. Its node may name an
  // earlier one (config: table) whose table it looks up in place of one of its own.
  virtual const TableUse* table() const { return nullptr; }
  virtual Parameter<T>* table_parameter() const {
    return table() == nullptr ? nullptr : parameters[0].get();
  }
  virtual void share_table(Parameter<T>& /*table*/) {
    check(false, name, ": expected a table of its own, got one of another layer");
  }
  virtual const T* lookup_gradients(const Memory<T>&) const { return nullptr; }

  // Elements of scratch one thread needs for `rows` rows.
  virtual int64_t scratch(int64_t /*rows*/) const { return 0; }

  // The output is the input under another shape: no work, no memory.
  virtual bool alias() const { return false; }

  // Name of the function an activation layer applies, else "".
  virtual std::string function() const { return ""; }

  // Floating point operations per row of a training step, for choosing the number of threads.
  virtual double work() const { return static_cast<double>(output.width()); }

  const std::string name;
  const std::vector<Value> inputs;
  std::vector<int> sources;  // nodes of the inputs
  Value output;
  int position = 0;              // of the node in the engine's list
  uint32_t stream = 0;           // last counter word of this layer's random numbers
  int64_t extra = 0, marks = 0;  // elements per row kept from forward to backward
  int64_t shared = 0;            // elements per batch
  int64_t unit = 1;              // a batch is cut at multiples of so many rows
  std::vector<std::unique_ptr<Parameter<T>>> parameters;

 protected:
  Parameter<T>& add_parameter(const std::string& parameter, const Shape& shape, double l1,
                              double l2, bool trainable) {
    Parameter<T>& made = describe_parameter(parameter, shape, l1, l2, trainable);
    made.value.reset(size_of(shape));
    return made;
  }
  // The same without memory.
  Parameter<T>& describe_parameter(const std::string& parameter, const Shape& shape, double l1,
                                   double l2, bool trainable) {
    auto made = std::make_unique<Parameter<T>>();
    made->name = name + "/" + parameter;
    made->shape = shape;
    made->l1 = l1;
    made->l2 = l2;
    made->trainable = trainable;
    parameters.push_back(std::move(made));
    return *parameters.back();
  }
};

template <class T>
const T* Rows<T>::input(size_t i) const {
  return memory_.values[static_cast<size_t>(layer_.sources[i])] + first * layer_.inputs[i].width();
}
template <class T>
const int32_t* Rows<T>::ids(size_t i) const {
  return memory_.ids[static_cast<size_t>(layer_.sources[i])] + first * layer_.inputs[i].width();
}
template <class T>
T* Rows<T>::output() const {
  return memory_.values[static_cast<size_t>(layer_.position)] + first * layer_.output.width();
}
template <class T>
T* Rows<T>::output_gradient() const {
  return memory_.gradients[static_cast<size_t>(layer_.position)] + first * layer_.output.width();
}
template <class T>
T* Rows<T>::input_gradient(size_t i) const {
  T* gradient = memory_.edges[static_cast<size_t>(layer_.position)][i];
  return gradient == nullptr ? nullptr : gradient + first * layer_.inputs[i].width();
}
template <class T>
T* Rows<T>::extra() const {
  T* kept = memory_.extras[static_cast<size_t>(layer_.position)];
  return kept == nullptr ? nullptr : kept + first * layer_.extra;
}
template <class T>
int32_t* Rows<T>::marks() const {
  return memory_.marks[static_cast<size_t>(layer_.position)] + first * layer_.marks;
}
template <class T>
T* Rows<T>::shared() const {
  return memory_.shared[static_cast<size_t>(layer_.position)];
}

// --- the list of layers (layers.cpp) -------------------------------------------------------------

template <class T>
using LayerPointer = std::unique_ptr<Layer<T>>;

// How a layer is made, in either type.
template <class T>
using MakeLayer = LayerPointer<T> (*)(const Node&, const std::vector<Value>&);
using Maker = std::tuple<MakeLayer<float>, MakeLayer<double>>;

template <template <class> class Item, class T>
LayerPointer<T> make_item(const Node& node, const std::vector<Value>& inputs) {
  return std::make_unique<Item<T>>(node, inputs);
}
template <template <class> class Item>
constexpr Maker maker_of{make_item<Item, float>, make_item<Item, double>};

extern const Maker kDense, kEmbedding, kEmbeddingBag, kDot, kConcatenate, kAdd, kMultiply, kFlatten,
    kReshape, kActivation, kRescaling, kDropout, kGaussianNoise, kActivityRegularization, kScores;
extern const Maker kConvolution, kBatchNormalization, kLayerNormalization, kPooling;
extern const Maker kZeroPadding2D, kSpatialDropout2D, kRandomFlip, kRandomTranslation, kRandomCrop;

// The layer of a node; throws for an unknown kind or shapes that do not fit.
template <class T>
LayerPointer<T> make_layer(const Node& node, const std::vector<Value>& inputs);

std::vector<std::string> layer_kinds();

}  // namespace fastnn
