// patch_tokenizer.json: what is written is read, and everything else is refused with one line.
#include <functional>
#include <nlohmann/json.hpp>

#include "integration/phi2/model/patch_vocabulary.hpp"
#include "integration/phi2/model/patch_weights.hpp"
#include "kernels/core/random.hpp"
#include "tests/integration/model/scratch.hpp"

namespace trisect::phi2 {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;

class PatchFile : public Scratch {
 protected:
  /// Swapped and moved: 10 base tokens, 2 removed, 2 added, 1 more than there were.
  static PatchVocabulary vocabulary() {
    PatchVocabulary v;
    v.base_tokens = 10;
    v.base_hash = "00000000deadbeef";
    v.mode = adaptivocab::PatchMode::kReleased;
    v.init = InitKind::kMean;
    v.init_base = 1.5;
    v.init_seed = 7;
    v.added = {{8, {1, 2}}, {9, {1, 2, 3}}, {10, {3, 3}}};
    v.removed = {{9, {8, 4}}, {8, {5, 6}}};
    v.moved = {};
    return v;
  }
  json document() const {
    write_patch_file(path("good.json"), vocabulary());
    return json::parse(read(path("good.json")));
  }
  void expect_refused(const json& changed, const std::string& part) {
    const auto file = write("patch.json", changed.dump());
    expect_error([&] { read_patch_file(file); }, {file.string(), part});
  }
};

TEST_F(PatchFile, WhatIsWrittenIsRead) {
  write_patch_file(path("p.json"), vocabulary());
  const PatchVocabulary back = read_patch_file(path("p.json"));
  EXPECT_EQ(hash_of(back), hash_of(vocabulary()));
  EXPECT_EQ(back.size(), 11);
  EXPECT_EQ(back.mode, adaptivocab::PatchMode::kReleased);
  EXPECT_EQ(back.init, InitKind::kMean);
  EXPECT_EQ(back.init_base, 1.5);
  EXPECT_EQ(back.init_seed, 7u);
  EXPECT_THAT(back.added[1].parts, ElementsAre(1, 2, 3));
  EXPECT_THAT(back.resolved_pieces()[0], ElementsAre(5, 6, 4)) << "pieces that are removed are resolved";
  EXPECT_THAT(back.ids_of_base(), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, -1, -1));
  write_patch_file(path("again.json"), back);
  EXPECT_EQ(read(path("p.json")), read(path("again.json")));
}

TEST_F(PatchFile, EveryMistakeHasItsLine) {
  const std::pair<const char*, std::function<void(json&)>> cases[] = {
      {"format", [](json& j) { j["format"] = "other"; }},
      {"version", [](json& j) { j["version"] = 2; }},
      {"no member moved", [](json& j) { j.erase("moved"); }},
      {"unknown member \"more\"", [](json& j) { j["more"] = 1; }},
      {"base.tokens", [](json& j) { j["base"]["tokens"] = "10"; }},
      {"base.tokens", [](json& j) { j["base"]["tokens"] = 0; }},
      {"base.hash", [](json& j) { j["base"]["hash"] = 12; }},
      {"encoding", [](json& j) { j["encoding"] = "best"; }},
      {"embedding.kind", [](json& j) { j["embedding"]["kind"] = "magic"; }},
      {"embedding.base", [](json& j) { j["embedding"]["base"] = 0; }},
      {"added[0]", [](json& j) { j["added"][0] = {8}; }},
      {"added[1]", [](json& j) { j["added"][1][1] = "1 2"; }},
      {"added[1]", [](json& j) { j["added"][1][1][0] = -1; }},
      {"added[2]", [](json& j) { j["added"][2][0] = 1.5; }},
      {"token 10 is outside", [](json& j) { j["added"][0][1][0] = 10; }},
      {"needs 2 to", [](json& j) { j["added"][0][1] = {1}; }},
      {"same parts",
       [](json& j) {
         j["added"][0][1] = {3, 3};
       }},
      {"id 3 is that of", [](json& j) { j["added"][0][0] = 3; }},
      {"outside the patched vocabulary", [](json& j) { j["added"][0][0] = 11; }},
      {"token 9 is there twice", [](json& j) { j["removed"][1][0] = 9; }},
      {"token 8 needs 1 to", [](json& j) { j["removed"][1][1] = json::array(); }},
      {"made of itself",
       [](json& j) {
         j["removed"][1][1] = {5, 9};
       }},
      {"made of itself",
       [](json& j) {
         j["removed"][1][1] = {8, 1};
       }},
      {"token 77 is outside",
       [](json& j) {
         j["removed"][1][1] = {5, 77};
       }},
      {"token 8 was removed",
       [](json& j) {
         j["moved"] = {{8, 0}};
       }},
      {"id 5 is that of",
       [](json& j) {
         j["moved"] = {{0, 5}};
       }},
      {"outside the patched vocabulary",
       [](json& j) {
         j["moved"] = {{0, 99}};
       }},
      {"must be a list", [](json& j) { j["removed"] = json::object(); }},
  };
  for (const auto& [part, change] : cases) {
    json changed = document();
    change(changed);
    SCOPED_TRACE(part);
    expect_refused(changed, part);
  }
  expect_refused(json::array(), "must be an object");
}

TEST_F(PatchFile, NotJsonAtAll) {
  const std::string whole = document().dump();
  for (std::size_t length = 0; length < whole.size(); length += 7) {
    const auto file = write("cut.json", whole.substr(0, length));
    expect_error([&] { read_patch_file(file); }, {file.string()});
  }
  expect_error([&] { read_patch_file(path("missing.json")); }, {"missing.json"});
  const auto pickle = write("patch_tokenizer.pkl", std::string("\x80\x04\x95", 3));
  expect_error([&] { read_patch_file(pickle); },
               {pickle.string(), "scripts/tools/import_patch_tokenizer.py"});
}

TEST_F(PatchFile, DamagedFilesGiveAnErrorOrAValidVocabulary) {
  const std::string whole = document().dump();
  int read_anyway = 0;
  for (Seed seed = 0; seed < 4000; ++seed) {
    std::string damaged = whole;
    for (std::uint64_t i = 0; i < 1 + seed % 3; ++i) {
      const std::uint64_t bits = random_bits(seed, i);
      damaged[bits % damaged.size()] =
          seed % 2 == 0 ? static_cast<char>(bits >> 40) : "0123456789,[]"[(bits >> 40) % 13];
    }
    const auto file = write("damaged.json", damaged);
    try {
      const PatchVocabulary vocabulary = read_patch_file(file);
      validate(vocabulary, file);
      ++read_anyway;
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ExitCode::kEnvironment);
      ASSERT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    }
  }
  EXPECT_GT(read_anyway, 0);
}

}  // namespace
}  // namespace trisect::phi2
