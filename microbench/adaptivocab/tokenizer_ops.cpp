#include "microbench/adaptivocab/tokenizer_ops.hpp"

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "integration/phi2/tokenizer/bpe_tokenizer.hpp"
#include "integration/phi2/tokenizer/splitter.hpp"
#include "integration/phi2/tokenizer/tokenizer_file.hpp"
#include "kernels/core/random.hpp"

namespace trisect::microbench {
namespace {

namespace fs = std::filesystem;
using phi2::TokenId;

fs::path tokenizer_path(bool is_phi2) {
  if (!is_phi2) return fs::path(TRISECT_INTEGRATION_DIR) / "models/phi-mini/tokenizer.json";
  const char* directory = std::getenv("TRISECT_PHI2_TOKENIZER");
  return directory == nullptr ? fs::path() : fs::path(directory) / "tokenizer.json";
}

Availability has_tokenizer(const TokenizerProblem& problem) {
  const fs::path path = tokenizer_path(problem.is_phi2 != 0);
  if (path.empty()) return {"set TRISECT_PHI2_TOKENIZER to a directory with phi-2's tokenizer.json"};
  std::error_code ignored;
  return {fs::exists(path, ignored) ? "" : path.string() + " is not there"};
}

/// The tokenizer, and its merges as the reference looks them up.
struct Subject {
  explicit Subject(const fs::path& path) : file(phi2::read_tokenizer_file(path)) {
    for (std::size_t rank = 0; rank < file.merges.size(); ++rank) {
      ranks[{file.merges[rank].left, file.merges[rank].right}] = rank;
    }
    tokenizer = phi2::BpeTokenizer::from(phi2::TokenizerFile(file));
  }
  phi2::TokenizerFile file;
  std::map<std::pair<TokenId, TokenId>, std::size_t> ranks;
  std::unique_ptr<phi2::BpeTokenizer> tokenizer;
};

const Subject& subject(const TokenizerProblem& problem) {
  static std::map<int, std::unique_ptr<Subject>> all;
  auto& one = all[problem.is_phi2];
  if (!one) one = std::make_unique<Subject>(tokenizer_path(problem.is_phi2 != 0));
  return *one;
}

std::string prose(std::size_t bytes) {
  std::ifstream in(fs::path(TRISECT_INTEGRATION_DIR) / "texts/general.txt", std::ios::binary);
  const std::string all{std::istreambuf_iterator<char>(in), {}};
  if (all.empty()) environment_error("integration/texts/general.txt: cannot be read");
  std::string text;
  while (text.size() < bytes) text += all;
  return text;
}

std::string drawn(std::size_t bytes, std::initializer_list<const char*> parts) {
  const std::vector<const char*> all(parts);
  std::string text;
  for (std::uint64_t i = 0; text.size() < bytes; ++i) text += all[random_bits(11, i) % all.size()];
  return text;
}

std::string other_scripts(std::size_t bytes) {
  constexpr std::uint32_t kFirst[] = {0x430, 0x4e00, 0x905, 0x627, 0xac00},
                          kCount[] = {32, 2000, 53, 36, 2000};
  std::string text;
  for (std::uint64_t word = 0; text.size() < bytes; ++word) {
    const std::uint64_t bits = random_bits(12, word), script = bits % 5;
    for (std::uint64_t i = 0; i < 2 + (bits >> 8) % 7; ++i) {
      const std::uint32_t c =
          kFirst[script] + static_cast<std::uint32_t>(random_bits(bits, i) % kCount[script]);
      if (c < 0x800) {
        text += {static_cast<char>(0xc0 | c >> 6), static_cast<char>(0x80 | (c & 0x3f))};
      } else {
        text += {static_cast<char>(0xe0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 0x3f)),
                 static_cast<char>(0x80 | (c & 0x3f))};
      }
    }
    text += (bits >> 20) % 9 == 0 ? "\xe3\x80\x82\n" : " ";
  }
  return text;
}

/// Cut to size: its end may be half a character, which is good input, too.
std::string text_of(const TokenizerProblem& problem) {
  const auto bytes = static_cast<std::size_t>(problem.kilobytes) * 1000;
  std::string text;
  if (problem.text == 1) text = prose(bytes);
  if (problem.text == 2) {
    text = drawn(bytes, {"if (",       "for (int i = 0; ",
                         "return ",    "x",
                         "count",      "rows[i]",
                         "->",         "::",
                         "(",          ")",
                         ";\n",        " {\n",
                         "}\n",        "\n    ",
                         "\n        ", " = ",
                         " + ",        "0x1f",
                         "42",         "// the next one\n",
                         "std",        "const ",
                         "int ",       "\"text\"",
                         ", ",         "size_t ",
                         "!= nullptr", "\n\n"});
  }
  if (problem.text == 3) {
    text = drawn(bytes, {" ", "  ", "        ", "                    ", "\n", "\n\n", "\t", "\t\t\t", "\r\n",
                         "a", "the ", "."});
  }
  if (problem.text == 4) text = other_scripts(bytes);
  if (text.empty()) usage_error("text {}: choose 1 to 4", problem.text);
  text.resize(bytes);
  return text;
}

std::string_view bytes_of(const TokenizerProblem& problem, const TokenizerArgs& args) {
  return {static_cast<const char*>(args.bytes.data), static_cast<std::size_t>(problem.kilobytes) * 1000};
}

void put(const View& to, const View& found, const void* data, std::size_t count, std::size_t size) {
  std::memcpy(to.data, data, count * size);
  *found.row<std::int32_t>() = static_cast<std::int32_t>(count);
}

void encode_bpe(const TokenizerProblem& problem, const TokenizerArgs& args) {
  const std::vector<TokenId> ids = subject(problem).tokenizer->encode(bytes_of(problem, args));
  put(args.token, args.found, ids.data(), ids.size(), sizeof ids[0]);
}

std::vector<TokenId> merged(const Subject& with, std::string_view piece) {
  std::vector<TokenId> ids;
  for (const char byte : piece) ids.push_back(with.file.vocab.at(std::string(1, byte)));
  for (;;) {
    std::size_t best = 0, lowest = with.file.merges.size();
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
      const auto found = with.ranks.find({ids[i], ids[i + 1]});
      if (found == with.ranks.end() || found->second >= lowest) continue;
      lowest = found->second;
      best = i;
    }
    if (lowest == with.file.merges.size()) return ids;
    ids[best] = with.file.merges[lowest].merged;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

void encode_ref(const TokenizerProblem& problem, const TokenizerArgs& args) {
  const Subject& with = subject(problem);
  std::vector<TokenId> ids;
  std::string plain;
  const auto encode_plain = [&] {
    for (std::string_view rest = plain; !rest.empty();) {
      const std::size_t length = phi2::first_piece(rest);
      const std::vector<TokenId> piece = merged(with, rest.substr(0, length));
      ids.insert(ids.end(), piece.begin(), piece.end());
      rest.remove_prefix(length);
    }
    plain.clear();
  };
  for (std::string_view rest = bytes_of(problem, args); !rest.empty();) {
    const phi2::AddedToken* longest = nullptr;
    for (const phi2::AddedToken& token : with.file.added_tokens) {
      if (rest.starts_with(token.content) &&
          (longest == nullptr || token.content.size() > longest->content.size())) {
        longest = &token;
      }
    }
    if (longest == nullptr) {
      plain += rest[0];
      rest.remove_prefix(1);
      continue;
    }
    encode_plain();
    ids.push_back(longest->id);
    rest.remove_prefix(longest->content.size());
  }
  encode_plain();
  put(args.token, args.found, ids.data(), ids.size(), sizeof ids[0]);
}

View packed(Arena& arena, const std::string& text) {
  std::vector<std::int32_t> words(text.size() / sizeof(std::int32_t));
  std::memcpy(words.data(), text.data(), text.size());
  return arena.integers(words);
}

/// Tokens end where -1 begins.
std::span<const TokenId> tokens_of(const TokenizerArgs& args) {
  const TokenId* begin = args.token.row<std::int32_t>();
  return {begin, std::find(begin, begin + args.token.cols, -1)};
}

void decode_bpe(const TokenizerProblem& problem, const TokenizerArgs& args) {
  const std::string text = subject(problem).tokenizer->decode(tokens_of(args));
  put(args.bytes, args.found, text.data(), text.size(), 1);
}

void decode_ref(const TokenizerProblem& problem, const TokenizerArgs& args) {
  std::string text;
  for (const TokenId id : tokens_of(args))
    text += subject(problem).file.bytes.at(static_cast<std::size_t>(id));
  put(args.bytes, args.found, text.data(), text.size(), 1);
}

}  // namespace

TokenizerArgs BaseEncode::make(const Problem& p, Arena& arena) {
  return {packed(arena, text_of(p)), arena.output(Dtype::kI32, 1, std::int64_t{p.kilobytes} * 1000),
          arena.output(Dtype::kI32, 1, 1)};
}

Cost BaseEncode::cost(const Problem& p) {
  return {1000.0 * p.kilobytes, 0, 0};
}  // of text, whichever the direction

Check BaseEncode::check(const Problem&, const Args& got, const Args& want) {
  const Check found = check_equal(got.found, want.found);
  if (found.status != CheckStatus::kPass) return found;
  const std::int64_t ids = *want.found.row<std::int32_t>();
  return check_equal(got.token.columns(0, ids), want.token.columns(0, ids));
}

std::vector<BaseEncode::Problem> BaseEncode::odd_problems() {
  std::vector<Problem> problems;
  for (int text = 1; text <= 4; ++text) problems.push_back({20, text, 0});
  problems.push_back({300, 1, 0});  // long enough for a team
  problems.push_back({300, 3, 0});
  return problems;
}

std::span<const BaseEncode::Variant> BaseEncode::variants() {
  static const Variant table[] = {
      {.name = "ref", .available = has_tokenizer, .run = encode_ref},
      {.name = "bpe", .available = has_tokenizer, .run = encode_bpe},
  };
  return table;
}

TokenizerArgs BaseDecode::make(const Problem& p, Arena& arena) {
  std::vector<TokenId> ids;
  if (has_tokenizer(p)) ids = subject(p).tokenizer->encode(text_of(p));
  ids.resize(static_cast<std::size_t>(p.kilobytes) * 1000, -1);
  const View token = arena.integers(ids);
  return {arena.output(Dtype::kI32, 1, std::int64_t{p.kilobytes} * 250), token,
          arena.output(Dtype::kI32, 1, 1)};
}

Check BaseDecode::check(const Problem&, const Args& got, const Args& want) {
  return worse(check_equal(got.found, want.found), check_equal(got.bytes, want.bytes));
}

std::span<const BaseDecode::Variant> BaseDecode::variants() {
  static const Variant table[] = {
      {.name = "ref", .available = has_tokenizer, .run = decode_ref},
      {.name = "bpe", .available = has_tokenizer, .run = decode_bpe},
  };
  return table;
}

}  // namespace trisect::microbench
