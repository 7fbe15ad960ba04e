// phi2 tokenize: text to ids and back, byte for byte.
#include <charconv>
#include <filesystem>

#include "integration/runner/commands.hpp"
#include "integration/runner/files.hpp"
#include "integration/runner/model.hpp"
#include "integration/runner/terminal.hpp"

namespace trisect::runner {
namespace {

struct Arguments {
  std::string model = "phi-mini", patch_tokenizer;
  std::optional<std::string> text;
  bool decode = false, hash = false;
};

/// A model directory needs no weights or configuration for this.
std::filesystem::path directory_of(const std::string& model) {
  std::error_code ignored;
  if (std::filesystem::is_directory(model, ignored)) return model;
  const phi2::ModelSource source = phi2::find_model(model);
  if (source.synthetic())
    usage_error("--model {} has no tokenizer: name a directory with tokenizer.json", model);
  return source.directory;
}
std::vector<phi2::TokenId> parse_ids(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  std::vector<phi2::TokenId> ids;
  for (std::size_t at = text.find_first_not_of(kBlanks); at != text.npos;) {
    const std::size_t end = std::min(text.find_first_of(kBlanks, at), text.size());
    const std::string_view word = text.substr(at, end - at);
    phi2::TokenId id = 0;
    const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc() || stop != word.data() + word.size()) {
      usage_error("'{}' is not a token id: --decode reads whole numbers with blanks between them",
                  word.substr(0, 40));
    }
    ids.push_back(id);
    at = text.find_first_not_of(kBlanks, end);
  }
  return ids;
}

ExitCode tokenize(const Arguments& arguments) {
  const std::string directory = directory_of(arguments.model).string();
  const std::unique_ptr<phi2::Tokenizer> tokenizer = load_tokenizer(directory, arguments.patch_tokenizer);
  if (arguments.hash) {
    print(base_tokenizer_hash(directory) + "\n");
    return ExitCode::kOk;
  }
  const std::string text = arguments.text ? *arguments.text : read_standard_input();
  if (arguments.decode) {
    print(tokenizer->decode(parse_ids(text)));
  } else {
    print(fmt::format("{}\n", fmt::join(tokenizer->encode(text), " ")));
  }
  return ExitCode::kOk;
}

}  // namespace

void add_tokenize(CLI::App& program, ExitCode& exit_code) {
  CLI::App& command = *program.add_subcommand("tokenize", "Turn text into token ids, or ids into text");
  const auto arguments = std::make_shared<Arguments>();
  command.add_option("--model", arguments->model, "A model, or any directory with tokenizer.json")
      ->capture_default_str();
  add_patch_tokenizer_option(command, arguments->patch_tokenizer);
  command.add_option("--text", arguments->text, "Default: standard input, bytes as they are");
  command.add_flag("--decode", arguments->decode, "The input is ids; write their exact bytes");
  command.add_flag("--hash", arguments->hash,
                   "Only print the identity of tokenizer.json that files made for it have in them");
  command.callback([arguments, &exit_code] { exit_code = tokenize(*arguments); });
}

}  // namespace trisect::runner
