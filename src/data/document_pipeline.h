// Gives documents in the order in which they are read, processed ahead by several threads.
//
// The result does not depend on the number of threads: each thread takes the next block of documents from the
// reader, one thread at a time, and finished blocks are handed out in the order of their numbers.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "data/documents.h"

namespace galore {

class DocumentPipeline {
 public:
  using Read = std::function<bool(Document&)>;  // reads the next document; returns false at the end
  using Work = std::function<void(Document&)>;  // called on any thread, several at a time

  // With 0 workers next() does all the work. At most one more block than there are workers waits at a time; a
  // block is 256 KiB of text, or one document.
  DocumentPipeline(Read read, Work work, int64_t workers);
  ~DocumentPipeline();
  DocumentPipeline(const DocumentPipeline&) = delete;
  DocumentPipeline& operator=(const DocumentPipeline&) = delete;

  // Returns false at the end. An exception of `read` or `work` is rethrown here, after the documents before
  // it.
  bool next(Document& document);

 private:
  struct Block {
    std::vector<Document> documents;
    size_t count = 0;
    bool last = false;
    std::exception_ptr error;  // thrown after these documents
  };

  void run();
  void stop();
  void fill(Block& block);
  void work_on(Block& block);
  // Takes the next number for a worker; returns false when there is nothing more to do.
  bool take_number(int64_t& number);
  void wait_for_block();

  Read read_;
  Work work_;
  int64_t workers_;
  Block block_;  // the block that is being returned
  size_t position_ = 0;

  std::mutex reading_;  // locked before mutex_
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<int64_t, Block> ready_;
  std::vector<Block> spare_;
  int64_t taken_ = 0, handed_out_ = 0;  // numbers of blocks
  bool ended_ = false, stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace galore
