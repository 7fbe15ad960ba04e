// A small tokenizer.json to change and break: the 256 bytes, a few merges, two added tokens.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "integration/phi2/tokenizer/bpe_tokenizer.hpp"

namespace trisect::phi2 {

/// Ids: a byte is its own id; "ab" 256, "abc" 257, " a" 258, "aa" 259; added: <|endoftext|> 260, two spaces
/// 261.
inline nlohmann::json tiny_tokenizer() {
  nlohmann::json vocab;
  int stand_in = 0x100;
  for (int b = 0; b < 256; ++b) {
    const bool itself = (b > 0x20 && b < 0x7f) || (b > 0xa0 && b != 0xad);
    const int c = itself ? b : stand_in++;
    std::string spelling(1, static_cast<char>(c));
    if (c > 0x7f) spelling = {static_cast<char>(0xc0 | c >> 6), static_cast<char>(0x80 | (c & 0x3f))};
    vocab[spelling] = b;
  }
  vocab["ab"] = 256;
  vocab["abc"] = 257;
  vocab["\u0120a"] = 258;
  vocab["aa"] = 259;
  const auto added = [](int id, const char* content, bool normalized) {
    return nlohmann::json{
        {"id", id},        {"content", content},       {"single_word", false},  {"lstrip", false},
        {"rstrip", false}, {"normalized", normalized}, {"special", !normalized}};
  };
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", {added(260, "<|endoftext|>", false), added(261, "  ", true)}},
          {"normalizer", nullptr},
          {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}}},
          {"post_processor", nullptr},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"vocab", vocab},
            {"merges", nlohmann::json::parse(R"([["a", "b"], ["ab", "c"], ["\u0120", "a"], ["a", "a"]])")}}}};
}

/// The file of one test, gone after it.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& content)
      : path_(std::filesystem::path(::testing::TempDir()) /
              ("tokenizer-" + std::to_string(getpid()) + ".json")) {
    std::ofstream(path_, std::ios::binary) << content;
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::unique_ptr<BpeTokenizer> load(const nlohmann::json& json) {
  return BpeTokenizer::load(TemporaryFile(json.dump()).path());
}

}  // namespace trisect::phi2
