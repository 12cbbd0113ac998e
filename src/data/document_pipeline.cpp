#include "data/document_pipeline.h"

namespace galore {
namespace {

constexpr size_t kBlockBytes = 256u << 10;

}  // namespace

DocumentPipeline::DocumentPipeline(Read read, Work work, int64_t workers)
    : read_(std::move(read)), work_(std::move(work)), workers_(workers) {
  try {
    for (int64_t i = 0; i < workers; ++i) threads_.emplace_back([this] { run(); });
  } catch (...) {
    stop();  // the started threads wait for this object
    throw;
  }
}

DocumentPipeline::~DocumentPipeline() { stop(); }

void DocumentPipeline::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void DocumentPipeline::fill(Block& block) {
  block.count = 0;
  try {
    for (size_t bytes = 0; bytes < kBlockBytes && !block.last; ++block.count) {
      if (block.count == block.documents.size()) block.documents.emplace_back();
      Document& document = block.documents[block.count];
      if (!read_(document)) block.last = true;
      if (block.last) break;
      bytes += document.text.size() + 8 * document.ids.size() + sizeof(Document);
    }
  } catch (...) {
    block.error = std::current_exception();
    block.last = true;
  }
}

void DocumentPipeline::work_on(Block& block) {
  for (size_t i = 0; i < block.count; ++i) {
    try {
      work_(block.documents[i]);
    } catch (...) {
      block.error = std::current_exception();
      block.last = true;
      block.count = i;
    }
  }
}

bool DocumentPipeline::take_number(int64_t& number) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return stopping_ || ended_ || taken_ <= handed_out_ + workers_; });
  if (stopping_ || ended_) return false;
  number = taken_++;
  return true;
}

void DocumentPipeline::run() {
  for (int64_t number = 0;;) {
    Block block;
    {
      const std::lock_guard reading(reading_);
      if (!take_number(number)) return;
      {
        const std::lock_guard lock(mutex_);
        if (!spare_.empty()) {
          block = std::move(spare_.back());
          spare_.pop_back();
        }
      }
      fill(block);
      const std::lock_guard lock(mutex_);
      ended_ = ended_ || block.last;
    }
    work_on(block);
    {
      const std::lock_guard lock(mutex_);
      ended_ = ended_ || block.last;
      ready_.emplace(number, std::move(block));
    }
    changed_.notify_all();
  }
}

void DocumentPipeline::wait_for_block() {
  position_ = 0;
  if (workers_ == 0) {
    fill(block_);
    return work_on(block_);
  }
  std::unique_lock lock(mutex_);
  spare_.push_back(std::move(block_));
  changed_.wait(lock, [this] { return ready_.contains(handed_out_); });
  block_ = std::move(ready_.extract(handed_out_).mapped());
  ++handed_out_;
  lock.unlock();
  changed_.notify_all();
}

bool DocumentPipeline::next(Document& document) {
  while (position_ == block_.count) {
    if (block_.error) std::rethrow_exception(block_.error);
    if (block_.last) return false;
    wait_for_block();
  }
  std::swap(document, block_.documents[position_++]);
  return true;
}

}  // namespace galore
