// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/llm/protocols/engine_output.h>

#include <cstddef>
#include <cstdint>

namespace dynamo::engines::batching {

/// Where the outputs of one request go, as the scheduler sees it: the engine's end of the stream
/// that a shard reads. Bounded; a request whose sink is full pauses and nobody else does.
class OutputSink {
 public:
  enum class Wish : std::uint8_t {
    go_on,
    stop,  ///< end soon, with finish reason cancelled
    drop,  ///< nobody reads any more
  };
  virtual ~OutputSink() = default;
  virtual Wish wish() const noexcept = 0;
  /// Outputs that may be pushed now. Last outputs (with a finish reason) always fit.
  virtual std::size_t room() const = 0;
  virtual void push(llm::EngineOutput output) = 0;
  /// The end of the stream; exactly one of the two, once.
  virtual void end() = 0;
  virtual void fail(Error error) = 0;
};

}  // namespace dynamo::engines::batching
