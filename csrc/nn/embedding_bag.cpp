// EmbeddingBag: the looked-up rows of each bag combined to one vector, optionally weighted.
#include "nn/layer.h"
#include "nn/planning.h"
#include "nn/table_parameter.h"

namespace fastnn {
namespace {

BagMode bag_mode(const Node& node) {
  const std::string mode = node.config.word("mode", "mean");
  if (mode == "sum") return BagMode::kSum;
  if (mode == "mean") return BagMode::kMean;
  if (mode == "sqrtn") return BagMode::kSqrtn;
  check(mode == "max", node.name, ": expected mode to be one of sum, mean, sqrtn, max, got ", mode);
  return BagMode::kMax;
}

template <class T>
class EmbeddingBag : public Layer<T> {
 public:
  EmbeddingBag(const Node& node, const std::vector<Value>& inputs) : Layer<T>(node, inputs) {
    check_inputs(node, inputs, 1, 2);
    v_ = size_setting(node, "input_dim");
    d_ = size_setting(node, "output_dim");
    check_ids(node, inputs[0], v_);
    check(inputs[0].shape.size() == 1, node.name, ": expected ids of shape (k,), got shape ",
          to_string(inputs[0].shape));
    k_ = inputs[0].shape[0];
    mode_ = bag_mode(node);
    check(node.config.word("storage", "float32") == "float32", node.name,
          ": expected storage float32 for a bag, got bfloat16");
    if (inputs.size() == 2) {
      check_floats(node, inputs[1]);
      check(mode_ != BagMode::kMax, node.name, ": expected no weights in mode max, got weights");
      check(inputs[1].shape == inputs[0].shape, node.name, ": expected weights of the ids' shape ",
            to_string(inputs[0].shape), ", got ", to_string(inputs[1].shape));
    }
    const double padding = node.config.number("padding_idx", -1);
    check(padding >= -1 && padding < static_cast<double>(v_), node.name,
          ": expected padding_idx in [0, ", v_, "), got ", padding);
    if (node.config.word("table", "").empty()) {
      table_ = hold_table(node,
                          this->describe_parameter("embeddings", {v_, d_},
                                                   number_within(node, "embeddings_l1", 0, 0, 1e30),
                                                   number_within(node, "embeddings_l2", 0, 0, 1e30),
                                                   node.config.number("trainable", 1) != 0));
    }
    this->output.shape = {d_};
    this->extra = checked_multiply(k_, d_);
    this->marks = mode_ == BagMode::kMax ? d_ : 0;
    const std::string update = sparse_update(node);
    use_ = {node.inputs[0], k_, static_cast<int32_t>(padding), update == "dense",
            update == "exact"};
  }

  void forward(const Rows<T>& rows) const override {
    rows.pass.kernels.bag_forward(mode_, rows.count, k_, d_, table_->value.data(), rows.ids(0),
                                  use_.padding, weights(rows), rows.output(),
                                  this->marks > 0 ? rows.marks() : nullptr);
  }

  void backward(const Rows<T>& rows) const override {
    T* dweights = this->inputs.size() == 2 ? rows.input_gradient(1) : nullptr;
    rows.pass.kernels.bag_backward(mode_, rows.count, k_, d_, table_->value.data(), rows.ids(0),
                                   use_.padding, weights(rows),
                                   this->marks > 0 ? rows.marks() : nullptr, rows.output(),
                                   rows.output_gradient(), rows.extra(), dweights);
  }

  const TableUse* table() const override { return &use_; }
  Parameter<T>* table_parameter() const override { return table_; }
  void share_table(Parameter<T>& table) override {
    check_shared_table(this->name, table, {v_, d_});
    table_ = &table;
  }

  double work() const override { return kWorkPerElement * static_cast<double>(use_.lookups * d_); }

  const T* lookup_gradients(const Memory<T>& memory) const override {
    return memory.extras[static_cast<size_t>(this->position)];
  }

 private:
  const T* weights(const Rows<T>& rows) const {
    return this->inputs.size() == 2 ? rows.input(1) : nullptr;
  }

  int64_t v_ = 0, d_ = 0, k_ = 0;
  BagMode mode_ = BagMode::kMean;
  TableUse use_{};
  Parameter<T>* table_ = nullptr;
};

}  // namespace

const Maker kEmbeddingBag = maker_of<EmbeddingBag>;

}  // namespace fastnn
