// SPDX-License-Identifier: Apache-2.0
#include <dynamo/config/configuration.h>
#include <dynamo/engines/echo/echo_engine.h>
#include <dynamo/engines/echo/playback.h>

#include <limits>
#include <string>
#include <string_view>
#include <utility>

namespace dynamo::engines::echo {
namespace {

namespace net = boost::asio;
using llm::PreprocessedRequest;
using llm::TokenId;

constexpr std::string_view kLastUserTokens = "last_user_token_ids";

/// What is said back: the user's tokens when the preprocessor sent them, else the prompt.
Result<std::vector<TokenId>> answer_of(PreprocessedRequest& request) {
  const Json* ids = request.extra_args ? request.extra_args->find(kLastUserTokens) : nullptr;
  if (ids == nullptr) return std::move(request.token_ids);
  const Json::Array* array = ids->if_array();
  std::vector<TokenId> out;
  if (array != nullptr) {
    out.reserve(array->size());
    for (const Json& id : *array) {
      const auto value = id.as_uint64();
      if (!value || *value > std::numeric_limits<TokenId>::max()) break;
      out.push_back(static_cast<TokenId>(*value));
    }
  }
  if (array == nullptr || out.size() != array->size()) {
    return fail(Error(Errc::invalid_argument,
                      "extra_args.last_user_token_ids must be an array of token ids")
                    .with_param("extra_args.last_user_token_ids"));
  }
  return out;
}

}  // namespace

Options options_from_configuration() {
  return {.delay = std::chrono::duration_cast<std::chrono::milliseconds>(
              config::get(config::var::echo_delay))};
}

net::awaitable<Result<std::unique_ptr<llm::OutputStream>>> EchoEngine::generate(
    PreprocessedRequest request, runtime::ContextPtr context) {
  Playback playback{.prompt_tokens = request.token_ids.size(), .delay = options_.delay};
  DYN_CO_TRY(playback.answer, answer_of(request));
  co_return play_back(std::move(playback), request, std::move(context));
}

llm::TokenEngine::Info EchoEngine::info() const {
  Info info;
  info.name = "echo";
  info.wants_last_user_tokens = true;
  return info;
}

}  // namespace dynamo::engines::echo
