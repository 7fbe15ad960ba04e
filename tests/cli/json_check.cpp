// json_check FILE [POINTER VALUE]...: exit code 0 when the file is strict JSON and each JSON pointer leads to
// that value.
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  try {
    std::ifstream file(argv[1]);
    const nlohmann::json document = nlohmann::json::parse(file);
    for (int i = 2; i + 1 < argc; i += 2) {
      const nlohmann::json& found = document.at(nlohmann::json::json_pointer(argv[i]));
      if (found == nlohmann::json::parse(argv[i + 1])) continue;
      std::cerr << argv[1] << ": " << argv[i] << " is " << found << ", should be " << argv[i + 1] << '\n';
      return 1;
    }
  } catch (const std::exception& error) {
    std::cerr << argv[1] << ": " << error.what() << '\n';
    return 1;
  }
  return 0;
}
