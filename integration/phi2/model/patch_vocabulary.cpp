#include "integration/phi2/model/patch_vocabulary.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "kernels/core/error.hpp"

namespace trisect::phi2 {
namespace {

using Id = PatchVocabulary::Id;

constexpr std::array<std::string_view, 3> kInitNames = {"exponential", "mean", "random"};
constexpr int kMostTokens = 1 << 20;  // as many rows as a model's configuration may ask for
constexpr std::size_t kMostParts = 64;

/// Follows removed tokens down to those that are still there.
class Resolver {
 public:
  Resolver(const PatchVocabulary& vocabulary, const std::filesystem::path& file) : file_(file) {
    for (const auto& [token, pieces] : vocabulary.removed) pieces_[token] = &pieces;
  }

  void resolve(Id token, std::vector<Id>& out) {
    const auto found = pieces_.find(token);
    if (found == pieces_.end()) {
      out.push_back(token);
      return;
    }
    if (const auto done = resolved_.find(token); done != resolved_.end()) {
      out.insert(out.end(), done->second.begin(), done->second.end());
      return;
    }
    if (!open_.insert(token).second) {
      environment_error("{}: removed: token {} is made of itself; build the file again", file_.string(),
                        token);
    }
    std::vector<Id> own;
    for (const Id piece : *found->second) {
      resolve(piece, own);
      if (own.size() > kMost)
        environment_error("{}: removed: token {} has too many pieces", file_.string(), token);
    }
    open_.erase(token);
    out.insert(out.end(), own.begin(), own.end());
    resolved_[token] = std::move(own);
  }

 private:
  static constexpr std::size_t kMost = 4096;  // bytes of the longest token that anybody has

  std::filesystem::path file_;
  std::map<Id, const std::vector<Id>*> pieces_;
  std::map<Id, std::vector<Id>> resolved_;
  std::set<Id> open_;
};

class Validation {
 public:
  Validation(const PatchVocabulary& vocabulary, const std::filesystem::path& file)
      : vocabulary_(vocabulary),
        file_(file),
        owner_(static_cast<std::size_t>(std::max(0, vocabulary.size()))) {}

  void run() {
    if (vocabulary_.base_tokens < 1 || vocabulary_.base_tokens > kMostTokens) {
      fail("base.tokens must be between 1 and {}, not {}", kMostTokens, vocabulary_.base_tokens);
    }
    if (vocabulary_.added.size() > static_cast<std::size_t>(kMostTokens))
      fail("added has more than {}", kMostTokens);
    if (!(vocabulary_.init_base > 0 && vocabulary_.init_base <= 100)) {
      fail("embedding.base must be above 0 and at most 100, not {}", vocabulary_.init_base);
    }
    check_removed();
    check_moved();
    check_added();
    const std::vector<Id> base = vocabulary_.ids_of_base();
    for (std::size_t token = 0; token < base.size(); ++token) {
      if (base[token] >= 0) own(base[token], fmt::format("base token {}", token));
    }
    for (const auto& added : vocabulary_.added) own(added.id, fmt::format("the new token {}", added.id));
    Resolver resolver(vocabulary_, file_);
    std::vector<Id> out;
    for (const auto& removed : vocabulary_.removed) resolver.resolve(removed.token, out);
  }

 private:
  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    environment_error("{}: {}; build the file again", file_.string(),
                      fmt::format(format, std::forward<Args>(args)...));
  }

  void require_base(const char* where, Id token) const {
    if (token < 0 || token >= vocabulary_.base_tokens) {
      fail("{}: token {} is outside the base vocabulary of {}", where, token, vocabulary_.base_tokens);
    }
  }

  void check_removed() {
    removed_.assign(static_cast<std::size_t>(vocabulary_.base_tokens), false);
    for (const auto& [token, pieces] : vocabulary_.removed) {
      require_base("removed", token);
      if (removed_[static_cast<std::size_t>(token)]) fail("removed: token {} is there twice", token);
      removed_[static_cast<std::size_t>(token)] = true;
      if (pieces.empty() || pieces.size() > kMostParts) {
        fail("removed: token {} needs 1 to {} pieces, not {}", token, kMostParts, pieces.size());
      }
      for (const Id piece : pieces) require_base("removed", piece);
    }
  }

  void check_moved() {
    std::vector<bool> moved(static_cast<std::size_t>(vocabulary_.base_tokens));
    for (const auto& [token, id] : vocabulary_.moved) {
      require_base("moved", token);
      if (removed_[static_cast<std::size_t>(token)]) fail("moved: token {} was removed", token);
      if (moved[static_cast<std::size_t>(token)]) fail("moved: token {} is there twice", token);
      moved[static_cast<std::size_t>(token)] = true;
    }
  }

  void check_added() {
    std::map<std::vector<Id>, Id> seen;
    for (const auto& [id, parts] : vocabulary_.added) {
      if (parts.size() < 2 || parts.size() > kMostParts) {
        fail("added: token {} needs 2 to {} parts, not {}", id, kMostParts, parts.size());
      }
      for (const Id part : parts) require_base("added", part);
      if (const auto [first, is_new] = seen.emplace(parts, id); !is_new) {
        fail("added: tokens {} and {} have the same parts", first->second, id);
      }
    }
  }

  void own(Id id, const std::string& what) {
    if (id < 0 || static_cast<std::size_t>(id) >= owner_.size()) {
      fail("id {} of {} is outside the patched vocabulary of {}", id, what, owner_.size());
    }
    std::string& owner = owner_[static_cast<std::size_t>(id)];
    if (!owner.empty()) fail("id {} is that of {} and of {}", id, owner, what);
    owner = what;
  }

  const PatchVocabulary& vocabulary_;
  std::filesystem::path file_;
  std::vector<std::string> owner_;  // by patched id
  std::vector<bool> removed_;       // by base token
};

}  // namespace

std::string_view name_of(InitKind kind) { return kInitNames[static_cast<std::size_t>(kind)]; }

InitKind init_kind_from_name(std::string_view name) {
  const auto found = std::find(kInitNames.begin(), kInitNames.end(), name);
  if (found == kInitNames.end()) usage_error("embedding '{}': choose exponential, mean or random", name);
  return static_cast<InitKind>(found - kInitNames.begin());
}

std::vector<Id> PatchVocabulary::ids_of_base() const {
  std::vector<Id> ids(static_cast<std::size_t>(base_tokens));
  for (std::size_t token = 0; token < ids.size(); ++token) ids[token] = static_cast<Id>(token);
  for (const Moved& one : moved) ids[static_cast<std::size_t>(one.token)] = one.id;
  for (const Removed& one : removed) ids[static_cast<std::size_t>(one.token)] = -1;
  return ids;
}

std::vector<std::vector<Id>> PatchVocabulary::resolved_pieces() const {
  Resolver resolver(*this, "patch vocabulary");
  std::vector<std::vector<Id>> pieces(removed.size());
  for (std::size_t i = 0; i < removed.size(); ++i) resolver.resolve(removed[i].token, pieces[i]);
  return pieces;
}

void validate(const PatchVocabulary& vocabulary, const std::filesystem::path& file) {
  Validation(vocabulary, file).run();
}

}  // namespace trisect::phi2
