// Joins the work of several processes. Each process computes a share of every update (update_share.h), and
// all of them make the same update from the sum of their gradients.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/update_share.h"

namespace galore {

// Numbers of sums that may be under way at a time. 64 MiB hold the largest gradient of a small model, so that
// its exchange does not hold up the layers below.
inline constexpr int64_t kExchangeWindow = int64_t{1} << 24;

// The sums that a process has taken part in since it began.
struct Traffic {
  int64_t bytes = 0;   // sent by this process
  double seconds = 0;  // in which this process waited for others
};

inline constexpr int kEveryProcess = -1;

// The sum of one weight's gradients over the processes.
struct GradientSum {
  // The sums of this process's tree nodes (largest_nodes), contiguous and fp32. An idle process has none.
  std::vector<at::Tensor> partials;
  at::Tensor total;       // receives the sum; it may be the first partial sum
  bool reported = false;  // whether any use had a gradient: of this process before, of all after the sum
  // The only process that receives the sum and `reported`, or kEveryProcess. The others' totals stay as they
  // are and may go away after begin().
  int owner = kEveryProcess;
};

// Bytes that one process sends to all others.
struct OwnerAnswer {
  int owner = 0;
  // Contiguous bytes (uint8, of one dimension). The owner gives them, and the others receive them into
  // tensors of the same sizes, at any time between begin() and finish().
  std::vector<at::Tensor> parts;
};

// Every process must make the same calls in the same order with tensors of the same shapes. All calls throw
// LostProcess (lost_process.h) when another process has failed.
class Collective {
 public:
  virtual ~Collective() = default;
  // Returns the number of this process, counted from 0.
  virtual int index() const = 0;
  virtual int size() const = 0;
  // Sets the order of additions of the sums that follow.
  virtual void begin_update(const UpdateShare& share) = 0;
  // Begins a sum. It is done in the background until finish(), which must be called for it. The partial sums
  // may be overwritten as soon as this function returns, while `sum` and its total must stay until finish().
  virtual void begin(GradientSum& sum) = 0;
  // Waits for the sum. Sums must be finished in the order in which they were begun.
  virtual void finish(GradientSum& sum) = 0;
  // Begins to send bytes of their owner, which may be overwritten there as soon as this function returns. The
  // tensors of the others must stay until finish(), which must be called by all.
  virtual void begin(OwnerAnswer& answer) = 0;
  virtual void finish(OwnerAnswer& answer) = 0;
  // Returns true if the caller should finish its oldest sum or answer before it begins another one. All
  // processes get the same answer.
  virtual bool is_crowded() const { return false; }
  // Returns the numbers of all processes one after the other. Every process gives equally many.
  virtual std::vector<double> gather(const std::vector<double>& own) = 0;
  // Returns the text of one process.
  virtual std::string text_of(int process, const std::string& text) = 0;
  std::string text_of_first(const std::string& text) { return text_of(0, text); }
  // Copies bytes (contiguous uint8 on the CPU, of a size that both know) from process `from` to process 0.
  // The tensors of the other processes do not matter.
  virtual void bring_to_first(int from, const at::Tensor& bytes) = 0;
  virtual Traffic traffic() const { return {}; }
};

// Returns the collective of a process that trains alone: its calls change nothing.
Collective& single_process();

}  // namespace galore
