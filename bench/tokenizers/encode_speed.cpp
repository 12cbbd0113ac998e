// Encodes the documents of a text repeatedly, one pass for each line of standard input:
//
//   bench_encode TOKENIZER TEXT_FILE BYTES_PER_DOCUMENT THREADS
//
// Prints the seconds of each pass and its number of ids. bench/tokenizers/compare.py runs it alternately with
// the Python package.
#include <chrono>
#include <iostream>
#include <thread>

#include "core/errors.h"
#include "tokenizer/tokenizer.h"

namespace {

// Splits the text at line ends, as compare.py does.
std::vector<std::string_view> documents_of(const std::string& text, size_t bytes) {
  std::vector<std::string_view> documents;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', std::min(begin + bytes, text.size())), text.size());
    documents.push_back(std::string_view(text).substr(begin, end - begin));
    begin = end;
  }
  return documents;
}

size_t encode_all(const galore::Tokenizer& tokenizer, const std::vector<std::string_view>& documents,
                  size_t num_threads) {
  std::vector<std::thread> threads;
  std::vector<size_t> counts(num_threads);
  for (size_t thread = 0; thread < num_threads; ++thread)
    threads.emplace_back([&, thread] {
      for (size_t i = thread; i < documents.size(); i += num_threads)
        counts[thread] += tokenizer.encode(documents[i], false).size();
    });
  size_t sum = 0;
  for (size_t thread = 0; thread < num_threads; ++thread) {
    threads[thread].join();
    sum += counts[thread];
  }
  return sum;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 5) galore::fail("bench_encode", "expected TOKENIZER TEXT_FILE BYTES_PER_DOCUMENT THREADS");
  const auto tokenizer = galore::load_tokenizer(argv[1]);
  const std::string text = galore::read_file(argv[2]);
  const auto documents = documents_of(text, std::stoul(argv[3]));
  for (std::string line; std::getline(std::cin, line);) {
    const auto start = std::chrono::steady_clock::now();
    const size_t ids = encode_all(*tokenizer, documents, std::stoul(argv[4]));
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    std::cout << seconds << ' ' << ids << std::endl;
  }
  return 0;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
