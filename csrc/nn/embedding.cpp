// Embedding: a table of vectors, one row per id. Only looked-up rows have a gradient.
#include "nn/layer.h"
#include "nn/planning.h"
#include "nn/table_parameter.h"

namespace fastnn {
namespace {

template <class T>
class Embedding : public Layer<T> {
 public:
  Embedding(const Node& node, const std::vector<Value>& inputs) : Layer<T>(node, inputs) {
    check_inputs(node, inputs, 1, 1);
    v_ = size_setting(node, "input_dim");
    d_ = size_setting(node, "output_dim");
    check_ids(node, inputs[0], v_);
    if (node.config.word("table", "").empty()) {
      table_ = hold_table(node,
                          this->describe_parameter("embeddings", {v_, d_},
                                                   number_within(node, "embeddings_l1", 0, 0, 1e30),
                                                   number_within(node, "embeddings_l2", 0, 0, 1e30),
                                                   node.config.number("trainable", 1) != 0));
    }
    this->output.shape = inputs[0].shape;
    this->output.shape.push_back(d_);
    const std::string update = sparse_update(node);
    use_ = {node.inputs[0], inputs[0].width(), -1, update == "dense", update == "exact"};
  }

  void forward(const Rows<T>& rows) const override {
    const Parameter<T>& table = *table_;
    const Kernels<T>& kernels = rows.pass.kernels;
    const int64_t count = rows.count * use_.lookups;
    if (table.halves.size() > 0) {
      kernels.gather_bf16(count, d_, table.halves.data(), rows.ids(0), rows.output(), d_);
    } else {
      kernels.embedding_forward(count, d_, table.value.data(), rows.ids(0), rows.output(), d_);
    }
  }

  void backward(const Rows<T>&) const override {}

  const TableUse* table() const override { return &use_; }
  Parameter<T>* table_parameter() const override { return table_; }
  void share_table(Parameter<T>& table) override {
    check_shared_table(this->name, table, {v_, d_});
    table_ = &table;
  }

  double work() const override { return kWorkPerElement * static_cast<double>(use_.lookups * d_); }

  const T* lookup_gradients(const Memory<T>& memory) const override {
    return memory.gradients[static_cast<size_t>(this->position)];
  }

 private:
  int64_t v_ = 0, d_ = 0;
  TableUse use_{};
  Parameter<T>* table_ = nullptr;
};

}  // namespace

const Maker kEmbedding = maker_of<Embedding>;

}  // namespace fastnn
