// Replaces the matrices of low rank in a model by factors, and factors by matrices.
//
// The choice of ranks is WeLore's (Jaiswal et al., arXiv 2407.11239). Legend: s singular values of a matrix,
// N = min(m, n) of them.
//
//   z_i = (s_i - min s) / (max s - min s)
//   A threshold k, which all matrices share, cuts the p values with z_i < k. A matrix with p / N > min_ratio
//   is factored with rank N - p: B = U_r sqrt(S_r) and A = sqrt(S_r) V_r^T. Others stay as they are. The
//   effective rank reduction is the sum of p over the factored matrices divided by the sum of N over all.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

#include "train/run_builder.h"

namespace galore {

struct CompressOptions {
  double rank_reduction = 0.5;
  double min_ratio = 0.4999;  // the authors' script for fine-tuning; their script for compression alone has 0
  bool train_norms = true;
};

struct Spectrum {
  std::string name;   // of the matrix's place
  at::Tensor values;  // descending, fp32
};

struct ChosenRank {
  std::string name;
  int64_t rank = 0, full_rank = 0;
  bool factored = false;
};

struct Compression {
  double threshold = 0, rank_reduction = 0;
  std::vector<ChosenRank> matrices;
};

// Finds the smallest threshold that reduces the effective rank by options.rank_reduction or more. A reduction
// that no threshold reaches is a UsageError that states the largest.
Compression choose_ranks(const std::vector<Spectrum>& spectra, const CompressOptions& options);

// Returns the spectra of the matrices inside the layers of a plain model.
std::vector<Spectrum> spectra_of(TrainableModel& model, const std::function<void(const std::string&)>& say);

// Builds the model with factors from a plain one, whose other tensors it shares.
RunObjects compressed(TrainableModel& plain, const Compression& choice, const CompressOptions& options,
                      const ModelOptions& model_options);

// Writes the plain model that computes the same as `model`, which has an adapter, or factors or the like in
// place of matrices, to the directory `output`. `source` names the directory of the model. A layer that
// multiplies by no single matrix (CoLA) is an Error.
void merge_layers(const ModelSource& source, const Path& output, TrainableModel& model);

// Returns the dtype for a model's weights in memory that keeps what the directory stores: bfloat16 or
// float32.
std::string stored_dtype(const Path& directory);

}  // namespace galore
