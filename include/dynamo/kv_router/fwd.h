// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace dynamo::kv_router {
class ActiveSequences;
class ApproximateIndex;
class EventOrder;
class NaiveIndex;
class PrefixIndex;
class Selector;
struct KvBlock;
struct KvCacheEvent;
struct RouterEvent;
struct WorkerKey;
}  // namespace dynamo::kv_router
