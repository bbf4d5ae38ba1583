// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace dynamo::kv_router {
class NaiveIndex;
class PrefixIndex;
struct KvBlock;
struct KvCacheEvent;
struct RouterEvent;
struct WorkerKey;
}  // namespace dynamo::kv_router
