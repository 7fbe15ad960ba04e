#include "integration/phi2/model/patch_weights.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "integration/phi2/model/content_hash.hpp"
#include "kernels/core/error.hpp"

namespace trisect::phi2 {
namespace {

using adaptivocab::EmbeddingInit;
using adaptivocab::Heaviest;

/// Element h of a token's row.
double value_at(const View& table, bool columns, std::int64_t token, std::int64_t h) {
  const std::int64_t r = columns ? h : token, c = columns ? token : h;
  return table.dtype == Dtype::kF32 ? table.row<float>(r)[c] : to_f32(table.row<bf16>(r)[c]);
}

/// Rows of normal values with the mean and deviation of the base tokens'.
Buffer alike_rows(const View& table, bool columns, const PatchVocabulary& vocabulary, Seed seed) {
  const std::int64_t hidden = columns ? table.rows : table.cols;
  double sum = 0, squares = 0;
  for (std::int64_t token = 0; token < vocabulary.base_tokens; ++token) {
    for (std::int64_t h = 0; h < hidden; ++h) {
      const double value = value_at(table, columns, token, h);
      sum += value;
      squares += value * value;
    }
  }
  const double count = static_cast<double>(vocabulary.base_tokens) * static_cast<double>(hidden);
  const double mean = sum / count, variance = std::max(0.0, squares / count - mean * mean);
  Buffer rows(Dtype::kF32, static_cast<std::int64_t>(vocabulary.added.size()), hidden);
  fill_normal(rows.view(), seed, static_cast<float>(std::sqrt(variance)));
  std::transform(rows.as<float>(), rows.as<float>() + rows.view().rows * hidden, rows.as<float>(),
                 [mean](float value) { return value + static_cast<float>(mean); });
  return rows;
}

using Ids = std::vector<std::int32_t>;

/// Row from_rows[i] becomes row to_rows[i].
void copy_rows(const View& from, const Ids& from_rows, const View& to, const Ids& to_rows) {
  for (std::size_t i = 0; i < to_rows.size(); ++i) {
    std::memcpy(to.byte_row(to_rows[i]), from.byte_row(from_rows[i]), from.rows_from(0, 1).bytes());
  }
}

template <class T>
void copy_columns_as(const View& from, const Ids& from_columns, const View& to, const Ids& to_columns) {
  for (std::int64_t r = 0; r < from.rows; ++r) {
    const T* source = from.row<T>(r);
    T* target = to.row<T>(r);
    for (std::size_t i = 0; i < to_columns.size(); ++i) target[to_columns[i]] = source[from_columns[i]];
  }
}

void copy_columns(const View& from, const Ids& from_columns, const View& to, const Ids& to_columns) {
  const bool wide = from.dtype == Dtype::kF32;
  (wide ? copy_columns_as<float> : copy_columns_as<bf16>)(from, from_columns, to, to_columns);
}

Buffer copy_of(const View& view) {
  Buffer copy(view.dtype, view.rows, view.cols);
  for (std::int64_t r = 0; r < view.rows; ++r) {
    std::memcpy(copy.view().byte_row(r), view.byte_row(r), view.rows_from(r, 1).bytes());
  }
  return copy;
}

struct Moves {
  Ids from, to;
};

Moves moves_of(const PatchVocabulary& vocabulary) {
  Moves moves;
  for (const auto& [token, id] : vocabulary.moved) {
    moves.from.push_back(token);
    moves.to.push_back(id);
  }
  return moves;
}

/// New row i becomes that of the i-th new token.
Moves additions_of(const PatchVocabulary& vocabulary) {
  Moves moves;
  for (const auto& added : vocabulary.added) {
    moves.from.push_back(static_cast<std::int32_t>(moves.from.size()));
    moves.to.push_back(added.id);
  }
  return moves;
}

/// [added][hidden], or [hidden][added] where tokens are columns, in the table's type.
Buffer new_rows(const View& table, bool columns, const PatchVocabulary& vocabulary, Heaviest heaviest) {
  const auto count = static_cast<std::int64_t>(vocabulary.added.size());
  const std::int64_t hidden = columns ? table.rows : table.cols;
  Buffer made = columns ? Buffer(table.dtype, hidden, count) : Buffer(table.dtype, count, hidden);
  if (vocabulary.init == InitKind::kRandom) {
    const Seed seed = derive(vocabulary.init_seed, static_cast<std::uint64_t>(heaviest) * 2 + (hidden == 1));
    const Buffer rows = alike_rows(table, columns, vocabulary, seed);
    for (std::int64_t e = 0; e < count; ++e) {
      for (std::int64_t h = 0; h < hidden; ++h) {
        const View to = made.view().rows_from(columns ? h : e, 1).columns(columns ? e : h, 1);
        convert(rows.view().row<float>(e) + h, Dtype::kF32, to.data, to.dtype, 1);
      }
    }
    return made;
  }
  std::size_t n = 1;
  for (const auto& added : vocabulary.added) n = std::max(n, added.parts.size());
  const int longest = static_cast<int>(n);
  Buffer parts(Dtype::kI32, count, longest);
  for (std::int64_t e = 0; e < count; ++e) {
    const auto& from = vocabulary.added[static_cast<std::size_t>(e)].parts;
    std::int32_t* row = parts.view().row<std::int32_t>(e);
    std::fill(std::copy(from.begin(), from.end(), row), row + longest, -1);
  }
  const double base = vocabulary.init == InitKind::kMean ? 1 : vocabulary.init_base;
  const Buffer weights = adaptivocab::part_weights(longest, base, heaviest);
  const EmbeddingInit::Problem problem{static_cast<int>(count),  longest,         vocabulary.base_tokens,
                                       static_cast<int>(hidden), columns ? 1 : 0, table.dtype};
  best_variant<EmbeddingInit>(problem).run(problem, {table, parts.view(), weights.view(), made.view()});
  return made;
}

}  // namespace

void patch_rows(const View& table, const PatchVocabulary& vocabulary, Heaviest heaviest) {
  const Buffer made = new_rows(table, false, vocabulary, heaviest);
  const Moves moves = moves_of(vocabulary), additions = additions_of(vocabulary);
  if (!moves.to.empty()) copy_rows(copy_of(table).view(), moves.from, table, moves.to);
  copy_rows(made.view(), additions.from, table, additions.to);
}

void patch_columns(const View& table, const PatchVocabulary& vocabulary, Heaviest heaviest) {
  const Buffer made = new_rows(table, true, vocabulary, heaviest);
  const Moves moves = moves_of(vocabulary), additions = additions_of(vocabulary);
  if (!moves.to.empty()) copy_columns(copy_of(table).view(), moves.from, table, moves.to);
  copy_columns(made.view(), additions.from, table, additions.to);
}

Weights patch(Weights weights, const PatchVocabulary& vocabulary) {
  const std::int64_t rows = weights.embedding.rows;
  if (rows < vocabulary.size() || rows < vocabulary.base_tokens) {
    usage_error("a patched vocabulary of {} tokens, of {} base tokens, does not fit into {} rows",
                vocabulary.size(), vocabulary.base_tokens, rows);
  }
  patch_rows(weights.embedding, vocabulary, Heaviest::kLast);
  patch_columns(weights.head, vocabulary, Heaviest::kFirst);
  patch_columns(weights.head_bias, vocabulary, Heaviest::kFirst);
  weights.hash = hash_name(hash_text(weights.hash + hash_of(vocabulary)));
  return weights;
}

std::string hash_of(const PatchVocabulary& vocabulary) {
  std::uint64_t hash =
      hash_text(fmt::format("{} {} {} {} {} {}", vocabulary.base_tokens, vocabulary.base_hash,
                            adaptivocab::name_of(vocabulary.mode), name_of(vocabulary.init),
                            vocabulary.init_base, vocabulary.init_seed));
  const auto take = [&](std::int32_t id, const std::vector<std::int32_t>& ids) {
    hash = hash_bytes(ids.data(), ids.size() * sizeof ids[0], hash ^ static_cast<std::uint64_t>(id));
  };
  for (const auto& [id, parts] : vocabulary.added) take(id, parts);
  for (const auto& [token, pieces] : vocabulary.removed) take(token, pieces);
  for (const auto& [token, id] : vocabulary.moved) take(token, {id});
  return hash_name(hash);
}

}  // namespace trisect::phi2
