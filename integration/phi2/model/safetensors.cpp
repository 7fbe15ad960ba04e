#include "integration/phi2/model/safetensors.hpp"

#include <algorithm>
#include <cstring>

#include "integration/phi2/model/json.hpp"
#include "kernels/core/error.hpp"

namespace trisect::phi2 {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxHeader = 100'000'000;  // the format's own limit
constexpr std::string_view kLfsPointer = "version https://git-lfs";

/// Reads the header of one file; every complaint ends in the same remedy.
class Header {
 public:
  explicit Header(const MappedFile& file) : file_(file) {}

  std::string_view text() const {
    const std::size_t size = file_.bytes().size();
    const std::string_view all(reinterpret_cast<const char*>(file_.bytes().data()), size);
    if (all.starts_with(kLfsPointer)) {
      environment_error("{}: a git-lfs pointer, not the model; run git lfs pull in its repository",
                        file_.path().string());
    }
    std::uint64_t length = 0;
    if (size < sizeof length) fail("{} bytes cannot hold a safetensors header", size);
    std::memcpy(&length, all.data(), sizeof length);
    if (length > kMaxHeader) fail("a header of {} bytes is beyond the format's {}", length, kMaxHeader);
    if (length > size - sizeof length)
      fail("the header of {} bytes does not end within the file's {}", length, size);
    const std::string_view header = all.substr(sizeof length, length);
    if (!header.starts_with('{')) fail("the header does not begin with '{{'");
    return header;
  }

  Metadata metadata(const json& value) const {
    Metadata result;
    if (!value.is_object()) fail("__metadata__ is not an object");
    for (const auto& [key, text] : value.items()) {
      if (!text.is_string()) fail("__metadata__ {} is not a string", in_quotes(key));
      result[key] = text.get<std::string>();
    }
    return result;
  }

  /// `begin` is where the data starts; offsets in the header count from there.
  StoredTensor tensor(const std::string& name, const json& value, std::size_t begin) const {
    StoredTensor result;
    result.name = name;
    if (!value.is_object()) fail("tensor {} is not an object", in_quotes(name));
    const json dtype = value.value("dtype", json());
    if (!dtype.is_string()) fail("tensor {} has no dtype", in_quotes(name));
    result.dtype = dtype.get<std::string>();
    std::uint64_t count = 1;
    for (const std::uint64_t size : numbers(name, value, "shape")) {
      if (size > std::uint64_t{INT64_MAX} || __builtin_mul_overflow(count, size, &count)) {
        fail("tensor {}: its shape overflows", in_quotes(name));
      }
      result.shape.push_back(static_cast<std::int64_t>(size));
    }
    const std::vector<std::uint64_t> offsets = numbers(name, value, "data_offsets");
    const std::size_t available = file_.bytes().size() - begin;
    if (offsets.size() != 2 || offsets[0] > offsets[1])
      fail("tensor {}: data_offsets are not a range", in_quotes(name));
    if (offsets[1] > available) {
      fail("tensor {} ends at byte {} of {} bytes of data", in_quotes(name), offsets[1], available);
    }
    result.offset = begin + offsets[0];
    result.bytes = offsets[1] - offsets[0];
    const std::uint64_t unit = element_size(result.dtype);
    std::uint64_t expected = 0;
    if (unit != 0 && (__builtin_mul_overflow(count, unit, &expected) || expected != result.bytes)) {
      fail("tensor {}: {} does not take the {} bytes it has", in_quotes(name), result.describe(),
           result.bytes);
    }
    return result;
  }

  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    environment_error("{}: {}; the file is damaged or not safetensors, fetch or write it again",
                      file_.path().string(), fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  std::vector<std::uint64_t> numbers(const std::string& name, const json& tensor, const char* key) const {
    std::vector<std::uint64_t> result;
    const json list = tensor.value(key, json());
    bool good = list.is_array();
    for (const json& item : list) {
      good = good && item.is_number_unsigned();
      if (good) result.push_back(item.get<std::uint64_t>());
    }
    if (!good) fail("tensor {}: {} is not a list of whole numbers", in_quotes(name), key);
    return result;
  }

  /// 0 for a type that is not known.
  static std::uint64_t element_size(std::string_view dtype) {
    struct Known {
      std::string_view name;
      std::uint64_t bytes;
    };
    constexpr Known kKnown[] = {{"F32", 4}, {"F16", 2}, {"BF16", 2}, {"F64", 8},     {"I64", 8},
                                {"I32", 4}, {"I16", 2}, {"I8", 1},   {"U8", 1},      {"U16", 2},
                                {"U32", 4}, {"U64", 8}, {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};
    for (const Known& known : kKnown) {
      if (known.name == dtype) return known.bytes;
    }
    return 0;
  }

  const MappedFile& file_;
};

}  // namespace

std::optional<Dtype> StoredTensor::floating() const {
  if (dtype == "F32") return Dtype::kF32;
  if (dtype == "F16") return Dtype::kF16;
  if (dtype == "BF16") return Dtype::kBf16;
  return std::nullopt;
}

std::string StoredTensor::describe() const { return fmt::format("{} [{}]", dtype, fmt::join(shape, ", ")); }

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : file_(path) {
  const Header header(file_);
  const std::string_view text = header.text();
  const std::size_t begin = sizeof(std::uint64_t) + text.size();
  const json entries = parse_json(text, path);
  for (const auto& [name, value] : entries.items()) {
    if (name == "__metadata__") {
      metadata_ = header.metadata(value);
    } else {
      tensors_.push_back(header.tensor(name, value, begin));
    }
  }
  std::stable_sort(tensors_.begin(), tensors_.end(), [](const StoredTensor& a, const StoredTensor& b) {
    return std::pair(a.offset, a.bytes) < std::pair(b.offset, b.bytes);
  });
  std::size_t end = begin;
  for (const StoredTensor& tensor : tensors_) {
    if (tensor.offset < end) header.fail("tensor {} overlaps the one before it", in_quotes(tensor.name));
    if (tensor.offset > end)
      header.fail("{} unused bytes before tensor {}", tensor.offset - end, in_quotes(tensor.name));
    end += tensor.bytes;
  }
  if (end != file_.bytes().size()) header.fail("{} unused bytes at the end", file_.bytes().size() - end);
}

const StoredTensor* SafetensorsFile::find(std::string_view name) const {
  for (const StoredTensor& tensor : tensors_) {
    if (tensor.name == name) return &tensor;
  }
  return nullptr;
}

}  // namespace trisect::phi2
