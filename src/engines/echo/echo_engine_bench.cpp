// SPDX-License-Identifier: Apache-2.0
#include <dynamo/engines/echo/echo_engine.h>
#include <dynamo/runtime/context.h>

#include <exception>
#include <numeric>
#include <utility>

#include <benchmark/benchmark.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

namespace dynamo::engines::echo {
namespace {

namespace net = boost::asio;

net::awaitable<std::size_t> read_all(EchoEngine& engine, llm::PreprocessedRequest request) {
  auto stream = co_await engine.generate(std::move(request), runtime::Context::create("bench"));
  std::size_t outputs = 0;
  for (;;) {
    const auto batch = co_await (*stream)->next();
    if (batch->empty()) co_return outputs;
    outputs += batch->size();
  }
}

/// The engine's share of a frontend benchmark request: 200-token prompt, 64 tokens out.
void echo_64_tokens(benchmark::State& state) {
  EchoEngine engine({.delay = std::chrono::milliseconds(0)});
  llm::PreprocessedRequest request;
  request.token_ids.resize(200);
  std::iota(request.token_ids.begin(), request.token_ids.end(), 0U);
  request.stop_conditions.max_tokens = 64;
  net::io_context io;
  for (auto _ : state) {
    std::size_t outputs = 0;
    net::co_spawn(io, read_all(engine, request),
                  [&](const std::exception_ptr&, std::size_t n) { outputs = n; });
    io.restart();
    io.run();
    benchmark::DoNotOptimize(outputs);
  }
}
BENCHMARK(echo_64_tokens);

}  // namespace
}  // namespace dynamo::engines::echo
