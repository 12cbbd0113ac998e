#include <ATen/Parallel.h>

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/elementwise.h"

namespace galore::kernels::cpu {
namespace {

template <typename To, typename From>
void copy_rows(const at::Tensor& out, const at::Tensor& table, const int64_t* index) {
  const int64_t n = out.size(1);
  at::parallel_for(0, out.size(0), 16, [&](int64_t begin, int64_t end) {
    for (int64_t token = begin; token < end; ++token) {
      const From* from = data<From>(table) + index[token] * n;
      To* to = data<To>(out) + token * n;
      for (int64_t i = 0; i < n; ++i) to[i] = static_cast<To>(static_cast<float>(from[i]));
    }
  });
}

// Threads divide the columns, not the tokens, so every sum is in the order of the tokens.
template <typename To, typename From>
void sum_rows(const at::Tensor& table, const at::Tensor& rows, const int64_t* index) {
  const int64_t n = rows.size(1), tokens = rows.size(0);
  at::parallel_for(0, n, 64, [&](int64_t begin, int64_t end) {
    for (int64_t token = 0; token < tokens; ++token) {
      const From* from = data<From>(rows) + token * n;
      To* to = data<To>(table) + index[token] * n;
      for (int64_t i = begin; i < end; ++i) {
        to[i] = static_cast<To>(static_cast<float>(to[i]) + static_cast<float>(from[i]));
      }
    }
  });
}

}  // namespace

bool embedding(const at::Tensor& out, const at::Tensor& table, const at::Tensor& indices) {
  bool done = false;
  with_element(out, [&](auto* to) {
    done = with_element(table, [&](auto* from) {
      copy_rows<Element<decltype(to)>, Element<decltype(from)>>(out, table, data<int64_t>(indices));
    });
  });
  return done;
}

bool add_rows(const at::Tensor& table, const at::Tensor& indices, const at::Tensor& rows) {
  bool done = false;
  with_element(table, [&](auto* to) {
    done = with_element(rows, [&](auto* from) {
      sum_rows<Element<decltype(to)>, Element<decltype(from)>>(table, rows, data<int64_t>(indices));
    });
  });
  return done;
}

}  // namespace galore::kernels::cpu
