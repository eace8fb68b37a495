// The list of layers: kind -> maker.
#include "nn/layer.h"

namespace fastnn {
namespace {

struct Entry {
  const char* kind;
  const Maker& maker;
};

const Entry kEntries[] = {
    {"dense", kDense},
    {"embedding", kEmbedding},
    {"embedding_bag", kEmbeddingBag},
    {"scores", kScores},
    {"dot", kDot},
    {"concatenate", kConcatenate},
    {"add", kAdd},
    {"multiply", kMultiply},
    {"flatten", kFlatten},
    {"reshape", kReshape},
    {"activation", kActivation},
    {"rescaling", kRescaling},
    {"dropout", kDropout},
    {"gaussian_noise", kGaussianNoise},
    {"activity_regularization", kActivityRegularization},
    {"conv2d", kConvolution},
    {"conv1d", kConvolution},
    {"batch_normalization", kBatchNormalization},
    {"layer_normalization", kLayerNormalization},
    {"max_pooling2d", kPooling},
    {"average_pooling2d", kPooling},
    {"global_max_pooling2d", kPooling},
    {"global_average_pooling2d", kPooling},
    {"zero_padding2d", kZeroPadding2D},
    {"spatial_dropout2d", kSpatialDropout2D},
    {"random_flip", kRandomFlip},
    {"random_translation", kRandomTranslation},
    {"random_crop", kRandomCrop},
};

}  // namespace

std::vector<std::string> layer_kinds() {
  std::vector<std::string> kinds = {"input"};
  for (const auto& entry : kEntries) kinds.emplace_back(entry.kind);
  return kinds;
}

template <class T>
LayerPointer<T> make_layer(const Node& node, const std::vector<Value>& inputs) {
  std::string names;
  for (const auto& entry : kEntries) {
    if (node.kind == entry.kind) return std::get<MakeLayer<T>>(entry.maker)(node, inputs);
    names += std::string(names.empty() ? "" : ", ") + entry.kind;
  }
  check(false, node.name, ": expected a layer of kind ", names, ", got ", node.kind);
  return nullptr;
}

template LayerPointer<float> make_layer(const Node&, const std::vector<Value>&);
template LayerPointer<double> make_layer(const Node&, const std::vector<Value>&);

}  // namespace fastnn
