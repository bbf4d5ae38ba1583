// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/file.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "kinds.h"

namespace dynamo::conformance {

void Tally::skip(std::string_view id, std::string_view why) {
  ++skipped_;
  std::printf("skipped %.*s: %.*s\n", static_cast<int>(id.size()), id.data(),
              static_cast<int>(why.size()), why.data());
}

void Tally::fail(std::string_view id, std::string_view expected, std::string_view got) {
  if (failed_++ >= show_) return;
  std::printf("FAILED %.*s\n  expected: %.*s\n  got:      %.*s\n", static_cast<int>(id.size()),
              id.data(), static_cast<int>(expected.size()), expected.data(),
              static_cast<int>(got.size()), got.data());
}

Result<Json> read_json(const std::string& path) {
  DYN_TRY(const std::string text, base::read_file(path));
  auto json = parse_json(text);
  if (!json) return fail(std::move(json).error().with("reading " + path));
  return json;
}

namespace {

/// ctest's sign for a test that cannot run here.
constexpr int kSkipped = 77;

/// "shared:PATH" is a case file of others, beside the checkout; empty when it is not there.
std::string find_file(std::string_view file) {
  constexpr std::string_view kShared = "shared:";
  if (!file.starts_with(kShared)) return std::string(file);
  const char* folder = std::getenv("DYNAMO_SHARED_DIR");
  const std::string path =
      (folder ? std::string(folder) : std::string(DYNAMO_SOURCE_DIR) + "/../shared") + "/" +
      std::string(file.substr(kShared.size()));
  return std::filesystem::exists(path) ? path : std::string();
}

// One line a kind, sorted by name.
constexpr Kind kKinds[] = {
    {"jinja", "jinja_features.json", run_jinja_features},
    {"kv", "any case file of the kv folder but mocker_vectors.json", run_kv},
    {"parsers", "any case file of the parsers folder", run_parsers},
    {"template", "renders.json (templates.json, inputs.json and templates/ beside it)",
     run_templates},
    {"tokenizer", "vectors/*.json or the folder (texts.json and synthetic/ beside it)",
     run_tokenizers},
};

int usage() {
  std::fprintf(stderr,
               "usage: dynamo-conformance KIND FILE… [--tokenizers DIR] [--show K]\n"
               "       dynamo-conformance render          (JSON lines on standard input)\n"
               "       dynamo-conformance encode TOKENIZER   (the same)\n\n"
               "kinds:\n");
  for (const Kind& kind : kKinds) {
    std::fprintf(stderr, "  %-16s %s\n", kind.name.data(), kind.files.data());
  }
  return 2;
}

int run(int argc, char** argv) {
  if (argc < 2) return usage();
  const std::string_view name = argv[1];
  if (name == "render") return render_lines();
  if (name == "encode" && argc == 3) return encode_lines(argv[2]);
  Options options;
  for (int i = 2; i < argc; ++i) {
    const std::string_view arg = argv[i];
    if (arg == "--tokenizers" && i + 1 < argc) {
      options.tokenizers = argv[++i];
    } else if (arg == "--show" && i + 1 < argc) {
      options.show = static_cast<std::size_t>(std::strtoul(argv[++i], nullptr, 10));
    } else if (arg.starts_with("--")) {
      return usage();
    } else {
      const std::string file = find_file(arg);
      if (file.empty()) {
        std::printf("skipped: %s belongs to others and is not beside this checkout\n", argv[i]);
        return kSkipped;
      }
      options.files.push_back(file);
    }
  }
  for (const Kind& kind : kKinds) {
    if (kind.name != name) continue;
    if (options.files.empty()) return usage();
    Tally tally(options.show);
    if (const auto done = kind.run(options, tally); !done) {
      std::fprintf(stderr, "dynamo-conformance: %s\n", done.error().message().c_str());
      return 2;
    }
    if (tally.skipped() != 0) std::printf("%zu skipped\n", tally.skipped());
    std::printf("%zu passed, %zu failed\n", tally.passed(), tally.failed());
    return tally.failed() == 0 ? 0 : 1;
  }
  return usage();
}

}  // namespace
}  // namespace dynamo::conformance

int main(int argc, char** argv) {
  return dynamo::conformance::run(argc, argv);
}
