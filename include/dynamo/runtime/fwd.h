// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

namespace dynamo::runtime {
class ComputePool;
class Context;
class MetricsRegistry;
class Shard;
class ShardPool;
class Shutdown;
class TaskScope;
using ContextPtr = std::shared_ptr<Context>;
}  // namespace dynamo::runtime
